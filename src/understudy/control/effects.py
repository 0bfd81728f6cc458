"""What the loop decided, done: inspections, loads and unloads on their pools, outcomes sent back as facts.

Nothing here decides about versions.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from understudy.clock import Clock
from understudy.control.resident_memory import ResidentMemory
from understudy.control.workers import Job, WorkerPool
from understudy.errors import Code, DataPlaneError
from understudy.lifecycle.actions import Inspect, Load, Unload, Withdraw
from understudy.priority import NICENESS
from understudy.servable import (
    Failure,
    Inspected,
    Loaded,
    LoadFailed,
    LoadOverdue,
    LoadWithdrawn,
    Outcome,
    ServableId,
    Unloaded,
    WarmUp,
)

INSPECTION_THREADS = 2
INSPECTION_PATIENCE_S = 1.0
INSPECTION_TIMEOUT_S = 5.0
"""An inspection that takes longer (a file system that hangs) says nothing: the load goes on without it, and
has its own deadline."""
UNLOAD_PATIENCE_S = 1.0
"""A drain mostly waits: others must not wait behind it."""

FORGET_EVERY = 100
"""Calls that watch deadlines, between two in which what has ended is forgotten: there may be thousands."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a version's files look like.

    Attributes:
        estimate_bytes: memory that it is expected to need.
        fingerprint: changes when the files do.
    """

    estimate_bytes: int
    fingerprint: str


class Loader(Protocol):
    """Brings a version of one platform to life, or fails with `DataPlaneError`. Called on a load thread."""

    def load(self, servable: ServableId, path: str, platform: str) -> WarmUp:
        """Opens, validates and warms up; the version is not routed yet."""
        ...

    def unload(self, servable: ServableId, *, drain_timeout_s: float) -> int:
        """Drains and frees; how many requests still held it when the time was up."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectSettings:
    """How many threads do the work, and how patiently.

    Attributes:
        load_threads: loads at once.
        unload_threads: unloads at once, besides those that wait for last requests.
        load_niceness: how much loading yields to serving, 0 to 19.
        load_patience_s: how long a load may keep a thread to itself.
        load_timeout_s: how long a load may take before it is reported as overdue.
        drain_timeout_s: how long an unload waits for a version's last request.
    """

    load_threads: int
    unload_threads: int
    load_niceness: int = NICENESS
    load_patience_s: float = math.inf
    load_timeout_s: float = 600.0
    drain_timeout_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Hands:
    """Who does the work.

    Attributes:
        loader: loads and unloads.
        inspect: looks at a version's files; called on threads that may hang in it.
    """

    loader: Loader
    inspect: Callable[[str], Inspection]


class Effects:
    """Starts inspections, loads and unloads; answers come through `report`, on the pools' threads."""

    def __init__(
        self, clock: Clock, hands: Hands, report: Callable[[Outcome], None], settings: EffectSettings
    ) -> None:
        self._clock = clock
        self._hands = hands
        self._report = report
        self._settings = settings
        self._memory = ResidentMemory()
        self._inspections = WorkerPool(
            "inspect",
            clock,
            threads=INSPECTION_THREADS,
            patience_s=INSPECTION_PATIENCE_S,
            niceness=settings.load_niceness,
        )
        self._loads = WorkerPool(
            "load",
            clock,
            threads=settings.load_threads,
            patience_s=min(settings.load_patience_s, settings.load_timeout_s),
            niceness=settings.load_niceness,
        )
        self._unloads = WorkerPool(
            "unload", clock, threads=settings.unload_threads, patience_s=UNLOAD_PATIENCE_S
        )
        self._calls = 0
        self._inspecting: dict[Job, Inspect] = {}
        self._loading: dict[Job, Load] = {}

    def inspect(self, action: Inspect) -> None:
        """Queues an inspection."""
        self._inspecting[self._inspections.submit(partial(self._inspect, action), self._report)] = action

    def load(self, action: Load, platform: str) -> None:
        """Queues a load attempt."""
        self._loading[self._loads.submit(partial(self._load, action, platform), self._report)] = action

    def withdraw(self, action: Withdraw) -> None:
        """Takes a load that has not begun out of the queue."""
        for job, load in self._loading.items():
            if load.servable == action.servable and self._loads.withdraw(job):
                self._report(LoadWithdrawn(action.servable))

    def unload(self, action: Unload) -> None:
        """Queues an unload."""
        self._unloads.submit(partial(self._unload, action), self._report)

    def watch_deadlines(self) -> None:
        """Reports what has taken too long; to be called now and then by whoever orders."""
        self._inspections.tend(INSPECTION_TIMEOUT_S, self._report_inspection_overdue)
        self._loads.tend(self._settings.load_timeout_s, self._report_load_overdue)
        self._unloads.tend()
        self._calls += 1
        if self._calls % FORGET_EVERY == 0:
            self._inspecting = {job: each for job, each in self._inspecting.items() if not job.is_settled}
            self._loading = {job: each for job, each in self._loading.items() if not job.is_settled}

    def stop(self) -> None:
        """Takes no more work; what runs is left to end by itself."""
        for pool in (self._inspections, self._loads, self._unloads):
            pool.stop()

    def _report_inspection_overdue(self, job: Job) -> None:
        self._report(Inspected(self._inspecting[job].servable, self._inspecting[job].path, 0))

    def _report_load_overdue(self, job: Job) -> None:
        self._report(LoadOverdue(self._loading[job].servable, self._settings.load_timeout_s))

    def _inspect(self, action: Inspect) -> Inspected:
        seen = self._hands.inspect(action.path)
        return Inspected(action.servable, action.path, seen.estimate_bytes, seen.fingerprint)

    def _load(self, action: Load, platform: str) -> Loaded | LoadFailed:
        started, mark = self._clock.now(), self._memory.begin()
        came_of_it = _attempt(partial(self._load_whole, action, platform))
        duration_s, growth_bytes = self._clock.now() - started, self._memory.end(mark)
        if isinstance(came_of_it, WarmUp):
            return Loaded(action.servable, duration_s, growth_bytes, came_of_it)
        return LoadFailed(action.servable, duration_s, came_of_it)

    def _load_whole(self, action: Load, platform: str) -> WarmUp:
        """Loads; and throws away what was loaded from files that changed meanwhile.

        Raises:
            DataPlaneError: it cannot be loaded, and why.
        """
        warm_up = self._hands.loader.load(action.servable, action.path, platform)
        if action.fingerprint in {None, self._hands.inspect(action.path).fingerprint}:
            return warm_up
        self._hands.loader.unload(action.servable, drain_timeout_s=0.0)
        raise DataPlaneError(
            Code.ABORTED,
            f"the files in {action.path} changed while they were being loaded; what was read may be of two "
            "exports, so it is not served",
        )

    def _unload(self, action: Unload) -> Unloaded:
        started, mark = self._clock.now(), self._memory.begin()
        left = self._hands.loader.unload(action.servable, drain_timeout_s=self._settings.drain_timeout_s)
        self._memory.end(mark)
        return Unloaded(action.servable, self._clock.now() - started, requests_left=left)


def _attempt(load: Callable[[], WarmUp]) -> WarmUp | Failure:
    try:
        return load()
    except DataPlaneError as error:
        return Failure(error.code, error.message)
    except Exception as error:  # noqa: BLE001 (a loader's bug must not leave its version loading for ever)
        return Failure(Code.INTERNAL, f"the loader failed unexpectedly: {error!r}")
