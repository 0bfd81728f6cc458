"""Time, as an argument: the core never reads a clock, the shell reads this one."""

import time
from datetime import UTC, datetime
from typing import Protocol

SET_BY_S = 0.5
"""The machine's clock was set, not merely steered, when it moved by more than this against the other."""


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


class Calendar:
    """Dates for times of a clock. One time has one date, however often it is asked for.

    Unless the machine's clock is set meanwhile: reading both clocks anew each time would make the date of one
    moment differ by microseconds, and whoever compares two pictures would see changes that are none.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset_s = clock.wall() - clock.now()

    def seconds(self, at: float) -> float:
        """Seconds since 1970 (UTC)."""
        offset_s = self._clock.wall() - self._clock.now()
        if abs(offset_s - self._offset_s) > SET_BY_S:
            self._offset_s = offset_s
        return self._offset_s + at

    def date(self, at: float) -> datetime:
        """The same as a date in UTC."""
        return datetime.fromtimestamp(self.seconds(at), UTC)
