"""What callers may send in the headers that split traffic: nothing breaks an answer, or comes back in one."""

import re
import socket
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from tests.live.split_plane import SplitPlane
from understudy.buckets import BucketRange
from understudy.routing.traffic import Remembering, Traffic
from understudy.wire import message_class

HALF = Traffic(
    trial="t",
    epoch=1,
    candidate=2,
    salt="t",
    ranges=(BucketRange(2, 0, 5_000),),
    remembering=Remembering(output=None, window_s=60.0),
)
BODY = b'{"inputs": {"x": [1.0]}}'
TIMEOUT_S = 30.0
EXPLAIN = "x-understudy-explain"
NAMES = (
    b"x-request-id",
    b"x-routing-key",
    b"x-understudy-version",
    b"x-understudy-arm",
    EXPLAIN.encode(),
)
VALUES = (
    b"",
    b" \t ",
    b"\xff\x80\xc3\xa9",
    b"a b",
    b"a\tb",
    b"%0d%0aset-cookie: a",
    b"0" * 129,
    b"k" * 10_000,
)
PREDICT = "/tensorflow.serving.PredictionService/Predict"


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[SplitPlane]:
    """Versions 1 and 2, half of the traffic each; callers may not choose."""
    with SplitPlane(tmp_path) as plane:
        plane.load(1, 2)
        plane.publish((1, 2), HALF)
        yield plane


def ask_raw(plane: SplitPlane, headers: list[tuple[bytes, bytes]]) -> list[bytes]:
    """One Predict by REST with these bytes as headers; the lines of the answer's head."""
    host, port = plane.rest.rsplit(":", 1)
    lines = [b"POST /v1/models/m:predict HTTP/1.1", b"host: h", b"connection: close"]
    lines += [b"content-length: %d" % len(BODY), *(b"%s: %s" % header for header in headers)]
    with socket.create_connection((host, int(port)), TIMEOUT_S) as connection:
        connection.sendall(b"\r\n".join(lines) + b"\r\n\r\n" + BODY)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    return answer.split(b"\r\n\r\n", 1)[0].lower().split(b"\r\n")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", VALUES)
def test_by_rest_any_bytes_are_answered_and_only_a_plain_id_comes_back(
    plane: SplitPlane, name: bytes, value: bytes
) -> None:
    for times in (1, 2):
        status, *lines = ask_raw(plane, [(name, value)] * times)
        assert status == b"http/1.1 200 ok"
        (request_id,) = (line for line in lines if line.startswith(b"x-request-id: "))
        assert re.fullmatch(rb"x-request-id: [0-9a-f]{32}", request_id)
        assert sum(line.startswith(b"x-understudy-") for line in lines) == 2
        assert not any(line.startswith(b"set-cookie") for line in lines)


def test_of_two_headers_of_one_name_the_first_counts(plane: SplitPlane) -> None:
    _, *lines = ask_raw(plane, [(b"x-request-id", b"first"), (b"x-request-id", b"second")])
    assert [line for line in lines if line.startswith(b"x-request-id")] == [b"x-request-id: first"]


@pytest.mark.parametrize("value", ["", "a b", "%0d%0aset-cookie: a", "0" * 129, "k" * 4_000])
@pytest.mark.parametrize("name", [name.decode() for name in NAMES])
def test_by_grpc_any_metadata_are_answered_and_only_a_plain_id_comes_back(
    plane: SplitPlane, name: str, value: str
) -> None:
    request = message_class("tensorflow.serving.PredictRequest")()
    request.model_spec.name = "m"  # type: ignore[attr-defined] # of the private pool, here and below
    tensor = request.inputs["x"]  # type: ignore[attr-defined]
    tensor.dtype = 1
    tensor.tensor_shape.dim.add(size=1)
    tensor.float_val.append(1.0)
    with grpc.insecure_channel(plane.grpc) as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(PREDICT)
        for asked in ((), ((EXPLAIN, "1"),)):
            metadata = ((name, value), (name, value), *asked)
            _, state = call.with_call(request.SerializeToString(), timeout=TIMEOUT_S, metadata=metadata)
            said = [(key, text) for key, text in state.initial_metadata() if key.startswith("x-")]
            why = ["x-understudy-arm"] if asked or name == EXPLAIN else []
            assert sorted(key for key, _ in said) == ["x-request-id", *why]
            assert re.fullmatch("[0-9a-f]{32}", str(dict(said)["x-request-id"]))
