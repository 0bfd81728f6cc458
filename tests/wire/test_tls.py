"""TLS at a live server's doors, with public clients: who is let in, who is not, certificates that are renewed."""

import signal
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import grpc
import pytest
import requests

from tests.live.asking import predict_message
from tests.live.certificates import Authority, Pair, credentials, ssl_config
from tests.live.exports import Exports, config_text, model_text
from tests.live.process import CONSOLE_SCRIPTS, LiveServer

pytestmark = pytest.mark.slow

PREDICT = "/tensorflow.serving.PredictionService/Predict"
TIMEOUT_S = 30
EXIT_FAILURE = 255


@dataclass(frozen=True, slots=True)
class World:
    """Who signs what, and where a model is.

    Attributes:
        servers: signs servers' certificates.
        clients: signs clients' certificates.
        own: the server's.
        config: a config file with the synthetic model `m`.
    """

    servers: Authority
    clients: Authority
    own: Pair
    config: Path


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("tls")
    exports = Exports(folder / "m")
    exports.synthetic(1)
    config = folder / "models.config"
    config.write_text(config_text(model_text("m", exports.base_path)))
    servers = Authority(folder, "servers")
    return World(servers, Authority(folder, "clients"), servers.sign("server"), config)


@pytest.fixture(scope="module")
def open_to_all(world: World) -> Iterator[LiveServer]:
    """Both doors speak TLS; clients need no certificate."""
    with LiveServer(
        f"--model-config-file={world.config}",
        f"--tls-certificate={world.own.certificate}",
        f"--tls-key={world.own.key}",
    ) as server:
        yield server


@pytest.fixture(scope="module")
def verified(world: World) -> Iterator[LiveServer]:
    """Both doors speak TLS to clients with a certificate."""
    with LiveServer(
        f"--model-config-file={world.config}",
        f"--tls-certificate={world.own.certificate}",
        f"--tls-key={world.own.key}",
        f"--tls-client-ca={world.clients.certificate}",
    ) as server:
        yield server


def ask_by_grpc(target: str, secure: grpc.ChannelCredentials | None) -> str:
    """The code of a Predict call on a channel of its own."""
    options = [("grpc.ssl_target_name_override", "localhost")] if secure else []
    channel = (
        grpc.secure_channel(target, secure, options) if secure else grpc.insecure_channel(target, options)
    )
    with channel:
        call = channel.unary_unary(PREDICT, bytes, bytes)
        try:
            call(predict_message("m", 0.0), timeout=TIMEOUT_S)
        except grpc.RpcError as error:
            return str(error.code().name)
    return "OK"


def ask_by_rest(server: LiveServer, trusted: Authority, own: Pair | None = None) -> float:
    """The answer of a Predict request on a connection of its own."""
    answer = requests.post(
        f"https://{server.rest}/v1/models/m:predict",
        json={"instances": [{"x": 0.0}]},
        timeout=TIMEOUT_S,
        verify=str(trusted.certificate),
        cert=None if own is None else (str(own.certificate), str(own.key)),
    )
    answer.raise_for_status()
    return float(answer.json()["predictions"][0]["y"])


def test_both_doors_serve_clients_that_trust_the_certificate(open_to_all: LiveServer, world: World) -> None:
    assert ask_by_grpc(open_to_all.grpc, credentials(world.servers)) == "OK"
    assert ask_by_rest(open_to_all, world.servers) == 1.0


def test_clients_refuse_a_server_whose_certificate_another_authority_signed(
    open_to_all: LiveServer, world: World
) -> None:
    assert ask_by_grpc(open_to_all.grpc, credentials(world.clients)) == "UNAVAILABLE"
    with pytest.raises(requests.exceptions.SSLError, match="certificate verify failed"):
        ask_by_rest(open_to_all, world.clients)


def test_clients_without_tls_are_refused_and_told_so(open_to_all: LiveServer, world: World) -> None:
    assert ask_by_grpc(open_to_all.grpc, None) == "UNAVAILABLE"
    told = requests.get(f"http://{open_to_all.rest}/v1/models/m", timeout=TIMEOUT_S)
    assert (told.status_code, "TLS" in told.text) == (400, True)
    assert ask_by_rest(open_to_all, world.servers) == 1.0


