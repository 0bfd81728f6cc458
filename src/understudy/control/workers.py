"""Threads that do what the control loop decided: loads and unloads. They decide nothing."""

import os
import queue
import threading
from collections.abc import Callable

Task = Callable[[], None]


class WorkerPool:
    """A fixed number of threads that take tasks in order.

    The threads are daemons: a task that hangs in a broken file system must not keep the process from ending.
    """

    def __init__(self, name: str, *, threads: int, niceness: int = 0) -> None:
        """Starts the threads.

        Args:
            name: for the threads' names.
            threads: how many; at least 1.
            niceness: added to the threads' nice value, so that loading yields to serving (Linux schedules
                threads one by one; elsewhere it has no effect).
        """
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._niceness = niceness
        self._threads = [
            threading.Thread(target=self._run, name=f"{name}-{index}", daemon=True)
            for index in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, task: Task) -> None:
        """Queues a task; it must not raise."""
        self._tasks.put(task)

    def stop(self) -> None:
        """Lets the threads end after the tasks queued so far."""
        for _ in self._threads:
            self._tasks.put(None)

    def _run(self) -> None:
        if self._niceness and hasattr(os, "setpriority"):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), self._niceness)
        while (task := self._tasks.get()) is not None:
            task()
