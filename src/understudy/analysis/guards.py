"""Limits beside the tests: who fails one request in five need not be tested for how much worse that is."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import log
from typing import Final

from understudy.analysis.bernoulli import weigh_above
from understudy.analysis.settings import AnalysisSettings
from understudy.evidence import ERRORS, ArmCounts, Bad, EpochCounts, Evidence

_NONE: Final = Bad()


@dataclass(frozen=True, slots=True)
class _Failed:
    """So many of so many."""

    errors: int
    requests: int

    @property
    def share(self) -> float:
        """Of what was asked; rather too high than too low while that is little."""
        return (self.errors + 1) / (self.requests + 1)


def check_guards(evidence: Evidence, settings: AnalysisSettings) -> tuple[str, ...]:
    """Sentences, one for each limit that was passed.

    Errors are looked at in all epochs together, and in the newest alone: a candidate that was good for an
    hour may break at once. Where the baseline fails as often, the candidate is not the reason, and the tests
    decide. Where it fails so often that a few unlucky requests are enough, chance is: a baseline with one
    error in ten passes a limit of one in five within a few hundred requests in one rollout of ten. So the
    share must be beyond the baseline's, too, at the probability alpha.
    """
    spans = [evidence.epochs]
    if len(evidence.epochs) > 1:
        spans.append((max(evidence.epochs, key=lambda epoch: epoch.epoch),))
    whole = _count(epoch.baseline for epoch in evidence.epochs)
    found = [_check_errors(span, whole, settings) for span in spans]
    found.append(_check_shadow(evidence, settings))
    return tuple(dict.fromkeys(sentence for sentence in found if sentence))


def _check_errors(epochs: tuple[EpochCounts, ...], whole: _Failed, settings: AnalysisSettings) -> str | None:
    """In these epochs.

    Args:
        epochs: some of the trial's.
        whole: the baseline in all of them.
        settings: the limits.
    """
    baseline = _count(epoch.baseline for epoch in epochs)
    if baseline.errors > settings.errors_share_max * baseline.requests:
        return None
    known = [each.share for each in (baseline, whole) if each.requests]
    candidate = _count(epoch.candidate for epoch in epochs)
    return _compare("requests", candidate, max(known, default=0.0), settings)


def _check_shadow(evidence: Evidence, settings: AnalysisSettings) -> str | None:
    shadow = evidence.shadow
    candidate = _Failed(shadow.only_candidate.get(ERRORS, 0), shadow.compared)
    baseline = _Failed(shadow.only_baseline.get(ERRORS, 0), shadow.compared)
    return _compare("shadow requests that the baseline answered", candidate, baseline.share, settings)


def _compare(what: str, candidate: _Failed, usual: float, settings: AnalysisSettings) -> str | None:
    errors, total = candidate.errors, candidate.requests
    if total < settings.errors_share_requests or errors <= settings.errors_share_max * total:
        return None
    if weigh_above(errors, total, usual) < -log(settings.alpha):
        return None
    return (
        f"the candidate failed {errors:,} of {total:,} {what} ({errors / total:.0%}); "
        f"more than {settings.errors_share_max:.0%} is harm without further tests"
    )


def _count(arms: Iterable[ArmCounts]) -> _Failed:
    errors = requests = 0
    for arm in arms:
        errors += arm.bad.get(ERRORS, _NONE).events
        requests += arm.requests
    return _Failed(errors, requests)
