"""What a prediction is worth beside its truth, against scikit-learn and by hand; custom metrics."""

import math
import random
from typing import cast

import pytest
from sklearn.metrics import log_loss

from understudy.errors import ConfigError
from understudy.quality import Prediction, Truth, quality_metric
from understudy.quality.custom import load_metric
from understudy.quality.prediction import Metric, Scored, TruthError
from understudy.quality.scoring import score_prediction
from understudy.rollout.plan import Quality, QualitySettings

LABELS = ("cat", "dog", "fox")


def scores(*values: float, labels: tuple[str, ...] = (), shape: tuple[int, ...] | None = None) -> Prediction:
    return Prediction(version=1, shape=shape or (1, len(values)), values=values, labels=labels)


def score(
    prediction: Prediction,
    truth: Truth,
    metric: Quality = Quality.ACCURACY,
    *,
    wrong_above: float | None = None,
    custom: Metric | None = None,
) -> Scored:
    settings = QualitySettings(metric=metric, wrong_above=wrong_above)
    return score_prediction(prediction, truth, settings, request_id="a", metric=custom)


@pytest.mark.parametrize(
    ("prediction", "truth", "is_wrong"),
    [
        (scores(0.1, 0.7, 0.2), 1, False),
        (scores(0.1, 0.7, 0.2), 2, True),
        (scores(0.1, 0.7, 0.2), 1.0, False),
        (scores(0.1, 0.7, 0.2, labels=LABELS), "dog", False),
        (scores(0.1, 0.7, 0.2, labels=LABELS), "fox", True),
        (scores(-3.0, 5.0, 5.0), 1, False),
        (scores(0.1, 0.7, 0.2, shape=(3,)), 1, False),
        (scores(0.7), 1, False),
        (scores(0.7), 0, True),
        (scores(0.7), True, False),
        (scores(12.0), 12, False),
        (Prediction(version=1, shape=(1,), values=(7,)), 7, False),
        (Prediction(version=1, shape=(1,), values=(7,)), 8, True),
        (Prediction(version=1, shape=(1,), values=("cat",)), "cat", False),
        (Prediction(version=1, shape=(1,), values=("cat",)), "dog", True),
    ],
)
def test_the_highest_score_or_the_answer_itself_is_right_or_wrong(
    prediction: Prediction, truth: Truth, *, is_wrong: bool
) -> None:
    assert score(prediction, truth) == Scored(is_wrong=is_wrong)


def test_log_loss_is_that_of_scikit_learn() -> None:
    draw = random.Random(5)  # noqa: S311 (a test's own numbers)
    rows, truths = [], []
    for _ in range(200):
        weights = [draw.random() for _ in range(4)]
        rows.append([weight / sum(weights) for weight in weights])
        truths.append(draw.randrange(4))
    ours = [
        score(scores(*row), truth, Quality.LOG_LOSS).score or 0.0
        for row, truth in zip(rows, truths, strict=True)
    ]
    assert sum(ours) / len(ours) == pytest.approx(log_loss(truths, rows, labels=[0, 1, 2, 3]), rel=1e-12)


def test_a_certain_mistake_costs_a_bounded_loss() -> None:
    assert score(scores(1.0, 0.0), 1, Quality.LOG_LOSS) == Scored(is_wrong=True, score=-math.log(1e-15))
    assert score(scores(0.25), 1, Quality.LOG_LOSS).score == pytest.approx(math.log(4))
    assert score(scores(0.25), 0, Quality.LOG_LOSS).score == pytest.approx(-math.log(0.75))


def test_squared_error_is_the_mean_over_the_answers_numbers_and_wrong_above_a_limit() -> None:
    assert score(scores(3.0), 1, Quality.SQUARED_ERROR) == Scored(score=4.0)
    assert score(scores(1.0, 2.0), (0.0, 4.0), Quality.SQUARED_ERROR).score == 2.5
    assert score(scores(3.0), 1, Quality.SQUARED_ERROR, wrong_above=3.9).is_wrong
    assert score(scores(3.0), 1, Quality.SQUARED_ERROR, wrong_above=4.0).is_wrong is False


