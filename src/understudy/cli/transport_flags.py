"""The flags of `understudy serve` for connections: UNIX socket, TLS, limits of gRPC's connections."""

from typing import Final, Literal, TypedDict

import click

from understudy.cli.outcome import Unusable
from understudy.cli.serve_option import TEXT, option, parse_seconds
from understudy.dataplane.options import HEADER_BYTES_MAX, STREAMS_MAX, GrpcOptions, TlsOptions
from understudy.errors import ConfigError
from understudy.tls_files import PemFiles

BOTH_DOORS = "both"

Door = Literal["grpc", "rest"]

_GRPC: Final = GrpcOptions()
"""The data plane's own defaults."""


class TransportFlags(TypedDict):
    """What stands on the command line or in the environment, by click's names."""

    grpc_socket: str | None
    grpc_socket_mode: int | None
    tls_certificate: str | None
    tls_key: str | None
    tls_client_ca: str | None
    tls_doors: str
    grpc_connection_age_max: float
    grpc_connection_age_grace: float
    grpc_connection_idle_max: float
    grpc_ping_interval: float
    grpc_ping_timeout: float
    grpc_streams_max: int
    grpc_header_bytes_max: int


def _parse_mode(value: str | int) -> int:
    """A file's permissions, as chmod takes them."""
    if isinstance(value, int):
        return value
    if not value or len(value) > len("0777") or set(value) - set("01234567") or int(value, 8) > 0o777:
        raise click.BadParameter(f"{value!r} is no mode; give three octal digits such as 660.")
    return int(value, 8)


_SOCKET = [
    option(
        "grpc-socket",
        TEXT,
        None,
        "A UNIX socket for gRPC, beside --grpc-port. A leftover of a server that is gone is replaced.",
        "PATH",
    ),
    option(
        "grpc-socket-mode",
        _parse_mode,
        None,
        "Permissions of that socket; who may write may connect. Without it the umask says.",
        "OCTAL",
    ),
]

_TLS = [
    option(
        "tls-certificate",
        TEXT,
        None,
        "The server's certificate in PEM, and those between it and the root: turns TLS on. "
        "Read again when it changes and on SIGHUP, as the next two are.",
        "FILE",
    ),
    option("tls-key", TEXT, None, "Its private key in PEM.", "FILE"),
    option(
        "tls-client-ca",
        TEXT,
        None,
        "Who may sign clients' certificates, in PEM; clients are then refused without one.",
        "FILE",
    ),
    option(
        "tls-doors",
        click.Choice([BOTH_DOORS, "grpc", "rest"]),
        BOTH_DOORS,
        "Which doors speak TLS when there is a certificate.",
    ),
]

_CONNECTIONS = [
    option(
        "grpc-connection-age-max",
        parse_seconds,
        0.0,
        "Seconds that a gRPC connection may last, give or take a tenth; 0: for ever.",
    ),
    option(
        "grpc-connection-age-grace",
        parse_seconds,
        0.0,
        "Seconds that its calls may then still take; 0: as long as they like.",
    ),
    option(
        "grpc-connection-idle-max",
        parse_seconds,
        0.0,
        "Seconds that a gRPC connection may last without a call; 0: for ever.",
    ),
    option(
        "grpc-ping-interval",
        parse_seconds,
        (_GRPC.ping_interval_ms or 0) / 1000,
        "Seconds between two pings that ask whether a gRPC client is still there; 0: never.",
    ),
    option(
        "grpc-ping-timeout",
        parse_seconds,
        _GRPC.ping_timeout_ms / 1000,
        "Seconds that its answer may take; then the connection is closed.",
    ),
    option(
        "grpc-streams-max",
        click.IntRange(min=1, max=STREAMS_MAX),
        _GRPC.streams_max,
        "Calls at once on a gRPC connection.",
    ),
    option(
        "grpc-header-bytes-max",
        click.IntRange(min=1, max=HEADER_BYTES_MAX),
        _GRPC.header_bytes_max,
        "Bytes of one gRPC call's headers.",
    ),
]

TRANSPORT: Final[list[click.Parameter]] = [*_SOCKET, *_TLS, *_CONNECTIONS]
"""In the order in which help lists them."""


def build_tls_files(flags: TransportFlags, door: Door) -> PemFiles | None:
    """Where a door's certificates are; none: it has no TLS.

    Raises:
        click.UsageError: when half of what TLS needs is given.
    """
    certificate, key = flags["tls_certificate"], flags["tls_key"]
    if certificate is None or key is None:
        if (certificate, key, flags["tls_client_ca"]) != (None, None, None):
            raise click.UsageError("TLS needs both --tls-certificate and --tls-key.")
        return None
    if flags["tls_doors"] not in {BOTH_DOORS, door}:
        return None
    return PemFiles(certificate, key, flags["tls_client_ca"])


def read_tls(flags: TransportFlags, door: Door) -> TlsOptions | None:
    """What these files hold.

    Raises:
        Unusable: one of them cannot be read.
    """
    files = build_tls_files(flags, door)
    try:
        return None if files is None else files.read()
    except ConfigError as error:
        raise Unusable(str(error)) from error


def build_grpc_options(flags: TransportFlags) -> GrpcOptions:
    """What gRPC's connections are allowed."""
    return GrpcOptions(
        streams_max=flags["grpc_streams_max"],
        header_bytes_max=flags["grpc_header_bytes_max"],
        age_max_ms=_milliseconds(flags["grpc_connection_age_max"]),
        age_grace_ms=_milliseconds(flags["grpc_connection_age_grace"]),
        idle_max_ms=_milliseconds(flags["grpc_connection_idle_max"]),
        ping_interval_ms=_milliseconds(flags["grpc_ping_interval"]),
        ping_timeout_ms=max(1, round(flags["grpc_ping_timeout"] * 1000)),
    )


def _milliseconds(seconds: float) -> int | None:
    """None for 0; at least one otherwise."""
    return max(1, round(seconds * 1000)) if seconds else None
