"""Where a rollout is, and what is kept of a model's traffic beside its configuration. Data only.

Times are of the control loop's clock. The store keeps them as dates and gives them back as such times, so
that a rollout's durations go on across a restart.
"""

from dataclasses import dataclass, field
from enum import Enum

from understudy.analysis.verdict import Judgement
from understudy.evidence import Evidence
from understudy.rollout.plan import Plan
from understudy.routing.traffic import BucketRange


class Phase(Enum):
    """Where a rollout is in its life."""

    WAITING = "waiting"
    """The candidate is not ready yet: not found, or loading."""
    VALIDATING = "validating"
    """It is loaded, and what it must be before traffic is being looked at."""
    SHADOWING = "shadowing"
    """It runs a share of the requests, and nobody sees its answers."""
    RAMPING = "ramping"
    """It answers a share of the requests: the plan's step of that number."""
    WATCHING = "watching"
    """It is promoted; the old baseline is kept loaded, so that undoing it is instant."""
    PROMOTED = "promoted"
    """The end: the candidate is what the model serves."""
    ROLLED_BACK = "rolled_back"
    """The end: it failed, was aborted, or was undone."""
    ENDED = "ended"
    """The end without a verdict: the configuration, or a newer version, took its place."""


ENDS = frozenset({Phase.PROMOTED, Phase.ROLLED_BACK, Phase.ENDED})


class Pause(Enum):
    """Why a rollout does not go on although it could."""

    OPERATOR = "operator"
    """An operator said so."""
    APPROVAL = "approval"
    """The step is passed, and the plan wants an operator's approval."""
    INCONCLUSIVE = "inconclusive"
    """The time is up, and the evidence says neither."""
    BROKEN_SPLIT = "broken_split"
    """The counts do not fit the weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """One rollout, as it is now.

    Attributes:
        id: unique in the store, for people and statistics (`digits-2-1`).
        model: its model.
        baseline: the version that served before.
        candidate: the version that is to.
        plan: how.
        salt: of the traffic's hash; kept across pause, restart and another try of the same version.
        asked_by: who started it, or `strategy`.
        phase: where it is.
        step: index of the plan's step while it is ramping; else 0.
        weight: the candidate's share of traffic now, in hundredths of a per cent.
        ranges: the candidate's buckets.
        epoch: of its traffic; see `Traffic`.
        pause: why it does not go on; none: it does.
        started_at: when it was ordered.
        traffic_at: when the candidate first ran a request, shadow or not; none before.
        entered_at: when it entered this phase, or this step of it.
        reason: of the last change, for people.
        thresholds_s: latency thresholds fixed from the baseline, by metric; none before traffic.
        evidence: counted so far: what the data plane counts now, and what was kept of earlier epochs.
        judgement: the last one; none before traffic.
        crashes: how often the server ended suddenly while the candidate was loaded.
    """

    id: str
    model: str
    baseline: int
    candidate: int
    plan: Plan
    salt: str
    asked_by: str
    phase: Phase
    step: int = 0
    weight: int = 0
    ranges: tuple[BucketRange, ...] = ()
    epoch: int = 0
    pause: Pause | None = None
    started_at: float
    traffic_at: float | None = None
    entered_at: float
    reason: str
    thresholds_s: tuple[tuple[str, float], ...] = ()
    evidence: Evidence
    judgement: Judgement | None = None
    crashes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """A version that must not be served until somebody releases it.

    Attributes:
        version: its number.
        at: since when.
        by: who, or `rollout`.
        reason: a sentence for people.
        rollout: whose candidate it was; none: none's.
    """

    version: int
    at: float
    by: str
    reason: str
    rollout: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """A split that an operator set without a rollout.

    Attributes:
        salt: see `Rollout`.
        epoch: see `Rollout`.
        ranges: of all versions but the default one.
        default: the version that answers the rest.
        by: who.
        at: when.
    """

    salt: str
    epoch: int
    ranges: tuple[BucketRange, ...]
    default: int
    by: str
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTraffic:
    """What is kept of one model's traffic beside its configuration: all of it outlives the process.

    Attributes:
        stable: the version that serves because a rollout promoted it, or because it served when the model
            became managed; none: the configuration alone decides.
        rollout: the present one, until its end; none: none.
        weights: that an operator set; none while a rollout lasts.
        quarantined: by version.
    """

    stable: int | None = None
    rollout: Rollout | None = None
    weights: Weights | None = None
    quarantined: dict[int, Quarantined] = field(default_factory=dict)
