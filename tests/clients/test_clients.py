"""OpenVINO's `ovmsclient` and the small `min-tfs-client`, as PyPI has them: every call, unchanged."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.clients.environment import run
from tests.live.process import LiveServer

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def ovms(server: LiveServer) -> dict[str, Any]:
    """What ovmsclient's two clients were told."""
    told: dict[str, Any] = json.loads(
        run("ovmsclient", HERE / "ovmsclient_calls.py", server.grpc, server.rest)
    )
    return told


@pytest.mark.parametrize(("door", "kind"), [("grpc", "f"), ("http", "f")])
def test_ovmsclient_predicts(door: str, kind: str, ovms: dict[str, Any]) -> None:
    told = ovms[door]
    assert told["predict"] == told["predict a list"] == [kind, [2.5, 3.0, 4.5]]
    strings = {name: values for name, (_, values) in told["predict bytes"].items()}
    assert strings == {
        "echo": ["one", "two"],
        "upper": ["ONE", "TWO"],
        "length": [3, 3],
        "joined": ["onetwo"],
    }


def test_ovmsclient_must_name_the_version_as_at_tensorflow_serving(ovms: dict[str, Any]) -> None:
    told = ovms["grpc"]["no version"]  # it says version 0 then, which only OpenVINO's server takes as any
    assert told["error"] == "ModelNotFoundError"
    assert told["text"].endswith("Servable not found for request: Specific(half_plus_two, 0)")


@pytest.mark.parametrize("door", ["grpc", "http"])
def test_ovmsclient_reads_the_status(door: str, ovms: dict[str, Any]) -> None:
    assert ovms[door]["status"] == {"123": {"state": "AVAILABLE", "error_code": 0, "error_message": ""}}


def test_ovmsclient_reads_the_metadata(ovms: dict[str, Any]) -> None:
    assert ovms["grpc"]["metadata"] == {
        "model_version": 123,
        "inputs": {"x": {"shape": [-1], "dtype": "DT_FLOAT"}},
        "outputs": {"y": {"shape": [-1], "dtype": "DT_FLOAT"}},
    }
    by_http = ovms["http"]["metadata"]
    assert by_http["model_spec"] == {"name": "half_plus_two", "signature_name": "", "version": "123"}
    definition = by_http["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert definition["inputs"]["x"]["dtype"] == "DT_FLOAT"


@pytest.mark.parametrize("door", ["grpc", "http"])
def test_ovmsclient_tells_a_model_that_is_not_there_from_a_wrong_request(
    door: str, ovms: dict[str, Any]
) -> None:
    told = ovms[door]
    before = "Error occurred during handling the request: "
    missing = [told[f"{call} nobody"] for call in ("predict", "metadata of", "status of")]
    assert {each["error"] for each in missing} == {"ModelNotFoundError"}
    assert missing[0]["text"] == f"{before}Servable not found for request: Specific(nobody, 123)"
    assert missing[2]["text"] == f"{before}Could not find version 123 of model nobody"
    assert told["predict wrongly"]["error"] == "InvalidInputError"


def test_min_tfs_client_predicts(server: LiveServer) -> None:
    told = json.loads(run("min-tfs-client", HERE / "min_tfs_client_calls.py", server.grpc))
    assert told == {
        "predict": [2.5, 3.0, 4.5],
        "version": 123,
        "text": ["ONE", "TWO"],
        "nobody": ["NOT_FOUND", "Servable not found for request: Latest(nobody)"],
    }
