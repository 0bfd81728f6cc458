"""By how much the process's resident memory grows during a load: measured, to stand beside the estimate.

The system tells the memory of the whole process only. So what one load took is known when no other load and
no unload ran at the same time, and even then requests that ran meanwhile are in it: a number for people.
"""

import os
import threading
from dataclasses import dataclass
from pathlib import Path

STATM = Path("/proc/self/statm")
"""Pages: size, resident, ... (proc(5)); on other systems nothing is measured."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The beginning of something that changes memory."""

    begun: int
    is_alone: bool
    resident_bytes: int | None


class ResidentMemory:
    """Watches what changes memory; from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._begun = 0
        self._under_way = 0

    def begin(self) -> Mark:
        """A load or an unload begins."""
        with self._lock:
            self._begun += 1
            self._under_way += 1
            return Mark(self._begun, self._under_way == 1, resident_bytes())

    def end(self, mark: Mark) -> int | None:
        """It has ended; by how much memory grew, if nothing else may have changed it."""
        with self._lock:
            self._under_way -= 1
            is_alone = mark.is_alone and self._begun == mark.begun
        now = resident_bytes()
        if not is_alone or now is None or mark.resident_bytes is None:
            return None
        return now - mark.resident_bytes


def resident_bytes() -> int | None:
    """What the process holds in memory now; none where the system does not tell."""
    try:
        pages = int(STATM.read_text().split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
