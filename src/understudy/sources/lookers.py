"""The threads that look. A look that hangs in the file system holds up its own thread and no other look.

Nothing here knows what a look sees (look.py) or who wants it (filesystem.py).
"""

import threading
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable

from understudy.clock import Clock
from understudy.sources.look import Look, Seen

LOOKERS_MAX = 32
"""Threads that look, those that hang included."""
LOOKER_ADDED_AFTER_S = 0.1
"""Looks that wait this long get another thread. A healthy file system never needs a second one, and threads
that ask it ten thousand times a second would only get in each other's way."""
STUCK_PER_DEVICE_MAX = 2
"""Threads that one file system may keep for longer than that: further looks at it wait until one returns, so
that a dead mount with a thousand models leaves the threads to the others."""


class Lookers:
    """Carries out looks on threads that come and go with the work."""

    def __init__(self, clock: Clock, look: Callable[[Look], Seen], on_late: Callable[[], None]) -> None:
        """Prepares; no thread is started before there is a look.

        Args:
            clock: for the time at which each look was begun.
            look: carries one out; may hang.
            on_late: called on a looker's thread when a look was answered that nobody waits for any more.
        """
        self._clock = clock
        self._look = look
        self._on_late = on_late
        self._lock = threading.Lock()
        self._pending: deque[Look] = deque()
        self._busy: dict[int, Look] = {}
        self._stuck: frozenset[int] = frozenset()
        self._answered: deque[Look] = deque()
        self._lookers = 0
        self._is_waited_for = False
        self._idle = threading.Event()

    def begin(self, looks: Iterable[Look]) -> None:
        """Asks for looks, in this order."""
        with self._lock:
            self._pending.extend(looks)
        self._add_looker()

    def withdraw(self, looks: Collection[Look]) -> None:
        """These are not wanted any more. One that was begun goes on; its answer is for the caller to drop."""
        unwanted = set(looks)
        with self._lock:
            self._pending = deque(look for look in self._pending if look not in unwanted)

    def wait(self, looks: Collection[Look], until: float) -> list[Look]:
        """Every look answered since the last call: once these are, or at a time of the clock."""
        self._is_waited_for = True
        while not all(look.seen is not None for look in looks):
            left_s = until - self._clock.now()
            if left_s <= 0:
                break
            if not self._idle.wait(min(left_s, LOOKER_ADDED_AFTER_S)):
                self._add_looker()
            self._idle.clear()
        self._is_waited_for = False  # from here on a late answer tells; then what came before is taken
        return self.take()

    def take(self) -> list[Look]:
        """Every look answered since the last call; waits for none."""
        self._add_looker()
        return [self._answered.popleft() for _ in range(len(self._answered))]

    def _add_looker(self) -> None:
        """Another thread, if looks wait; it leaves those alone that would only get stuck beside others."""
        if not self._pending:
            return
        self._stuck = self._stuck_devices()
        with self._lock:
            if not self._pending or self._lookers >= LOOKERS_MAX:
                return
            self._lookers += 1
        try:
            threading.Thread(target=self._run, name="source-look", daemon=True).start()
        except RuntimeError:  # the machine has no thread to spare: asked again when looks still wait
            self._note_ended()

    def _run(self) -> None:
        try:
            while (look := self._next()) is not None:
                look.begun_at = self._clock.now()
                self._busy[threading.get_ident()] = look
                look.seen = self._look(look)
                self._answered.append(look)
                if not self._is_waited_for:
                    self._on_late()
        finally:
            self._busy.pop(threading.get_ident(), None)
            self._note_ended()
            self._idle.set()

    def _next(self) -> Look | None:
        with self._lock:
            if not self._stuck:
                return self._pending.popleft() if self._pending else None
            for _ in range(len(self._pending)):
                look = self._pending.popleft()
                if look.device not in self._stuck:
                    return look
                self._pending.append(look)
            return None

    def _stuck_devices(self) -> frozenset[int]:
        """The file systems that keep as many threads as one may, for longer than a healthy one does."""
        now = self._clock.now()
        counts = Counter(
            look.device
            for look in list(self._busy.values())
            if look.seen is None and look.begun_at is not None and now - look.begun_at >= LOOKER_ADDED_AFTER_S
        )
        return frozenset(
            device for device, count in counts.items() if device is not None and count >= STUCK_PER_DEVICE_MAX
        )

    def _note_ended(self) -> None:
        with self._lock:
            self._lookers -= 1
