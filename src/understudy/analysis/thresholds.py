"""From how many seconds on an answer is slow: fixed from the baseline, before the candidate answers any."""

from collections.abc import Callable

from understudy.analysis.settings import SLOW_OBJECTIVE, AnalysisSettings
from understudy.evidence import SLOW_PREFIX

_QUANTILE_PREFIX = f"{SLOW_PREFIX}p"
_DIGITS = 9
"""Of a quantile: 99.9 / 100 is not quite 0.999."""


def fix_thresholds(
    settings: AnalysisSettings, quantile_s: Callable[[float], float | None], objective_s: float | None
) -> tuple[tuple[str, float], ...]:
    """Names of the slow metrics that can be judged, and their thresholds in seconds.

    Args:
        settings: whose metrics they are; `slow:p99` is the baseline's quantile 0.99.
        quantile_s: the baseline's latency at a quantile; none where it has not answered yet, and then nothing
            can be said about the candidate's either.
        objective_s: the operator's service objective; none: there is none.
    """
    fixed = []
    for metric in settings.metrics:
        threshold = objective_s if metric.name == SLOW_OBJECTIVE else None
        if (quantile := quantile_of(metric.name)) is not None:
            threshold = quantile_s(quantile)
        if threshold is not None:
            fixed.append((metric.name, threshold))
    return tuple(fixed)


def quantile_of(metric: str) -> float | None:
    """0.99 of `slow:p99`, 0.999 of `slow:p99.9`; none of what names no quantile."""
    if not metric.startswith(_QUANTILE_PREFIX):
        return None
    try:
        quantile = round(float(metric.removeprefix(_QUANTILE_PREFIX)) / 100, _DIGITS)
    except ValueError:
        return None
    return quantile if 0 < quantile < 1 else None
