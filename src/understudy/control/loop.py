"""The control loop. Each tick takes facts in, lets the core decide, publishes routes, starts effects.

One thread, no locks: the desk belongs to it. It decides nothing about versions itself.
"""

import queue
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, assert_never

from understudy.clock import Clock
from understudy.control.desk import Desk, Turn
from understudy.control.effects import Effects
from understudy.control.facts import (
    ConfigOrder,
    EvidenceSeen,
    Fact,
    Finished,
    Happened,
    Order,
    Report,
    RetryOrder,
    Stop,
    StrategiesOrder,
    TrafficOrder,
    Validated,
    VersionsSeen,
)
from understudy.control.validating import Validations
from understudy.errors import DataPlaneError
from understudy.lifecycle.actions import Unload
from understudy.routing import RouteUpdate
from understudy.servable import Event, Place, ServableId

TICK_INTERVAL_S = 0.1
"""The longest that a tick waits for a fact; retries that are due are noticed this late at most."""
FACTS_PER_TICK_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Reports:
    """Where the loop tells what happened.

    Attributes:
        events: takes what happened to models.
        failure: takes what must not happen, by name: `routes_refused`, `control_stopped`.
    """

    events: Callable[[Iterable[Event]], None]
    failure: Callable[[str, Exception], None]


class Routes(Protocol):
    """Where requests look."""

    def publish(self, update: RouteUpdate) -> None:
        """Swaps the route table."""
        ...


class Source(Protocol):
    """Reports which versions are there."""

    def set_models(self, models: Mapping[str, Place]) -> None:
        """From now on these places, by model name."""
        ...

    def look_soon(self) -> None:
        """Look at every model once more, as soon as that can be."""
        ...

    def watch(self, changes: Mapping[str, frozenset[int]]) -> None:
        """Fingerprint these versions of these models in each look; of others as before."""
        ...

    def guard(self, servables: frozenset[ServableId]) -> None:
        """Fingerprint these versions in turn, few in each poll."""
        ...


class ControlLoop:
    """Facts in, effects out. Every public method may be called from any thread."""

    def __init__(self, clock: Clock, desk: Desk, routes: Routes, reports: Reports) -> None:
        self._clock = clock
        self._desk = desk
        self._routes = routes
        self._report_events = reports.events
        self._report_failure = reports.failure
        self._unloads: list[Unload] = []
        self._is_table_behind = False
        self._inbox: queue.SimpleQueue[Fact] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="control", daemon=True)

    def start(self, source: Source, effects: Effects, validations: Validations) -> None:
        """Starts ticking."""
        self._source = source
        self._effects = effects
        self._validations = validations
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Ends after the facts sent so far."""
        self._inbox.put(Stop())
        self._thread.join(timeout_s)

    def send(self, fact: Report) -> None:
        """Takes in what the world reports."""
        self._inbox.put(fact)

    def order(self, order: Order) -> None:
        """Asks for something; the order's answer resolves in a tick to come."""
        order.answer.set_running_or_notify_cancel()  # from here on nobody can take the question back
        self._inbox.put(order)

    def _run(self) -> None:
        """Ticks until told to stop, or until something happens that the core says cannot.

        After the latter versions stay as they are and go on answering: a state that contradicts itself must
        not order anything, and ending the process is for whoever watches it to decide.

        It does not yield to requests: who takes traffic from a version that does harm must not wait for them.
        """
        try:
            while self._take_in(self._next_facts()):
                self._act(self._desk.decide(self._clock.now()))
                self._effects.watch_deadlines()
                self._validations.watch_deadlines()
        except Exception as error:  # noqa: BLE001 - a thread's last floor
            self._report_failure("control_stopped", error)

    def _next_facts(self) -> list[Fact]:
        facts: list[Fact] = []
        try:
            facts.append(self._inbox.get(timeout=TICK_INTERVAL_S))
            while len(facts) < FACTS_PER_TICK_MAX:
                facts.append(self._inbox.get_nowait())
        except queue.Empty:
            pass
        return facts

    def _take_in(self, facts: list[Fact]) -> bool:
        for fact in facts:
            match fact:
                case VersionsSeen():
                    self._desk.see(fact.found, self._clock.now())
                case Finished():
                    self._desk.finish(fact.outcome)
                case Happened():
                    self._desk.note(fact.event)
                case ConfigOrder():
                    self._desk.take_order(fact)
                case RetryOrder():
                    self._desk.take_retry(fact)
                case TrafficOrder() | StrategiesOrder() | EvidenceSeen() | Validated():
                    self._desk.take_traffic(fact)
                case Stop():
                    return False
                case _:
                    assert_never(fact)
        return True

    def _act(self, turn: Turn) -> None:
        """Routes first: what is about to be unloaded must not be found by a new request."""
        if turn.models is not None:
            self._source.set_models(turn.models)
        if turn.wants_look:
            self._source.look_soon()
        if turn.guarded is not None:
            self._source.guard(turn.guarded)
        if turn.watched:
            self._source.watch(turn.watched)
        for withdrawal in turn.withdrawals:
            self._effects.withdraw(withdrawal)
        self._unloads.extend(turn.unloads)
        if turn.routes is None or self._publish(turn.routes):
            self._start_unloads(is_published=turn.routes is not None)
        for inspection in turn.inspections:
            self._effects.inspect(inspection)
        for load, platform in turn.loads:
            self._effects.load(load, platform)
        for validation in turn.validations:
            self._validations.start(validation)
        self._report_events(turn.events)
        self._desk.answer_orders(self._clock.now())

    def _publish(self, update: RouteUpdate) -> bool:
        """Whether requests see the update now; if not, the last table stays and the next tick tries again."""
        try:
            self._routes.publish(update)
        except DataPlaneError as error:
            self._is_table_behind = True
            self._desk.rebuild_routes()
            self._report_failure("routes_refused", error)
            return False
        self._is_table_behind = False
        self._desk.note_published(update)
        return True

    def _start_unloads(self, *, is_published: bool) -> None:
        """Unless the table is behind: it may still name what is to be unloaded."""
        if self._is_table_behind and not is_published:
            return
        for unload in self._unloads:
            self._effects.unload(unload)
        self._unloads.clear()
