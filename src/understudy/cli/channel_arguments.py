"""`--grpc_channel_arguments`: settings of the gRPC library, and those of them that mean something here.

Names, units and special values are gRPC's (channel_arg_names.h). As a time, INT32_MAX stands for "never".
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from understudy.cli.serve_option import INT32_MAX
from understudy.dataplane.options import HEADER_BYTES_MAX, KIB, STREAMS_MAX, GrpcOptions

HEADER_BYTES_MIN = 16 * KIB
"""What gRPC allows at the least when only the soft limit is given."""

_SOFT_HEADERS, _HARD_HEADERS = "grpc.max_metadata_size", "grpc.absolute_max_metadata_size"

_NO_MEANING = {
    "grpc.so_reuseport": "two servers never share a port here",
    "grpc.keepalive_permit_without_calls": "clients without calls are asked, too, whether they are there",
    "grpc.http2.max_ping_strikes": "a client may ping as often as it likes: an answer costs nothing",
    "grpc.http2.min_ping_interval_without_data_ms": "a client may ping as often as it likes",
    "grpc.max_send_message_length": "answers are bounded by the budget of bytes",
    "grpc.http2.max_frame_size": "frames are the protocol's smallest, since each is read whole",
}
_OF_ANOTHER_LIBRARY = "a setting of the gRPC library, which is not used here"


class ChannelArgumentError(ValueError):
    """The flag's text cannot be taken; says which part and why."""


@dataclass(frozen=True, slots=True)
class ChannelArguments:
    """What the flag comes to.

    Attributes:
        options: for the data plane.
        without_effect: pairs of a name and the reason.
    """

    options: GrpcOptions
    without_effect: tuple[tuple[str, str], ...] = ()


def parse_channel_arguments(text: str) -> ChannelArguments:
    """What `k=v,k=v` means here; of equal names the last one counts.

    Raises:
        ChannelArgumentError: an entry is no `k=v`, or a value is none for its name.
    """
    options = GrpcOptions()
    without_effect: list[tuple[str, str]] = []
    arguments = dict(_split(entry) for entry in text.split(",")) if text else {}
    for name, value in arguments.items():
        if (setting := _HONOURED.get(name)) is not None:
            options = setting.apply(options, _integer(name, value, setting))
        elif name not in {_SOFT_HEADERS, _HARD_HEADERS}:
            without_effect.append((name, _NO_MEANING.get(name, _OF_ANOTHER_LIBRARY)))
    if (header_bytes := _header_bytes(arguments)) is not None:
        options = replace(options, header_bytes_max=header_bytes)
    return ChannelArguments(options, tuple(without_effect))


@dataclass(frozen=True, slots=True)
class _Setting:
    """How an integer becomes an option.

    Attributes:
        minimum: the least value that gRPC takes.
        apply: puts the value into the options.
    """

    minimum: int
    apply: Callable[[GrpcOptions, int], GrpcOptions]


def _time(value: int) -> int | None:
    return None if value == INT32_MAX else value


_HONOURED = {
    "grpc.max_receive_message_length": _Setting(
        -1, lambda options, value: replace(options, message_bytes_max=None if value == -1 else value)
    ),
    "grpc.max_concurrent_streams": _Setting(
        1, lambda options, value: replace(options, streams_max=min(value, STREAMS_MAX))
    ),
    "grpc.max_connection_age_ms": _Setting(
        1, lambda options, value: replace(options, age_max_ms=_time(value))
    ),
    "grpc.max_connection_age_grace_ms": _Setting(
        0, lambda options, value: replace(options, age_grace_ms=_time(value))
    ),
    "grpc.max_connection_idle_ms": _Setting(
        1, lambda options, value: replace(options, idle_max_ms=_time(value))
    ),
    "grpc.keepalive_time_ms": _Setting(
        1, lambda options, value: replace(options, ping_interval_ms=_time(value))
    ),
    "grpc.keepalive_timeout_ms": _Setting(1, lambda options, value: replace(options, ping_timeout_ms=value)),
}
_HEADERS = _Setting(1, lambda options, value: replace(options, header_bytes_max=value))


def _header_bytes(arguments: dict[str, str]) -> int | None:
    """By gRPC's rule: the hard limit, which unless given is the soft one and a quarter, at least 16 KiB."""
    if (hard := arguments.get(_HARD_HEADERS)) is not None:
        return min(_integer(_HARD_HEADERS, hard, _HEADERS), HEADER_BYTES_MAX)
    if (soft := arguments.get(_SOFT_HEADERS)) is not None:
        bytes_max = _integer(_SOFT_HEADERS, soft, _HEADERS)
        return min(max(bytes_max + bytes_max // 4, HEADER_BYTES_MIN), HEADER_BYTES_MAX)
    return None


def _split(entry: str) -> tuple[str, str]:
    name, equals, value = entry.partition("=")
    if not equals or not name.strip():
        raise ChannelArgumentError(
            f"--grpc_channel_arguments: {entry!r} is not of the form name=value; "
            "write them as k=v,k=v, without a comma at the end."
        )
    return name.strip(), value.strip()


def _integer(name: str, text: str, setting: _Setting) -> int:
    digits = text.removeprefix("-")
    value = int(text) if digits.isascii() and digits.isdecimal() and len(text) <= len("-2147483648") else None
    if value is None or not setting.minimum <= value <= INT32_MAX:
        raise ChannelArgumentError(
            f"--grpc_channel_arguments: {name}={text} is no integer from {setting.minimum} to {INT32_MAX}."
        )
    return value