def test_of_several_rows_the_loss_is_the_mean_and_one_chosen_by_the_id_is_right_or_wrong() -> None:
    rows = scores(0.9, 0.1, 0.2, 0.8, shape=(2, 2))
    both = score(rows, (0, 1), Quality.LOG_LOSS)
    assert both.score == pytest.approx(-(math.log(0.9) + math.log(0.8)) / 2)
    chosen = [
        score_prediction(rows, (0, 0), QualitySettings(), request_id=f"request-{number}").is_wrong
        for number in range(1_000)
    ]
    assert 440 < sum(map(bool, chosen)) < 560, "each row by half of the ids"


@pytest.mark.parametrize(
    ("prediction", "truth", "metric", "text"),
    [
        (scores(0.1, 0.9), 2, Quality.ACCURACY, "2 is no index of one: 0 to 1"),
        (scores(0.1, 0.9), -1, Quality.ACCURACY, "no index"),
        (scores(0.1, 0.9), 0.5, Quality.ACCURACY, "no index"),
        (scores(0.1, 0.9), "dog", Quality.ACCURACY, "does not say what its classes are called"),
        (
            scores(0.1, 0.2, 0.7, labels=LABELS),
            "cow",
            Quality.ACCURACY,
            "has no class 'cow'; it has cat, dog",
        ),
        (scores(0.1, 0.9), (0, 1), Quality.ACCURACY, "has 1 rows, and the truth 2"),
        (scores(0.1, math.nan), 0, Quality.ACCURACY, "scores that are no numbers"),
        (scores(7.0), "cat", Quality.ACCURACY, "one is text, the other a number"),
        (scores(-1.5, 2.0), 0, Quality.LOG_LOSS, "no probabilities"),
        (scores(0.5, 0.9), 0, Quality.LOG_LOSS, "1.4 together"),
        (scores(0.5), 3, Quality.LOG_LOSS, "give 0 or 1"),
        (scores(1.0, 2.0), 1.0, Quality.SQUARED_ERROR, "has 2 numbers, and the truth 1"),
        (scores(1.0), "a", Quality.SQUARED_ERROR, "'a' is no number"),
        (scores(1e300), -1e300, Quality.SQUARED_ERROR, "the score is inf"),
        (Prediction(version=1, shape=(0, 3), values=()), 1, Quality.ACCURACY, "no elements"),
        (scores(1.0), 1, Quality.CUSTOM, "is not loaded"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_the_reason(
    prediction: Prediction, truth: Truth, metric: Quality, text: str
) -> None:
    with pytest.raises(TruthError, match=text):
        score(prediction, truth, metric)


@quality_metric
def distance(prediction: Prediction, truth: Truth) -> float:
    """A custom metric, as an operator writes it."""
    return abs(float(prediction.values[0]) - cast("float", truth))


def unmarked(_prediction: Prediction, _truth: Truth) -> float:
    """No metric."""
    return 0.0


def test_a_custom_metric_is_found_by_its_entry_point_and_whatever_it_raises_is_a_refusal() -> None:
    metric = load_metric(f"{__name__}:distance")
    assert metric is distance
    assert score(scores(3.0), 1.0, Quality.CUSTOM, custom=metric, wrong_above=1.0) == Scored(
        is_wrong=True, score=2.0
    )
    with pytest.raises(TruthError, match=r"the custom metric failed: TypeError"):
        score(scores(3.0), "a", Quality.CUSTOM, custom=metric)
    assert score(scores(3.0), 1.0, Quality.CUSTOM, custom=lambda *_: True) == Scored(is_wrong=True)
    with pytest.raises(TruthError, match="the score is nan"):
        score(scores(3.0), 1.0, Quality.CUSTOM, custom=lambda *_: math.nan)
    with pytest.raises(TruthError, match="answered str"):
        score(scores(3.0), 1.0, Quality.CUSTOM, custom=cast("Metric", lambda *_: "x"))


@pytest.mark.parametrize(
    ("entry_point", "text"),
    [
        ("distance", "must be module:function"),
        (f"{__name__}:not there", "must be module:function"),
        ("nowhere.at.all:f", "cannot be imported: ModuleNotFoundError"),
        (f"{__name__}:missing", "has no missing"),
        (f"{__name__}:unmarked", "put @understudy.quality.quality_metric before it"),
        ("os:system", "is not marked"),
    ],
)
def test_only_functions_that_are_marked_are_ever_called(entry_point: str, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        load_metric(entry_point)
