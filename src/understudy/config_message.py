"""The ModelServerConfig message and our ServerConfig: what each field may say, one model at a time.

Rules that need two models or two configurations (a name listed twice, a relative path, a changed platform)
are in model_config.py; text and files are config_text.py's.
"""

from collections.abc import Iterator, MutableMapping, MutableSequence
from functools import lru_cache
from typing import Protocol, assert_never, cast

from google.protobuf.message import DecodeError, Message

from understudy.errors import Code, ConfigError
from understudy.logging_message import Logging, LoggingError, build_logging, parse_logging
from understudy.model_config import (
    DEFAULT_LATEST_COUNT,
    SUPPORTED_PLATFORMS,
    TENSORFLOW_PLATFORM,
    All,
    Latest,
    ModelConfig,
    ServerConfig,
    Specific,
    Transition,
    VersionPolicy,
)
from understudy.request_logging import RequestLogging
from understudy.wire import message_class

SYNTHETIC_PLATFORM = "synthetic"
"""Models made of Rust, for tests of everything but TensorFlow."""

PLATFORMS = SUPPORTED_PLATFORMS | {SYNTHETIC_PLATFORM}

_MODEL_TYPE_TENSORFLOW = 1

_TRANSITIONS = {
    0: None,
    1: Transition.AVAILABILITY_PRESERVING,
    2: Transition.RESOURCE_PRESERVING,
}
"""`ServableVersionPolicy.TransitionPolicy`, by its number on the wire."""

_TRANSITION_NUMBERS = {transition: number for number, transition in _TRANSITIONS.items()}


MODELS_REMEMBERED_MAX = 20_000
"""Messages whose meaning is remembered: a configuration that is reloaded is nearly the one before."""


class ModelError(Exception):
    """What is wrong with one model of the list.

    Attributes:
        index: of the model in the list, from 0.
        message: what is wrong.
    """

    def __init__(self, index: int, message: str) -> None:
        super().__init__(message)
        self.index = index
        self.message = message


class _RefusedError(Exception):
    """What is wrong with a model, wherever it stands."""


class _Latest(Protocol):
    num_versions: int

    def SetInParent(self) -> None: ...


class _All(Protocol):
    def SetInParent(self) -> None: ...


class _Specific(Protocol):
    @property
    def versions(self) -> MutableSequence[int]: ...
    def SetInParent(self) -> None: ...


class _Policy(Protocol):
    transition_policy: int

    @property
    def latest(self) -> _Latest: ...
    @property
    def all(self) -> _All: ...
    @property
    def specific(self) -> _Specific: ...
    def WhichOneof(self, oneof: str) -> str | None: ...


class _Model(Protocol):
    name: str
    base_path: str
    model_type: int
    model_platform: str

    @property
    def logging_config(self) -> Logging: ...

    @property
    def model_version_policy(self) -> _Policy: ...
    @property
    def version_labels(self) -> MutableMapping[str, int]: ...
    def HasField(self, field: str) -> bool: ...
    def SerializeToString(self) -> bytes: ...


class _Models(Protocol):
    """A repeated field of models."""

    def __iter__(self) -> Iterator[_Model]: ...
    def add(self) -> _Model: ...


class _ModelList(Protocol):
    @property
    def config(self) -> _Models: ...
    def SetInParent(self) -> None: ...


class _Server(Protocol):
    @property
    def model_config_list(self) -> _ModelList: ...
    def WhichOneof(self, oneof: str) -> str | None: ...


def _typed(message: Message) -> _Server:
    # The class is made at run time from model_server_config.proto, whose fields the protocols above restate.
    return cast(_Server, message)


def new_message() -> Message:
    """An empty ModelServerConfig."""
    return message_class("tensorflow.serving.ModelServerConfig")()


def add_model(message: Message) -> Message:
    """A model without content, new at the end of a ModelServerConfig's list."""
    return cast(Message, _typed(message).model_config_list.config.add())  # made at run time, as above


def which_config(message: Message) -> str | None:
    """Which of the two kinds of configuration it holds; none when it holds neither."""
    return _typed(message).WhichOneof("config")


def parse_message(message: Message) -> ServerConfig:
    """The configuration that a ModelServerConfig with a list of models stands for, sorted by name.

    Raises:
        ModelError: when a model of the list cannot be taken.
    """
    models = []
    for index, model in enumerate(_typed(message).model_config_list.config):
        try:
            models.append(_parse_model(model.SerializeToString()))
        except _RefusedError as error:
            raise ModelError(index, str(error)) from error
    return ServerConfig(models=tuple(sorted(models, key=lambda model: model.name)))


