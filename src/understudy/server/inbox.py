"""What the main thread waits for: signals, and the answer to its first order."""

import queue
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from understudy.control.facts import Applied

SIGNALS_READ_MAX = 64
"""Numbers taken from the socket at once; the rest wait there."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class StopAsked:
    """SIGTERM or SIGINT came."""

    signal: signal.Signals


@dataclass(frozen=True, slots=True)
class ReloadAsked:
    """SIGHUP came."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The start's order has its answer, or its refusal."""

    answer: Future[Applied]


@dataclass(frozen=True, slots=True)
class Drained:
    """The doors are closed and no request is under way, or the time for that is over.

    Attributes:
        requests_left: how many were cut off.
    """

    requests_left: Future[int]


Message = StopAsked | ReloadAsked | Answered | Drained


class MainInbox:
    """Messages for the main thread, in order."""

    def __init__(self) -> None:
        self._messages: queue.SimpleQueue[Message] = queue.SimpleQueue()

    def next(self, timeout_s: float | None = None) -> Message | None:
        """The next message; none when the time is up."""
        try:
            return self._messages.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def expect(self, answer: Future[Applied]) -> None:
        """Puts the answer here when it is there."""
        answer.add_done_callback(lambda done: self._messages.put(Answered(done)))

    def expect_drained(self, requests_left: Future[int]) -> None:
        """Puts it here when it is known."""
        requests_left.add_done_callback(lambda done: self._messages.put(Drained(done)))

    @contextmanager
    def signals(self) -> Iterator[None]:
        """Signals come here until the context ends. To be entered on the main thread.

        They go by way of a thread. A handler runs only when the main thread comes round to it, and nothing
        wakes that from a wait when the system gave the signal to another thread, or just before the wait
        began. So the handlers do nothing, and the interpreter writes each number where a thread reads it.
        """
        reading, writing = socket.socketpair()
        writing.setblocking(False)
        reader = threading.Thread(target=self._read_signals, args=(reading,), name="signals", daemon=True)
        reader.start()
        before_fd = signal.set_wakeup_fd(writing.fileno())
        before = [(number, signal.signal(number, _do_nothing)) for number in _SIGNALS]
        try:
            yield
        finally:
            for number, handler in before:
                signal.signal(number, handler)
            signal.set_wakeup_fd(before_fd)
            writing.close()
            reader.join()

    def _read_signals(self, reading: socket.socket) -> None:
        with reading:
            while numbers := reading.recv(SIGNALS_READ_MAX):
                for number in numbers:
                    self._take(number)

    def _take(self, number: int) -> None:
        if number == signal.SIGHUP:
            self._messages.put(ReloadAsked())
        elif number in _SIGNALS:  # a library may have a handler of its own for another
            self._messages.put(StopAsked(signal.Signals(number)))


def _do_nothing(_number: int, _frame: FrameType | None) -> None:
    """A handler there must be: without one the system's default is done, and nothing is written."""
