"""What can reach the control loop. Facts are data; what follows is decided on the loop's thread."""

import math
from concurrent.futures import Future
from dataclasses import dataclass, field

from understudy.model_config import ConfigDiff, ServerConfig
from understudy.servable import Event, Failure, FoundVersions, Outcome, ServableId
from understudy.store.revision import Draft


@dataclass(frozen=True, slots=True)
class VersionsSeen:
    """A source looked at every model it was told of."""

    found: tuple[FoundVersions, ...]


@dataclass(frozen=True, slots=True)
class Finished:
    """A load or an unload came to its end."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Happened:
    """The data plane tells something of a model that calls for no decision: it is for people."""

    event: Event


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
        revision: in force.
        change: from what was in force before; nothing in it: the configuration was in force already.
        unavailable: one version of each model that is new and did not become available.
        labels_left: labels that did not move.
        unsettled: models that are new, or whose labels are, and that were still under way when the order's
            time was up.
    """

    revision: int
    change: ConfigDiff
    unavailable: tuple[Unavailable, ...] = ()
    labels_left: tuple[LabelLeft, ...] = ()
    unsettled: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recorded:
    """A configuration that the ledger has already, as this revision: a start resumes it."""

    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigOrder:
    """An operator's wish: from now on this configuration, whole or not at all.

    Attributes:
        config: what is wanted.
        record: what the ledger is to say of it.
        is_trial: judge it only; nothing is recorded and nothing changes.
        expected_revision: refuse it when another revision is in force; none: whatever is.
        waits_for_retries: a version that failed and will be tried again has not failed yet.
        deadline: when it is answered at the latest, by the loop's clock.
        answer: resolves when what is new is ready or has failed and labels have moved or cannot, or when the
            time is up; raises `ConfigError` or `StoreError` when it was refused.
    """

    config: ServerConfig
    record: Draft | Recorded
    is_trial: bool = False
    expected_revision: int | None = None
    waits_for_retries: bool = False
    deadline: float = math.inf
    answer: Future[Applied] = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class Retried:
    """What came of a wish to try a version again.

    Attributes:
        is_begun: whether it is tried again now.
        reason: a sentence for people.
    """

    is_begun: bool
    reason: str


@dataclass(frozen=True, slots=True)
class RetryOrder:
    """An operator's wish: try to load this version again, now."""

    servable: ServableId
    answer: Future[Retried] = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class Stop:
    """The last fact: the loop ends after it."""


Order = ConfigOrder | RetryOrder
Fact = VersionsSeen | Finished | Happened | Order | Stop
