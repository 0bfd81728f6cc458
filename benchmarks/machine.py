"""Where a measurement was made: what a reader needs to know before comparing it with their own."""

import os
import platform
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The machine, as the operating system tells it.

    Attributes:
        cpu_model: of its processor.
        cores: that this process may use.
        memory_gib: of the whole machine.
        kernel: name and release.
        python: of this process.
        commit: that is checked out.
        load_average: of the last minute before measuring; near 1 or over: others were at work.
    """

    cpu_model: str
    cores: int
    memory_gib: float
    kernel: str
    python: str
    commit: str
    load_average: float

    @property
    def slug(self) -> str:
        """A short name for file names: cores and CPU."""
        cpu = re.sub(r"[^a-z0-9]+", "-", self.cpu_model.lower()).strip("-")
        return f"{self.cores}-core-{cpu}"[:60]


def describe() -> Machine:
    """This machine, and the commit that is checked out."""
    return Machine(
        cpu_model=_first_match(Path("/proc/cpuinfo"), r"model name\s*:\s*(.+)") or platform.processor(),
        cores=len(os.sched_getaffinity(0)),
        memory_gib=round(int(_first_match(Path("/proc/meminfo"), r"MemTotal:\s*(\d+)") or 0) / 2**20, 1),
        kernel=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        commit=_commit(),
        load_average=round(os.getloadavg()[0], 2),
    )


def _first_match(file: Path, pattern: str) -> str | None:
    try:
        found = re.search(pattern, file.read_text(encoding="utf-8"))
    except OSError:
        return None
    return found.group(1).strip() if found else None


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return answer.stdout.strip() or "unknown"
