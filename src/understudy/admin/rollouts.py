"""Rollouts as operators see them and ask for them: the API's questions and answers, and who takes them.

These dataclasses are the API's JSON, field by field. What the core keeps (plans, evidence, judgements) is
shown as it is kept, so that what an operator reads is what was decided on. Shares of traffic are in
hundredths of a per cent, but for `NewWeights`, which people write.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Annotated, Protocol

from msgspec import Meta

from understudy.analysis.verdict import Judgement
from understudy.buckets import BucketRange
from understudy.evidence import Evidence, TrialProfile
from understudy.quality.desk import ITEMS_MAX, FeedbackItem, FeedbackView
from understudy.rollout.plan import Plan
from understudy.rollout.state import Pause, Phase
from understudy.shadow_report import ShadowReport

BY_CHARS_MAX = 200
REASON_CHARS_MAX = 500
PLAN_CHARS_MAX = 1024 * 1024
STEPS_MAX = 100
WEIGHTS_MAX = 100
"""Versions that one split may name."""

VersionNumber = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Percent = Annotated[float, Meta(gt=0, lt=100)]
By = Annotated[str, Meta(max_length=BY_CHARS_MAX)]
"""Who asks, as the history says it; empty: nobody said."""
Reason = Annotated[str, Meta(max_length=REASON_CHARS_MAX)]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRollout:
    """A version that is to be rolled out.

    Attributes:
        candidate: its number; it need not be there yet.
        baseline: against which; none: the version that serves.
        plan: how, as YAML or JSON text; empty: as the model's strategy says, or else as plans are by default.
        steps: the candidate's shares of traffic in per cent, ascending, instead of the plan's; none: the
            plan's.
        shadow: false: without the plan's shadow stage.
        by: who asks.
    """

    candidate: VersionNumber
    baseline: VersionNumber | None = None
    plan: Annotated[str, Meta(max_length=PLAN_CHARS_MAX)] = ""
    steps: Annotated[tuple[Percent, ...], Meta(max_length=STEPS_MAX)] | None = None
    shadow: bool = True
    by: By = ""


class Turn(Enum):
    """Another way for a rollout to go."""

    PAUSE = "pause"
    """Stay at the present weight; harm still rolls back."""
    RESUME = "resume"
    """Go on after a pause."""
    APPROVE = "approve"
    """Go on from a step that needs approval."""
    PROMOTE = "promote"
    """Promote now, whatever the evidence says so far."""
    UNDO = "undo"
    """Take a promotion back while the old baseline is still kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTurn:
    """Who lets a rollout go another way.

    Attributes:
        by: who asks.
    """

    by: By = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAbort:
    """A rollout that is to be rolled back.

    Attributes:
        reason: for the history.
        quarantine: the candidate must not be picked up again until somebody releases it.
        by: who asks.
    """

    reason: Reason = ""
    quarantine: bool = True
    by: By = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWeights:
    """A split of a model's traffic.

    Attributes:
        weights: by version, in per cent, to the hundredth; together 100.
        by: who asks.
    """

    weights: Annotated[
        dict[VersionNumber, Annotated[float, Meta(ge=0, le=100)]], Meta(min_length=1, max_length=WEIGHTS_MAX)
    ]
    by: By = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewQuarantine:
    """A version that must not be served.

    Attributes:
        reason: a sentence for people.
        by: who asks.
    """

    reason: Reason = ""
    by: By = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFeedback:
    """Truths about predictions, once they are known.

    Attributes:
        items: each with the `x-request-id` of the answer that it is about.
    """

    items: Annotated[tuple[FeedbackItem, ...], Meta(max_length=ITEMS_MAX)]


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutView:
    """A rollout: the present state, or the last one of a rollout that has ended.

    Attributes:
        id: by which it is found in the history.
        model: its model.
        baseline: the version that served before.
        candidate: the version that is to.
        phase: where it is.
        step: which of the plan's it is at while it is ramping, counted from 1; else 0.
        steps: how many the plan has.
        weight: the candidate's share of traffic now.
        pause: why it does not go on although it could; none: it does.
        asked_by: who started it, or `strategy`.
        started_at: when it was ordered.
        traffic_at: when the candidate first ran a request, shadow or not; none before.
        entered_at: when it entered this phase, or this step of it.
        in_phase_s: for how long it has been there, without the time in which no server ran.
        reason: of the last change, for people.
        waits_for: what is missing before it goes on, a sentence each; empty: it has ended.
        plan: how it is done.
        thresholds_s: beyond which an answer counts as slow, by metric; fixed from the baseline.
        evidence: counted so far.
        judgement: the last one; none before traffic.
        crashes: how often the server ended suddenly while the candidate was loaded.
        profile: what both versions' answers look like since the server started; none: there is no traffic,
            or it was not asked for this rollout alone.
        shadow: what came of its shadow traffic since the server started; none: likewise, or there was none.
        is_recorded: whether this would survive the server's end. What takes a version out of traffic does not
            wait for a store that fails; it is recorded when that can be.
    """

    id: str
    model: str
    baseline: int
    candidate: int
    phase: Phase
    step: int
    steps: int
    weight: int
    pause: Pause | None
    asked_by: str
    started_at: datetime
    traffic_at: datetime | None
    entered_at: datetime
    in_phase_s: float
    reason: str
    waits_for: tuple[str, ...]
    plan: Plan
    thresholds_s: dict[str, float]
    evidence: Evidence
    judgement: Judgement | None
    crashes: int
    profile: TrialProfile | None = None
    shadow: ShadowReport | None = None
    is_recorded: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutHeadView:
    """A rollout in a list.

    Attributes:
        id: by which it is found.
        model: its model.
        baseline: the version that served before.
        candidate: the version that was to.
        phase: where it is, or how it ended.
        step: see `RolloutView`.
        steps: likewise.
        weight: likewise.
        pause: likewise.
        asked_by: who started it, or `strategy`.
        started_at: when it was ordered.
        changed_at: when it last changed; of one that has ended: when it did.
        reason: of the last change.
    """

    id: str
    model: str
    baseline: int
    candidate: int
    phase: Phase
    step: int
    steps: int
    weight: int
    pause: Pause | None
    asked_by: str
    started_at: datetime
    changed_at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class PositionView:
    """Where a rollout is.

    Attributes:
        phase: of its life.
        step: counted from 1 while it is ramping; else 0.
        weight: the candidate's share of traffic.
        pause: why it does not go on although it could; none: it does.
    """

    phase: Phase
    step: int
    weight: int
    pause: Pause | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionView:
    """One decision about a rollout, with the numbers it was made on.

    Attributes:
        at: when.
        kind: a stable word for programs; docs/reference/events.md explains each.
        by: who decided: an operator, `strategy`, or `rollout`: it follows from what was known.
        reason: a sentence for people.
        version: which version it is about; none: the rollout.
        before: where the rollout was; none: there was none.
        after: where it is from then on; none: there is none.
        judgement: the last one at that time; none before traffic.
        evidence: counted until then; none before traffic.
    """

    at: datetime
    kind: str
    by: str
    reason: str
    version: int | None = None
    before: PositionView | None = None
    after: PositionView | None = None
    judgement: Judgement | None = None
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutsView:
    """The rollouts under way, by model, and those that ended last, the newest first."""

    present: tuple[RolloutView, ...]
    ended: tuple[RolloutHeadView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutHistoryView:
    """A model's rollouts, the newest first; the one under way among them."""

    model: str
    rollouts: tuple[RolloutHeadView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryView:
    """One rollout whole: what `understudy rollout export` writes.

    Attributes:
        rollout: as it is now, or as it ended.
        decisions: all that were taken, the oldest first.
    """

    rollout: RolloutView
    decisions: tuple[DecisionView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareView:
    """A version's share of the requests that name neither version nor label.

    Attributes:
        version: its number.
        weight: in hundredths of a per cent; all of a model's together are 10,000.
        arm: what requests are told: `baseline`, `candidate`, or empty.
    """

    version: int
    weight: int
    arm: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantinedView:
    """A version that must not be served until somebody releases it.

    Attributes:
        version: its number.
        at: since when.
        by: who.
        reason: why.
        rollout: whose candidate it was; none: none's.
    """

    version: int
    at: datetime
    by: str
    reason: str
    rollout: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineView:
    """The versions of a model that are quarantined, ascending."""

    model: str
    versions: tuple[QuarantinedView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlayView:
    """What is added to the version policy of a model.

    Attributes:
        version: which version it is about.
        kind: `pinned`: it is kept although the policy may not name it; `held`: it is loaded by no policy
            until a rollout takes it up; `quarantined`: it is not served.
        reason: whose doing it is.
    """

    version: int
    kind: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficView:
    """Who answers a model's requests that name neither version nor label.

    Attributes:
        model: its name.
        managed: no new version serves unless a rollout promoted it.
        stable: the version that a rollout promoted, or that served when the model became managed; none: the
            configuration alone decides.
        rollout: the id of the rollout under way; none: none is.
        weights_by: who set weights by hand; none: nobody.
        weights_at: and when.
        shares: by version, ascending; empty: nobody answers.
        key_header: where requests bring their routing key; empty: traffic is not split.
        salt: what keys are hashed with, for programs that assign by themselves.
        ranges: which buckets each version has; the default version has those that none names.
        overlays: what is added to the version policy.
        quarantined: by version, ascending.
        is_recorded: see `RolloutView`.
    """

    model: str
    managed: bool = False
    stable: int | None = None
    rollout: str | None = None
    weights_by: str | None = None
    weights_at: datetime | None = None
    shares: tuple[ShareView, ...] = ()
    key_header: str = ""
    salt: str = ""
    ranges: tuple[BucketRange, ...] = ()
    overlays: tuple[OverlayView, ...] = ()
    quarantined: tuple[QuarantinedView, ...] = ()
    is_recorded: bool = True

    @property
    def held(self) -> tuple[int, ...]:
        """Versions that wait for a rollout, ascending."""
        return tuple(each.version for each in self.overlays if each.kind == "held")

    @property
    def quarantine(self) -> QuarantineView:
        """The quarantined versions alone."""
        return QuarantineView(model=self.model, versions=self.quarantined)


class Rollouts(Protocol):
    """Who tells of rollouts and takes orders about traffic.

    Called on the API's event loop. All raise ConfigError when there is no such model or rollout; orders raise
    ConfigError or StoreError when they are refused, and then nothing has changed.
    """

    async def all(self, limit: int) -> RolloutsView:
        """The rollouts under way, and at most so many of those that ended."""
        ...

    async def rollout(self, model: str) -> RolloutView:
        """The model's rollout under way, or its last one."""
        ...

    async def history(self, model: str, limit: int) -> RolloutHistoryView:
        """The model's newest rollouts."""
        ...

    async def story(self, rollout: str) -> StoryView:
        """One rollout whole."""
        ...

    async def feedback(self, model: str, told: NewFeedback) -> FeedbackView:
        """Takes truths about predictions of the rollout under way."""
        ...

    async def traffic(self, model: str) -> TrafficView:
        """Who answers."""
        ...

    async def start(self, model: str, wanted: NewRollout) -> RolloutView:
        """Begins a rollout."""
        ...

    async def turn(self, model: str, turn: Turn, wanted: NewTurn) -> RolloutView:
        """Lets the rollout under way go another way."""
        ...

    async def abort(self, model: str, wanted: NewAbort) -> RolloutView:
        """Rolls back."""
        ...

    async def set_weights(self, model: str, wanted: NewWeights) -> TrafficView:
        """Splits traffic by hand."""
        ...

    async def clear_weights(self, model: str, by: str) -> TrafficView:
        """Lets the default version answer everything again."""
        ...

    async def quarantine(self, model: str, version: int, wanted: NewQuarantine) -> TrafficView:
        """Keeps a version from being served."""
        ...

    async def release(self, model: str, version: int, by: str) -> TrafficView:
        """Lets it be served again."""
        ...
