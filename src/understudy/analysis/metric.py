"""What one kind of bad event says: the tests of its ratio and its difference, brought to one finding.

Harm is a ratio above what is tolerated *and* a difference above the floor. No harm is a ratio surely below
the margin *or* a difference surely below the floor. So a false abort of a candidate whose ratio is tolerated
has probability alpha at most, and one of a candidate whose difference lies below the floor beta at most. A
candidate beyond margin and floor passes with probability beta at most: both ways to pass hold under that
hypothesis, and so does the mean of their e-values.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, log
from typing import Final

from understudy.analysis.difference import STAKE_WEIGHTS, measure_difference, weigh_closeness, weigh_gap
from understudy.analysis.ratio import Logs, mix, weigh_harm, weigh_safety
from understudy.analysis.settings import MetricSettings
from understudy.analysis.strata import Strata
from understudy.analysis.verdict import Finding

SUSPICIOUS: Final = log(10)
"""Evidence for harm, as a logarithm, at which a ramp must not go on."""
_WAYS: Final = (0.4, 0.6)
"""Weights of the two ways to pass in their mean: by the ratio, by the difference."""
_GROWTH_MAX: Final = 2.0**20
_HALVINGS: Final = 10
"""Of a growth by two: to a thousandth."""
_REMEMBERED_MAX: Final = 4_096
"""Metrics whose evidence is kept: most counts are those of a quarter of a second ago."""


@dataclass(frozen=True, slots=True)
class Limits:
    """At which logarithms of e-values a metric decides.

    Attributes:
        harm: ln(1/alpha), of this metric's part of alpha.
        safe: ln(1/beta).
    """

    harm: float
    safe: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Evident:
    """How strong the evidence is, as logarithms of e-values.

    Attributes:
        harm: that the ratio is above what is tolerated.
        gap: that the difference is above the floor.
        safety: for no harm, by either way.
    """

    harm: float
    gap: float
    safety: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """The evidence of one metric.

    Attributes:
        harm: that the ratio is above what is tolerated, for each alternative.
        gap: that the difference is above the floor.
        safety: that the ratio is below the margin.
        closeness: that the difference is below the floor.
        is_above_floor: the difference as measured is.
        difference: that one.
        evident: all of it, mixed.
    """

    harm: Logs
    gap: Logs
    safety: Logs
    closeness: Logs
    is_above_floor: bool
    difference: float
    evident: Evident

    def grown(self, growth: float) -> Evident:
        """The evidence, were the counts so many times as large: logarithms grow in proportion."""
        harm, gap, safety, closeness = (
            [value * growth for value in logs] for logs in (self.harm, self.gap, self.safety, self.closeness)
        )
        return _mix_all(harm, gap, safety, closeness)

    def find(self, limits: Limits, evident: Evident | None = None) -> Finding:
        """What it says, or would say with other evidence."""
        evident = evident or self.evident
        if evident.harm >= limits.harm and evident.gap >= limits.safe:
            return Finding.HARM
        if evident.harm >= min(SUSPICIOUS, limits.harm) and self.is_above_floor:
            return Finding.SUSPICION
        return Finding.NO_HARM if evident.safety >= limits.safe else Finding.UNDECIDED


@lru_cache(_REMEMBERED_MAX)
def weigh(strata: Strata, settings: MetricSettings) -> Weighed:
    """The evidence of one metric."""
    harm = weigh_harm(strata, settings.tolerated)
    gap = weigh_gap(strata, settings.floor)
    safety = weigh_safety(strata, settings.margin)
    closeness = weigh_closeness(strata, settings.floor)
    difference = measure_difference(strata)
    return Weighed(
        harm=harm,
        gap=gap,
        safety=safety,
        closeness=closeness,
        is_above_floor=difference > settings.floor,
        difference=difference,
        evident=_mix_all(harm, gap, safety, closeness),
    )


@lru_cache(_REMEMBERED_MAX)
def count_needed(weighed: Weighed, limits: Limits, candidate_total: int) -> int | None:
    """How many more of the candidate's units would decide, if all goes on at the present rates.

    None where it cannot be told.

    The smallest growth of the counts is looked for that decides.
    """
    decided = (Finding.HARM, Finding.NO_HARM)
    if candidate_total == 0:
        return None
    low, high = 1.0, 1.0
    while weighed.find(limits, weighed.grown(high)) not in decided:
        low, high = high, high * 2
        if high > _GROWTH_MAX:
            return None
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (
            (low, middle) if weighed.find(limits, weighed.grown(middle)) in decided else (middle, high)
        )
    return ceil((high - 1) * candidate_total)


def _mix_all(
    harm: Sequence[float], gap: Sequence[float], safety: Sequence[float], closeness: Sequence[float]
) -> Evident:
    return Evident(
        harm=mix(harm), gap=mix(gap), safety=mix((mix(safety), mix(closeness, STAKE_WEIGHTS)), _WAYS)
    )
