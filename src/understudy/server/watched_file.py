"""An operator's file, read again: on request always, by polling when what it says has changed.

What its text means, and what is done with it, is its reader's business.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from understudy.clock import Clock
from understudy.priority import yield_to_requests

SETTLED_AFTER_S = 2.0
"""A file changed less than this long ago may change again with the same time stamp: it is read once more."""

_Stamp = tuple[int, int, int, int]
"""Device, inode, time of change and size: a file whose stamp is the same was not written to."""
_Said = TypeVar("_Said")


class WatchedFile(Generic[_Said]):
    """What a file said last. Any thread may ask."""

    def __init__(self, path: str, parse: Callable[[str], _Said], said: _Said, clock: Clock) -> None:
        """Remembers.

        Args:
            path: of the file.
            parse: what the file at a path says; raises ConfigError.
            said: what it said when the server was started.
            clock: for the age of the file.
        """
        self.path = path
        self._parse = parse
        self._clock = clock
        self._guard = threading.Lock()
        self._said: _Said | None = said
        self._stamp: _Stamp | None = None

    def read(self) -> _Said:
        """What it says now.

        Raises:
            ConfigError: it cannot be read or taken.
        """
        with self._guard:
            said = self._parse(self.path)
            self._said = said
            return said

    def read_change(self) -> _Said | None:
        """What it says now, when that is not what it said before; none when it is.

        Raises:
            ConfigError: it cannot be read or taken.
        """
        with self._guard:
            stamp = self._read_stamp()
            if stamp is not None and stamp == self._stamp:
                return None
            said = self._parse(self.path)
            self._stamp = stamp
            if said == self._said:
                return None
            self._said = said
            return said

    def forget(self, said: _Said) -> None:
        """What it said was refused: it counts as a change again, for the refusal may pass."""
        with self._guard:
            if self._said == said:
                self._said = self._stamp = None

    def _read_stamp(self) -> _Stamp | None:
        """None when a stamp would prove nothing."""
        try:
            found = Path(self.path).stat()
        except OSError:
            return None
        if self._clock.wall() - found.st_mtime < SETTLED_AFTER_S:
            return None
        return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


class Polling:
    """A thread that looks again and again."""

    def __init__(self, name: str, look: Callable[[], object]) -> None:
        self._name = name
        self._look = look
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, interval_s: float) -> None:
        """Begins to poll; the first look is at once, for the start may have taken long."""
        self._thread = threading.Thread(target=self._run, args=(interval_s,), name=self._name, daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Ends polling; harmless when it never began."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _run(self, interval_s: float) -> None:
        yield_to_requests()
        self._look()
        while not self._stopping.wait(interval_s):
            self._look()
