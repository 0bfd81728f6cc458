"""How a rollout begins: ordered by an operator, or by a model's strategy."""

from dataclasses import replace

from understudy.evidence import Evidence
from understudy.rollout.minutes import STRATEGY, Minutes
from understudy.rollout.plan import Plan
from understudy.rollout.state import Phase, Rollout
from understudy.rollout.upkeep import newest_version


def begin(minutes: Minutes, baseline: int, candidate: int, plan: Plan, *, by: str) -> None:
    """A rollout is the present one. It has no traffic yet.

    The salt follows from model and candidate: every server assigns alike without asking, another try of the
    same version meets the same callers, and the callers of two candidates have nothing to do with each other.
    """
    situation, number = minutes.situation, minutes.traffic.rollouts + 1
    model = situation.model
    rollout_id = f"{model}-{candidate}-{number}"
    minutes.traffic = replace(minutes.traffic, rollouts=number)
    minutes.declare()
    minutes.begin(
        Rollout(
            id=rollout_id,
            model=model,
            baseline=baseline,
            candidate=candidate,
            plan=plan,
            salt=f"{model}/{candidate}",
            asked_by=by,
            phase=Phase.WAITING,
            started_at=minutes.now,
            entered_at=minutes.now,
            reason=f"version {candidate} is to take the place of version {baseline}",
            evidence=Evidence(trial=rollout_id),
            newest=max(baseline, candidate, *situation.found),
        )
    )


def begin_by_strategy(minutes: Minutes) -> None:
    """The newest version that was never served is rolled out, if the model's strategy says so."""
    traffic, situation = minutes.traffic, minutes.situation
    strategy, stable = situation.strategy, traffic.stable
    if strategy is None or not strategy.starts_itself or not situation.is_recorded:
        return
    if traffic.rollout is not None or traffic.weights is not None or stable is None:
        return
    newest = newest_version(minutes)
    if newest is None or newest <= max(stable, traffic.highest or stable) or not situation.is_ready(stable):
        return
    begin(minutes, stable, newest, strategy.plan, by=STRATEGY)
