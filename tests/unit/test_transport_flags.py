"""How connections come in, by either command line: UNIX socket, TLS, limits of gRPC's connections."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from understudy.cli.main import main
from understudy.cli.outcome import Unusable
from understudy.cli.serve import build_options, serve
from understudy.cli.tensorflow_model_server import serve_command_line
from understudy.dataplane.options import GrpcOptions, TlsOptions
from understudy.server_options import ServeOptions
from understudy.tls_files import PemFiles, SslConfigFile

MODEL = "--model_base_path=/models/digits"


def own(*arguments: str) -> ServeOptions:
    """What `understudy serve` makes of these flags."""
    context = serve.make_context("serve", ["--model", "m=/m", *arguments])
    return build_options(context.params)  # type: ignore[arg-type]


def stock(*arguments: str) -> ServeOptions:
    """What `tensorflow_model_server` makes of them."""
    taken: list[ServeOptions] = []

    def run(options: ServeOptions) -> int:
        taken.append(options)
        return 0

    assert serve_command_line([MODEL, *arguments], run) == 0
    return taken[0]


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Why `tensorflow_model_server` does not start with them."""
    assert serve_command_line([MODEL, *arguments], lambda _: 0) == 255
    return capsys.readouterr().out.removeprefix("Failed to start server. Error: ")


@pytest.fixture
def pem(tmp_path: Path) -> PemFiles:
    for name in ("cert", "key", "ca"):
        (tmp_path / name).write_text(name)
    return PemFiles(str(tmp_path / "cert"), str(tmp_path / "key"), str(tmp_path / "ca"))


def test_a_socket_may_stand_beside_the_port_or_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plane = own("--grpc-socket", "grpc.sock", "--grpc-socket-mode", "660").data_plane
    assert (plane.grpc_address, plane.grpc_socket) == ("0.0.0.0:8500", str(tmp_path / "grpc.sock"))
    assert plane.grpc_socket_mode == 0o660
    alone = own("--grpc-socket", "/s", "--grpc-port", "off", "--rest-port", "off").data_plane
    assert (alone.grpc_address, alone.rest_address, alone.grpc_socket_mode) == (None, None, None)

    plane = stock("--grpc_socket_path=/s", "--port=0").data_plane
    assert (plane.grpc_address, plane.grpc_socket, plane.rest_address) == (None, "/s", None)
    assert stock("--grpc_socket_path=/s").data_plane.grpc_address == "0.0.0.0:8500"


@pytest.mark.parametrize("mode", ["", "rw", "8", "1000", "07777", "0o660", "-1"])
def test_a_mode_that_is_none_is_refused(mode: str) -> None:
    with pytest.raises(click.BadParameter, match="is no mode"):
        own("--grpc-socket", "/s", "--grpc-socket-mode", mode)


def test_certificates_are_for_both_doors_unless_one_is_named(pem: PemFiles) -> None:
    assert pem.client_ca is not None
    flags = ["--tls-certificate", pem.certificates, "--tls-key", pem.key, "--tls-client-ca", pem.client_ca]
    held = TlsOptions(certificates=b"cert", key=b"key", client_ca=b"ca")
    both = own(*flags)
    assert (both.grpc_tls, both.rest_tls) == (pem, pem)
    assert (both.data_plane.grpc_tls, both.data_plane.rest_tls) == (held, held)
    rest = own(*flags, "--tls-doors", "rest")
    assert (rest.grpc_tls, rest.rest_tls) == (None, pem)
    assert (rest.data_plane.grpc_tls, rest.data_plane.rest_tls) == (None, held)


@pytest.mark.parametrize("half", ["--tls-certificate", "--tls-key", "--tls-client-ca"])
def test_half_of_what_tls_needs_is_refused(half: str, pem: PemFiles) -> None:
    result = CliRunner().invoke(main, ["serve", "--model", "m=/m", half, pem.key])
    assert result.exit_code == 2
    assert "TLS needs both --tls-certificate and --tls-key." in result.output


def test_a_file_that_is_not_there_is_named(pem: PemFiles) -> None:
    with pytest.raises(Unusable, match=r"cannot be read: No such file or directory \(/nowhere\)"):
        own("--tls-certificate", "/nowhere", "--tls-key", pem.key)


def test_an_ssl_config_is_for_the_door_whose_flag_names_it(tmp_path: Path) -> None:
    file = tmp_path / "ssl.config"
    file.write_text('server_key: "key" server_cert: "cert"')
    held = TlsOptions(certificates=b"cert", key=b"key")
    grpc = stock(f"--ssl_config_file={file}")
    assert (grpc.grpc_tls, grpc.rest_tls) == (SslConfigFile(str(file)), None)
    assert (grpc.data_plane.grpc_tls, grpc.data_plane.rest_tls) == (held, None)
    rest = stock(f"--rest_api_ssl_config_file={file}")
    assert (rest.data_plane.grpc_tls, rest.data_plane.rest_tls) == (None, held)


def test_an_ssl_config_that_cannot_be_read_ends_the_start(capsys: pytest.CaptureFixture[str]) -> None:
    text = refused(capsys, "--ssl_config_file=/nowhere")
    assert text == "NOT_FOUND: The file for TLS cannot be read: No such file or directory (/nowhere)\n"


def test_limits_of_connections_have_flags() -> None:
    assert own().data_plane.grpc == GrpcOptions()
    assert own(
        *("--grpc-connection-age-max", "3600", "--grpc-connection-age-grace", "0.0001"),
        *("--grpc-connection-idle-max", "60", "--grpc-ping-interval", "0", "--grpc-ping-timeout", "5"),
        *("--grpc-streams-max", "7", "--grpc-header-bytes-max", "8192"),
    ).data_plane.grpc == GrpcOptions(
        age_max_ms=3_600_000,
        age_grace_ms=1,
        idle_max_ms=60_000,
        ping_interval_ms=None,
        ping_timeout_ms=5_000,
        streams_max=7,
        header_bytes_max=8_192,
    )


def test_channel_arguments_reach_the_connections_and_the_rest_is_logged(
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = stock("--grpc_channel_arguments=grpc.max_connection_age_ms=5,grpc.so_reuseport=1,a=b")
    assert options.data_plane.grpc == GrpcOptions(age_max_ms=5)
    logged = [
        line for line in capsys.readouterr().err.splitlines() if "channel_argument_without_effect" in line
    ]
    assert ["grpc.so_reuseport" in logged[0], '"argument": "a"' in logged[1], len(logged)] == [True, True, 2]
    assert refused(capsys, "--grpc_channel_arguments=a") == (
        "INVALID_ARGUMENT: --grpc_channel_arguments: 'a' is not of the form name=value; "
        "write them as k=v,k=v, without a comma at the end.\n"
    )
