"""What happened to each model lately, for `why`. Bounded: old events go first."""

from collections import deque
from collections.abc import Iterable

from understudy.servable import Event

EVENTS_PER_MODEL_MAX = 200
MODELS_MAX = 20_000


class Journal:
    """The last events of each model, oldest first. Owned by the control loop."""

    def __init__(self) -> None:
        self._events: dict[str, deque[Event]] = {}

    def add(self, events: Iterable[Event]) -> None:
        """Remembers events; a model that nobody mentioned for longest is forgotten first."""
        for event in events:
            kept = self._events.pop(event.model, None) or deque(maxlen=EVENTS_PER_MODEL_MAX)
            kept.append(event)
            self._events[event.model] = kept
            if len(self._events) > MODELS_MAX:
                del self._events[next(iter(self._events))]

    def of(self, model: str) -> tuple[Event, ...]:
        """What is remembered of a model, oldest first."""
        return tuple(self._events.get(model, ()))
