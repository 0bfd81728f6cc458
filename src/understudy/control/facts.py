"""What can reach the control loop. Facts are data; what follows is decided on the loop's thread."""

import math
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field

from understudy.evidence import Evidence
from understudy.model_config import ConfigDiff, ServerConfig
from understudy.rollout.commands import Command
from understudy.rollout.decision import Decision
from understudy.rollout.plan import Strategy
from understudy.rollout.state import ModelTraffic
from understudy.rollout.validation import ValidationOutcome
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Obeyed:
    """What came of an order about a model's traffic. It is in force in any case.

    Attributes:
        traffic: as it is now.
        decisions: that followed from the order, in order; none: it was so already.
        is_recorded: whether it would survive the process. What takes a version out of traffic does not wait
            for a store that fails; it is recorded when that can be.
    """

    traffic: ModelTraffic
    decisions: tuple[Decision, ...] = ()
    is_recorded: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficOrder:
    """An operator's wish about a model's traffic.

    Attributes:
        model: whose.
        command: what is wanted.
        by: who wants it.
        answer: resolves when it is on record and in force; raises `ConfigError` or `StoreError` when it was
            refused, and then nothing has changed.
    """

    model: str
    command: Command
    by: str
    answer: Future[Obeyed] = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class StrategiesOrder:
    """From now on these strategies, by model, and no others.

    Attributes:
        strategies: of models that may not be configured yet.
        answer: resolves when they are in force.
    """

    strategies: Mapping[str, Strategy]
    answer: Future[None] = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class TrialSeen:
    """What was counted of one trial.

    Attributes:
        evidence: all of it.
        thresholds_s: latency thresholds as the baseline would set them now, by metric; none: it has
            answered too little.
    """

    evidence: Evidence
    thresholds_s: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class EvidenceSeen:
    """The data plane's counts of trials, by model. Of those not named nothing is new."""

    trials: Mapping[str, TrialSeen]


@dataclass(frozen=True, slots=True)
class Validated:
    """A candidate was looked at."""

    outcome: ValidationOutcome


@dataclass(frozen=True, slots=True)
class Stop:
    """The last fact: the loop ends after it."""


Order = ConfigOrder | RetryOrder | TrafficOrder | StrategiesOrder
Report = VersionsSeen | Finished | Happened | EvidenceSeen | Validated
Fact = Report | Order | Stop
