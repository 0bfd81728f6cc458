"""How much above the baseline's rate the candidate's is: a test of the difference, for rates near zero.

A ratio says nothing while nothing is bad, and "three times as many" is no harm when it is three in a million.
For each unit let Z = 1/w when it is bad and the candidate's, -1/(1 - w) when it is bad and the baseline's,
else 0. By the draw alone E[Z] is the difference of the two rates for that very unit, whatever they are and
however they change, so that no rate has to be estimated (inverse probability weights: Horvitz & Thompson
1952). For a bound d the product over units of

    1 + lambda (d - Z),   0 <= lambda < 1 / (1/w - d)

never falls below 0 and does not grow on average while the difference is at least d: a bet against it, whose
capital reaches 1/beta with probability beta at most, ever (betting: Waudby-Smith & Ramdas, JRSS B 2024, arXiv
2010.09686; Ville 1939). Z has three values, so that the counts are enough. A clean candidate passes after
about ln(1/beta)/d units of its own, at any weight. The bet the other way, 1 + lambda (Z - d), is one against
"the difference is at most d".

Keys are another matter: a clean one may turn bad at its next request, so that "clean so far" is no outcome.
There the bet is on the candidate alone, against "its share of bad keys is at least d", which a difference of
at least d implies. At its first request a key is bad with at least that probability, and being bad later
only makes the bet smaller: what is counted stays below a fair bet on first requests.
"""

from functools import lru_cache
from math import log1p
from typing import Final

from understudy.analysis.ratio import Logs, add_logs
from understudy.analysis.strata import Strata, Stratum

STAKES: Final = (0.05, 0.2, 0.5, 0.95)
"""Parts of the largest stake. Small ones win slowly through many bad events, large ones fast when there are
none."""
STAKE_WEIGHTS: Final = (0.1, 0.1, 0.15, 0.65)
"""Of these in the mean: a candidate without any bad event is the usual one, and must not wait long."""
RISES: Final = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Stakes on a larger difference, as lambda / w: near 1 + rise times the null's rate the bet does best."""
_REMEMBERED_MAX: Final = 2_048
"""Bets on strata that are kept: those of weights that are over do not change any more."""
_STAKE_MAX: Final = 0.95
"""Of what may be lost at once: the whole of it would end the bet."""


def weigh_closeness(strata: Strata, floor: float) -> Logs:
    """Evidence against "the candidate's rate is at least `floor` above the baseline's", for each stake."""
    each = [_bet(stratum, floor) for stratum in strata if not stratum.is_keyed]
    keyed = [stratum for stratum in strata if stratum.is_keyed]
    if keyed:
        bad = sum(stratum.candidate.bad for stratum in keyed)
        clean = max(stratum.candidate.total for stratum in keyed) - bad
        each.append(tuple(_bet_on_keys(bad, max(clean, 0), floor, stake) for stake in STAKES))
    return add_logs(each, len(STAKES))


def weigh_gap(strata: Strata, floor: float) -> Logs:
    """Evidence against "the candidate's rate is at most `floor` above the baseline's", for each rise.

    Of keys this holds as long as neither version makes any key bad that the other would not; that is the null
    hypothesis that a false abort is about.
    """
    return add_logs([_bet_on_gap(stratum, floor) for stratum in strata], len(RISES))


def measure_difference(strata: Strata) -> float:
    """The candidate's rate less the baseline's, each stratum counting as much as the candidate had of it.

    Rates of different strata are of different hours: they are compared within each.
    """
    total = sum(stratum.candidate.total for stratum in strata if stratum.baseline.total)
    if total == 0:
        return 0.0
    return (
        sum(
            stratum.candidate.bad - stratum.candidate.total * stratum.baseline.bad / stratum.baseline.total
            for stratum in strata
            if stratum.baseline.total
        )
        / total
    )


@lru_cache(_REMEMBERED_MAX)
def _bet(stratum: Stratum, floor: float) -> Logs:
    """What speaks for the candidate counts only as far as it answered its part: silence is no proof."""
    weight, candidate, baseline = stratum.weight, stratum.candidate, stratum.baseline
    total = candidate.total + baseline.total
    if total == 0:
        return (0.0,) * len(STAKES)
    reached = min(candidate.total / (weight * total), 1.0)
    clean = total - candidate.bad - baseline.bad
    logs = []
    for stake in STAKES:
        part = stake * weight / (1 - weight * floor)
        gain = clean * log1p(part * floor) + baseline.bad * log1p(part * (floor + 1 / (1 - weight)))
        logs.append(reached * gain + candidate.bad * log1p(part * (floor - 1 / weight)))
    return tuple(logs)


@lru_cache(_REMEMBERED_MAX)
def _bet_on_gap(stratum: Stratum, floor: float) -> Logs:
    weight, candidate, baseline = stratum.weight, stratum.candidate, stratum.baseline
    loss = 1 / (1 - weight) + floor
    clean = max(candidate.total + baseline.total - candidate.bad - baseline.bad, 0)
    logs = []
    for rise in RISES:
        part = min(rise * weight, _STAKE_MAX / loss)
        gain = candidate.bad * log1p(part * (1 / weight - floor))
        logs.append(gain + clean * log1p(-part * floor) + baseline.bad * log1p(-part * loss))
    return tuple(logs)


def _bet_on_keys(bad: int, clean: int, floor: float, stake: float) -> float:
    """Each key has the factor 1 + stake' (floor - bad), with stake' below 1/(1 - floor)."""
    part = stake / (1 - floor)
    return clean * log1p(part * floor) + bad * log1p(part * (floor - 1))
