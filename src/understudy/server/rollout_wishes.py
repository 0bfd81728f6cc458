"""From what operators ask by the API to commands for the core. Pure."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

from understudy.admin.rollouts import NewRollout, NewWeights
from understudy.errors import Code, ConfigError
from understudy.rollout.commands import SetWeights, Start
from understudy.rollout.plan import Plan, Step, Strategy
from understudy.rollout_file import parse_plan
from understudy.routing.traffic import BUCKETS

BUCKETS_PER_PERCENT = BUCKETS // 100


def build_start(wanted: NewRollout, strategy: Strategy | None) -> Start:
    """The command for a rollout.

    Args:
        wanted: by the operator.
        strategy: of the model; none: it has none.

    Raises:
        ConfigError: the plan or the steps cannot be taken.
    """
    plan = parse_plan(wanted.plan) if wanted.plan else None
    if wanted.steps is not None or not wanted.shadow:
        plan = _vary(plan or (strategy.plan if strategy else Plan()), wanted)
    return Start(candidate=wanted.candidate, baseline=wanted.baseline, plan=plan)


def build_weights(wanted: NewWeights) -> SetWeights:
    """The command for a split.

    Raises:
        ConfigError: the shares are no split.
    """
    weights = tuple((version, _count(share)) for version, share in sorted(wanted.weights.items()))
    total = sum(weight for _, weight in weights)
    if total != BUCKETS:
        raise ConfigError(
            Code.INVALID_ARGUMENT,
            f"The shares add up to {total / BUCKETS_PER_PERCENT:g} %, and have to be 100 % together.",
        )
    return SetWeights(tuple(each for each in weights if each[1]))


def _vary(plan: Plan, wanted: NewRollout) -> Plan:
    if wanted.steps is not None:
        plan = replace(plan, steps=_build_steps(plan.steps, wanted.steps))
    return plan if wanted.shadow else replace(plan, shadow=None)


def _build_steps(planned: tuple[Step, ...], shares: Iterable[float]) -> tuple[Step, ...]:
    """Other shares; what must be before the next step stays as planned, for steps beyond as for the last."""
    weights = [_count(share) for share in shares]
    if any(weight in {0, BUCKETS} for weight in weights) or any(a >= b for a, b in pairwise(weights)):
        raise ConfigError(
            Code.INVALID_ARGUMENT,
            "The steps have to ascend, above 0 % and below 100 %: after the last one the version is promoted",
        )
    patterns = planned or (Step(weight=weights[0]),) if weights else ()
    return tuple(
        replace(patterns[min(place, len(patterns) - 1)], weight=weight)
        for place, weight in enumerate(weights)
    )


def _count(share: float) -> int:
    """A share in per cent, in buckets.

    Raises:
        ConfigError: it is finer than a bucket.
    """
    weight = round(share * BUCKETS_PER_PERCENT)
    if abs(weight - share * BUCKETS_PER_PERCENT) > 1e-6:
        raise ConfigError(
            Code.INVALID_ARGUMENT, f"A share of {share:g} % is finer than a hundredth of a per cent"
        )
    return weight
