"""What many played rollouts say together: how often each end came, how soon, and who met the candidate."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from random import Random
from typing import Final

from understudy.evidence import WHOLE
from understudy.rehearsal.play import Ending, Outcome, play
from understudy.rehearsal.world import World
from understudy.rollout.plan import Plan

ROLLOUTS_MAX: Final = 100_000
_Z: Final = 1.959964
"""Of a normal distribution: 95 % lie within."""


@dataclass(frozen=True, slots=True)
class Proportion:
    """A share, measured, and the interval of Wilson (1927) that holds it in 95 of 100 cases."""

    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Spread:
    """Numbers, by their quantiles 0.5 and 0.9."""

    median: float
    p90: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The rollouts that ended alike.

    Attributes:
        proportion: of all.
        after_s: from the first traffic on.
        requests: that the candidate answered.
        bad: of those, with something bad.
        exposed: the largest share of traffic that it had.
    """

    proportion: Proportion
    after_s: Spread
    requests: Spread
    bad: Spread
    exposed: Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What came of all.

    Attributes:
        rollouts: how many were played.
        ended: by outcome; those that came.
    """

    rollouts: int
    ended: dict[Outcome, Ended]


def play_many(plan: Plan, world: World, *, seed: int, numbers: Sequence[int]) -> Iterator[Ending]:
    """Plays the rollouts of these numbers. Each has chance of its own: who plays the others is no matter."""
    for number in numbers:
        yield play(plan, world, Random(f"{seed}/{number}"))  # noqa: S311 - made-up traffic, no secret


def summarise(endings: Sequence[Ending]) -> Summary:
    """All of them, by how they ended."""
    ended = {}
    for outcome in Outcome:
        alike = [ending for ending in endings if ending.outcome is outcome]
        if alike:
            ended[outcome] = Ended(
                proportion=measure_proportion(len(alike), len(endings)),
                after_s=_spread([ending.after_s for ending in alike]),
                requests=_spread([ending.requests for ending in alike]),
                bad=_spread([ending.bad for ending in alike]),
                exposed=_spread([ending.weight_max / WHOLE for ending in alike]),
            )
    return Summary(rollouts=len(endings), ended=ended)


def measure_proportion(count: int, total: int) -> Proportion:
    """A share with its interval."""
    share = count / total
    spread = _Z**2 / total
    middle = (share + spread / 2) / (1 + spread)
    width = sqrt(share * (1 - share) * spread + spread**2 / 4) / (1 + spread)
    return Proportion(share, max(middle - width, 0.0), min(middle + width, 1.0))


def _spread(numbers: Sequence[float]) -> Spread:
    ordered = sorted(numbers)
    return Spread(ordered[len(ordered) // 2], ordered[min(len(ordered) * 9 // 10, len(ordered) - 1)])
