"""The core of rollouts: three pure functions from what is kept of a model's traffic to what is to be kept.

Whoever calls records a `Change` before its effects (`consequences`) are seen, unless it is urgent.
"""

from typing import Final

from understudy.rollout.begin import begin_by_strategy
from understudy.rollout.commands import Command
from understudy.rollout.decision import Change
from understudy.rollout.following import follow_configuration
from understudy.rollout.minutes import Minutes
from understudy.rollout.orders import take_order
from understudy.rollout.progress import guide
from understudy.rollout.situation import Situation
from understudy.rollout.state import ModelTraffic
from understudy.rollout.upkeep import keep_stable, tell_waiting
from understudy.rollout.weighing import look_after_weights

RULES: Final = (keep_stable, guide, begin_by_strategy, look_after_weights, tell_waiting)
"""In this order, for a model that is configured."""


def order(traffic: ModelTraffic, command: Command, situation: Situation, *, by: str, now: float) -> Change:
    """What an operator's command makes of it.

    Args:
        traffic: what is kept of the model.
        command: of the operator.
        situation: what is known of the model.
        by: who orders.
        now: by the control loop's clock.

    Raises:
        ConfigError: it cannot be done: what, why, and what to do. Nothing has changed.
    """
    minutes = Minutes(traffic, situation, now)
    take_order(minutes, command, by=by)
    return minutes.close()


def advance(traffic: ModelTraffic, situation: Situation, now: float) -> Change:
    """What follows from what is known now, by itself. At most one change of a rollout's phase.

    What is urgent comes alone: nothing that has to be recorded first may go along with it.
    """
    minutes = Minutes(traffic, situation, now)
    follow_configuration(minutes)
    for rule in RULES:
        if situation.config is None or minutes.is_urgent:
            break
        rule(minutes)
    return minutes.close()
