"""`understudy status --watch`: asks again and again, and shows what changed, until Ctrl-C.

A server that goes away is waited for: that is when somebody watches.
"""

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import click
import msgspec
from rich.console import Group
from rich.live import Live
from rich.text import Text

from understudy.admin.view import ModelView, ServerView
from understudy.cli.changes import Changes
from understudy.cli.outcome import NegativeAnswer, Unreachable
from understudy.cli.status_tables import VersionKey, build_model, build_server, build_watched_server
from understudy.cli.tables import new_console

Seen = ServerView | ModelView


class _Screen(Protocol):
    """Where pictures go."""

    def show(self, seen: Seen) -> None:
        """The next picture."""
        ...

    def miss(self, reason: str) -> None:
        """There is none, and why."""
        ...


def watch(ask: Callable[[], Seen], admin_url: str, *, interval_s: float, as_json: bool) -> None:
    """Shows what `ask` answers, every so many seconds, until Ctrl-C.

    Args:
        ask: for the picture; raises `Unreachable` or `NegativeAnswer`.
        admin_url: of the server, to name it when it does not answer.
        interval_s: between two questions.
        as_json: one document a line, whenever something changed.
    """
    with suppress(KeyboardInterrupt):
        if sys.stdout.isatty() and not as_json:
            with Live(console=new_console(), auto_refresh=False, vertical_overflow="ellipsis") as live:
                _follow(ask, _Terminal(live, admin_url), interval_s)
        else:
            _follow(ask, _Pipe(as_json=as_json), interval_s)


def _follow(ask: Callable[[], Seen], screen: _Screen, interval_s: float) -> None:
    while True:
        try:
            seen = ask()
        except (Unreachable, NegativeAnswer) as error:
            screen.miss(error.message)
        else:
            screen.show(seen)
        time.sleep(interval_s)


class _Pipe:
    """Prints each picture that differs from the last one; says on standard error when there is none."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._changes = Changes()
        self._missing: str | None = None

    def show(self, seen: Seen) -> None:
        if self._missing is not None:
            self._missing = None
            click.echo("The server answers again.", err=True)
        if not self._changes.take(seen, time.monotonic()):
            return
        if self._as_json:
            click.echo(msgspec.json.encode(seen))
        else:
            new_console().print(build_server(seen) if isinstance(seen, ServerView) else build_model(seen), "")

    def miss(self, reason: str) -> None:
        if reason != self._missing:
            self._missing = reason
            click.echo(f"Waiting: {reason}", err=True)


class _Terminal:
    """Redraws in place; when there is no picture, the last one stays and is said to be old."""

    def __init__(self, live: Live, admin_url: str) -> None:
        self._live = live
        self._admin_url = admin_url
        self._changes = Changes()
        self._seen: Seen | None = None
        self._seen_at = time.monotonic()

    def show(self, seen: Seen) -> None:
        now = self._seen_at = time.monotonic()
        self._seen = seen
        self._changes.take(seen, now)
        self._draw(Text(f"Watching {self._admin_url}; Ctrl-C ends.", style="dim"), self._changes.fresh(now))

    def miss(self, reason: str) -> None:
        text = f"No answer for {time.monotonic() - self._seen_at:.0f} s; asking on. {reason}"
        self._draw(Text(text, style="bold red"), frozenset())

    def _draw(self, head: Text, fresh: frozenset[VersionKey]) -> None:
        match self._seen:
            case ServerView() as server:
                body = [build_watched_server(server, fresh)]
            case ModelView() as model:
                body = [build_model(model, fresh)]
            case None:
                body = []
        self._live.update(Group(head, *body), refresh=True)