def parse_wire(data: bytes) -> ServerConfig:
    """The configuration in a serialized ModelServerConfig, such as a reload request carries.

    Raises:
        ConfigError: INVALID_ARGUMENT, when it is no list of models or one of them cannot be taken.
    """
    message = new_message()
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise ConfigError(
            Code.INVALID_ARGUMENT, f"The bytes are no ModelServerConfig message: {error}"
        ) from error
    if which_config(message) != "model_config_list":
        raise ConfigError(
            Code.INVALID_ARGUMENT,
            "ServerModelConfig type not supported by HandleReloadConfigRequest. "
            "Only ModelConfigList is currently supported",
        )
    try:
        return parse_message(message)
    except ModelError as error:
        raise ConfigError(Code.INVALID_ARGUMENT, error.message) from error


def build_message(config: ServerConfig) -> Message:
    """The ModelServerConfig that stands for a configuration; the inverse of `parse_message`."""
    message = new_message()
    models = _typed(message).model_config_list
    models.SetInParent()  # an empty list is a list
    for model in config.models:
        _build_model(model, models.config.add())
    return message


@lru_cache(MODELS_REMEMBERED_MAX)
def _parse_model(data: bytes) -> ModelConfig:
    """One model; of equal messages the same object, which spares whoever compares configurations the work."""
    model = cast(_Model, message_class("tensorflow.serving.ModelConfig").FromString(data))  # made at run time
    if not model.name:
        raise _RefusedError(
            "A model has no name, so no request could ask for it; set `name` in each `config`"
        )
    return ModelConfig(
        name=model.name,
        base_path=model.base_path,
        platform=_parse_platform(model),
        version_policy=_parse_policy(model.model_version_policy),
        labels=tuple(sorted(model.version_labels.items())),
        transition=_parse_transition(model),
        logging=_parse_logging(model),
    )


def _parse_platform(model: _Model) -> str:
    both = "ModelServerConfig::model_type (deprecated) {} ModelServerConfig::model_platform, model name is {}"
    if model.model_type and model.model_platform:
        raise _RefusedError("Illegal setting both " + both.format("and", model.name))
    if not model.model_type and not model.model_platform:
        raise _RefusedError("Illegal setting neither " + both.format("nor", model.name))
    if model.model_type == _MODEL_TYPE_TENSORFLOW:
        return TENSORFLOW_PLATFORM
    if model.model_type:
        raise _RefusedError(f"ModelServerConfig::model_type choice {model.model_type} not supported.")
    if model.model_platform not in PLATFORMS:
        raise _RefusedError(f"Model {model.name} requests unsupported platform {model.model_platform}")
    return model.model_platform


def _parse_policy(policy: _Policy) -> VersionPolicy:
    match policy.WhichOneof("policy_choice"):
        case "all":
            return All()
        case "specific":
            return Specific(versions=tuple(sorted(set(policy.specific.versions))))
        case _:  # `latest`, or nothing said; nought versions count as one
            return Latest(count=policy.latest.num_versions or DEFAULT_LATEST_COUNT)


def _parse_transition(model: _Model) -> Transition | None:
    number = model.model_version_policy.transition_policy
    if number not in _TRANSITIONS:
        known = ", ".join(str(each) for each in _TRANSITIONS)
        raise _RefusedError(
            f"transition_policy {number} of model {model.name} is not known; known are {known}"
        )
    return _TRANSITIONS[number]


def _parse_logging(model: _Model) -> RequestLogging | None:
    if not model.HasField("logging_config"):
        return None
    try:
        return parse_logging(model.name, model.logging_config)
    except LoggingError as error:
        raise _RefusedError(str(error)) from error


def _build_model(model: ModelConfig, message: _Model) -> None:
    message.name = model.name
    message.base_path = model.base_path
    message.model_platform = model.platform
    _build_policy(model.version_policy, message.model_version_policy)
    message.model_version_policy.transition_policy = _TRANSITION_NUMBERS[model.transition]
    message.version_labels.update(model.labels)
    if model.logging is not None:
        build_logging(model.logging, message.logging_config)


def _build_policy(policy: VersionPolicy, message: _Policy) -> None:
    match policy:
        case Latest(count=count):
            message.latest.num_versions = count
        case All():
            message.all.SetInParent()
        case Specific(versions=versions):
            message.specific.SetInParent()
            message.specific.versions.extend(versions)
        case _:
            assert_never(policy)
