"""Limits that need no statistics: a candidate that fails one request in five is not worth a test."""

from collections.abc import Iterable

from understudy.analysis.settings import AnalysisSettings
from understudy.evidence import ERRORS, ArmCounts, Bad, EpochCounts, Evidence

_NONE = Bad()


def check_guards(evidence: Evidence, settings: AnalysisSettings) -> tuple[str, ...]:
    """Sentences, one for each limit that was passed.

    Errors are looked at in all epochs together, and in the newest alone: a candidate that was good for an
    hour may break at once. Where the baseline fails as often, the candidate is not the reason, and the tests
    decide.
    """
    spans = [evidence.epochs]
    if len(evidence.epochs) > 1:
        spans.append((max(evidence.epochs, key=lambda epoch: epoch.epoch),))
    found = [_check_errors(span, settings) for span in spans]
    found.append(_check_shadow(evidence, settings))
    return tuple(dict.fromkeys(sentence for sentence in found if sentence))


def _check_errors(epochs: tuple[EpochCounts, ...], settings: AnalysisSettings) -> str | None:
    errors, requests = _count(epoch.candidate for epoch in epochs)
    baseline_errors, baseline_requests = _count(epoch.baseline for epoch in epochs)
    if baseline_errors > settings.errors_share_max * baseline_requests:
        return None
    return _compare("requests", errors, requests, settings)


def _check_shadow(evidence: Evidence, settings: AnalysisSettings) -> str | None:
    errors = evidence.shadow.only_candidate.get(ERRORS, 0)
    return _compare("shadow requests that the baseline answered", errors, evidence.shadow.compared, settings)


def _compare(what: str, errors: int, total: int, settings: AnalysisSettings) -> str | None:
    if total < settings.errors_share_requests or errors <= settings.errors_share_max * total:
        return None
    return (
        f"the candidate failed {errors:,} of {total:,} {what} ({errors / total:.0%}); "
        f"more than {settings.errors_share_max:.0%} is harm without further tests"
    )


def _count(arms: Iterable[ArmCounts]) -> tuple[int, int]:
    errors = requests = 0
    for arm in arms:
        errors += arm.bad.get(ERRORS, _NONE).events
        requests += arm.requests
    return errors, requests
