"""HandleReloadConfigRequest's messages: bytes to configuration, and the answer's bytes."""

from typing import Protocol, cast

from google.protobuf.message import DecodeError, Message

from understudy.config_message import parse_wire
from understudy.errors import Code, ConfigError
from understudy.model_config import ServerConfig
from understudy.wire import message_class


class _ReloadRequest(Protocol):
    @property
    def config(self) -> Message: ...


class _Status(Protocol):
    def SetInParent(self) -> None: ...


class _ReloadResponse(Protocol):
    @property
    def status(self) -> _Status: ...


def parse_reload_request(payload: bytes) -> ServerConfig:
    """The configuration that a ReloadConfigRequest asks for.

    Raises:
        ConfigError: INVALID_ARGUMENT, when it cannot be taken.
    """
    message = message_class("tensorflow.serving.ReloadConfigRequest")()
    try:
        message.ParseFromString(payload)
    except DecodeError as error:
        raise ConfigError(Code.INVALID_ARGUMENT, f"The bytes are no ReloadConfigRequest: {error}") from error
    # The class is made at run time; the protocol restates the field that is read.
    return parse_wire(cast(_ReloadRequest, message).config.SerializeToString())


def build_reload_response() -> bytes:
    """A ReloadConfigResponse that says OK."""
    message = message_class("tensorflow.serving.ReloadConfigResponse")()
    cast(_ReloadResponse, message).status.SetInParent()  # made at run time, as above
    return message.SerializeToString()
