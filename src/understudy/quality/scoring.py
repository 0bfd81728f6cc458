"""What a prediction is worth beside its truth: right or wrong, log-loss, squared error, a function's word."""

import math
import zlib
from typing import Final

from understudy.quality.prediction import Metric, Prediction, Scored, Truth, TruthError
from understudy.quality.rows import Row, build_rows
from understudy.rollout.plan import Quality, QualitySettings

PROBABILITY_MIN: Final = 1e-15
"""A probability counts as at least this much: one certain mistake must not weigh more than all else."""
SUM_TOLERANCE: Final = 1e-3
"""So far may probabilities of one row be from 1 together; half precision comes so close."""
HALF: Final = 0.5


def score_prediction(
    prediction: Prediction,
    truth: Truth,
    settings: QualitySettings,
    *,
    request_id: str,
    metric: Metric | None = None,
) -> Scored:
    """Compares a prediction with its truth.

    Of a request of several rows the score is their mean. Whether it was wrong is what one of its rows says,
    which its id chooses: rows of a request came together, and counting each would take them for independent.

    Args:
        prediction: what was answered.
        truth: what should have been.
        settings: how they are compared.
        request_id: the request's.
        metric: the function of a custom metric.

    Raises:
        TruthError: they cannot be compared.
    """
    match settings.metric:
        case Quality.ACCURACY:
            rows = build_rows(prediction, truth)
            return Scored(is_wrong=_is_wrong(_choose(rows, request_id)))
        case Quality.LOG_LOSS:
            rows = build_rows(prediction, truth)
            losses = [_log_loss(row) for row in rows]
            return Scored(is_wrong=_is_wrong(_choose(rows, request_id)), score=math.fsum(losses) / len(rows))
        case Quality.SQUARED_ERROR:
            return _judge_score(_squared_error(prediction, truth), settings.wrong_above)
        case Quality.CUSTOM:
            if metric is None:
                message = "the custom metric is not loaded"
                raise TruthError(message)
            return _score_custom(metric, prediction, truth, settings.wrong_above)


def _choose(rows: tuple[Row, ...], request_id: str) -> Row:
    return rows[zlib.crc32(request_id.encode()) % len(rows)]


def _is_wrong(row: Row) -> bool:
    """A row of scores says the first of its highest; one value says itself."""
    if len(row.values) > 1:
        scores = _numbers(row)
        return max(range(len(scores)), key=scores.__getitem__) != _class_index(row)
    (value,) = row.values
    if isinstance(value, float) and 0 <= value <= 1 and row.truth in (0, 1):
        return (value >= HALF) != bool(row.truth)  # the probability of yes
    if isinstance(value, str) != isinstance(row.truth, str):
        message = f"the answer is {value!r} and the truth {row.truth!r}: one is text, the other a number"
        raise TruthError(message)
    return value != row.truth


def _log_loss(row: Row) -> float:
    """Minus the natural logarithm of the probability that the true class was given."""
    scores = _numbers(row)
    if any(not 0 <= score <= 1 for score in scores):
        message = (
            "the answer's scores are no probabilities; log_loss needs those (a softmax), accuracy does not"
        )
        raise TruthError(message)
    if len(scores) == 1:
        if row.truth not in (0, 1):
            message = f"the answer is the probability of yes, and the truth {row.truth!r}; give 0 or 1"
            raise TruthError(message)
        given = scores[0] if row.truth else 1 - scores[0]
    else:
        if abs(math.fsum(scores) - 1) > SUM_TOLERANCE:
            message = f"the answer's scores are {math.fsum(scores):g} together, and probabilities are 1"
            raise TruthError(message)
        given = scores[_class_index(row)]
    return -math.log(max(given, PROBABILITY_MIN))


def _class_index(row: Row) -> int:
    """The place of the true class among the scores: by its index, or by its name."""
    truth, classes = row.truth, len(row.values)
    if isinstance(truth, str):
        if not row.labels:
            message = (
                f"the answer does not say what its classes are called; give the index instead of {truth!r}"
            )
            raise TruthError(message)
        if truth not in row.labels:
            message = f"the answer has no class {truth!r}; it has {', '.join(row.labels[:8])}"
            raise TruthError(message)
        return row.labels.index(truth)
    if truth != int(truth) or not 0 <= truth < classes:
        message = f"the answer has {classes} classes, and {truth!r} is no index of one: 0 to {classes - 1}"
        raise TruthError(message)
    return int(truth)


def _squared_error(prediction: Prediction, truth: Truth) -> float:
    """The mean over all elements of the answer."""
    truths = truth if isinstance(truth, tuple) else (truth,)
    pairs = list(zip(prediction.values, truths, strict=False))
    if not pairs or len(truths) != len(prediction.values):
        message = (
            f"the answer has {len(prediction.values)} numbers, and the truth {len(truths)}; give as many"
        )
        raise TruthError(message)
    differences = [_number(value) - _number(true) for value, true in pairs]
    return sum(difference * difference for difference in differences) / len(pairs)


def _score_custom(metric: Metric, prediction: Prediction, truth: Truth, wrong_above: float | None) -> Scored:
    """Whatever the operator's function raises is the truth's refusal, never the server's end."""
    try:
        worth: object = metric(prediction, truth)
    except Exception as error:
        message = f"the custom metric failed: {type(error).__name__}: {error}"
        raise TruthError(message) from error
    if isinstance(worth, bool):
        return Scored(is_wrong=worth)
    if not isinstance(worth, int | float):
        message = f"the custom metric answered {type(worth).__name__}; it must answer a number or a bool"
        raise TruthError(message)
    return _judge_score(float(worth), wrong_above)


def _judge_score(score: float, wrong_above: float | None) -> Scored:
    if not math.isfinite(score):
        message = f"the score is {score}, which is no number"
        raise TruthError(message)
    return Scored(is_wrong=None if wrong_above is None else score > wrong_above, score=score)


def _numbers(row: Row) -> tuple[float, ...]:
    numbers = tuple(_number(value) for value in row.values)
    if not all(math.isfinite(number) for number in numbers):
        message = "the answer has scores that are no numbers; that is counted as an invalid output"
        raise TruthError(message)
    return numbers


def _number(value: object) -> float:
    if isinstance(value, bool | int | float):
        return float(value)
    message = f"{value!r} is no number"
    raise TruthError(message)
