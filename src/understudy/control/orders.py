"""Operators' orders that wait for their answer: a configuration is answered when what is new has settled."""

from collections.abc import Callable
from dataclasses import dataclass

from understudy.control.facts import Applied, ConfigOrder
from understudy.servable import Failure


@dataclass(frozen=True, slots=True)
class Settled:
    """A model's new versions have all become ready, or failed, or there are none; `failure` says which failed."""

    failure: Failure | None = None


ReadSettled = Callable[[str], Settled | None]
"""Whether a model has settled; none: not yet."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    order: ConfigOrder
    models: tuple[str, ...]


class OpenOrders:
    """Orders in force whose answer waits. Owned by the control loop."""

    def __init__(self) -> None:
        self._waiting: list[_Waiting] = []

    def open(self, order: ConfigOrder, new_models: tuple[str, ...]) -> None:
        """From now on the order waits for these models; an older order still waiting is answered as it stands."""
        self._waiting.append(_Waiting(order, new_models))

    def answer(self, read_settled: ReadSettled) -> None:
        """Answers the orders whose models have all settled."""
        still: list[_Waiting] = []
        for waiting in self._waiting:
            settled = [(name, read_settled(name)) for name in waiting.models]
            if any(state is None for _, state in settled):
                still.append(waiting)
                continue
            failures = tuple(
                (name, state.failure) for name, state in settled if state is not None and state.failure is not None
            )
            waiting.order.answer.set_result(Applied(failures))
        self._waiting = still
