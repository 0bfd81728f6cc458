"""What can reach the control loop. Each fact is data; what follows from it is decided on the loop's thread."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from understudy.model_config import ServerConfig
from understudy.servable import Failure, FoundVersions, Outcome

@dataclass(frozen=True, slots=True)
class VersionsSeen:
    """A source looked at every model it was told of."""

    found: tuple[FoundVersions, ...]


@dataclass(frozen=True, slots=True)
class Finished:
    """A load or an unload came to its end."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Applied:
    """How a configuration order ended.

    Attributes:
        failures: by model name, the models that are new and did not become available; the configuration is in
            force all the same.
    """

    failures: tuple[tuple[str, Failure], ...] = ()


@dataclass(frozen=True, slots=True)
class ConfigOrder:
    """An operator's wish: from now on this configuration, whole or not at all.

    Attributes:
        config: what is wanted.
        origin: who asked: `startup`, `file`, `rpc`.
        answer: resolves when what is new is ready or has failed; raises `ConfigError` when it was refused.
    """

    config: ServerConfig
    origin: str
    answer: Future[Applied] = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class Question:
    """Something to read from the desk, on the loop's own thread."""

    answer: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Stop:
    """The last fact: the loop ends after it."""
