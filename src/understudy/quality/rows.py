"""The rows of a prediction, each beside its own truth."""

from dataclasses import dataclass

from understudy.quality.prediction import Prediction, Truth, TruthError, Value


@dataclass(frozen=True, slots=True)
class Row:
    """One row: several scores, or one value.

    Attributes:
        values: one, or one score for each class.
        labels: what those are called; empty: nothing says.
        truth: what it should have been.
    """

    values: tuple[float, ...] | tuple[int, ...] | tuple[str, ...]
    labels: tuple[str, ...]
    truth: Value


def build_rows(prediction: Prediction, truth: Truth) -> tuple[Row, ...]:
    """The rows of a prediction, by its shape, and by how many truths there are where that leaves it open.

    Raises:
        TruthError: there are not as many truths as rows.
    """
    truths = truth if isinstance(truth, tuple) else (truth,)
    width = _find_width(prediction, len(truths))
    count = len(prediction.values) // width if width else 0
    if count == 0:
        message = "the answer has no elements"
        raise TruthError(message)
    if len(truths) != count:
        message = f"the answer has {count} rows, and the truth {len(truths)}; give one value for each row"
        raise TruthError(message)
    return tuple(
        Row(
            prediction.values[index * width : (index + 1) * width],
            prediction.labels[index * width : (index + 1) * width],
            value,
        )
        for index, value in enumerate(truths)
    )


def _find_width(prediction: Prediction, truths: int) -> int:
    """Elements of a row. A vector with one truth is one row of scores; otherwise each element is a row."""
    if not isinstance(next(iter(prediction.values), None), float):
        return 1
    match prediction.shape:
        case (*_, _, last):
            return last
        case (count,) if truths == 1:
            return count
        case _:
            return 1