def test_clients_that_speak_tls_to_a_server_without_it_are_refused(world: World) -> None:
    with LiveServer(f"--model-config-file={world.config}") as server:
        assert ask_by_grpc(server.grpc, credentials(world.servers)) == "UNAVAILABLE"
        with pytest.raises(requests.exceptions.SSLError):
            ask_by_rest(server, world.servers)
        assert ask_by_grpc(server.grpc, None) == "OK"


def test_a_client_is_let_in_with_the_right_certificate_alone(verified: LiveServer, world: World) -> None:
    right = world.clients.sign("right")
    assert ask_by_grpc(verified.grpc, credentials(world.servers, right)) == "OK"
    assert ask_by_rest(verified, world.servers, right) == 1.0
    wrong = [None, world.servers.sign("wrong"), world.clients.sign("expired", expired=True)]
    for own in wrong:
        assert ask_by_grpc(verified.grpc, credentials(world.servers, own)) == "UNAVAILABLE"
        with pytest.raises(requests.exceptions.ConnectionError):
            ask_by_rest(verified, world.servers, own)
    assert ask_by_rest(verified, world.servers, right) == 1.0


def test_tls_may_be_for_one_door_alone(world: World) -> None:
    with LiveServer(
        f"--model-config-file={world.config}",
        f"--tls-certificate={world.own.certificate}",
        f"--tls-key={world.own.key}",
        "--tls-doors=grpc",
    ) as server:
        assert ask_by_grpc(server.grpc, credentials(world.servers)) == "OK"
        assert requests.get(f"http://{server.rest}/v1/models/m", timeout=TIMEOUT_S).status_code == 200


def test_the_drop_in_takes_an_ssl_config_for_its_socket(world: World, tmp_path: Path) -> None:
    config, path = tmp_path / "ssl.config", tmp_path / "grpc.sock"
    config.write_text(ssl_config(world.own, world.clients))
    with LiveServer(
        "--port=0",
        f"--grpc_socket_path={path}",
        f"--ssl_config_file={config}",
        f"--model_config_file={world.config}",
        "--admin_port=0",
        command="tensorflow_model_server",
    ):
        right = world.clients.sign("socket")
        assert ask_by_grpc(f"unix:{path}", credentials(world.servers, right)) == "OK"
        assert ask_by_grpc(f"unix:{path}", credentials(world.servers)) == "UNAVAILABLE"
        assert ask_by_grpc(f"unix:{path}", None) == "UNAVAILABLE"
    assert not path.exists()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "NOT_FOUND: The file for TLS cannot be read: No such file or directory"),
        ("server_key: {}", "INVALID_ARGUMENT: The file holds no SSLConfig in protobuf's text format"),
        ("", "INVALID_ARGUMENT: TLS cannot be used: the server certificate holds no certificate in PEM"),
        ("client_verify: true", "INVALID_ARGUMENT: client_verify asks clients for a certificate"),
    ],
)
def test_the_drop_in_does_not_start_with_an_ssl_config_that_cannot_be_used(
    text: str | None, reason: str, world: World, tmp_path: Path
) -> None:
    config = tmp_path / "ssl.config"
    if text is not None:
        config.write_text(text)
    flags = [f"--ssl_config_file={config}", f"--model_config_file={world.config}", "--admin_port=0"]
    done = subprocess.run(
        [CONSOLE_SCRIPTS / "tensorflow_model_server", *flags],
        check=False,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == EXIT_FAILURE
    assert f"Failed to start server. Error: {reason}" in done.stdout


def test_predict_speaks_tls_and_says_who_it_is(verified: LiveServer, world: World) -> None:
    own = world.clients.sign("command")
    words = ["predict", "m", "--instances", '[{"x": 0}]', "--rest-url", f"https://{verified.rest}"]
    trust = ["--ca", str(world.servers.certificate)]
    shown = ["--client-certificate", str(own.certificate), "--client-key", str(own.key)]

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        command = [str(CONSOLE_SCRIPTS / "understudy"), *words, *more]
        return subprocess.run(command, check=False, capture_output=True, text=True, timeout=TIMEOUT_S)

    done = run(*trust, *shown)
    assert done.returncode == 0, done.stderr
    assert '"y": 1.0' in done.stdout
    assert run(*trust).returncode == 3
    untrusted = run(*shown)
    assert untrusted.returncode == 3
    assert "certificate verify failed" in untrusted.stderr
    missing = run("--ca", "/nowhere/ca.pem")
    assert missing.returncode == 2
    assert "The files for TLS cannot be used: No such file or directory" in missing.stderr


class Callers:
    """Requests through both doors, each on a connection of its own, over and over until told to stop."""

    def __init__(self, server: LiveServer, trusted: Authority) -> None:
        self._server = server
        self._trusted = trusted
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=call) for call in (self._call_grpc, self._call_rest)]
        self.answers = {"grpc": 0, "rest": 0}
        self.failures: list[str] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join(TIMEOUT_S)

    def _call_grpc(self) -> None:
        while not self._stopping.is_set():
            code = ask_by_grpc(self._server.grpc, credentials(self._trusted))
            self._count("grpc", code if code != "OK" else None)

    def _call_rest(self) -> None:
        while not self._stopping.is_set():
            try:
                ask_by_rest(self._server, self._trusted)
            except requests.RequestException as error:
                self._count("rest", str(error))
            else:
                self._count("rest", None)

    def _count(self, door: str, failure: str | None) -> None:
        if failure is None:
            self.answers[door] += 1
        else:
            self.failures.append(f"{door}: {failure}")


