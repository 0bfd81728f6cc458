"""The stubs of `tensorflow-serving-api`: every RPC that TensorFlow Serving offers, in every way to call one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import VERSION
from tests.live.process import LiveServer

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

SCRIPT = Path(__file__).parent / "serving_api_calls.py"
TIMEOUT_S = 600
WAYS = ("blocking", "future", "with_call", "compressed", "waiting")
AVAILABLE = {"model_version_status": [{"version": str(VERSION), "state": "AVAILABLE", "status": {}}]}
CLASSES = {"classifications": [{"classes": [{"label": "1.500000", "score": 1.5}]}]}


def spec(name: str, signature: str) -> dict[str, str]:
    return {"name": name, "version": str(VERSION), "signature_name": signature}


def test_every_rpc_answers_the_stubs(base_paths: dict[str, Path]) -> None:
    models = [f"--model={name}={base_paths[name]}" for name in ("half_plus_two", "sums_examples")]
    with LiveServer(*models) as server:
        words = [sys.executable, "-W", "ignore", str(SCRIPT), server.grpc, str(base_paths["offset_1"])]
        done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert done.returncode == 0, done.stderr
    half, classify, regress = (
        spec("half_plus_two", "serving_default"),
        spec("sums_examples", "classify"),
        spec("sums_examples", "regress"),
    )
    assert json.loads(done.stdout) == {
        **{way: [2.5, 3.0, 4.5] for way in WAYS},
        "code": "OK",
        "model_spec": half,
        "classify": {"result": CLASSES, "model_spec": classify},
        "regress": {"result": {"regressions": [{"value": 1.5}, {"value": 2.0}]}, "model_spec": regress},
        "multi_inference": {
            "results": [
                {"model_spec": classify, "classification_result": CLASSES},
                {"model_spec": regress, "regression_result": {"regressions": [{"value": 1.5}]}},
            ]
        },
        "signatures": ["__saved_model_init_op", "serving_default"],
        "status": AVAILABLE,
        "reload": {"status": {}},
        "status of the added": AVAILABLE,
    }
