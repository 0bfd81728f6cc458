"""Clients that mean ill, or are broken, or slow, or many: each gets a clear answer and nobody else notices."""

import resource
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest
import requests

from tests.live.exports import Exports, config_text, model_text
from tests.live.process import LiveServer

pytestmark = pytest.mark.slow

MESSAGE_BYTES_MAX = 100_000
IDLE_CONNECTIONS = 2_000
FILES_NEEDED = 3 * IDLE_CONNECTIONS
PREDICT = "/tensorflow.serving.PredictionService/Predict"


class Hosts:
    """A server with a quick model `m` and a model `hangs` that hangs when it is asked for 7."""

    def __init__(self, folder: Path) -> None:
        m, hangs = Exports(folder / "m"), Exports(folder / "hangs")
        m.synthetic(1)
        self.held = hangs.synthetic(1, hang_on=7.0)
        config = folder / "models.config"
        config.write_text(config_text(model_text("m", m.base_path), model_text("hangs", hangs.base_path)))
        self.server = LiveServer(
            f"--model-config-file={config}",
            f"--message-bytes-max={MESSAGE_BYTES_MAX}",
            "--runs-max=2",
            "--queue-max=2",
        )

    def ask(self, model: str = "m", x: float = 0.0) -> requests.Response:
        """A good request over REST."""
        url = f"http://{self.server.rest}/v1/models/{model}:predict"
        return requests.post(url, json={"instances": [{"x": x}]}, timeout=60)

    def ask_by_grpc(self, message: bytes) -> grpc.StatusCode:
        """Any bytes as a Predict request; the code that comes back."""
        with grpc.insecure_channel(self.server.grpc) as channel:
            call = channel.unary_unary(PREDICT, lambda sent: sent, lambda received: received)
            try:
                call(message, timeout=30)
            except grpc.RpcError as error:
                code: grpc.StatusCode = error.code()
                return code
            return grpc.StatusCode.OK

    def still_serves(self) -> None:
        """Both doors answer a good request."""
        assert self.ask().json()["predictions"][0]["y"] == 1.0
        assert (
            self.ask_by_grpc(b"") == grpc.StatusCode.INVALID_ARGUMENT
        )  # no model spec: it was read and judged

    def connect(self, address: str) -> socket.socket:
        """A bare connection."""
        host, _, port = address.rpartition(":")
        return socket.create_connection((host, int(port)), timeout=30)


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], min(FILES_NEEDED, before[1])), before[1]))
    hosts = Hosts(tmp_path_factory.mktemp("hosts"))
    with hosts.server:
        yield hosts
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_message_over_the_limit_is_refused_by_both_doors(hosts: Hosts) -> None:
    big = b"\x0a" * (MESSAGE_BYTES_MAX + 1)
    assert hosts.ask_by_grpc(big) == grpc.StatusCode.RESOURCE_EXHAUSTED
    url = f"http://{hosts.server.rest}/v1/models/m:predict"
    answer = requests.post(url, data=big, timeout=30)
    assert answer.status_code == requests.codes.request_entity_too_large
    assert "larger than max" in answer.json()["error"]
    hosts.still_serves()


@pytest.mark.parametrize(
    "message", [b"\xff" * 100, b"\x0a\x05half", b"\x12\x80"], ids=["garbage", "cut", "torn"]
)
def test_bytes_that_are_no_message_are_refused(message: bytes, hosts: Hosts) -> None:
    assert hosts.ask_by_grpc(message) in {grpc.StatusCode.INTERNAL, grpc.StatusCode.INVALID_ARGUMENT}
    hosts.still_serves()


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\xff" * 500,
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v1/models/m:predict HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    ],
    ids=["noise", "no such version", "bad length"],
)
def test_what_is_no_http_ends_its_own_connection_only(sent: bytes, hosts: Hosts) -> None:
    for address in (hosts.server.rest, hosts.server.grpc):
        with hosts.connect(address) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass
    hosts.still_serves()


def test_a_client_that_leaves_in_the_middle_of_its_body_disturbs_nobody(hosts: Hosts) -> None:
    for _ in range(20):
        with hosts.connect(hosts.server.rest) as connection:
            head = b"POST /v1/models/m:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
            connection.sendall(head + b'{"instances": [')
    hosts.still_serves()


def test_thousands_of_idle_connections_leave_room_for_requests(hosts: Hosts) -> None:
    with ExitStack() as stack:
        for number in range(IDLE_CONNECTIONS):
            door = hosts.server.rest if number % 2 else hosts.server.grpc
            stack.enter_context(hosts.connect(door))
        hosts.still_serves()
    hosts.still_serves()


def test_a_model_that_hangs_refuses_what_it_cannot_hold_and_others_answer(hosts: Hosts) -> None:
    release = hosts.held / "release"
    with ThreadPoolExecutor(16) as pool:
        asked = [pool.submit(hosts.ask, "hangs", 7.0) for _ in range(16)]
        while not any(each.done() for each in asked):
            hosts.still_serves()
        hosts.still_serves()
        release.touch()
        codes = sorted({each.result().status_code for each in asked})
    assert codes == [200, 429]
    assert hosts.ask("hangs").status_code == 200
