"""The client as a package: what it imports, beside whom it lives, and that both clients offer the same."""

import inspect
import subprocess
import sys

import pytest

from understudy.client import AsyncClient, Client

ALLOWED = {
    "understudy", "understudy.buckets", "understudy.dataplane", "understudy.dataplane._native", "understudy.dataplane.descriptors",
    "understudy.errors", "understudy.signatures", "understudy.wire",
}  # fmt: skip
"""Of Understudy, beside the client itself."""

OURS = """
import numpy as np
from understudy.client.asking import Target
from understudy.client.inference import predict
call = predict(Target("m"), {"x": np.array([1.5], np.float32)}, None)
"""
THEIRS = """
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc
"""
TENSORFLOW = """
import tensorflow as tf
"""
EXCHANGE = """
request = predict_pb2.PredictRequest.FromString(call.request)
assert request.model_spec.name == "m" and request.inputs["x"].dtype == 1
response = predict_pb2.PredictResponse(outputs=request.inputs, model_spec=request.model_spec)
assert call.decode(response.SerializeToString())["x"].tolist() == [1.5]
print("exchanged")
"""


def run(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.tensorflow
@pytest.mark.parametrize(
    "imports",
    [OURS + THEIRS + TENSORFLOW, TENSORFLOW + THEIRS + OURS],
    ids=["ours first", "theirs first"],
)
def test_both_packages_live_in_one_process_and_exchange_messages(imports: str) -> None:
    done = run(imports + EXCHANGE)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "exchanged\n"


@pytest.mark.slow
def test_the_client_brings_nothing_of_the_server_and_nothing_of_tensorflow() -> None:
    done = run("import understudy.client, sys; print(*sorted(sys.modules))")
    modules = set(done.stdout.split())
    ours = {name for name in modules if name.split(".")[0] == "understudy"}
    assert {name for name in ours if not name.startswith("understudy.client")} == ALLOWED
    assert not {"tensorflow", "tensorflow_serving", "structlog", "starlette", "click"} & modules


@pytest.mark.slow
def test_the_server_and_its_commands_never_import_the_client_s_packages() -> None:
    script = (
        "import sys; sys.modules['grpc'] = sys.modules['numpy'] = None\n"
        "import understudy.server.run, understudy.cli.serve, understudy.cli.predict, understudy.cli.publish\n"
        "print('imported')"
    )
    done = run(script)
    assert done.stdout == "imported\n", done.stderr


@pytest.mark.parametrize("name", ["grpc", "numpy"])
def test_what_is_missing_is_said_with_what_to_install(name: str) -> None:
    done = run(f"import sys; sys.modules[{name!r}] = None; import understudy.client")
    assert done.returncode == 1
    assert (
        f"ImportError: understudy.client needs the package {name}: pip install 'understudy[client]'"
        in done.stderr
    )


def faces(client: type) -> dict[str, str]:
    """Every public method with its arguments."""
    return {
        name: str(inspect.signature(member))
        for name, member in inspect.getmembers(client, inspect.isfunction)
        if not name.startswith("_") or name == "__init__"
    }


def test_both_clients_offer_the_same_calls_with_the_same_arguments_and_words() -> None:
    assert faces(AsyncClient) == faces(Client)
    for name in faces(Client):
        blocking, awaited = getattr(Client, name), getattr(AsyncClient, name)
        assert inspect.getdoc(blocking) == inspect.getdoc(awaited)
        assert inspect.iscoroutinefunction(awaited) == (name != "__init__")
