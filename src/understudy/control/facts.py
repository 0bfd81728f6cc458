"""What can reach the control loop. Facts are data; what follows is decided on the loop's thread."""

from concurrent.futures import Future
from dataclasses import dataclass, field

from understudy.model_config import ServerConfig
from understudy.servable import Failure, FoundVersions, Outcome, ServableId


@dataclass(frozen=True, slots=True)
class VersionsSeen:
    """A source looked at every model it was told of."""

    found: tuple[FoundVersions, ...]


@dataclass(frozen=True, slots=True)
class Finished:
    """A load or an unload came to its end."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Unavailable:
    """A version that was to make a new model available, and why it does not."""

    servable: ServableId
    failure: Failure


@dataclass(frozen=True, slots=True)
class Applied:
    """How a configuration order ended.

    Attributes:
        unavailable: one version of each model that is new and did not become available; the configuration
            is in force all the same.
    """

    unavailable: tuple[Unavailable, ...] = ()


@dataclass(frozen=True, slots=True)
class ConfigOrder:
    """An operator's wish: from now on this configuration, whole or not at all.

    Attributes:
        config: what is wanted.
        origin: who asked: `startup`, `file`, `rpc`.
        waits_for_retries: a version that failed and will be tried again has not failed yet.
        answer: resolves when what is new is ready or has failed; raises `ConfigError` when it was refused.
    """

    config: ServerConfig
    origin: str
    waits_for_retries: bool = False
    answer: Future[Applied] = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class Stop:
    """The last fact: the loop ends after it."""


Fact = VersionsSeen | Finished | ConfigOrder | Stop
