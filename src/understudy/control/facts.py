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
class LabelLeft:
    """A label that was assigned anew and could not move, and why. It moves when its version is ready."""

    model: str
    label: str
    version: int
    reason: str


@dataclass(frozen=True, slots=True)
class Applied:
    """How a configuration order ended. The configuration is in force in any case.

    Attributes:
        unavailable: one version of each model that is new and did not become available.
        labels_left: labels that did not move.
    """

    unavailable: tuple[Unavailable, ...] = ()
    labels_left: tuple[LabelLeft, ...] = ()


@dataclass(frozen=True, slots=True)
class ConfigOrder:
    """An operator's wish: from now on this configuration, whole or not at all.

    Attributes:
        config: what is wanted.
        origin: who asked: `startup`, `file`, `rpc`.
        waits_for_retries: a version that failed and will be tried again has not failed yet.
        answer: resolves when what is new is ready or has failed, and labels have moved or cannot; raises
            `ConfigError` when it was refused.
    """

    config: ServerConfig
    origin: str
    waits_for_retries: bool = False
    answer: Future[Applied] = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class Stop:
    """The last fact: the loop ends after it."""


Fact = VersionsSeen | Finished | ConfigOrder | Stop
