"""HandleReloadConfigRequest's messages: bytes to what is asked, and the answer's bytes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, cast

from google.protobuf.message import DecodeError, Message

from understudy.config_message import parse_wire
from understudy.errors import Code, ConfigError
from understudy.model_config import ServerConfig
from understudy.wire import message_class

METRIC_NAMES_MAX = 1_000
"""Different ones in one request."""


@dataclass(frozen=True, slots=True)
class ReloadRequest:
    """What a ReloadConfigRequest asks for.

    Attributes:
        config: to be in force.
        metric_names: counters whose growth during the call is asked for; each once, in order.
    """

    config: ServerConfig
    metric_names: tuple[str, ...] = ()


class _ReloadRequest(Protocol):
    @property
    def config(self) -> Message: ...
    @property
    def metric_names(self) -> Iterable[str]: ...


class _Status(Protocol):
    def SetInParent(self) -> None: ...


class _Metric(Protocol):
    name: str
    int64_value_increase: int


class _Metrics(Protocol):
    def add(self) -> _Metric: ...


class _ReloadResponse(Protocol):
    @property
    def status(self) -> _Status: ...
    @property
    def metric(self) -> _Metrics: ...


def parse_reload_request(payload: bytes) -> ReloadRequest:
    """What a ReloadConfigRequest asks for.

    Raises:
        ConfigError: INVALID_ARGUMENT, when it cannot be taken.
    """
    message = message_class("tensorflow.serving.ReloadConfigRequest")()
    try:
        message.ParseFromString(payload)
    except DecodeError as error:
        raise ConfigError(Code.INVALID_ARGUMENT, f"The bytes are no ReloadConfigRequest: {error}") from error
    # The class is made at run time; the protocol restates the fields that are read.
    request = cast(_ReloadRequest, message)
    names = tuple(dict.fromkeys(request.metric_names))
    if len(names) > METRIC_NAMES_MAX:
        raise ConfigError(
            Code.INVALID_ARGUMENT,
            f"The request names {len(names)} metrics; at most {METRIC_NAMES_MAX} are answered",
        )
    return ReloadRequest(parse_wire(request.config.SerializeToString()), names)


def build_reload_response(increases: Mapping[str, int]) -> bytes:
    """A ReloadConfigResponse that says OK, and by how much each metric grew."""
    message = message_class("tensorflow.serving.ReloadConfigResponse")()
    response = cast(_ReloadResponse, message)  # made at run time, as above
    response.status.SetInParent()
    for name, increase in increases.items():
        metric = response.metric.add()
        metric.name = name
        metric.int64_value_increase = increase
    return message.SerializeToString()
