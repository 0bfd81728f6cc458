"""Time, as an argument: the core never reads a clock, the shell reads this one."""

import time
from typing import Protocol


class Clock(Protocol):
    """Two readings of time."""

    def now(self) -> float:
        """Seconds that never run backwards; only differences mean anything."""
        ...

    def wall(self) -> float:
        """Seconds since 1970 (UTC), for people and records."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        """Seconds of the monotonic clock."""
        return time.monotonic()

    def wall(self) -> float:
        """Seconds since 1970 (UTC)."""
        return time.time()
