"""Operators' orders that wait for their answer: a configuration is answered when what is new has settled."""

from collections.abc import Callable
from dataclasses import dataclass

from understudy.control.facts import Applied, ConfigOrder, Unavailable


@dataclass(frozen=True, slots=True)
class Settled:
    """A model's versions have become ready, or failed (one of them is named), or there are none."""

    unavailable: Unavailable | None = None


ReadSettled = Callable[[str, ConfigOrder], Settled | None]
"""Whether a model has settled in the order's sense; none: not yet."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    order: ConfigOrder
    models: frozenset[str]


class OpenOrders:
    """Orders in force whose answer waits. Owned by the control loop."""

    def __init__(self) -> None:
        self._waiting: list[_Waiting] = []

    def open(self, order: ConfigOrder, models: frozenset[str]) -> None:
        """From now on the order waits for these models."""
        self._waiting.append(_Waiting(order, models))

    def answer(self, read_settled: ReadSettled) -> None:
        """Answers the orders whose models have all settled."""
        self._waiting = [waiting for waiting in self._waiting if not _answer(waiting, read_settled)]


def _answer(waiting: _Waiting, read_settled: ReadSettled) -> bool:
    unavailable: list[Unavailable] = []
    for name in sorted(waiting.models):
        settled = read_settled(name, waiting.order)
        if settled is None:
            return False
        if settled.unavailable is not None:
            unavailable.append(settled.unavailable)
    waiting.order.answer.set_result(Applied(tuple(unavailable)))
    return True
