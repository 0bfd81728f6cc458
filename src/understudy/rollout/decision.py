"""What was decided about a model's traffic, with the numbers that it was decided on. Data only."""

from dataclasses import dataclass

from understudy.analysis.verdict import Judgement
from understudy.evidence import Evidence
from understudy.rollout.state import ModelTraffic, Pause, Phase, Rollout
from understudy.servable import Event


@dataclass(frozen=True, slots=True)
class Position:
    """Where a rollout is.

    Attributes:
        phase: of its life.
        step: of the plan, while it is ramping.
        weight: the candidate's share of traffic, in hundredths of a per cent.
        pause: why it does not go on; none: it does.
    """

    phase: Phase
    step: int
    weight: int
    pause: Pause | None = None

    @classmethod
    def of(cls, rollout: Rollout) -> "Position":
        """Where this one is."""
        return cls(rollout.phase, rollout.step, rollout.weight, rollout.pause)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Something that was decided about a model's traffic.

    Attributes:
        at: when, by the control loop's clock.
        model: whose traffic.
        version: which version it is about; none: the whole model.
        rollout: of which rollout; empty: of none.
        kind: a stable word for programs; see docs/reference/events.md.
        by: who decided: an operator, `strategy`, `configuration` or `rollout`.
        reason: a sentence for people.
        before: where the rollout was; none: there was none.
        after: where it is since; none likewise.
        judgement: what the evidence was found to say; none before traffic.
        evidence: what had been counted; none likewise.
    """

    at: float
    model: str
    version: int | None
    rollout: str
    kind: str
    by: str
    reason: str
    before: Position | None = None
    after: Position | None = None
    judgement: Judgement | None = None
    evidence: Evidence | None = None

    @property
    def event(self) -> Event:
        """The same for the journal and the log, which keep no numbers."""
        return Event(self.at, self.model, self.version, self.kind, self.reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one step of the core says.

    Attributes:
        traffic: as it is from now on; the very same object when nothing changed.
        decisions: that led to it, in order. Without any, nothing but counts has changed: that may be recorded
            later, or not at all.
        ended: rollouts that are over with it, as they ended.
        is_urgent: it takes a version out of traffic, or follows the configuration: it must not wait for its
            record. Anything else must be recorded before any effect of it is seen.
    """

    traffic: ModelTraffic
    decisions: tuple[Decision, ...] = ()
    ended: tuple[Rollout, ...] = ()
    is_urgent: bool = False
