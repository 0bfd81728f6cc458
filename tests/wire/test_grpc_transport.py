"""What the real gRPC client's transport does with a live server: compression, long texts, deadlines, cancellation."""

from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import grpc
import pytest

from tests.live.asking import predict_message
from tests.live.exports import Exports, config_text, model_text, release
from tests.live.process import LiveServer

pytestmark = pytest.mark.slow

PREDICT = "/tensorflow.serving.PredictionService/Predict"
TIMEOUT_S = 30
TEXT_CHARS_MAX = 1024

Call: TypeAlias = "grpc.UnaryUnaryMultiCallable[bytes, bytes]"


class Hosts:
    """A server with a quick model `m`, and a model `hangs` that hangs when it is asked for 7."""

    def __init__(self, folder: Path) -> None:
        m, hangs = Exports(folder / "m"), Exports(folder / "hangs")
        m.synthetic(1)
        self.held = hangs.synthetic(1, hang_on=7.0)
        config = folder / "models.config"
        config.write_text(config_text(model_text("m", m.base_path), model_text("hangs", hangs.base_path)))
        self.server = LiveServer(f"--model-config-file={config}")

    def wait_in_flight(self, count: int) -> None:
        """Waits until so many requests hold the model that hangs."""
        while self.server.status("hangs")["versions"][0]["in_flight"] != count:
            pass


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    hosts = Hosts(tmp_path_factory.mktemp("hosts"))
    with hosts.server:
        yield hosts
        release(hosts.held)


@pytest.fixture
def call(hosts: Hosts) -> Iterator[Call]:
    with grpc.insecure_channel(hosts.server.grpc) as channel:
        yield channel.unary_unary(PREDICT, bytes, bytes)


@pytest.mark.parametrize(
    "compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip, grpc.Compression.Deflate]
)
def test_a_request_may_be_compressed(compression: grpc.Compression, call: Call) -> None:
    plain = call(predict_message("m", 3.0), timeout=TIMEOUT_S)
    assert call(predict_message("m", 3.0), timeout=TIMEOUT_S, compression=compression) == plain


@pytest.mark.parametrize("surplus", [-1, 0, 1, 5_000])
def test_a_status_text_is_cut_after_1024_bytes(surplus: int, call: Call) -> None:
    around = "Servable not found for request: Latest()"
    name = "n" * (TEXT_CHARS_MAX + surplus - len(around))
    with pytest.raises(grpc.RpcError) as refused:
        call(predict_message(name, 0.0), timeout=TIMEOUT_S)
    whole = f"Servable not found for request: Latest({name})"
    cut = whole if surplus <= 0 else f"{whole[:TEXT_CHARS_MAX]}...TRUNCATED"
    assert (refused.value.code(), refused.value.details()) == (grpc.StatusCode.NOT_FOUND, cut)


def test_a_deadline_ends_the_wait_and_not_the_connection(call: Call) -> None:
    with pytest.raises(grpc.RpcError) as ended:
        call(predict_message("hangs", 7.0), timeout=0.5)
    assert ended.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert call(predict_message("hangs", 0.0), timeout=TIMEOUT_S)


def test_a_call_that_is_cancelled_disturbs_no_other_on_its_connection(hosts: Hosts, call: Call) -> None:
    held = hosts.server.status("hangs")["versions"][0]["in_flight"]
    hanging = call.future(predict_message("hangs", 7.0), timeout=TIMEOUT_S)
    hosts.wait_in_flight(held + 1)
    hanging.cancel()
    with pytest.raises(grpc.FutureCancelledError):
        hanging.result()
    assert call(predict_message("hangs", 0.0), timeout=TIMEOUT_S)
    release(hosts.held)
    hosts.wait_in_flight(0)


def test_a_request_that_is_larger_than_grpcs_own_default_is_taken(
    call: Call,
) -> None:
    padding = (
        b"\x7a" + b"\x80\x80\xc0\x02" + bytes(5 << 20)
    )  # field 15, which nobody knows, of five megabytes
    assert call(predict_message("m", 1.0) + padding, timeout=TIMEOUT_S)
