"""Following a rollout: its decisions as they are taken, and on a terminal the numbers, redrawn in place.

A server that goes away is waited for, for so long that it may be started again.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import click
import msgspec
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from understudy.admin.rollouts import RolloutView, StoryView
from understudy.cli.outcome import Unreachable
from understudy.cli.rollout_client import ask_story
from understudy.cli.rollout_tables import build_rollout, describe_decision
from understudy.cli.tables import new_console

INTERVAL_S = 1.0
AWAY_S_MAX = 300.0
"""How long a server may be away: it is being started again, and its rollouts go on then."""


class _Screen(Protocol):
    """Where the story goes."""

    def show(self, story: StoryView) -> None:
        """The story so far."""
        ...

    def miss(self, reason: str) -> None:
        """Nobody tells it, and why."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """What to follow, and until when.

    Attributes:
        admin_url: of the server's operators' API.
        rollout: its id.
        is_over: whether a state of it is the last that is waited for.
        wait_s: how long to follow it at most.
        as_json: one document a line, whenever something was decided.
    """

    admin_url: str
    rollout: str
    is_over: Callable[[RolloutView], bool]
    wait_s: float
    as_json: bool


def follow(following: Following) -> RolloutView:
    """The rollout as it was when it was over, or when the time was up.

    Raises:
        Unreachable: the server was away for too long.
        NegativeAnswer: the rollout is not on record any more.
    """
    if sys.stdout.isatty() and not following.as_json:
        console = new_console()
        with Live(console=console, auto_refresh=False, vertical_overflow="ellipsis") as live:
            return _follow(following, _Terminal(live, console))
    return _follow(following, _Pipe(as_json=following.as_json))


def _follow(following: Following, screen: _Screen) -> RolloutView:
    now = time.monotonic()
    deadline, away_until = now + following.wait_s, now + AWAY_S_MAX
    seen: RolloutView | None = None
    while True:
        try:
            story = ask_story(following.admin_url, following.rollout)
        except Unreachable as error:
            if time.monotonic() >= away_until:
                raise
            screen.miss(error.message)
        else:
            screen.show(story)
            seen, away_until = story.rollout, time.monotonic() + AWAY_S_MAX
            if following.is_over(seen):
                return seen
        if seen is not None and time.monotonic() >= deadline:
            return seen
        time.sleep(INTERVAL_S)


class _Pipe:
    """A line for each decision; says on standard error when nobody tells the story."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._told = 0
        self._missing: str | None = None

    def show(self, story: StoryView) -> None:
        if self._missing is not None:
            self._missing = None
            click.echo("The server answers again.", err=True)
        for decision in story.decisions[self._told :]:
            click.echo(msgspec.json.encode(decision) if self._as_json else describe_decision(decision))
        self._told = max(self._told, len(story.decisions))

    def miss(self, reason: str) -> None:
        if reason != self._missing:
            self._missing = reason
            click.echo(f"Waiting: {reason}", err=True)


class _Terminal:
    """Decisions scroll by; below them the present state is redrawn in place."""

    def __init__(self, live: Live, console: Console) -> None:
        self._live = live
        self._console = console
        self._told = 0
        self._seen: RolloutView | None = None
        self._seen_at = time.monotonic()

    def show(self, story: StoryView) -> None:
        for decision in story.decisions[self._told :]:
            self._console.print(describe_decision(decision), soft_wrap=True)
        self._told = max(self._told, len(story.decisions))
        self._seen, self._seen_at = story.rollout, time.monotonic()
        self._draw(Text("Ctrl-C stops watching; the rollout goes on.", style="dim"))

    def miss(self, reason: str) -> None:
        away = f"No answer for {time.monotonic() - self._seen_at:.0f} s; asking on. {reason}"
        self._draw(Text(away, style="bold red"))

    def _draw(self, foot: Text) -> None:
        body = [] if self._seen is None else [Text(), build_rollout(self._seen, with_bar=True)]
        self._live.update(Group(*body, foot), refresh=True)
