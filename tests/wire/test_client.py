"""Understudy's own clients, blocking and async, at live servers: every call, its errors, restarts, changeovers."""

import queue
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

import numpy as np
import pytest

from tests.live.clients import MAKES, MakeClient
from tests.live.exports import Exports, config_text, model_text, release
from tests.live.process import LiveServer
from understudy.client import (
    CallCancelledError,
    Client,
    ClientCounts,
    ClientError,
    ClosedError,
    Code,
    DeadlineExceededError,
    InvalidRequestError,
    NotFoundError,
    RetryPolicy,
    TensorSpec,
    UnavailableError,
    VersionState,
)

pytestmark = pytest.mark.slow

HANGS_ON = 7.0
HEARD_S = 60.0
LOOK_S = 0.01
"""Between two looks at what a client has counted."""


@pytest.fixture(params=MAKES, name="make")
def make_fixture(request: pytest.FixtureRequest) -> MakeClient:
    """Each client in turn."""
    return MAKES[request.param]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("client")


@pytest.fixture(scope="module")
def exports(folder: Path) -> Exports:
    """Versions 1 and 2 of model m; both hang on one value until they are released."""
    exports = Exports(folder / "m")
    for version in (1, 2):
        exports.synthetic(version, hang_on=HANGS_ON)
    return exports


def config_of(exports: Exports, labels: str = 'version_labels { key: "canary" value: 2 }') -> str:
    return config_text(
        model_text("m", exports.base_path, policy="all {}")[:-1]
        + labels
        + 'version_labels { key: "stable" value: 1 } }'
    )


@pytest.fixture(scope="module")
def server(folder: Path, exports: Exports) -> Iterator[LiveServer]:
    """Model m with both versions and two labels; not the session's server."""
    config = folder / "models.config"
    config.write_text(config_of(exports))
    with LiveServer(f"--model-config-file={config}") as server:
        yield server


@pytest.fixture
def client(make: MakeClient, server: LiveServer) -> Iterator[Client]:
    with make(server.grpc) as client:
        yield client


def test_a_prediction_says_who_made_it(client: Client) -> None:
    prediction = client.predict("m", {"x": np.array([0.5, 1.5], np.float32)})
    assert prediction["y"].tolist() == [2.5, 3.5]
    assert prediction["y"].dtype == np.float32
    assert (prediction.model, prediction.version, prediction.signature) == ("m", 2, "serving_default")
    assert set(prediction) == {"y", "version"}


def test_a_version_or_a_label_chooses_who_answers(client: Client) -> None:
    x = {"x": [0.0]}
    assert client.predict("m", x, version=1).version == 1
    assert client.predict("m", x, version=2).version == 2
    assert client.predict("m", x, label="stable").version == 1
    assert client.predict("m", x, label="canary").version == 2
    assert client.metadata("m", label="stable").version == 1


def test_a_signature_and_its_outputs_can_be_chosen(client: Client) -> None:
    mixed: list[str | bytes] = ["a", b"\xff\0"]
    echoed = client.predict("m", {"s": mixed}, signature="echo")
    assert echoed["t"].tolist() == [b"a", b"\xff\0"]
    assert echoed.signature == "echo"
    assert list(client.predict("m", {"x": [0.0]}, outputs=["y"])) == ["y"]


def test_metadata_tells_the_signatures(client: Client) -> None:
    told = client.metadata("m", version=1)
    assert (told.model, told.version) == ("m", 1)
    assert told.signatures["serving_default"].inputs == {"x": TensorSpec("DT_FLOAT", None)}
    assert told.signatures["echo"].outputs == {"t": TensorSpec("DT_STRING", None)}


def test_status_tells_the_versions(client: Client) -> None:
    assert client.status("m").available == (2, 1)
    (only,) = client.status("m", version=1).versions
    assert (only.version, only.state, only.code, only.message) == (1, VersionState.AVAILABLE, Code.OK, "")


def test_health_tells_of_the_server_and_of_a_model(client: Client) -> None:
    assert client.health()
    assert client.health("m")
    with pytest.raises(NotFoundError):
        client.health("nobody")


def test_what_is_ready_is_not_waited_for(client: Client) -> None:
    client.wait_until_ready()
    client.wait_until_ready("m")
    client.wait_until_ready("m", version=1)


def test_waiting_for_what_never_comes_ends_with_the_time_and_the_reason(client: Client) -> None:
    with pytest.raises(DeadlineExceededError, match="Could not find version 9 of model m"):
        client.wait_until_ready("m", version=9, timeout=0.3)


@pytest.mark.parametrize(
    ("arguments", "kind", "code", "message"),
    [
        ({"model": "nobody"}, NotFoundError, Code.NOT_FOUND, "Servable not found for request: Latest(nobody)"),
        ({"version": 9}, NotFoundError, Code.NOT_FOUND, "Servable not found for request: Specific(m, 9)"),
        ({"label": "x"}, InvalidRequestError, Code.INVALID_ARGUMENT, "Unrecognized servable version label: x"),
        ({"signature": "x"}, InvalidRequestError, Code.FAILED_PRECONDITION, 'Serving signature key "x" not found.'),
        ({"outputs": ["q"]}, InvalidRequestError, Code.INVALID_ARGUMENT,
         "output tensor alias not found in signature: q Outputs expected to be in the set {version,y}."),
        ({"version": 1, "label": "x"}, InvalidRequestError, Code.INVALID_ARGUMENT, "Give a version or a label, not both."),
    ],
)  # fmt: skip
def test_a_refusal_has_the_server_s_code_and_words(
    arguments: dict[str, object], kind: type[ClientError], code: Code, message: str, client: Client
) -> None:
    with pytest.raises(ClientError) as refused:
        client.predict(**({"model": "m", "inputs": {"x": [0.0]}} | arguments))  # type: ignore[arg-type]
    assert type(refused.value) is kind
    assert (refused.value.code, refused.value.message) == (code, message)
    assert refused.value.model == arguments.get("model", "m")


