"""What is counted as it happens: loads, unloads, events, orders. Written by several threads, bounded.

Everything else that the metrics tell is read from the last picture and the data plane when they are asked.
"""

import threading

from understudy.metrics.catalogue import (
    CONFIG_ORDERS,
    CONTROL_FAILURES,
    EVENTS,
    LOAD_ATTEMPTS,
    LOAD_DURATION,
    LOAD_FAILURES,
    LOADS_OVERDUE,
    LOOK_FAILURES,
    REQUESTS_LEFT,
    UNLOAD_DURATION,
    WARM_UP_RECORDS,
    WARM_UP_SECONDS,
)
from understudy.metrics.metric import Metric
from understudy.metrics.readings import Observations, Reading, Spread
from understudy.servable import Event, Loaded, LoadFailed, LoadOverdue, Outcome, State, Unloaded

SERIES_MAX = 200_000
"""Counts that are kept: about ten for each of 20,000 models. What did not change for longest goes first."""

LOAD_BOUNDS_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
UNLOAD_BOUNDS_S = (0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)

_Series = tuple[Metric, tuple[str, ...]]


class Tallies:
    """Counts since the start of the process. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[_Series, float] = {}
        self._observed: dict[_Series, Observations] = {}

    def take_event(self, event: Event) -> None:
        """Something happened to a model."""
        with self._lock:
            self._count(EVENTS, event.kind)
            if event.state is State.LOADING:
                self._count(LOAD_ATTEMPTS, event.model)
            elif event.kind == "source_failed":
                self._count(LOOK_FAILURES, event.model)

    def take_outcome(self, outcome: Outcome) -> None:
        """A load or an unload came to its end."""
        model = outcome.servable.name
        with self._lock:
            match outcome:
                case Loaded():
                    self._observe((LOAD_DURATION, (model, "loaded")), outcome.duration_s, LOAD_BOUNDS_S)
                    self._count(WARM_UP_RECORDS, model, by=outcome.warm_up.records)
                    self._count(WARM_UP_SECONDS, model, by=outcome.warm_up.duration_s)
                case LoadFailed():
                    self._count(LOAD_FAILURES, model, outcome.failure.code.name)
                    self._observe((LOAD_DURATION, (model, "failed")), outcome.duration_s, LOAD_BOUNDS_S)
                case LoadOverdue():
                    self._count(LOADS_OVERDUE, model)
                case Unloaded():
                    self._observe((UNLOAD_DURATION, ()), outcome.duration_s, UNLOAD_BOUNDS_S)
                    self._count(REQUESTS_LEFT, model, by=outcome.requests_left)

    def take_order(self, origin: str, *, is_applied: bool) -> None:
        """A configuration was put in force, or refused: by the control loop or already by a parser."""
        with self._lock:
            self._count(CONFIG_ORDERS, origin, "applied" if is_applied else "refused")

    def take_control_failure(self, kind: str) -> None:
        """What must not happen in the control loop happened."""
        with self._lock:
            self._count(CONTROL_FAILURES, kind)

    def read(self) -> tuple[Reading | Spread, ...]:
        """All counts, now."""
        with self._lock:
            return (
                *(Reading(metric, labels, count) for (metric, labels), count in self._counts.items()),
                *(seen.read(metric, labels) for (metric, labels), seen in self._observed.items()),
            )

    def _count(self, metric: Metric, *labels: str, by: float = 1) -> None:
        series = (metric, labels)
        self._counts[series] = self._counts.pop(series, 0) + by
        if len(self._counts) > SERIES_MAX:
            del self._counts[next(iter(self._counts))]

    def _observe(self, series: _Series, size: float, bounds: tuple[float, ...]) -> None:
        observations = self._observed.pop(series, None) or Observations(bounds)
        observations.add(size)
        self._observed[series] = observations
        if len(self._observed) > SERIES_MAX:
            del self._observed[next(iter(self._observed))]
