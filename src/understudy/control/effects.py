"""What the loop decided, done: loads and unloads on their pools, each outcome sent back as a fact.

Nothing here decides about versions.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from understudy.clock import Clock
from understudy.control.workers import WorkerPool
from understudy.errors import Code, DataPlaneError
from understudy.lifecycle.actions import Load, Unload
from understudy.servable import Failure, Loaded, LoadFailed, Outcome, ServableId, Unloaded


class Loader(Protocol):
    """Brings a version of one platform to life, or fails with `DataPlaneError`. Called on a load thread."""

    def load(self, servable: ServableId, path: str, platform: str) -> None:
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
        unload_threads: unloads at once; a drain that waits holds one.
        load_niceness: how much loading yields to serving, 0 to 19.
        drain_timeout_s: how long an unload waits for a version's last request.
    """

    load_threads: int
    unload_threads: int
    load_niceness: int = 10
    drain_timeout_s: float = 30.0


class Effects:
    """Starts loads and unloads; answers come through `report`, on the pools' threads."""

    def __init__(
        self, clock: Clock, loader: Loader, report: Callable[[Outcome], None], settings: EffectSettings
    ) -> None:
        self._clock = clock
        self._loader = loader
        self._report = report
        self._settings = settings
        self._loads = WorkerPool("load", threads=settings.load_threads, niceness=settings.load_niceness)
        self._unloads = WorkerPool("unload", threads=settings.unload_threads)

    def load(self, action: Load, platform: str) -> None:
        """Queues a load attempt."""
        self._loads.submit(partial(self._load, action, platform))

    def unload(self, action: Unload) -> None:
        """Queues an unload."""
        self._unloads.submit(partial(self._unload, action))

    def stop(self) -> None:
        """Takes no more work; what runs is left to end by itself."""
        self._loads.stop()
        self._unloads.stop()

    def _load(self, action: Load, platform: str) -> None:
        started = self._clock.now()
        failure = self._failure_of(partial(self._loader.load, action.servable, action.path, platform))
        duration_s = self._clock.now() - started
        if failure is None:
            self._report(Loaded(action.servable, duration_s))
        else:
            self._report(LoadFailed(action.servable, duration_s, failure))

    def _unload(self, action: Unload) -> None:
        started = self._clock.now()
        left = self._loader.unload(action.servable, drain_timeout_s=self._settings.drain_timeout_s)
        self._report(Unloaded(action.servable, self._clock.now() - started, requests_left=left))

    @staticmethod
    def _failure_of(attempt: Callable[[], None]) -> Failure | None:
        try:
            attempt()
        except DataPlaneError as error:
            return Failure(error.code, error.message)
        except Exception as error:  # noqa: BLE001 (a loader's bug must not leave its version loading for ever)
            return Failure(Code.INTERNAL, f"the loader failed unexpectedly: {error!r}")
        return None
