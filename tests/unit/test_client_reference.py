"""The page about the client is what its code says of itself; the example in the docs runs."""

import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.live.exports import Exports, config_text, model_text
from tests.live.process import LiveServer
from understudy import client
from understudy.client.reference import build_reference

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "client.md"


def test_the_page_in_the_docs_is_made_from_the_code(rewrite: bool) -> None:  # noqa: FBT001 - a fixture
    if rewrite:
        PAGE.write_text(build_reference())
    else:
        assert PAGE.read_text() == build_reference()


def test_every_error_stands_on_the_page_with_its_codes() -> None:
    page = build_reference()
    errors = [name for name in client.__all__ if name.endswith("Error")]
    assert [name for name in errors if f"| `{name}` |" not in page] == []
    assert "| `InvalidRequestError` | INVALID_ARGUMENT, FAILED_PRECONDITION, OUT_OF_RANGE |" in page


@pytest.mark.slow
def test_the_example_says_which_version_of_a_split_model_answered(tmp_path: Path) -> None:
    exports = Exports(tmp_path / "m")
    exports.synthetic(3)
    exports.synthetic(4)
    config = tmp_path / "models.config"
    config.write_text(config_text(model_text("m", exports.base_path, policy="all {}")))
    with LiveServer(f"--model-config-file={config}") as server:
        weights = {"weights": {"3": 99.99, "4": 0.01}}
        split = requests.put(f"http://{server.admin}/v1/models/m/traffic", json=weights, timeout=30)
        assert split.ok, split.text
        words = [sys.executable, "-m", "examples.client.predict", server.grpc]
        done = subprocess.run([*words, "m"], cwd=ROOT, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "  by version 3: " in done.stdout
        assert ", sticky\n" in done.stdout
        assert "understudy feedback" not in done.stdout, "weights by hand await no truth"


@pytest.mark.slow
def test_the_example_runs(tmp_path: Path) -> None:
    exports = Exports(tmp_path / "m")
    exports.synthetic(3)
    config = tmp_path / "models.config"
    config.write_text(config_text(model_text("m", exports.base_path)))
    with LiveServer(f"--model-config-file={config}") as server:
        words = [sys.executable, "-m", "examples.client.predict", server.grpc]
        done = subprocess.run([*words, "m"], cwd=ROOT, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stdout == (
            "m, version 3\n  input x: DT_FLOAT of any shape\n  output version: [3]\n  output y: [3.0]\n"
        )
