"""What the clients put on the wire, as a server of another make (grpcio's own) sees it; how they take refusals."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import pytest

from tests.live.clients import MAKES, MakeClient
from understudy.client import (
    EXPLAIN_METADATA,
    ROUTING_KEY_METADATA,
    AnswerError,
    AsyncClient,
    Client,
    Code,
    OverloadedError,
    RetryPolicy,
    ServerError,
)
from understudy.wire import message_class

pytestmark = pytest.mark.slow

BIG = 4 << 20
"""Floats: more than gRPC's own limit of a message."""
TIMEOUT_S = 20.0
CALLS_MAX = 5_000
ROUNDING_S = 1.0
"""gRPC rounds up the time that it sends."""
OVERLOADED, INTERNAL = grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INTERNAL


class Stranger(grpc.GenericRpcHandler):
    """Answers every call with what is laid out for it, and remembers how it was asked.

    Attributes:
        refusals: codes of the next answers, in order; then it answers.
        answer: what it answers then; none: the inputs of a Predict call as its outputs.
        asked: metadata of each call.
        left_s: the time that each had.
    """

    def __init__(self) -> None:
        self.refusals: list[grpc.StatusCode] = []
        self.answer: bytes | None = b""
        self.asked: list[dict[str, str | bytes]] = []
        self.left_s: list[float] = []

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes]":
        self.asked.append(dict(handler_call_details.invocation_metadata))
        return grpc.unary_unary_rpc_method_handler(self._serve)

    def _serve(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        self.left_s.append(context.time_remaining())
        if self.refusals:
            context.abort(self.refusals.pop(0), "not now")
        return echo(request) if self.answer is None else self.answer


def echo(request: bytes) -> bytes:
    """A PredictResponse with the request's inputs: field 2 there, field 1 here."""
    asked = message_class("tensorflow.serving.PredictRequest").FromString(request)
    response = message_class("tensorflow.serving.PredictResponse")()
    for name, tensor in asked.inputs.items():  # type: ignore[attr-defined] # of the private pool
        response.outputs[name].CopyFrom(tensor)  # type: ignore[attr-defined]
    return response.SerializeToString()


@pytest.fixture
def stranger() -> Stranger:
    return Stranger()


@pytest.fixture(params=["port", "socket"])
def address(request: pytest.FixtureRequest, stranger: Stranger, tmp_path: Path) -> Iterator[str]:
    """Where the stranger listens: on a port, or on a UNIX socket."""
    with ThreadPoolExecutor(2) as pool:
        unlimited = [("grpc.max_receive_message_length", -1)]
        server = grpc.server(pool, [stranger], options=unlimited)
        if request.param == "port":
            address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        else:
            address = f"unix:{tmp_path / 'grpc.sock'}"
            server.add_insecure_port(address)
        server.start()
        yield address
        server.stop(grace=None).wait()


@pytest.fixture(params=MAKES, name="make")
def make_fixture(request: pytest.FixtureRequest) -> MakeClient:
    """Each client in turn."""
    return MAKES[request.param]


def test_a_request_carries_deadline_metadata_and_routing_key(
    make: MakeClient, stranger: Stranger, address: str
) -> None:
    with make(address, timeout=TIMEOUT_S, metadata={"team": "ads"}) as client:
        client.predict("m", {}, routing_key="user 7")
        client.status("m", timeout=TIMEOUT_S / 2)
    assert [asked["team"] for asked in stranger.asked] == ["ads", "ads"]
    assert [asked.get(ROUTING_KEY_METADATA) for asked in stranger.asked] == ["user 7", None]
    predict_s, status_s = stranger.left_s
    assert status_s < TIMEOUT_S / 2 + ROUNDING_S
    assert predict_s < TIMEOUT_S + ROUNDING_S


def test_a_client_that_explains_asks_why_where_it_asks_a_model(
    make: MakeClient, stranger: Stranger, address: str
) -> None:
    for explain in (False, True):
        with make(address, explain=explain) as client:
            assert client.predict("m", {}).served is None, "another server has nothing to say"
            client.status("m")
    assert [asked.get(EXPLAIN_METADATA) for asked in stranger.asked] == [None, None, "1", None]


def test_a_message_may_be_larger_than_grpc_s_own_limit(
    make: MakeClient, stranger: Stranger, address: str
) -> None:
    stranger.answer = None
    sent = np.arange(BIG, dtype=np.float32)
    with make(address) as client:
        np.testing.assert_array_equal(client.predict("m", {"x": sent})["x"], sent)


def test_a_server_without_room_is_asked_again_only_when_told(
    make: MakeClient, stranger: Stranger, address: str
) -> None:
    stranger.refusals = [OVERLOADED]
    with make(address) as client, pytest.raises(OverloadedError, match="not now"):
        client.status("m")
    told = RetryPolicy(backoff_first_s=0.0, codes=frozenset({Code.UNAVAILABLE, Code.RESOURCE_EXHAUSTED}))
    stranger.refusals = [OVERLOADED, OVERLOADED]
    with make(address, retries=told) as client:
        assert client.status("m").versions == ()
        assert client.counts.retries == 2


def test_a_server_that_fails_is_not_asked_again(make: MakeClient, stranger: Stranger, address: str) -> None:
    stranger.refusals = [INTERNAL]
    with make(address) as client, pytest.raises(ServerError) as failed:
        client.status("m")
    assert (failed.value.code, failed.value.attempts) == (Code.INTERNAL, 1)


def test_an_answer_that_is_none_is_told(make: MakeClient, stranger: Stranger, address: str) -> None:
    stranger.answer = b"\xff"
    with make(address) as client, pytest.raises(AnswerError, match="PredictResponse"):
        client.predict("m", {})


def test_a_client_takes_channel_arguments_of_its_own(
    make: MakeClient, stranger: Stranger, address: str
) -> None:
    stranger.answer = None
    small = {"grpc.max_send_message_length": 10}
    with make(address, channel_options=small) as client, pytest.raises(OverloadedError, match="10"):
        client.predict("m", {"x": np.zeros(100)})


def test_many_threads_share_a_client(stranger: Stranger, address: str) -> None:
    stranger.answer = None
    with Client(address) as client, ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda number: client.predict("m", {"x": [number]})["x"].tolist(), range(100))
        assert list(answers) == [[number] for number in range(100)]
        assert client.counts.calls == 100


