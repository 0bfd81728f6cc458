"""What happened to each model lately, for `why`. Bounded: old events go first.

Written by the control loop alone; read by any thread, because what is handed out never changes.
"""

from collections.abc import Iterable

from understudy.servable import Event

EVENTS_PER_MODEL_MAX = 200
MODELS_MAX = 20_000


class Journal:
    """The last events of each model, oldest first."""

    def __init__(self) -> None:
        self._events: dict[str, tuple[Event, ...]] = {}

    def add(self, events: Iterable[Event]) -> None:
        """Remembers events; the model that nothing happened to for longest is forgotten first."""
        for event in events:
            kept = self._events.pop(event.model, ())
            self._events[event.model] = (*kept[1 - EVENTS_PER_MODEL_MAX :], event)
            if len(self._events) > MODELS_MAX:
                del self._events[next(iter(self._events))]

    def of(self, model: str) -> tuple[Event, ...]:
        """What is remembered of a model, oldest first."""
        return self._events.get(model, ())