@dataclass(frozen=True, slots=True)
class Rotated:
    """The files that a server was started with, which others replace.

    Attributes:
        certificate: its path.
        key: the key's path.
    """

    certificate: Path
    key: Path

    def put(self, pair: Pair) -> None:
        """Writes another pair, one file after the other."""
        self.certificate.write_bytes(pair.certificate.read_bytes())
        self.key.write_bytes(pair.key.read_bytes())

    def are_used_by(self, address: str) -> bool:
        """Whether a door shows this certificate."""
        host, _, port = address.rpartition(":")
        shown = ssl.get_server_certificate((host, int(port)), timeout=TIMEOUT_S)
        return shown.strip() == self.certificate.read_text().strip()


@pytest.fixture
def rotated(world: World, tmp_path: Path) -> Iterator[tuple[LiveServer, Rotated]]:
    files = Rotated(tmp_path / "tls.crt", tmp_path / "tls.key")
    files.put(world.own)
    flags = [f"--tls-certificate={files.certificate}", f"--tls-key={files.key}"]
    with LiveServer(f"--model-config-file={world.config}", *flags) as server:
        yield server, files


def test_certificates_are_renewed_under_load_without_a_failed_request(
    rotated: tuple[LiveServer, Rotated], world: World
) -> None:
    server, files = rotated
    assert files.are_used_by(server.rest)
    with Callers(server, world.servers) as callers:
        for name in ("second", "third"):
            files.put(world.servers.sign(name))
            server.wait_log("certificates_renewed", cause="the files changed")
            assert files.are_used_by(server.rest)
            assert ask_by_grpc(server.grpc, credentials(world.servers)) == "OK"
    assert callers.failures == []
    assert min(callers.answers.values()) > 0


def test_certificates_that_cannot_be_used_leave_those_of_before_in_use(
    rotated: tuple[LiveServer, Rotated], world: World
) -> None:
    server, files = rotated
    files.key.write_text("no key")
    refused = server.wait_log("certificates_refused", cause="the files changed")
    assert "no private key in PEM" in str(refused.fields["reason"])
    assert files.are_used_by(server.rest)

    server.signal(signal.SIGHUP)
    server.wait_log("certificates_refused", cause="SIGHUP")
    assert ask_by_grpc(server.grpc, credentials(world.servers)) == "OK"

    files.put(world.servers.sign("mended"))
    server.signal(signal.SIGHUP)
    server.wait_log("certificates_renewed", cause="SIGHUP")
    assert files.are_used_by(server.rest)
