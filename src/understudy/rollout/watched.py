"""Which metrics can occur in a rollout: known before its first request, so that alpha is divided fairly."""

from collections.abc import Iterable

from understudy.evidence import ERRORS, INVALID_OUTPUTS, WRONG
from understudy.rollout.plan import Plan, Quality, QualitySettings


def watched_metrics(plan: Plan, thresholds_s: Iterable[tuple[str, float]]) -> frozenset[str]:
    """Names of the metrics that a rollout is judged by; the settings say which of them are muted.

    Args:
        plan: of the rollout.
        thresholds_s: its latency thresholds, by metric; see `Rollout`.
    """
    slow = (name for name, _ in thresholds_s)
    return frozenset({ERRORS, INVALID_OUTPUTS, *slow, *_of_quality(plan.quality)})


def _of_quality(quality: QualitySettings | None) -> tuple[str, ...]:
    """A prediction is right or wrong, or has a score, or both."""
    match quality:
        case None:
            return ()
        case QualitySettings(metric=Quality.ACCURACY):
            return (WRONG,)
        case QualitySettings(metric=Quality.LOG_LOSS):
            return WRONG, Quality.LOG_LOSS.value
        case QualitySettings(wrong_above=None):
            return (quality.metric.value,)
        case _:
            return (WRONG,)
