"""Tables for people: colours on a terminal, plain text elsewhere."""

import sys
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from understudy.analysis.sentences import describe_share
from understudy.servable import State

PIPE_WIDTH = 10_000
"""Of lines that no terminal limits: a row stays on one line, however long its reason, for grep and such."""

_UNITS: Final = (("d", 86_400), ("h", 3_600), ("min", 60))
"""The largest first; one is used from two of it on."""
_BYTE_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")

WIDE: Final = 120
"""Columns from which on a screen has room for a long sentence beside other things."""

_LONG: Final = {
    *("MODEL", "LABELS", "POLICY", "TRAFFIC", "NOT READY"),
    *("CANDIDATE", "BASELINE", "LARGEST DIFFERENCE"),
    *("WHY", ""),
}
"""Headings of columns whose values may be broken over lines."""

_STYLES: Final = {
    State.READY: "green",
    State.ERROR: "bold red",
    State.RETRYING: "yellow",
    State.LOADING: "cyan",
    State.OVERDUE: "bold red",
    State.NEW: "cyan",
    State.UNLOADING: "yellow",
    State.END: "dim",
}


def new_console() -> Console:
    """Where to print."""
    terminal = sys.stdout.isatty()
    return Console(highlight=False, markup=False, soft_wrap=False, width=None if terminal else PIPE_WIDTH)


def new_table(*headings: str) -> Table:
    """An empty table without lines, which copies well; short values are never broken over lines."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold", no_wrap=heading not in _LONG)
    return table


@dataclass(frozen=True, slots=True)
class Fitting:
    """A table where there is room for it, else the same in lines that a narrow screen can fold."""

    wide: Table
    narrow: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Chooses."""
        unbounded = options.update(max_width=PIPE_WIDTH)
        fits = Measurement.get(console, unbounded, self.wide).maximum <= options.max_width
        yield self.wide if fits or options.max_width >= WIDE else self.narrow


def show_state(state: State) -> Text:
    """A state in its colour."""
    return Text(state.value, style=_STYLES[state])


def show_time(moment: datetime) -> str:
    """A moment in the reader's own time zone, to the second."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def show_zone() -> str:
    """The reader's own time zone."""
    return f"{datetime.now().astimezone():%Z}"


def show_elapsed(seconds: float) -> str:
    """A duration in its largest unit: `45 s`, `12 min`, `3 h`, `20 d`."""
    for name, unit_s in _UNITS:
        if seconds >= 2 * unit_s:
            return f"{int(seconds // unit_s)} {name}"
    return f"{max(0, int(seconds))} s"


def indent(text: str) -> Padding:
    """A sentence beneath what it belongs to."""
    return Padding(Text(show_sentence(text), overflow="fold"), (0, 0, 0, 2))


def show_sentence(text: str) -> str:
    """On one line: a runtime's own words may hold line breaks, and a piped row is one line."""
    return " ".join(text.split())


def show_rate(bad: int, total: int) -> str:
    """How many of how many: `12 of 4,031 (0.30 %)`."""
    share = f" ({describe_share(bad / total)})" if total else ""
    return f"{bad:,} of {total:,}{share}"


def show_seconds(seconds: float | None) -> str:
    """How long something took: `<1 ms`, `37 ms`, `1.25 s`, `12 min`; a dash when it is not known."""
    if seconds is None:
        return "-"
    if seconds < 0.1:
        return f"{seconds * 1000:.0f} ms" if seconds >= 0.001 else "<1 ms"
    return f"{seconds:.3g} s" if seconds < 100 else show_elapsed(seconds)


def show_bytes(size: int | None) -> str:
    """A size in its largest unit; a dash when it is not known."""
    if size is None:
        return "-"
    power = min(len(_BYTE_UNITS) - 1, max(0, abs(size).bit_length() - 1) // 10)
    scaled = size / 1024**power
    return (
        f"{scaled:.0f} {_BYTE_UNITS[power]}" if abs(scaled) >= 100 else f"{scaled:.3g} {_BYTE_UNITS[power]}"
    )
