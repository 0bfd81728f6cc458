"""Between which bounds the ratio lies: all ratios that the tests of ratio.py do not refute.

What holds for a test at all times holds for the bounds: the true ratio lies outside, at any time, with
probability `ALPHA` at most (a confidence sequence; Darling & Robbins 1967). They are shown, and decide
nothing.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import log, sqrt
from typing import Final

from understudy.analysis.ratio import RATIO_MAX, RATIO_MIN, estimate, mix, weigh_harm, weigh_safety
from understudy.analysis.strata import Strata

ALPHA: Final = 0.05
_REFUTED: Final = log(2 / ALPHA)
_HALVINGS: Final = 14
"""Of the range on the scale of logarithms: to a thousandth."""
_REMEMBERED_MAX: Final = 1_024


@dataclass(frozen=True, slots=True)
class Interval:
    """A ratio and its bounds.

    Attributes:
        ratio: the likeliest; none: it cannot be told, or is infinite.
        low: none: nothing is known.
        high: none: unbounded.
    """

    ratio: float | None
    low: float | None
    high: float | None


@lru_cache(_REMEMBERED_MAX)
def bound_ratio(strata: Strata) -> Interval:
    """The ratio that the counts say, and its confidence sequence."""
    candidate = sum(stratum.candidate.bad for stratum in strata)
    baseline = sum(stratum.baseline.bad for stratum in strata)
    if candidate + baseline == 0:
        return Interval(None, None, None)
    ratio = estimate(strata)
    return Interval(
        ratio=ratio,
        low=_find_low(strata, RATIO_MAX if ratio is None else ratio) if candidate else 0.0,
        high=_find_high(strata, ratio or RATIO_MIN) if baseline else None,
    )


def _find_low(strata: Strata, ratio: float) -> float:
    low, high = RATIO_MIN, ratio
    for _ in range(_HALVINGS):
        middle = sqrt(low * high)
        low, high = (middle, high) if mix(weigh_harm(strata, middle)) >= _REFUTED else (low, middle)
    return low


def _find_high(strata: Strata, ratio: float) -> float | None:
    low, high = ratio, RATIO_MAX
    for _ in range(_HALVINGS):
        middle = sqrt(low * high)
        low, high = (low, middle) if mix(weigh_safety(strata, middle)) >= _REFUTED else (middle, high)
    return high if high < RATIO_MAX else None
