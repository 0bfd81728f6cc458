"""One metric's counts as the tests take them: units, in strata of equal weight. Knows which unit is counted.

The unit is what was assigned to an arm by a draw of its own. Where each request is drawn by itself, that is
the request. Where requests go by their key, it is the key, and each request that brings none: a user whose
requests all fail is one draw that fell on the candidate, not a thousand.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from understudy.evidence import WHOLE, Bad, EpochCounts, ShadowCounts

KEYS: Final = "keys"
REQUESTS: Final = "requests"
PAIRS: Final = "pairs"
PREDICTIONS: Final = "predictions"

_NONE: Final = Bad()


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm's part of a stratum: `bad` units of `total`."""

    bad: int = 0
    total: int = 0

    def __add__(self, other: "Arm") -> "Arm":
        return Arm(self.bad + other.bad, self.total + other.total)


@dataclass(frozen=True, slots=True)
class Stratum:
    """What was counted at one weight.

    Attributes:
        weight: the probability that a unit falls on the candidate, above 0 and below 1.
        is_keyed: units are keys, whose number of requests grows: a clean one may yet turn bad.
        candidate: its part.
        baseline: its part.
    """

    weight: float
    is_keyed: bool
    candidate: Arm
    baseline: Arm

    def __add__(self, other: "Stratum") -> "Stratum":
        return Stratum(
            self.weight,
            self.is_keyed,
            _join(self.candidate, other.candidate, are_keys=self.is_keyed),
            _join(self.baseline, other.baseline, are_keys=self.is_keyed),
        )


Strata = tuple[Stratum, ...]


def _join(one: Arm, other: Arm, *, are_keys: bool) -> Arm:
    """Two epochs' parts together. Most keys of one come again in the other: they must not count twice."""
    if are_keys:
        return Arm(one.bad + other.bad, max(one.total, other.total))
    return one + other


def build_strata(epochs: Iterable[EpochCounts], metric: str, *, of_truths: bool = False) -> Strata:
    """One metric's counts by weight, epochs of equal weight together.

    Args:
        epochs: of a trial, in any order.
        metric: the kind of bad event.
        of_truths: only predictions whose truth is known can be bad.
    """
    merged: dict[tuple[float, bool], Stratum] = {}
    for epoch in epochs:
        if not 0 < epoch.weight < WHOLE:
            continue
        for stratum in _split(epoch, metric, of_truths=of_truths):
            at = stratum.weight, stratum.is_keyed
            merged[at] = merged[at] + stratum if at in merged else stratum
    return tuple(merged[at] for at in sorted(merged))


def build_event_strata(epochs: Iterable[EpochCounts], metric: str, *, of_truths: bool = False) -> Strata:
    """The same by requests, also where they go by their key and hang together."""
    drawn = (replace(epoch, is_sticky=False) for epoch in epochs)
    return build_strata(drawn, metric, of_truths=of_truths)


def build_pairs(shadow: ShadowCounts, metric: str) -> Strata:
    """One metric's counts of requests that both versions ran: only pairs that differ tell them apart.

    Where the versions are alike, the bad half of such a pair is either's by the toss of a fair coin.
    """
    if shadow.compared == 0:
        return ()
    only_candidate = shadow.only_candidate.get(metric, 0)
    only_baseline = shadow.only_baseline.get(metric, 0)
    total = shadow.compared
    return (Stratum(0.5, False, Arm(only_candidate, total), Arm(only_baseline, total)),)


def pool(strata: Strata) -> tuple[Arm, Arm]:
    """Candidate and baseline over all strata, for showing. Keys that several strata saw count in each."""
    candidate, baseline = Arm(), Arm()
    for stratum in strata:
        candidate += stratum.candidate
        baseline += stratum.baseline
    return candidate, baseline


def _split(epoch: EpochCounts, metric: str, *, of_truths: bool) -> tuple[Stratum, ...]:
    """An epoch's units: its requests; or its keys, and the requests that have none."""
    weight = epoch.weight / WHOLE
    arms = epoch.candidate, epoch.baseline
    bad = [arm.bad.get(metric, _NONE) for arm in arms]
    totals = [arm.truths if of_truths else Bad(arm.requests, arm.keys, arm.keyless) for arm in arms]
    if not epoch.is_sticky or not any(total.keys for total in totals):
        events = (Arm(of.events, total.events) for of, total in zip(bad, totals, strict=True))
        return (Stratum(weight, False, *events),)
    keys = (Arm(of.keys, total.keys) for of, total in zip(bad, totals, strict=True))
    keyless = (Arm(of.keyless, total.keyless) for of, total in zip(bad, totals, strict=True))
    return Stratum(weight, True, *keys), Stratum(weight, False, *keyless)
