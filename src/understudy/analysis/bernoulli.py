"""Whether a share lies above or below a bound: of shadow answers that disagree, for example.

For a share p0 and an alternative p1, the product over units of p1/p0 when it counts, and (1 - p1)/(1 - p0)
when it does not, is a martingale when the share is p0, and shrinks when it lies beyond p0, away from p1. A
mean over several p1 is one, too (betting: Waudby-Smith & Ramdas, JRSS B 2024, arXiv 2010.09686, section 4.1).
Turned around, the bounds that are not refuted make a confidence sequence.
"""

from math import log, log1p
from typing import Final

from understudy.analysis.ratio import mix

PARTS: Final = (0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 0.95)
"""Alternatives, as parts of the way from the bound to 0 or 1."""
_EDGE: Final = 1e-9
"""Bounds keep so far away from 0 and 1, where one unit would be infinite evidence."""
_HALVINGS: Final = 20


def weigh_above(count: int, total: int, bound: float) -> float:
    """The logarithm of the evidence against "the share is at most `bound`"."""
    bound = _inside(bound)
    return mix([_log_ratio(count, total, bound, bound + part * (1 - bound)) for part in PARTS])


def weigh_below(count: int, total: int, bound: float) -> float:
    """The logarithm of the evidence against "the share is at least `bound`"."""
    bound = _inside(bound)
    return mix([_log_ratio(count, total, bound, bound * (1 - part)) for part in PARTS])


def bound_share(count: int, total: int, alpha: float) -> tuple[float, float]:
    """Confidence sequence of a share: all bounds that neither side refutes at alpha/2."""
    if total == 0:
        return 0.0, 1.0
    refuted = log(2 / alpha)
    share = count / total
    low, high = 0.0, share
    for _ in range(_HALVINGS if count else 0):
        middle = (low + high) / 2
        low, high = (middle, high) if weigh_above(count, total, middle) >= refuted else (low, middle)
    lowest = low
    low, high = share, 1.0
    for _ in range(_HALVINGS if count < total else 0):
        middle = (low + high) / 2
        low, high = (low, middle) if weigh_below(count, total, middle) >= refuted else (middle, high)
    return lowest, high


def _inside(bound: float) -> float:
    return min(max(bound, _EDGE), 1 - _EDGE)


def _log_ratio(count: int, total: int, null: float, alternative: float) -> float:
    return count * (log(alternative) - log(null)) + (total - count) * (log1p(-alternative) - log1p(-null))
