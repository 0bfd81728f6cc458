"""Latency thresholds, and which metrics a rollout is judged by."""

import pytest

from understudy.analysis.thresholds import quantile_of
from understudy.rollout.plan import Plan, Quality, QualitySettings
from understudy.rollout.watched import watched_metrics


@pytest.mark.parametrize(("name", "quantile"), [("slow:p50", 0.5), ("slow:p99", 0.99), ("slow:p99.9", 0.999)])
def test_a_slow_metric_names_its_quantile(name: str, quantile: float) -> None:
    assert quantile_of(name) == quantile


@pytest.mark.parametrize("name", ["errors", "slow:objective", "slow:p", "slow:p0", "slow:p100", "slow:pnan"])
def test_other_names_have_no_quantile(name: str) -> None:
    assert quantile_of(name) is None


@pytest.mark.parametrize(
    ("quality", "names"),
    [
        (None, set()),
        (QualitySettings(), {"wrong"}),
        (QualitySettings(metric=Quality.LOG_LOSS), {"wrong", "log_loss"}),
        (QualitySettings(metric=Quality.SQUARED_ERROR), {"squared_error"}),
        (QualitySettings(metric=Quality.SQUARED_ERROR, wrong_above=4.0), {"wrong"}),
        (QualitySettings(metric=Quality.CUSTOM), {"custom"}),
    ],
)
def test_a_rollout_is_judged_by_what_can_occur_in_it(
    quality: QualitySettings | None, names: set[str]
) -> None:
    watched = watched_metrics(Plan(quality=quality), (("slow:p99", 0.2),))
    assert watched == {"errors", "invalid_outputs", "slow:p99"} | names
