"""Orders that wait to be judged: they label versions that nobody has seen yet, and may lack but a look.

Whoever publishes a version and labels it at once must not be refused because the last look is a second old.
"""

from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from understudy.control.awaited import AwaitedLooks
from understudy.control.facts import ConfigOrder

HOLD_S_MAX = 3.0
"""A source that does not report does not keep an order from being judged."""


@dataclass(slots=True)
class _Held:
    order: ConfigOrder
    looks: AwaitedLooks
    until: float | None = None


class HeldOrders:
    """Orders in the order in which they came: what comes later is not judged earlier."""

    def __init__(self) -> None:
        self._held: deque[_Held] = deque()

    def __bool__(self) -> bool:
        return bool(self._held)

    def hold(self, order: ConfigOrder, unseen: Iterable[str]) -> None:
        """Until those models have been looked at, and the orders before it are judged."""
        self._held.append(_Held(order, AwaitedLooks(unseen)))

    def note_reports(self, models: Collection[str]) -> None:
        """A source has reported on these models, whatever it saw."""
        for held in self._held:
            held.looks.note_reports(models)

    def take_due(self, now: float) -> list[ConfigOrder]:
        """Those that are to be judged now."""
        due = []
        while self._held:
            first = self._held[0]
            first.until = now + HOLD_S_MAX if first.until is None else first.until
            if first.looks and now < first.until:
                break
            due.append(self._held.popleft().order)
        return due
