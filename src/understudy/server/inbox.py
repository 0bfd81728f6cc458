"""What the main thread waits for: signals, and the answer to its first order."""

import queue
import signal
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from understudy.control.facts import Applied

SIGNAL_CHECK_S = 0.5
"""The longest wait without a look for signals. One that comes just before the main thread begins to wait does
not wake it: its handler runs when the wait ends, so no wait may be without end."""


@dataclass(frozen=True, slots=True)
class StopAsked:
    """SIGTERM or SIGINT came."""

    signal_name: str


@dataclass(frozen=True, slots=True)
class ReloadAsked:
    """SIGHUP came."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The start's order has its answer, or its refusal."""

    answer: Future[Applied]


Message = StopAsked | ReloadAsked | Answered


class MainInbox:
    """Messages for the main thread, in order."""

    def __init__(self) -> None:
        self._messages: queue.SimpleQueue[Message] = queue.SimpleQueue()

    def next(self, timeout_s: float = SIGNAL_CHECK_S) -> Message | None:
        """The next message; none when the time is up, or when it is time to look for signals."""
        try:
            return self._messages.get(timeout=min(timeout_s, SIGNAL_CHECK_S))
        except queue.Empty:
            return None

    def expect(self, answer: Future[Applied]) -> None:
        """Puts the answer here when it is there."""
        answer.add_done_callback(lambda done: self._messages.put(Answered(done)))

    @contextmanager
    def signals(self) -> Iterator[None]:
        """Signals come here until the context ends. To be entered on the main thread."""
        handled = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        before = [(number, signal.signal(number, self._take)) for number in handled]
        try:
            yield
        finally:
            for number, handler in before:
                signal.signal(number, handler)

    def _take(self, number: int, _frame: FrameType | None) -> None:
        # A SimpleQueue may be put to from a signal handler, also while the main thread waits on it.
        if number == signal.SIGHUP:
            self._messages.put(ReloadAsked())
        else:
            self._messages.put(StopAsked(signal.Signals(number).name))
