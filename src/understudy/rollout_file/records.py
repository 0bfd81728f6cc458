"""Which keys a plan has, and what each may be: the table by which plans are read, written and documented."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from understudy.analysis.settings import AnalysisSettings, MetricSettings, ScoreSettings
from understudy.rollout.plan import (
    Inconclusive,
    Newer,
    Plan,
    Quality,
    QualitySettings,
    ShadowStage,
    Step,
    Validation,
)
from understudy.rollout_file.kinds import Choice, Count, Duration, Flag, Kind, Number, Share, Text, Weight
from understudy.routing.traffic import Tolerance

STEPS_MAX: Final = 50
EXCEPTIONS_MAX: Final = 100
METRICS_MAX: Final = 32


@dataclass(frozen=True, slots=True)
class Record:
    """A mapping that stands for a dataclass.

    Attributes:
        of: the dataclass.
        fields: by key, in the order in which they are written.
        check: says what is wrong with a value whose fields are right each by itself; none: nothing.
        short: the field that a single value stands for; none: only a mapping will do.
    """

    of: type[Any]
    fields: Mapping[str, "Field"]
    check: Callable[[Any], str | None] | None = None
    short: str | None = None


@dataclass(frozen=True, slots=True)
class Many:
    """A list.

    Attributes:
        of: what each item is.
        items_max: how many there may be.
    """

    of: "Record | Kind"
    items_max: int


@dataclass(frozen=True, slots=True)
class Named:
    """A mapping from names to records; what is not named stays as it was.

    Attributes:
        of: what each is; its dataclass has the name, too.
        names: that may be used; a pattern.
    """

    of: Record
    names: Text
    items_max: int


@dataclass(frozen=True, slots=True)
class Field:
    """One key.

    Attributes:
        attribute: of the dataclass.
        shape: what the value may be.
        may_be_none: `none` is a value, too.
    """

    attribute: str
    shape: "Kind | Record | Many | Named"
    may_be_none: bool = False


_TOLERANCE: Final = Record(
    Tolerance,
    {
        "absolute": Field("absolute", Number()),
        "relative": Field("relative", Number()),
        "top_1": Field("top_1", Flag()),
    },
)
_SHADOW: Final = Record(
    ShadowStage,
    {
        "share": Field("share", Weight(highest=10_000)),
        "dwell": Field("dwell_s", Duration()),
        "requests": Field("requests", Count()),
        "tolerance": Field("tolerance", _TOLERANCE),
    },
    short="share",
)
_STEP: Final = Record(
    Step,
    {
        "weight": Field("weight", Weight()),
        "dwell": Field("dwell_s", Duration()),
        "requests": Field("requests", Count()),
        "needs_approval": Field("needs_approval", Flag()),
    },
    short="weight",
)


def _check_margin(settings: MetricSettings | ScoreSettings) -> str | None:
    if settings.margin > settings.tolerated:
        return None
    return (
        f"`margin` ({settings.margin:g}) must be above `tolerated` ({settings.tolerated:g}): "
        "what is harm cannot be no harm"
    )


_METRIC_NAME: Final = Text(
    "a kind of bad event: `errors`, `invalid_outputs`, `wrong`, `slow:objective`, or slower than the "
    "baseline's quantile: `slow:p50`, `slow:p90`, `slow:p95`, `slow:p99`, `slow:p99.9`",
    pattern=r"errors|invalid_outputs|wrong|slow:objective|slow:p(50|90|95|99|99\.9)",
)
_METRIC: Final = Record(
    MetricSettings,
    {
        "tolerated": Field("tolerated", Number(1.0, 100.0)),
        "margin": Field("margin", Number(1.01, 100.0)),
        "floor": Field("floor", Share(1e-6, 0.5)),
        "muted": Field("is_muted", Flag()),
        "share": Field("share", Number(0.001, 1_000.0)),
    },
    check=_check_margin,
)
_SCORE_NAME: Final = Text(
    "a kind of score: `log_loss`, `squared_error` or `custom`", pattern="log_loss|squared_error|custom"
)
_SCORE: Final = Record(
    ScoreSettings,
    {
        "tolerated": Field("tolerated", Share()),
        "margin": Field("margin", Share(0.001, 1.0)),
        "bound": Field("bound", Number(1e-9), may_be_none=True),
        "higher_is_better": Field("is_higher_better", Flag()),
        "muted": Field("is_muted", Flag()),
        "share": Field("share", Number(0.001, 1_000.0)),
    },
    check=_check_margin,
)
_ANALYSIS: Final = Record(
    AnalysisSettings,
    {
        "alpha": Field("alpha", Share(1e-6, 0.5)),
        "beta": Field("beta", Share(1e-6, 0.5)),
        "metrics": Field("metrics", Named(_METRIC, _METRIC_NAME, METRICS_MAX)),
        "scores": Field("scores", Named(_SCORE, _SCORE_NAME, METRICS_MAX)),
        "errors_share_max": Field("errors_share_max", Share()),
        "errors_share_requests": Field("errors_share_requests", Count(1)),
        "disagreement_max": Field("disagreement_max", Share(), may_be_none=True),
    },
)


def _check_quality(quality: QualitySettings) -> str | None:
    is_custom = quality.metric is Quality.CUSTOM
    if is_custom and quality.entry_point is None:
        return "`metric: custom` needs `entry_point`, such as `my_metrics:score`"
    if not is_custom and quality.entry_point is not None:
        return "`entry_point` is for `metric: custom` alone; remove it"
    if quality.wrong_above is not None and quality.metric in (Quality.ACCURACY, Quality.LOG_LOSS):
        name = quality.metric.value
        return f"`wrong_above` says nothing of `{name}`, which is right or wrong by itself; remove it"
    return None


_QUALITY: Final = Record(
    QualitySettings,
    {
        "metric": Field("metric", Choice(Quality)),
        "output": Field("output", Text("the name of an output"), may_be_none=True),
        "window": Field("window_s", Duration(1.0, 7 * 86_400.0)),
        "wrong_above": Field("wrong_above", Number(), may_be_none=True),
        "entry_point": Field(
            "entry_point",
            Text(
                "a function, such as `my_metrics:score`", pattern=r"[A-Za-z_][\w.]{0,200}:[A-Za-z_]\w{0,100}"
            ),
            may_be_none=True,
        ),
    },
    check=_check_quality,
    short="metric",
)
_VALIDATION: Final = Record(
    Validation,
    {
        "signatures": Field("signatures", Flag()),
        "exceptions": Field(
            "exceptions", Many(Text("the beginning of a sentence, up to 256 characters"), EXCEPTIONS_MAX)
        ),
        "golden": Field("golden", Flag()),
        "tolerance": Field("tolerance", _TOLERANCE),
        "latency_budget": Field("latency_budget_s", Duration(0.001, 600.0), may_be_none=True),
    },
)


def _check_plan(plan: Plan) -> str | None:
    weights = [step.weight for step in plan.steps]
    if any(later <= earlier for earlier, later in pairwise(weights)):
        return "the weights of `steps` must grow from each step to the next"
    if not plan.steps and plan.shadow is None:
        return "without `shadow` and without `steps` nothing would be compared; give at least one of them"
    return None


_PLAN_FIELDS: Final = {
    "shadow": Field("shadow", _SHADOW, may_be_none=True),
    "steps": Field("steps", Many(_STEP, STEPS_MAX)),
    "analysis": Field("analysis", _ANALYSIS),
    "quality": Field("quality", _QUALITY, may_be_none=True),
    "validation": Field("validation", _VALIDATION),
    "key_header": Field(
        "key_header",
        Text(
            "the name of a header in lower case, such as `x-user-id`",
            pattern=r"[0-9a-z!#$&'*+.^_`|~-]{1,128}",
        ),
    ),
    "key_input": Field("key_input", Text("the name of an input"), may_be_none=True),
    "may_override": Field("may_override", Flag()),
    "slow_after": Field("slow_after_s", Duration(0.001, 3_600.0), may_be_none=True),
    "wait": Field("wait_s", Duration(1.0)),
    "duration_max": Field("duration_max_s", Duration(1.0)),
    "keep_baseline": Field("keep_baseline_s", Duration()),
    "newer": Field("newer", Choice(Newer)),
    "inconclusive": Field("inconclusive", Choice(Inconclusive)),
    "crashes_max": Field("crashes_max", Count(0, 1_000)),
    "automatic": Field("is_automatic", Flag()),
}
PLAN: Final = Record(Plan, _PLAN_FIELDS, check=_check_plan)
STARTS_ITSELF: Final = "starts_itself"
STARTS_ITSELF_KIND: Final = Flag()
"""Of a model's strategy: it stands beside the keys of its plan."""
