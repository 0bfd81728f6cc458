"""Operators' orders that wait for their answer: a configuration is answered when what is new has settled."""

from dataclasses import dataclass, field

from understudy.control.facts import Applied, ConfigOrder, LabelLeft, Unavailable
from understudy.control.picture import Picture
from understudy.control.settling import NewLabel, Settled, settled_label, settled_model


@dataclass(slots=True)
class _Waiting:
    """An order, and what it still waits for, in turn: what has come to rest is not looked at again."""

    order: ConfigOrder
    open: list[str | NewLabel]
    unavailable: list[Unavailable] = field(default_factory=list)
    labels_left: list[LabelLeft] = field(default_factory=list)

    def take(self, settled: Settled) -> None:
        """Notes how the last one ended."""
        self.open.pop()
        if settled.unavailable:
            self.unavailable.append(settled.unavailable)
        if settled.label_left:
            self.labels_left.append(settled.label_left)


class OpenOrders:
    """Orders in force whose answer waits. Owned by the control loop."""

    def __init__(self) -> None:
        self._waiting: list[_Waiting] = []

    def open(self, order: ConfigOrder, models: tuple[str, ...], labels: tuple[NewLabel, ...]) -> None:
        """From now on the order waits for these models and labels."""
        awaited: list[str | NewLabel] = [*models, *labels]
        self._waiting.append(_Waiting(order, awaited[::-1]))

    def answer(self, picture: Picture) -> None:
        """Answers the orders of which everything has settled."""
        self._waiting = [waiting for waiting in self._waiting if not _answer(waiting, picture)]


def _answer(waiting: _Waiting, picture: Picture) -> bool:
    while waiting.open:
        settled = _read(waiting.open[-1], picture, waiting.order)
        if settled is None:
            return False
        waiting.take(settled)
    waiting.order.answer.set_result(Applied(tuple(waiting.unavailable), tuple(waiting.labels_left)))
    return True


def _read(awaited: str | NewLabel, picture: Picture, order: ConfigOrder) -> Settled | None:
    if isinstance(awaited, NewLabel):
        return settled_label(picture, awaited, waits_for_retries=order.waits_for_retries)
    return settled_model(picture, awaited, waits_for_retries=order.waits_for_retries)
