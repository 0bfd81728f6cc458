"""A data plane that exists only in the simulation: workers that load and unload, and a table of routes.

It trusts nobody: an order that makes no sense, or a route to what is not loaded, is a broken invariant.
"""

from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from heapq import heapify, heappop, heappush

from tests.simulation.broken import broken
from understudy.routing import RouteTable
from understudy.servable import (
    Inspected,
    Loaded,
    LoadFailed,
    LoadOverdue,
    LoadWithdrawn,
    Outcome,
    ServableId,
)

INSPECTION_TIMEOUT_S = 5.0


class Phase(Enum):
    """What the plane does with a version; one that it does not know is not there."""

    QUEUED = "queued"
    LOADING = "loading"
    LOADED = "loaded"
    UNLOADING = "unloading"


@dataclass(frozen=True, slots=True, order=True)
class Job:
    """A load or unload that ends at a time, with an outcome."""

    ends_at: float
    number: int
    outcome: Outcome = field(compare=False)


@dataclass(slots=True)
class Plane:
    """Phases of versions, and the jobs under way.

    Attributes:
        workers: loads that run at once, those that are overdue apart; others wait in line.
        load_timeout_s: after which a load is overdue.
        phases: of every version that is there.
        waiting: loads that wait for a worker: what they will come to, and how long they will take.
        overdue: loads that are.
    """

    workers: int
    load_timeout_s: float = 30.0
    phases: dict[ServableId, Phase] = field(default_factory=dict)
    waiting: deque[tuple[Outcome, float]] = field(default_factory=deque)
    overdue: set[ServableId] = field(default_factory=set)
    _routed: frozenset[ServableId] = frozenset()
    _running: list[Job] = field(default_factory=list)
    _loads_running: int = 0
    _number: int = 0

    def publish(self, table: RouteTable) -> None:
        """Takes the routes; each must lead to what is loaded."""
        routed = {
            ServableId(route.name, each.version, each.incarnation)
            for route in table.routes.values()
            for each in route.ready
        }
        for servable in routed:
            if self.phases.get(servable) is not Phase.LOADED:
                broken(1, f"{servable} is routed, and the plane has it {self.phases.get(servable)}")
        self._routed = frozenset(routed)

    def load(self, servable: ServableId, outcome: Outcome, duration_s: float, now: float) -> None:
        """Begins a load, or puts it in line."""
        if servable in self.phases:
            broken(8, f"load of {servable}, which is {self.phases[servable]}")
        self.phases[servable] = Phase.QUEUED
        self.waiting.append((outcome, duration_s))
        self._start_waiting(now)

    def withdraw(self, servable: ServableId, now: float) -> None:
        """Takes a load that has not begun out of the line."""
        if self.phases.get(servable) is Phase.QUEUED:
            self.waiting = deque(each for each in self.waiting if each[0].servable != servable)
            self._run(LoadWithdrawn(servable), now)

    def inspect(self, outcome: Inspected, duration_s: float, now: float) -> None:
        """Looks at files; past its time it is said to have seen nothing, and may still come back."""
        if duration_s > INSPECTION_TIMEOUT_S:
            self._run(Inspected(outcome.servable, outcome.path, 0), now + INSPECTION_TIMEOUT_S)
        self._run(outcome, now + duration_s)

    def unload(self, servable: ServableId, outcome: Outcome, duration_s: float, now: float) -> None:
        """Begins an unload, of what no route leads to any more."""
        if self.phases.get(servable) is not Phase.LOADED:
            broken(8, f"unload of {servable}, which is {self.phases.get(servable)}")
        if servable in self._routed:
            broken(9, f"unload of {servable}, to which a route still leads")
        self.phases[servable] = Phase.UNLOADING
        self._run(outcome, now + duration_s)

    def take_ended(self, now: float) -> list[Outcome]:
        """The outcomes of the jobs that have ended, in the order in which they did."""
        ended = []
        while self._running and self._running[0].ends_at <= now:
            job = heappop(self._running)
            ended.append(job.outcome)
            self._end(job, now)
        return ended

    def next_end(self) -> float | None:
        """When the next job ends."""
        return self._running[0].ends_at if self._running else None

    def hurry(self, now: float) -> None:
        """Faults are over: every job ends now, every load with success."""
        running, self._running = self._running, []
        for job in running:
            heappush(self._running, Job(now, job.number, _success(job.outcome)))
        self._running = [job for job in self._running if not isinstance(job.outcome, LoadOverdue)]
        heapify(self._running)
        self.waiting = deque((_success(outcome), 0.5) for outcome, _ in self.waiting)

    def _end(self, job: Job, now: float) -> None:
        servable = job.outcome.servable
        match job.outcome:
            case Inspected():
                return
            case LoadOverdue():
                self.overdue.add(servable)
                self._loads_running -= 1
            case Loaded() | LoadFailed():
                self._loads_running -= servable not in self.overdue
                self.overdue.discard(servable)
        if isinstance(job.outcome, Loaded):
            self.phases[servable] = Phase.LOADED
        elif not isinstance(job.outcome, LoadOverdue):
            del self.phases[servable]
        self._start_waiting(now)

    def _start_waiting(self, now: float) -> None:
        while self.waiting and self._loads_running < self.workers:
            outcome, duration_s = self.waiting.popleft()
            self.phases[outcome.servable] = Phase.LOADING
            self._loads_running += 1
            if duration_s > self.load_timeout_s:
                overdue = LoadOverdue(outcome.servable, self.load_timeout_s)
                self._run(overdue, now + self.load_timeout_s)
            self._run(outcome, now + duration_s)

    def _run(self, outcome: Outcome, ends_at: float) -> None:
        self._number += 1
        heappush(self._running, Job(ends_at, self._number, outcome))


def _success(outcome: Outcome) -> Outcome:
    return Loaded(outcome.servable, 0.5) if isinstance(outcome, LoadFailed) else outcome
