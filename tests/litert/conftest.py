"""TensorFlow Lite models, made once, and a live server that serves them."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.process import LiveServer

MODELS_SCRIPT = Path(__file__).parent / "models.py"
INTERPRETERS = 2


@pytest.fixture(scope="session")
def litert_models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every test model's file by its name; each made once, by TensorFlow, in a process of its own."""
    folder = tmp_path_factory.mktemp("litert-models")
    subprocess.run([sys.executable, "-W", "ignore", MODELS_SCRIPT, folder], check=True, capture_output=True)
    return {file.stem: file for file in folder.iterdir()}


@pytest.fixture(scope="session")
def litert_server(
    litert_models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    """One live server with every test model as version 1, for tests that change nothing."""
    root = tmp_path_factory.mktemp("litert-base-paths")
    for name, file in litert_models.items():
        (root / name / "1").mkdir(parents=True)
        (root / name / "1" / "model.tflite").symlink_to(file)
    models = [f"--model={name}={root / name}" for name in litert_models]
    flags = ["--prefer-tflite-model", f"--litert-interpreters={INTERPRETERS}"]
    with LiveServer(*flags, *models) as server:
        yield server