def test_several_servers_can_be_one_target(make: MakeClient) -> None:
    strangers = (Stranger(), Stranger())
    with ThreadPoolExecutor(2) as pool:
        servers = [grpc.server(pool, [stranger]) for stranger in strangers]
        ports = [server.add_insecure_port("127.0.0.1:0") for server in servers]
        for server in servers:
            server.start()
        target = "ipv4:" + ",".join(f"127.0.0.1:{port}" for port in ports)
        in_turn: dict[str, str | int] = {"grpc.lb_policy_name": "round_robin"}
        with make(target, channel_options=in_turn) as client:
            for _ in range(CALLS_MAX):
                if all(stranger.asked for stranger in strangers):  # each as soon as it is connected
                    break
                client.status("m")
        assert all(stranger.asked for stranger in strangers)
        for server in servers:
            server.stop(grace=None).wait()


def test_many_tasks_share_a_client_and_each_can_be_cancelled(stranger: Stranger, address: str) -> None:
    stranger.answer = None

    async def ask() -> None:
        async with AsyncClient(address) as client:
            cancelled = asyncio.create_task(client.predict("m", {"x": [0]}))
            cancelled.cancel()
            calls = [client.predict("m", {"x": [number]}) for number in range(100)]
            answers = await asyncio.gather(*calls)
            assert [answer["x"].tolist() for answer in answers] == [[number] for number in range(100)]
            with pytest.raises(asyncio.CancelledError):
                await cancelled

    asyncio.run(ask())
