"""Decisions about models' traffic, as data: what is recorded of each, and what changes with it."""

from dataclasses import dataclass

from understudy.analysis.verdict import Judgement
from understudy.evidence import Evidence
from understudy.rollout.state import ModelTraffic, Phase, Rollout


@dataclass(frozen=True, slots=True)
class Position:
    """Where a rollout is.

    Attributes:
        phase: of its life.
        step: of the plan, while it is ramping.
        weight: the candidate's share of traffic, in hundredths of a per cent.
    """

    phase: Phase
    step: int
    weight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Something that was decided about a model's traffic, with the numbers that it was decided on.

    Attributes:
        at: when, by the control loop's clock.
        model: whose traffic.
        version: which version it is about; none: the whole model.
        rollout: of which rollout; empty: of none.
        kind: a stable word for programs; see docs/reference/events.md.
        by: who decided: an operator, `strategy`, or `rollout`.
        reason: a sentence for people.
        before: where the rollout was; none: there was none.
        after: where it is since.
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


@dataclass(frozen=True, slots=True)
class TrafficChange:
    """What is recorded of one model, together: all of it, or nothing.

    Attributes:
        model: its name.
        traffic: as it is from now on.
        ended: rollouts that are over with this change, as they ended.
        decisions: that led to it, in order.
    """

    model: str
    traffic: ModelTraffic
    ended: tuple[Rollout, ...] = ()
    decisions: tuple[Decision, ...] = ()
