"""Pages of results beside the big one: the same head, tables and files for each. No numbers are made here."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from benchmarks.machine import Machine

RESULTS = Path(__file__).parent / "results"


def head(title: str, machine: Machine, command: str) -> list[str]:
    """Title, machine, other work on it, command."""
    hardware = f"{machine.cores} cores of {machine.cpu_model}, {machine.memory_gib:g} GiB, {machine.kernel}"
    return [
        f"# {title}",
        "",
        f"* **Machine**: {hardware}. Server and clients share it.",
        f"* **Other work on it** just before: load average {machine.load_average:g}.",
        f"* **Software**: commit {machine.commit}, Python {machine.python}.",
        f"* **Command**: `{command}`",
        "",
    ]


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table whose first column is words and the others numbers."""
    rules = ["---", *["---:"] * (len(columns) - 1)]
    return [*(f"| {' | '.join(cells)} |" for cells in (columns, rules, *rows)), ""]


def method(text: str) -> list[str]:
    """How it was done: one point for each paragraph."""
    return ["## Method", "", *(f"* {' '.join(point.split())}" for point in text.strip().split("\n\n")), ""]


def write(folder: Path, stem: str, lines: Iterable[str], results: msgspec.Struct) -> Path:
    """Writes the page and the numbers it was made from; answers the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{stem}.json").write_bytes(msgspec.json.format(msgspec.json.encode(results)) + b"\n")
    page = folder / f"{stem}.md"
    page.write_text("\n".join(lines), encoding="utf-8")
    return page
