"""A live server with every TensorFlow Lite model."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.process import LiveServer

INTERPRETERS = 2


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