def test_a_call_ends_at_its_deadline_and_the_client_goes_on(client: Client) -> None:
    with pytest.raises(DeadlineExceededError) as failed:
        client.predict("m", {"x": [HANGS_ON]}, timeout=0.2)
    assert failed.value.attempts == 1
    assert client.predict("m", {"x": [0.0]}).version == 2
    assert client.counts == ClientCounts(calls=2, failures=1, retries=0, retries_refused=0)


def test_a_closed_client_asks_nobody(client: Client) -> None:
    client.close()
    client.close()
    with pytest.raises(ClosedError):
        client.status("m")


def test_closing_ends_what_is_under_way(make: MakeClient, tmp_path: Path) -> None:
    exports = Exports(tmp_path / "held")
    held = exports.synthetic(1, hang_on=HANGS_ON)
    config = tmp_path / "models.config"
    config.write_text(config_text(model_text("held", exports.base_path)))
    with LiveServer(f"--model-config-file={config}") as server, ThreadPoolExecutor(1) as pool:
        with make(server.grpc) as client:
            answer = pool.submit(client.predict, "held", {"x": [HANGS_ON]})
            while server.status("held")["versions"][0]["in_flight"] == 0:
                assert not answer.done(), answer.result()
            client.close()
            with pytest.raises(CallCancelledError):
                answer.result()
        release(held)


def test_a_configuration_is_put_into_force(client: Client, exports: Exports) -> None:
    client.reload_config(config_of(exports, 'version_labels { key: "canary" value: 1 }'))
    try:
        assert client.predict("m", {"x": [0.0]}, label="canary").version == 1
    finally:
        client.reload_config(config_of(exports))
    assert client.predict("m", {"x": [0.0]}, label="canary").version == 2
    with pytest.raises(InvalidRequestError, match="9"):
        client.reload_config(config_of(exports, 'version_labels { key: "canary" value: 9 }'))
    with pytest.raises(InvalidRequestError, match="no field named"):
        client.reload_config("nonsense {}")


def test_a_restart_is_bridged_by_retries_and_waited_for(make: MakeClient, tmp_path: Path) -> None:
    exports = Exports(tmp_path / "m")
    exports.synthetic(1)
    config = tmp_path / "models.config"
    config.write_text(config_text(model_text("m", exports.base_path)))
    patient = RetryPolicy(attempts_max=1_000, backoff_max_s=0.2, budget_max=1_000)
    with LiveServer(f"--model-config-file={config}") as first:
        address, (_, _, port) = first.grpc, first.grpc.rpartition(":")
        with make(address, retries=patient) as client, ThreadPoolExecutor(2) as pool:
            assert client.predict("m", {"x": [0.0]}).version == 1
            first.kill()
            with pytest.raises(UnavailableError) as failed:
                client.predict("m", {"x": [0.0]}, timeout=0.3)
            assert failed.value.attempts == 1 + client.counts.retries
            before = client.counts
            call: Future[object] = pool.submit(client.predict, "m", {"x": [0.0]}, timeout=60.0)
            ready = pool.submit(client.wait_until_ready, "m")
            while client.counts.retries == before.retries:
                wait([call], timeout=LOOK_S)
                assert not call.done(), call.result()
            with LiveServer(f"--model-config-file={config}", f"--grpc-port={port}"):
                assert getattr(call.result(), "version", None) == 1
                ready.result()
            assert client.counts.failures == 1
            assert client.counts.retries_refused == 0


def test_a_changeover_fails_no_call(make: MakeClient, tmp_path: Path) -> None:
    exports = Exports(tmp_path / "m")
    exports.synthetic(1)
    config = tmp_path / "models.config"
    config.write_text(config_text(model_text("m", exports.base_path)))
    heard: queue.SimpleQueue[int] = queue.SimpleQueue()
    ended = threading.Event()

    def ask(client: Client) -> None:
        last = 0
        while not ended.is_set():
            prediction = client.predict("m", {"x": [0.0]})
            assert prediction["version"].tolist() == [prediction.version]
            if prediction.version != last:
                last = prediction.version
                heard.put(last)

    with (
        LiveServer(f"--model-config-file={config}", "--poll-interval=0.05") as server,
        make(server.grpc) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        asking = pool.submit(ask, client)
        try:
            assert heard.get(timeout=HEARD_S) == 1
            for version in (2, 3):
                exports.synthetic(version)
                server.wait_log("state_changed", version=version - 1, state="end")
                assert heard.get(timeout=HEARD_S) == version
        finally:
            ended.set()
        asking.result()
        counts = client.counts
    assert (counts.failures, counts.retries) == (0, 0)
