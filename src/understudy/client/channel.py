"""How a server is reached: gRPC's channel arguments, TLS, and its failures in our words."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import grpc

from understudy.client.answers import Served
from understudy.client.exchange import Failure, Reply
from understudy.errors import Code

DEFAULT_ADDRESS: Final = "localhost:8500"
MESSAGE_BYTES_MAX: Final = (1 << 31) - 1
"""Of a request or an answer: protobuf's own limit, and the server's."""
_RECONNECT_FIRST_MS: Final = 100
_RECONNECT_MAX_MS: Final = 2_000
"""Between attempts to connect; gRPC's own two minutes are longer than any restart."""

_ARM: Final = "x-understudy-arm"
_REASON: Final = "; reason="
_REQUEST_ID: Final = "x-request-id"
"""Metadata of an answer from a model whose traffic is split: arm and reason for a call that asks for them
(`EXPLAIN_METADATA`), an id where something is kept under it."""

Options: TypeAlias = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Tls:
    """An encrypted connection. Each is PEM: the text's bytes, or the path of a file.

    Attributes:
        ca: certificates of those who may sign the server's; none: those that gRPC brings with it.
        certificate: this client's, with its chain, for a server that verifies clients; with `key`.
        key: this client's private key.
        server_name: that the server's certificate must be for, where the address does not say it.
    """

    ca: bytes | str | Path | None = None
    certificate: bytes | str | Path | None = None
    key: bytes | str | Path | None = None
    server_name: str | None = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("A client's certificate and its key go together: give both or neither.")


def build_credentials(tls: Tls) -> grpc.ChannelCredentials:
    """What gRPC calls it.

    Raises:
        OSError: when a file cannot be read.
    """
    return grpc.ssl_channel_credentials(
        root_certificates=_pem(tls.ca), private_key=_pem(tls.key), certificate_chain=_pem(tls.certificate)
    )


def build_options(address: str, tls: Tls | None, options: Options) -> list[tuple[str, str | int]]:
    """Channel arguments; the caller's own win."""
    ours: dict[str, str | int] = {
        "grpc.max_send_message_length": MESSAGE_BYTES_MAX,
        "grpc.max_receive_message_length": MESSAGE_BYTES_MAX,
        "grpc.initial_reconnect_backoff_ms": _RECONNECT_FIRST_MS,
        "grpc.min_reconnect_backoff_ms": _RECONNECT_FIRST_MS,
        "grpc.max_reconnect_backoff_ms": _RECONNECT_MAX_MS,
        "grpc.enable_retries": 0,  # ours are counted and have a budget
    }
    if address.startswith(("unix:", "unix-abstract:")):
        ours["grpc.default_authority"] = "localhost"  # else the socket's path, which is no name of a host
    if tls is not None and tls.server_name is not None:
        ours["grpc.ssl_target_name_override"] = tls.server_name
    return list((ours | dict(options)).items())


def build_failure(error: grpc.RpcError) -> Failure:
    """What gRPC raised, as a value."""
    number = error.code().value[0]
    return Failure(Code(number) if number in set(Code) else Code.UNKNOWN, error.details() or "")


def build_reply(message: bytes, metadata: Iterable[tuple[str, str | bytes]] | None) -> Reply:
    """What gRPC received, with what the server says of it."""
    said = {key: value for key, value in metadata or () if isinstance(value, str)}
    arm, _, reason = said.get(_ARM, "").partition(_REASON)
    request_id = said.get(_REQUEST_ID) or None
    if reason:
        return Reply(message, Served(arm, reason, request_id))
    return Reply(message, None if request_id is None else Served(None, None, request_id))


def _pem(given: bytes | str | Path | None) -> bytes | None:
    return given if given is None or isinstance(given, bytes) else Path(given).read_bytes()
