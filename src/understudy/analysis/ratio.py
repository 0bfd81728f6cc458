"""How many times the baseline's rate the candidate's is: a test of the ratio that may be looked at always.

When a unit falls on the candidate with probability w, and a bad event is r times as likely there, then a bad
event is the candidate's with probability

    q(r) = w r / (1 - w + w r)

whatever the rates are, and however they change with the time of day (Lindon & Malek, "Anytime-valid
inference for multinomial count data", NeurIPS 2022, arXiv 2011.03567). For a ratio r1 against r0, the product
over bad events of q(r1)/q(r0), or of (1 - q(r1))/(1 - q(r0)) when it is the baseline's, is a martingale when
the ratio is r0, and shrinks when it lies beyond r0, away from r1: the likelihood ratio is monotone. It begins
at 1, so that it reaches 1/alpha with probability alpha at most, ever (Ville 1939). A mean of such products
over several r1 is one, too, and no ratio has to be guessed. The weight may change with each event, as long as
it is set before.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import exp, log, log1p, sqrt
from typing import Final

from understudy.analysis.strata import Strata, Stratum

HARM_STEPS: Final = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)
"""Alternatives to a tolerated ratio, as multiples of it."""
SAFE_STEPS: Final = (0.1, 0.3, 0.5, 0.667)
"""Alternatives to a margin, likewise."""
_REMEMBERED_MAX: Final = 4_096
"""Strata whose evidence is kept: those of weights that are over do not change any more."""
RATIO_MIN: Final = 1e-4
RATIO_MAX: Final = 1e4
"""Ratios are looked for between these."""
_HALVINGS: Final = 24
"""Of that range, on the scale of logarithms: to a millionth."""

Logs = tuple[float, ...]
"""Logarithms of e-values, one for each alternative; they grow in proportion to the counts."""


def weigh_harm(strata: Strata, tolerated: float) -> Logs:
    """Evidence against "the ratio is at most `tolerated`", for each alternative above it."""
    return _weigh(((stratum.weight, stratum) for stratum in strata), tolerated, HARM_STEPS)


def weigh_safety(strata: Strata, margin: float) -> Logs:
    """Evidence against "the ratio is at least `margin`", for each alternative below it.

    Units that the candidate never answered must not speak for it: where fewer reached it than its weight
    says, the weight is lowered to what did. Each factor above grows with w when r1 < r0, so that this only
    takes evidence away, and what is left is no larger than a martingale.
    """
    return _weigh(((_reached(stratum), stratum) for stratum in strata), margin, SAFE_STEPS)


def mix(logs: Sequence[float], weights: Sequence[float] | None = None) -> float:
    """The logarithm of a mean of e-values given as logarithms: an e-value, too. Of none: 0.

    Args:
        logs: of the e-values.
        weights: of each in the mean, together 1; none: equal ones.
    """
    if not logs:
        return 0.0
    highest = max(logs)
    shrunk = [exp(value - highest) for value in logs]
    if weights is None:
        return highest + log(sum(shrunk) / len(shrunk))
    return highest + log(sum(weight * value for weight, value in zip(weights, shrunk, strict=True)))


def estimate(strata: Strata) -> float | None:
    """The likeliest ratio, given that all its strata share one; none when it cannot be told or is infinite.

    The root of sum over strata of (candidate's bad - bad q(r)), which falls as r grows.
    """
    candidate = sum(stratum.candidate.bad for stratum in strata)
    baseline = sum(stratum.baseline.bad for stratum in strata)
    if baseline == 0:
        return None
    if candidate == 0:
        return 0.0
    low, high = RATIO_MIN, RATIO_MAX
    for _ in range(_HALVINGS):
        middle = sqrt(low * high)
        expected = sum(
            (stratum.candidate.bad + stratum.baseline.bad) * share_of_bad(stratum.weight, middle)
            for stratum in strata
        )
        low, high = (middle, high) if expected < candidate else (low, middle)
    return sqrt(low * high)


def share_of_bad(weight: float, ratio: float) -> float:
    """q(r): the probability that a bad event is the candidate's."""
    return weight * ratio / (1 - weight + weight * ratio)


def _reached(stratum: Stratum) -> float:
    total = stratum.candidate.total + stratum.baseline.total
    return min(stratum.weight, stratum.candidate.total / total) if total else 0.0


def add_logs(each: Sequence[Logs], alternatives: int) -> Logs:
    """The evidence of several strata together, for each alternative."""
    return tuple(map(sum, zip(*each, strict=True))) if each else (0.0,) * alternatives


def _weigh(weighted: Iterable[tuple[float, Stratum]], ratio: float, steps: tuple[float, ...]) -> Logs:
    each = [
        _weigh_stratum(weight, stratum.candidate.bad, stratum.baseline.bad, ratio, steps)
        for weight, stratum in weighted
    ]
    return add_logs(each, len(steps))


@lru_cache(_REMEMBERED_MAX)
def _weigh_stratum(
    weight: float, candidate: int, baseline: int, ratio: float, steps: tuple[float, ...]
) -> Logs:
    """For each alternative r1 = step * ratio: the sum of logarithms of its factors over all bad events.

    q(r1)/q(r0) = step d, and (1 - q(r1))/(1 - q(r0)) = d, where d = (1 - w + w r0)/(1 - w + w r1).
    """
    null = log1p(weight * (ratio - 1))
    return tuple(
        candidate * log(step) + (candidate + baseline) * (null - log1p(weight * (ratio * step - 1)))
        for step in steps
    )
