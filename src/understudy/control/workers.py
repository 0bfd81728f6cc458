"""Threads that do what the control loop decided. They decide nothing about what they do.

A job that hangs must not cost the pool a thread: when one takes longer than the pool's patience, a spare
thread starts in its place, and the late thread ends when its job does. A job that has passed its deadline is
told as overdue before its result, or not at all.
"""

import math
import queue
import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from understudy.clock import Clock
from understudy.priority import yield_to_requests

Result = TypeVar("Result")

SPARE_THREADS_MAX = 64
"""Threads that one pool starts in place of those whose jobs take long."""


class Job:
    """Work that was handed to a pool, and where it is. Only its pool changes it."""

    __slots__ = ("has_begun", "is_overdue", "is_replaced", "is_settled", "is_withdrawn", "work")

    def __init__(self, work: Callable[[], Callable[[], None]]) -> None:
        self.work = work
        self.has_begun = False
        self.is_overdue = False
        self.is_replaced = False
        self.is_withdrawn = False
        self.is_settled = False


class WorkerPool:
    """Threads that take jobs in order: so many whose jobs do not take long.

    The threads are daemons: a job that hangs in a broken file system must not keep the process from ending.
    """

    def __init__(
        self, name: str, clock: Clock, *, threads: int, patience_s: float, niceness: int = 0
    ) -> None:
        """Starts the threads.

        Args:
            name: for the threads' names.
            clock: by which jobs take long.
            threads: how many; at least 1.
            patience_s: how long a job may keep a thread to itself; without end: for as long as it runs.
            niceness: of the threads, so that loading yields to serving.
        """
        self._name = name
        self._clock = clock
        self._patience_s = patience_s
        self._niceness = niceness
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._running: dict[Job, float] = {}
        self._spares = 0
        self._threads = 0
        self._lock = threading.Lock()
        self._stopping = False
        for _ in range(threads):
            self._start_thread()

    def submit(self, work: Callable[[], Result], tell: Callable[[Result], None]) -> Job:
        """Queues work; neither it nor what tells of its result may raise."""
        job = Job(lambda: partial(tell, work()))
        self._jobs.put(job)
        return job

    def withdraw(self, job: Job) -> bool:
        """Keeps a job from beginning; whether this did it: not if it has begun, or was withdrawn before."""
        with self._lock:
            if job.has_begun or job.is_withdrawn:
                return False
            job.is_withdrawn = job.is_settled = True
            return True

    def tend(self, deadline_s: float = math.inf, tell_overdue: Callable[[Job], None] | None = None) -> None:
        """Starts spare threads where they are needed; to be called now and then.

        Args:
            deadline_s: how long a job may take at all.
            tell_overdue: is told of each job that has passed the deadline, once: before anything is told of
                its result, and not at all when the result is there. It must neither wait nor call the pool.
        """
        now = self._clock.now()
        with self._lock:
            for job, began_at in self._running.items():
                age_s = now - began_at
                if age_s >= self._patience_s and not job.is_replaced:
                    job.is_replaced = self._start_spare()
                if age_s >= deadline_s and not job.is_overdue and tell_overdue is not None:
                    job.is_overdue = True
                    tell_overdue(job)

    def stop(self) -> None:
        """Lets the threads end after the jobs queued so far."""
        with self._lock:
            self._stopping = True
            count = self._threads
        for _ in range(count):
            self._jobs.put(None)

    def _start_spare(self) -> bool:
        if self._spares == SPARE_THREADS_MAX or self._stopping:
            return False
        self._spares += 1
        self._start_thread()
        return True

    def _start_thread(self) -> None:
        self._threads += 1
        threading.Thread(target=self._run, name=f"{self._name}-{self._threads}", daemon=True).start()

    def _run(self) -> None:
        yield_to_requests(self._niceness)
        while (job := self._jobs.get()) is not None:
            if self._begin(job):
                tell = job.work()
                is_replaced = self._end(job)
                tell()
                if is_replaced:
                    return

    def _begin(self, job: Job) -> bool:
        with self._lock:
            if not job.is_withdrawn:
                job.has_begun = True
                self._running[job] = self._clock.now()
        return not job.is_withdrawn

    def _end(self, job: Job) -> bool:
        """Whether a spare thread has taken this one's place meanwhile."""
        with self._lock:
            job.is_settled = True
            del self._running[job]
            self._spares -= job.is_replaced
        return job.is_replaced
