"""Operators' orders that wait for their answer: a configuration is answered when what is new has settled."""

from dataclasses import dataclass

from understudy.control.facts import Applied, ConfigOrder
from understudy.control.picture import Picture
from understudy.control.settling import NewLabel, settled_label, settled_model


@dataclass(frozen=True, slots=True)
class _Waiting:
    order: ConfigOrder
    models: tuple[str, ...]
    labels: tuple[NewLabel, ...]


class OpenOrders:
    """Orders in force whose answer waits. Owned by the control loop."""

    def __init__(self) -> None:
        self._waiting: list[_Waiting] = []

    def open(self, order: ConfigOrder, models: tuple[str, ...], labels: tuple[NewLabel, ...]) -> None:
        """From now on the order waits for these models and labels."""
        self._waiting.append(_Waiting(order, models, labels))

    def answer(self, picture: Picture) -> None:
        """Answers the orders of which everything has settled."""
        self._waiting = [waiting for waiting in self._waiting if not _answer(waiting, picture)]


def _answer(waiting: _Waiting, picture: Picture) -> bool:
    patient = waiting.order.waits_for_retries
    settled = [settled_model(picture, name, waits_for_retries=patient) for name in waiting.models]
    settled += [settled_label(picture, label, waits_for_retries=patient) for label in waiting.labels]
    ended = [each for each in settled if each is not None]
    if len(ended) < len(settled):
        return False
    unavailable = tuple(each.unavailable for each in ended if each.unavailable)
    labels_left = tuple(each.label_left for each in ended if each.label_left)
    waiting.order.answer.set_result(Applied(unavailable, labels_left))
    return True
