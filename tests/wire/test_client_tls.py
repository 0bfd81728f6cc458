"""Both clients at our own doors by TLS and by a UNIX socket: right certificates are served, others are not."""

from pathlib import Path

import pytest

from tests.live.certificates import Authority, Pair
from tests.live.clients import MAKES, MakeClient
from tests.live.exports import Exports, config_text, model_text
from tests.live.process import LiveServer
from understudy.client import Client, RetryPolicy, Tls, UnavailableError

pytestmark = pytest.mark.slow

ONCE_MORE = RetryPolicy(attempts_max=2)


@pytest.fixture(params=MAKES, name="make")
def make_fixture(request: pytest.FixtureRequest) -> MakeClient:
    """Each client in turn."""
    return MAKES[request.param]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    exports = Exports(tmp_path / "m")
    exports.synthetic(1)
    config = tmp_path / "models.config"
    config.write_text(config_text(model_text("m", exports.base_path)))
    return config


def asks(make: MakeClient, address: str, tls: Tls | None) -> bool:
    """Whether a client is answered; not being let in looks like no server."""
    with make(address, tls=tls, retries=ONCE_MORE) as client:
        try:
            return client.predict("m", {"x": [0.0]}).version == 1
        except UnavailableError:
            return False


def test_a_server_that_verifies_clients_serves_those_it_knows(
    make: MakeClient, config: Path, tmp_path: Path
) -> None:
    servers, clients = Authority(tmp_path, "servers"), Authority(tmp_path, "clients")
    own, mine = servers.sign("server"), clients.sign("mine")
    flags = [
        f"--tls-certificate={own.certificate}",
        f"--tls-key={own.key}",
        f"--tls-client-ca={clients.certificate}",
    ]
    with LiveServer(f"--model-config-file={config}", *flags) as server:
        assert asks(make, server.grpc, known(servers, mine))
        assert asks(make, server.grpc, Tls(servers.certificate, mine.certificate, mine.key, "localhost"))
        assert asks(make, server.grpc, as_bytes(servers, mine))
        assert not asks(make, server.grpc, None)
        assert not asks(make, server.grpc, Tls(servers.certificate))
        assert not asks(make, server.grpc, Tls(clients.certificate, mine.certificate, mine.key))
        assert not asks(make, server.grpc, known(servers, servers.sign("stranger")))
        assert not asks(make, server.grpc, Tls(servers.certificate, mine.certificate, mine.key, "elsewhere"))


def known(servers: Authority, own: Pair) -> Tls:
    """By paths, as text."""
    return Tls(str(servers.certificate), str(own.certificate), str(own.key))


def as_bytes(servers: Authority, own: Pair) -> Tls:
    """By what the files hold."""
    return Tls(servers.certificate.read_bytes(), own.certificate.read_bytes(), own.key.read_bytes())


def test_a_unix_socket_is_an_address(make: MakeClient, config: Path, tmp_path: Path) -> None:
    path = tmp_path / "grpc.sock"
    with LiveServer(f"--model-config-file={config}", f"--grpc-socket={path}"):
        assert asks(make, f"unix:{path}", None)


def test_half_a_certificate_and_no_file_are_told_when_the_client_is_made(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="go together"):
        Tls(certificate=b"one")
    with pytest.raises(FileNotFoundError):
        Client(tls=Tls(tmp_path / "nothing.pem"))
