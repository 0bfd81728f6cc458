"""Rollouts of candidate versions: plans, states, and what follows from evidence and orders. Pure.

machine.py and restart.py are what others call, consequences.py says what follows.
"""

from understudy.rollout.consequences import Consequences, consequences
from understudy.rollout.decision import Change, Decision, Position
from understudy.rollout.gathering import gather
from understudy.rollout.machine import advance, order
from understudy.rollout.restart import resumed
from understudy.rollout.situation import Situation

__all__ = [
    "Change",
    "Consequences",
    "Decision",
    "Position",
    "Situation",
    "advance",
    "consequences",
    "gather",
    "order",
    "resumed",
]
