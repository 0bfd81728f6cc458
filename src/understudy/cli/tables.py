"""Tables for people: colours on a terminal, plain text elsewhere."""

import sys
from datetime import datetime
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from understudy.servable import State

PIPE_WIDTH = 10_000
"""Of lines that no terminal limits: a row stays on one line, however long its reason, for grep and such."""

_STYLES: Final = {
    State.READY: "green",
    State.ERROR: "bold red",
    State.RETRYING: "yellow",
    State.LOADING: "cyan",
    State.NEW: "cyan",
    State.UNLOADING: "yellow",
    State.END: "dim",
}


def new_console() -> Console:
    """Where to print."""
    terminal = sys.stdout.isatty()
    return Console(highlight=False, markup=False, soft_wrap=False, width=None if terminal else PIPE_WIDTH)


def new_table(*headings: str) -> Table:
    """An empty table without lines, which copies well."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def show_state(state: State) -> Text:
    """A state in its colour."""
    return Text(state.value, style=_STYLES[state])


def show_time(moment: datetime) -> str:
    """A moment in the reader's own time zone, to the second."""
    return moment.astimezone().isoformat(sep=" ", timespec="seconds")


def show_sentence(text: str) -> str:
    """On one line: a runtime's own words may hold line breaks, and a piped row is one line."""
    return " ".join(text.split())


def show_seconds(seconds: float | None) -> str:
    """A duration; a dash when there is none."""
    return "-" if seconds is None else f"{seconds:.3g} s"
