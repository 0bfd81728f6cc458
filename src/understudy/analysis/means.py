"""How much worse the candidate's mean score is: tests of means, for large samples and for bounded scores.

The question is about d = m_c - c m_b, where c says what is compared: c = 1.05 asks whether the candidate's
mean is more than 5 % above the baseline's. Hours differ, and so d is taken within each stratum of equal
weight.

*Large samples.* Means are nearly normal: d is measured with variance s^2 = v_c/n_c + c^2 v_b/n_b, strata
joined by their precision. Against d <= 0, the likelihood ratios of all d > 0, mixed by half a normal
distribution of standard deviation tau, are

    2 sqrt(s^2 / (s^2 + tau^2)) exp(tau^2 d^2 / (2 s^2 (s^2 + tau^2))) Phi(tau d / (s sqrt(s^2 + tau^2)))

(mSPRT: Robbins 1970; Johari, Koomen, Pekelis & Walsh, KDD 2017, arXiv 1512.04922; one-sided here). The bounds
d +- sqrt(2 s^2 (s^2 + tau^2) / tau^2 (ln(1/alpha) + ln((s^2 + tau^2)/s^2)/2)) hold at all times; with
s^2 = v/t and tau^2 = rho^2 v they are the asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha,
Kennedy & Ramdas (Annals of Statistics 2024, arXiv 2103.06476), which says when variances may be estimated.

*Bounded scores*, in [0, 1] after division by their bound, need no variance. For each prediction let
Z = x/w when it is the candidate's and -c x/(1 - w) when it is the baseline's: E[Z] = d by the draw alone. A
bet on Z multiplies by 1 + y, y = +-lambda Z >= -b, and by Fan, Grama & Liu (2015; used by Waudby-Smith &
Ramdas, JRSS B 2024) ln(1 + y) >= y - y^2 (-ln(1 - b) - b)/b^2, so that sums and sums of squares are enough.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import erfc, inf, log, log1p, sqrt
from typing import Final

from understudy.analysis.ratio import mix
from understudy.evidence import Moments

SCORES_MIN: Final = 50
"""Of each arm in a stratum: fewer are no large sample."""
LOSSES: Final = (0.02, 0.1, 0.3, 0.6)
"""What may be lost at once in a bet, as a part of the capital."""
_TINY: Final = 1e-300


@dataclass(frozen=True, slots=True)
class ScoreStratum:
    """Scores at one weight."""

    weight: float
    candidate: Moments
    baseline: Moments


@dataclass(frozen=True, slots=True)
class Measured:
    """A difference, and the variance of its measurement; without any sample, 0 and infinity."""

    difference: float
    variance: float


def measure(strata: Sequence[ScoreStratum], factor: float) -> Measured:
    """D and s^2 above, for c = `factor`."""
    precision = weighted = 0.0
    for stratum in strata:
        if min(stratum.candidate.count, stratum.baseline.count) < SCORES_MIN:
            continue
        candidate, baseline = stratum.candidate, stratum.baseline
        variance = _variance(candidate) / candidate.count + factor**2 * _variance(baseline) / baseline.count
        precision += 1 / max(variance, _TINY)
        weighted += (_mean(candidate) - factor * _mean(baseline)) / max(variance, _TINY)
    return Measured(weighted / precision, 1 / precision) if precision else Measured(0.0, inf)


def weigh_mean(measured: Measured, effect: float) -> float:
    """The logarithm of the evidence against "d <= 0", with tau = `effect`; 0 without a sample."""
    variance, spread = measured.variance, effect**2
    if variance == inf or spread == 0:
        return 0.0
    sum_of_both = variance + spread
    tail = effect * measured.difference / sqrt(variance * sum_of_both)
    return log(2) + log(variance / sum_of_both) / 2 + tail**2 / 2 + log(max(erfc(-tail / sqrt(2)) / 2, _TINY))


def bound_mean(measured: Measured, effect: float, alpha: float) -> tuple[float, float]:
    """Confidence sequence of d."""
    variance, spread = measured.variance, effect**2
    if variance == inf or spread == 0:
        return -inf, inf
    sum_of_both = variance + spread
    width = sqrt(2 * variance * sum_of_both / spread * (log(1 / alpha) + log(sum_of_both / variance) / 2))
    return measured.difference - width, measured.difference + width


def weigh_bounded(strata: Sequence[ScoreStratum], factor: float, bound: float, *, is_above: bool) -> float:
    """The logarithm of the evidence that d > 0, or that d < 0, of scores between 0 and `bound`."""
    return mix(
        [sum(_bet(stratum, factor, bound, loss, is_above=is_above) for stratum in strata) for loss in LOSSES]
    )


def _bet(stratum: ScoreStratum, factor: float, bound: float, loss: float, *, is_above: bool) -> float:
    """What speaks for the candidate counts only as far as it answered its part; see difference.py."""
    total = stratum.candidate.count + stratum.baseline.count
    if total == 0:
        return 0.0
    reached = min(stratum.candidate.count / (stratum.weight * total), 1.0)
    candidate_scale = 1 / (bound * stratum.weight)
    baseline_scale = -factor / (bound * (1 - stratum.weight))
    sign = 1.0 if is_above else -1.0
    worst = -baseline_scale * bound if is_above else candidate_scale * bound
    stake = sign * loss / worst
    squared = (-log1p(-loss) - loss) / loss**2

    def gain(moments: Moments, scale: float) -> float:
        y, y_squared = stake * scale * moments.total, (stake * scale) ** 2 * moments.total_of_squares
        return y - squared * y_squared

    of_baseline = gain(stratum.baseline, baseline_scale)
    return gain(stratum.candidate, candidate_scale) + (
        of_baseline * reached if of_baseline > 0 else of_baseline
    )


def _mean(moments: Moments) -> float:
    return moments.total / moments.count


def _variance(moments: Moments) -> float:
    return max(moments.total_of_squares / moments.count - _mean(moments) ** 2, 0.0)
