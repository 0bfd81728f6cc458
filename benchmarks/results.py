"""What one run of the benchmarks found, as it is written down."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.machine import Machine
from benchmarks.summary import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """One ratio: over all rounds, and the extremes of single pairs of rounds."""

    what: str
    value: float
    low: float
    high: float
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Everything that is published."""

    date: str
    machine: Machine
    packages: dict[str, str]
    command: str
    quick: bool
    headlines: tuple[Headline, ...]
    throughput: tuple[Row, ...]
    changes: tuple[Row, ...]
    versions_published: int
    footprint: dict[str, str]
    method: tuple[str, ...]

    def write(self, folder: Path, page: str) -> Path:
        """Writes the page and the numbers it was made from; answers the page's path."""
        folder.mkdir(parents=True, exist_ok=True)
        stem = f"{self.date}-{self.machine.slug}" + ("-quick" if self.quick else "")
        numbers = json.dumps(asdict(self), indent=1, ensure_ascii=False)
        (folder / f"{stem}.json").write_text(numbers + "\n", encoding="utf-8")
        written = folder / f"{stem}.md"
        written.write_text(page, encoding="utf-8")
        return written
