"""Takes truths of predictions by request id, and tells the data plane what the predictions were worth."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from understudy.dataplane._native import Prediction as Found
from understudy.dataplane.options import ToldTruth
from understudy.errors import Code, ConfigError
from understudy.quality.custom import load_metric
from understudy.quality.prediction import Metric, Prediction, Truth, TruthError, Value
from understudy.quality.scoring import score_prediction
from understudy.rollout.plan import Quality, QualitySettings

ITEMS_MAX: Final = 10_000
"""Truths told at once."""
REQUEST_ID_MAX: Final = 128
"""Characters of a request id; the data plane gives none that is longer."""
VALUES_MAX: Final = 1_024
"""Values of one truth: as many as a remembered output has elements at most."""
TEXT_MAX: Final = 256
"""Characters of a class's name."""
INTEGER_MAX: Final = 2**63 - 1
REFUSED_SHOWN_MAX: Final = 100
"""Refusals that are told one by one; the rest is counted."""

KEPT: Final = "kept"
JUDGED: Final = "judged"
LATE: Final = "late"
LEFT_OUT: Final = "left_out"


@dataclass(frozen=True, slots=True)
class FeedbackItem:
    """The truth of one request's prediction."""

    request_id: str
    truth: Truth


@dataclass(frozen=True, slots=True)
class RefusedTruth:
    """A truth that could not be compared with its prediction. It can be told again, put right."""

    request_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackView:
    """What came of truths that were told together.

    Attributes:
        model: whose predictions they are of.
        counted: they count.
        again: told before; the first one counts.
        late: their prediction has waited for longer than the window.
        left_out: of predictions that were not kept, because there was no room for all.
        unknown: of requests that neither version of the trial answered.
        refused: could not be compared with their prediction.
        reasons: why, of the first of those.
    """

    model: str
    counted: int = 0
    again: int = 0
    late: int = 0
    left_out: int = 0
    unknown: int = 0
    refused: int = 0
    reasons: tuple[RefusedTruth, ...] = ()


class Book(Protocol):
    """Where predictions are remembered, and what they were worth is counted."""

    def find_predictions(self, model: str, request_ids: Sequence[str]) -> list[Found]:
        """Say what is known of requests, in their order."""

    def tell_truths(self, model: str, truths: Sequence[ToldTruth]) -> list[str]:
        """Count truths, each request's once; what was known of each request before, in their order."""


class FeedbackDesk:
    """Joins truths with predictions. Any number of threads may use it: each request is counted once."""

    def __init__(self, book: Book, find_quality: Callable[[str], QualitySettings | None]) -> None:
        self._book = book
        self._find_quality = find_quality

    def take(self, model: str, items: Sequence[FeedbackItem]) -> FeedbackView:
        """Counts what these truths say of a model's predictions.

        Raises:
            ConfigError: there are too many of them, or no rollout of the model asks for truths.
            DataPlaneError: no trial of the model is under way.
        """
        if len(items) > ITEMS_MAX:
            message = f"{len(items)} truths at once are too many; tell {ITEMS_MAX} at most, and then more"
            raise ConfigError(Code.INVALID_ARGUMENT, message)
        settings = self._find_quality(model)
        if settings is None:
            message = f"No rollout of {model} asks for truths; start one whose plan has a `quality`."
            raise ConfigError(Code.FAILED_PRECONDITION, message)
        judge = _Judge(settings, _find_metric(settings))
        found = self._book.find_predictions(model, [item.request_id for item in items])
        told, refused = judge.judge_all(items, found)
        states = Counter(self._book.tell_truths(model, told) if told else ())
        return FeedbackView(
            model=model,
            counted=states[KEPT],
            again=states[JUDGED],
            late=states[LATE],
            left_out=states[LEFT_OUT],
            unknown=states.total() - states[KEPT] - states[JUDGED] - states[LATE] - states[LEFT_OUT],
            refused=len(refused),
            reasons=tuple(refused[:REFUSED_SHOWN_MAX]),
        )


def _find_metric(settings: QualitySettings) -> Metric | None:
    if settings.metric is not Quality.CUSTOM:
        return None
    return load_metric(settings.entry_point or "")


@dataclass(frozen=True, slots=True)
class _Judge:
    settings: QualitySettings
    metric: Metric | None

    def judge_all(
        self, items: Sequence[FeedbackItem], found: Sequence[Found]
    ) -> tuple[list[ToldTruth], list[RefusedTruth]]:
        """What is to be told, and what need not be: truths that are refused are not counted, and stay untold.

        Truths of predictions that are not kept are told all the same: the data plane counts them.
        """
        told: list[ToldTruth] = []
        refused: list[RefusedTruth] = []
        for item, known in zip(items, found, strict=True):
            try:
                told.append(self._judge(item, known))
            except TruthError as error:
                refused.append(RefusedTruth(item.request_id, str(error)))
        return told, refused

    def _judge(self, item: FeedbackItem, known: Found) -> ToldTruth:
        if known.state != KEPT:
            return ToldTruth(request_id=item.request_id)
        _check(item)
        scored = score_prediction(
            _read_prediction(known),
            item.truth,
            self.settings,
            request_id=item.request_id,
            metric=self.metric,
        )
        return ToldTruth(
            request_id=item.request_id,
            is_wrong=scored.is_wrong,
            measure=self.settings.metric.value,
            score=scored.score,
        )


def _read_prediction(known: Found) -> Prediction:
    texts = tuple(value.decode(errors="replace") for value in known.values if isinstance(value, bytes))
    numbers = tuple(value for value in known.values if not isinstance(value, bytes))
    return Prediction(
        version=known.version or 0,
        shape=tuple(known.shape),
        values=texts or numbers,
        labels=tuple(label.decode(errors="replace") for label in known.labels),
    )


def _check(item: FeedbackItem) -> None:
    values = item.truth if isinstance(item.truth, tuple) else (item.truth,)
    if len(values) > VALUES_MAX:
        message = f"a truth of {len(values)} values is too long; the longest has {VALUES_MAX}"
        raise TruthError(message)
    for value in values:
        _check_value(value)


def _check_value(value: Value) -> None:
    if isinstance(value, str):
        if len(value) > TEXT_MAX:
            message = f"a class's name of {len(value)} characters is too long; the longest has {TEXT_MAX}"
            raise TruthError(message)
    elif not math.isfinite(value) if isinstance(value, float) else abs(value) > INTEGER_MAX:
        message = f"{str(value)[:TEXT_MAX]} is no number that a prediction could have"
        raise TruthError(message)
