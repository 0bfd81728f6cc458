"""What the operator wants: the models, where they are, which versions, under which labels.

Parsing (config_text.py) makes these; `validate` and `diff` refuse what cannot be taken, with the reason.
"""

import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import Enum

from understudy.errors import Code, ConfigError
from understudy.request_logging import RequestLogging, check_together

DEFAULT_LATEST_COUNT = 1
TENSORFLOW_PLATFORM = "tensorflow"
LITERT_PLATFORM = "litert"
"""TensorFlow Serving has no such name: there a flag makes `tensorflow` mean it."""


@dataclass(frozen=True, slots=True)
class Latest:
    """The highest `count` versions that are there; `count` is at least 1."""

    count: int = DEFAULT_LATEST_COUNT


@dataclass(frozen=True, slots=True)
class All:
    """Every version that is there."""


@dataclass(frozen=True, slots=True)
class Specific:
    """These versions, those of them that are there."""

    versions: tuple[int, ...]


VersionPolicy = Latest | All | Specific


class Transition(Enum):
    """In which order the versions of a model replace each other; lifecycle/transition.py has the rules."""

    AVAILABILITY_PRESERVING = "availability_preserving"
    """The new one is loaded before the old one is unloaded."""
    RESOURCE_PRESERVING = "resource_preserving"
    """The old one is unloaded before the new one is loaded: less memory, and a gap without answers."""


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """One model.

    Attributes:
        name: as clients name it; never empty.
        base_path: absolute; one subdirectory a version.
        platform: which runtime loads it, `tensorflow` for example.
        version_policy: which versions should live.
        labels: label and version, sorted by label.
        transition: in which order its versions replace each other; none: as the server does by default.
        logging: what to log of its requests; none: nothing.
    """

    name: str
    base_path: str
    platform: str = TENSORFLOW_PLATFORM
    version_policy: VersionPolicy = Latest()
    labels: tuple[tuple[str, int], ...] = ()
    transition: Transition | None = None
    logging: RequestLogging | None = None


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """Every model, sorted by name, each name once."""

    models: tuple[ModelConfig, ...] = field(default=())


SUPPORTED_PLATFORMS = frozenset({TENSORFLOW_PLATFORM, LITERT_PLATFORM})

ABSOLUTE_PATH = re.compile(r"/|[A-Za-z][0-9A-Za-z.]*://")


@dataclass(frozen=True, slots=True)
class ConfigDiff:
    """What it takes to go from one configuration to another; each model in one list at most, sorted by name.

    Attributes:
        added: models that were not there.
        removed: names of models that are no longer there.
        changed: models that differ, as they are to be.
    """

    added: tuple[ModelConfig, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[ModelConfig, ...] = ()


def validate(config: ServerConfig, platforms: AbstractSet[str] = SUPPORTED_PLATFORMS) -> None:
    """Refuses a configuration that no server could take.

    Texts and their order are TensorFlow Serving's, so that what matches on them goes on working; empty names
    and counts are refused in our own words (it takes them, and then nobody can address the model).

    Raises:
        ConfigError: INVALID_ARGUMENT, with what is wrong.
    """
    _check_list(config)
    _check_platforms(config, platforms)


def diff(
    old: ServerConfig, new: ServerConfig, platforms: AbstractSet[str] = SUPPORTED_PLATFORMS
) -> ConfigDiff:
    """What changes between a configuration in force and a new one. Taken whole or refused whole.

    Raises:
        ConfigError: INVALID_ARGUMENT: the new one is not valid, or not reachable from the old one.
    """
    _check_list(new)
    before = {model.name: model for model in old.models}
    after = {model.name: model for model in new.models}
    kept = before.keys() & after.keys()
    changed = sorted(name for name in kept if _differs(before[name], after[name]))
    for name in changed:
        _check_platform_change(before[name], after[name])
    _check_platforms(new, platforms)
    return ConfigDiff(
        added=tuple(after[name] for name in sorted(after.keys() - before.keys())),
        removed=tuple(sorted(before.keys() - after.keys())),
        changed=tuple(after[name] for name in changed),
    )


def _differs(old: ModelConfig, new: ModelConfig) -> bool:
    """Most models of a changed configuration are the very objects of the one before (config_message.py)."""
    return new is not old and new != old


def _check_list(config: ServerConfig) -> None:
    seen: set[str] = set()
    for model in config.models:
        if model.name in seen:
            raise _refused(f"Illegal to list model {model.name} multiple times in config list")
        seen.add(model.name)
    for model in config.models:
        _check_model(model)
    check_together((model.name, model.logging) for model in config.models if model.logging is not None)


def _check_model(model: ModelConfig) -> None:
    if not model.name:
        raise _refused(f"a model without a name cannot be addressed (its base_path is {model.base_path})")
    if not ABSOLUTE_PATH.match(model.base_path):
        raise _refused(
            f"Expected model {model.name} to have an absolute path or URI; got base_path()={model.base_path}"
        )
    if isinstance(model.version_policy, Latest) and model.version_policy.count < 1:
        count = model.version_policy.count
        raise _refused(f"model {model.name} asks for the latest {count} versions; at least 1 is needed")


def _check_platform_change(old: ModelConfig, new: ModelConfig) -> None:
    if old.platform != new.platform:
        raise _refused(
            f"Illegal to change a model's platform. For model {new.name} platform was {old.platform} "
            f"and new platform requested is {new.platform}"
        )


def _check_platforms(config: ServerConfig, platforms: AbstractSet[str]) -> None:
    for model in config.models:
        if model.platform not in platforms:
            raise _refused(f"Model {model.name} requests unsupported platform {model.platform}")


def _refused(message: str) -> ConfigError:
    return ConfigError(Code.INVALID_ARGUMENT, message)
