"""Fixtures shared by all tests: real models, a live server with all SavedModels, the real client."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.process import LiveServer
from tests.live.serving_client import ServingClient

MODELS_SCRIPT = Path(__file__).parent / "tensorflow" / "models.py"
LITERT_SCRIPT = Path(__file__).parent / "litert" / "models.py"
VERSION = 123


@pytest.fixture(scope="session", autouse=True)
def state_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where servers keep their state unless told otherwise: never in the home of whoever runs the tests."""
    folder = tmp_path_factory.mktemp("state-home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder))
        yield folder


@pytest.fixture(scope="session")
def saved_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every test model; each exported once, by TensorFlow, in a process of its own."""
    folder = tmp_path_factory.mktemp("saved-models")
    subprocess.run([sys.executable, "-W", "ignore", MODELS_SCRIPT, folder], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def litert_models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every TensorFlow Lite model's file by its name; each made once, by TensorFlow, in a process of its own."""
    folder = tmp_path_factory.mktemp("litert-models")
    subprocess.run([sys.executable, "-W", "ignore", LITERT_SCRIPT, folder], check=True, capture_output=True)
    return {file.stem: file for file in folder.iterdir()}


@pytest.fixture(scope="session")
def base_paths(saved_models: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Base path by model name; each holds the model as version 123."""
    root = tmp_path_factory.mktemp("models")
    for model in saved_models.iterdir():
        (root / model.name).mkdir()
        (root / model.name / str(VERSION)).symlink_to(model)
    return {path.name: path for path in root.iterdir()}


@pytest.fixture(scope="session")
def server(base_paths: dict[str, Path]) -> Iterator[LiveServer]:
    """One live server with every test model, for tests that change nothing."""
    models = [f"--model={name}={path}" for name, path in base_paths.items()]
    with LiveServer(*models) as server:
        yield server


@pytest.fixture(scope="session")
def serving_client() -> Iterator[ServingClient]:
    """The real `tensorflow-serving-api` client, in its own process."""
    with ServingClient() as client:
        yield client


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rewrite",
        action="store_true",
        help="write what was observed into scenario files and generated pages instead of comparing",
    )


@pytest.fixture
def rewrite(request: pytest.FixtureRequest) -> bool:
    """Whether expected texts are to be rewritten."""
    return bool(request.config.getoption("--rewrite"))
