"""A prediction, a truth, and what came of comparing them: data only; and the mark of a custom metric."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

Value = bool | int | float | str
Truth = Value | tuple[Value, ...]
"""What a prediction should have been: a number, a class by index or by name; or one for each row."""

MARK: Final = "understudy_quality_metric"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What a version answered.

    Attributes:
        version: which.
        shape: of the output; a request of several rows has them in the first dimension.
        values: the output's elements, row by row.
        labels: of a classification, what its scores are called, element by element; empty otherwise.
    """

    version: int
    shape: tuple[int, ...]
    values: tuple[float, ...] | tuple[int, ...] | tuple[str, ...]
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What a prediction was worth.

    Attributes:
        is_wrong: none: right and wrong are not told apart.
        score: none: nothing was measured.
    """

    is_wrong: bool | None = None
    score: float | None = None


class TruthError(ValueError):
    """A truth that cannot be compared with its prediction; the text says why, and what to do."""


Metric = Callable[[Prediction, Truth], float | bool]
"""A custom metric: how bad a prediction was, where more is worse; or whether it was wrong."""


def quality_metric(function: Metric) -> Metric:
    """Marks a function as a custom metric, so that a plan can name it.

    Whoever may write a plan may name any function that the server can import; only those that are marked are
    ever called.
    """
    setattr(function, MARK, True)
    return function
