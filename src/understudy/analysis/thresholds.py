"""Which quantile of the baseline's latency a metric's threshold is: `slow:p99` says so by its name."""

from typing import Final

from understudy.evidence import SLOW_PREFIX

_QUANTILE_PREFIX: Final = f"{SLOW_PREFIX}p"
_DIGITS: Final = 9
"""Of a quantile: 99.9 / 100 is not quite 0.999."""


def quantile_of(metric: str) -> float | None:
    """0.99 of `slow:p99`, 0.999 of `slow:p99.9`; none of what names no quantile."""
    if not metric.startswith(_QUANTILE_PREFIX):
        return None
    try:
        quantile = round(float(metric.removeprefix(_QUANTILE_PREFIX)) / 100, _DIGITS)
    except ValueError:
        return None
    return quantile if 0 < quantile < 1 else None
