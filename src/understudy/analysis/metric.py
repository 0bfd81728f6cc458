"""What one kind of bad event says: the tests of its ratio and its difference, brought to one finding.

Harm is a ratio above what is tolerated *and* a difference above the floor. No harm is a ratio surely below
the margin *or* a difference surely below the floor. So a false abort of a candidate whose ratio is tolerated
has probability alpha at most, and one of a candidate whose difference lies below the floor beta at most. A
candidate beyond margin and floor passes with probability beta at most: both ways to pass hold under that
hypothesis, and so does the mean of their e-values.
"""

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
_HALVINGS: Final = 16


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
class Weighed:
    """The evidence of one metric, as logarithms of e-values for each alternative.

    Attributes:
        harm: that the ratio is above what is tolerated.
        gap: that the difference is above the floor.
        safety: that the ratio is below the margin.
        closeness: that the difference is below the floor.
        difference: of the rates, as measured.
        floor: of the difference.
    """

    harm: Logs
    gap: Logs
    safety: Logs
    closeness: Logs
    difference: float
    floor: float

    def log_abort_e(self, growth: float = 1.0) -> float:
        """The evidence for harm, were the counts so many times as large."""
        return _mix_grown(self.harm, growth)

    def log_gap_e(self, growth: float = 1.0) -> float:
        """The evidence that the difference exceeds the floor."""
        return _mix_grown(self.gap, growth)

    def log_pass_e(self, growth: float = 1.0) -> float:
        """The evidence for no harm, by either way."""
        grown = [value * growth for value in self.closeness]
        return mix((_mix_grown(self.safety, growth), mix(grown, STAKE_WEIGHTS)), _WAYS)

    def find(self, limits: Limits, growth: float = 1.0) -> Finding:
        """What it says."""
        harm = self.log_abort_e(growth)
        if harm >= limits.harm and self.log_gap_e(growth) >= limits.safe:
            return Finding.HARM
        if harm >= min(SUSPICIOUS, limits.harm) and self.difference > self.floor:
            return Finding.SUSPICION
        return Finding.NO_HARM if self.log_pass_e(growth) >= limits.safe else Finding.UNDECIDED


@lru_cache(4_096)
def weigh(strata: Strata, settings: MetricSettings) -> Weighed:
    """The evidence of one metric. Most counts are those of a quarter of a second ago."""
    return Weighed(
        harm=weigh_harm(strata, settings.tolerated),
        gap=weigh_gap(strata, settings.floor),
        safety=weigh_safety(strata, settings.margin),
        closeness=weigh_closeness(strata, settings.floor),
        difference=measure_difference(strata),
        floor=settings.floor,
    )


def count_needed(weighed: Weighed, limits: Limits, candidate_total: int) -> int | None:
    """How many more of the candidate's units would decide, if all goes on at the present rates.

    The logarithms grow in proportion to the counts; the smallest growth is looked for that decides.
    """
    decided = (Finding.HARM, Finding.NO_HARM)
    if candidate_total == 0:
        return None
    low, high = 1.0, 1.0
    while weighed.find(limits, high) not in decided:
        low, high = high, high * 2
        if high > _GROWTH_MAX:
            return None
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if weighed.find(limits, middle) in decided else (middle, high)
    return ceil((high - 1) * candidate_total)


def _mix_grown(logs: Logs, growth: float) -> float:
    return mix([value * growth for value in logs])
