"""Operators' orders that wait for their answer: a configuration is answered when what is new has settled."""

from dataclasses import dataclass, field, replace

from understudy.control.facts import Applied, ConfigOrder
from understudy.control.picture import Picture
from understudy.control.settling import NewLabel, Settled, settled_label, settled_model

Awaited = str | NewLabel
"""A model by its name, or a label."""


@dataclass(slots=True)
class _Waiting:
    """An order, and what it still waits for, in turn: what has come to rest is not looked at again."""

    order: ConfigOrder
    applied: Applied
    awaited: list[Awaited]
    settled: list[Settled] = field(default_factory=list)


class OpenOrders:
    """Orders in force whose answer waits. Owned by the control loop."""

    def __init__(self) -> None:
        self._waiting: list[_Waiting] = []

    def open(self, order: ConfigOrder, applied: Applied, labels: tuple[NewLabel, ...]) -> None:
        """From now on the order waits for the models that it added, and for these labels."""
        awaited: list[Awaited] = [*(model.name for model in applied.change.added), *labels]
        self._waiting.append(_Waiting(order, applied, awaited[::-1]))

    def answer(self, now: float, picture: Picture) -> None:
        """Answers the orders of which everything has settled, and those whose time is up."""
        self._waiting = [waiting for waiting in self._waiting if not _answer(waiting, now, picture)]


def _answer(waiting: _Waiting, now: float, picture: Picture) -> bool:
    """Whether it is answered: until its time is up, one that has not settled is enough to wait."""
    is_late = now >= waiting.order.deadline
    unsettled: list[Awaited] = []
    while waiting.awaited:
        settled = _read(waiting.awaited[-1], picture, waiting.order)
        if settled is not None:
            waiting.settled.append(settled)
        elif is_late:
            unsettled.append(waiting.awaited[-1])
        else:
            return False
        waiting.awaited.pop()
    waiting.order.answer.set_result(_outcome(waiting, unsettled))
    return True


def _outcome(waiting: _Waiting, unsettled: list[Awaited]) -> Applied:
    names = (each.model if isinstance(each, NewLabel) else each for each in unsettled)
    return replace(
        waiting.applied,
        unavailable=tuple(each.unavailable for each in waiting.settled if each.unavailable),
        labels_left=tuple(each.label_left for each in waiting.settled if each.label_left),
        unsettled=tuple(dict.fromkeys(names)),
    )


def _read(awaited: Awaited, picture: Picture, order: ConfigOrder) -> Settled | None:
    if isinstance(awaited, NewLabel):
        return settled_label(picture, awaited, waits_for_retries=order.waits_for_retries)
    return settled_model(picture, awaited, waits_for_retries=order.waits_for_retries)
