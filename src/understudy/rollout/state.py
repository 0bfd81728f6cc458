"""Where a rollout is, and what is kept of a model's traffic beside its configuration. Data only.

Times are of the control loop's clock. The store keeps them as dates and gives them back as such times, so
that a rollout's durations go on across a restart.
"""

from dataclasses import dataclass, field
from enum import Enum

from understudy.analysis.verdict import Judgement
from understudy.evidence import Evidence, ShadowCounts
from understudy.rollout.plan import Plan
from understudy.routing.traffic import BucketRange

NO_SHADOW = ShadowCounts()


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
    BASELINE_GONE = "baseline_gone"
    """The baseline does not serve, and nothing says that it will: there is nothing to compare with."""


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
        pause_before: the pause that it goes back to when the baseline is there again; none: it goes on.
        started_at: when it was ordered.
        found_at: when the candidate was first found, so that it may have been loaded since; none before.
        traffic_at: when the candidate first ran a request, shadow or not; none before.
        entered_at: when it entered this phase, or this step of it.
        paused_at: when it was paused; none while it is not.
        uncounted_s: of the time that its phase may last, what does not count: pauses, what an operator has
            granted beyond, and what passed without a server.
        counted_at: when requests were last counted, or a server last went on with it; none before traffic.
        away_s: since it entered this phase, or this step, the time that passed without a server.
        reason: of the last change, for people.
        thresholds_s: latency thresholds fixed from the baseline, by metric; none before traffic.
        evidence: counted so far: what the data plane counts now, and what was kept of earlier epochs.
        evidence_from: the first epoch that counts as evidence.
        shadow_before: of the evidence, shadow traffic's counts from former processes.
        judgement: the last one; none before traffic.
        crashes: how often the server ended suddenly while the candidate was loaded.
        newest: the highest version that was there or meant when it was ordered: only higher ones are newer.
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
    pause_before: Pause | None = None
    started_at: float
    found_at: float | None = None
    traffic_at: float | None = None
    entered_at: float
    paused_at: float | None = None
    uncounted_s: float = 0.0
    counted_at: float | None = None
    away_s: float = 0.0
    reason: str
    thresholds_s: tuple[tuple[str, float], ...] = ()
    evidence: Evidence
    evidence_from: int = 0
    shadow_before: ShadowCounts = NO_SHADOW
    judgement: Judgement | None = None
    crashes: int = 0
    newest: int = 0


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
        lost: versions that were told not to answer at present, ascending: the default one answers for them.
    """

    salt: str
    epoch: int
    ranges: tuple[BucketRange, ...]
    default: int
    by: str
    at: float
    lost: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What the configuration said when it was last compared with what is kept here.

    Attributes:
        base_path: of the model.
        policy: its version policy, in words.
        labels: those that rollouts set, too: label and version, sorted.
    """

    base_path: str
    policy: str
    labels: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTraffic:
    """What is kept of one model's traffic beside its configuration: all of it outlives the process.

    Attributes:
        stable: the version that serves because a rollout left it so, or because it served when the model
            became managed; none: the configuration alone decides.
        highest: the highest version that was stable or a baseline: only higher ones are new; none: all are.
        rollout: the present one, until its end; none: none.
        weights: that an operator set; none while a rollout lasts.
        quarantined: by version.
        declared: what the configuration said; another word of it comes after ours. None: nothing is kept
            that it could contradict.
        yielded: labels that the configuration has set anew since, sorted: they are its own.
        waiting: the newest version that was told to wait for a rollout; none: none was.
        rollouts: how many there have been.
        epochs: the last epoch of weights by hand.
    """

    stable: int | None = None
    highest: int | None = None
    rollout: Rollout | None = None
    weights: Weights | None = None
    quarantined: dict[int, Quarantined] = field(default_factory=dict)
    declared: Declared | None = None
    yielded: tuple[str, ...] = ()
    waiting: int | None = None
    rollouts: int = 0
    epochs: int = 0
