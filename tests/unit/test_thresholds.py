"""Latency thresholds, and which metrics a rollout is judged by."""

import pytest

from understudy.analysis.settings import AnalysisSettings, MetricSettings
from understudy.analysis.thresholds import fix_thresholds, quantile_of
from understudy.rollout.plan import Plan, Quality, QualitySettings
from understudy.rollout.watched import watched_metrics


def test_thresholds_are_the_baselines_quantiles_and_the_objective() -> None:
    fixed = fix_thresholds(AnalysisSettings(), {0.99: 0.25}.get, 0.1)
    assert fixed == (("slow:p99", 0.25), ("slow:objective", 0.1))


def test_a_baseline_that_has_not_answered_yet_fixes_no_threshold() -> None:
    assert fix_thresholds(AnalysisSettings(), lambda _: None, None) == ()


def test_any_quantile_can_be_a_threshold() -> None:
    settings = AnalysisSettings(metrics=(MetricSettings(name="slow:p99.9"),))
    assert fix_thresholds(settings, lambda quantile: quantile, None) == (("slow:p99.9", 0.999),)


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
