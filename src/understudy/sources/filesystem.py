"""A source that polls local directories: many models, each looked at on its own.

It says when to look, remembers what was seen, and reports it. It decides nothing about versions; one look is
look.py's, the threads that look are lookers.py's.
"""

import os
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from understudy.clock import Clock
from understudy.errors import Code
from understudy.priority import yield_to_requests
from understudy.servable import Failure, FoundVersions, Place, ServableId
from understudy.sources.guard import Guard
from understudy.sources.look import NONE, Eyes, Look, Seen, StatPath
from understudy.sources.lookers import Lookers

Report = Callable[[tuple[FoundVersions, ...]], None]
ByModel = Mapping[str, frozenset[int]]

PATIENCE_S = 1.0
"""A poll reports this long after its start, whatever has not come back by then: that follows by itself."""
LOOK_TIMEOUT_S = 5.0
"""A look that has not come back after this time is reported as failed; it comes back when it may."""


@dataclass(slots=True)
class _Wanted:
    """What was asked for since the last poll. Guarded by the source's condition.

    Attributes:
        models: where to look, by model.
        watched: versions to fingerprint in every poll, by model.
        guarded: versions to fingerprint in turn; none: as before.
        is_due: a poll is asked for now.
        is_late: a look was answered after its poll had reported.
        is_over: no more polls.
    """

    models: Mapping[str, Place] = field(default_factory=dict)
    watched: dict[str, frozenset[int]] = field(default_factory=dict)
    guarded: frozenset[ServableId] | None = None
    is_due: bool = False
    is_late: bool = False
    is_over: bool = False


class FileSystemSource:
    """Polls base paths and reports the models after each look at them.

    A model that did not change is reported as the very same object, so that a reader can skip it by identity.
    A look that hangs keeps nobody waiting: it is begun once, and reported as failed while it does not return.
    """

    def __init__(
        self, clock: Clock, report: Report, *, poll_interval_s: float, stat: StatPath = os.stat
    ) -> None:
        """Prepares a source.

        Args:
            clock: the wall clock is compared with directories' times.
            report: takes what was seen; called on the polling thread.
            poll_interval_s: seconds between the starts of two polls; 0: only when the models change;
                negative: only when `poll` is called.
            stat: the one question that every look asks the file system.
        """
        self._clock = clock
        self._report = report
        self._interval_s = poll_interval_s
        self._lookers = Lookers(clock, Eyes(clock, stat).look, self._note_late)
        self._wanted = _Wanted()
        self._wake = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="source-poll", daemon=True)
        # From here on the polling thread's own.
        self._models: Mapping[str, Place] = {}
        self._seen: dict[str, Seen] = {}
        self._under_way: dict[str, Look] = {}
        self._guard = Guard()
        self._guarded: ByModel = {}

    def start(self) -> None:
        """Starts polling."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Stops polling; a look that hangs in the file system is left behind."""
        with self._wake:
            self._wanted.is_over = True
            self._wake.notify()
        self._thread.join(timeout_s)

    def set_models(self, models: Mapping[str, Place]) -> None:
        """From now on these places, by model name; a look follows at once if that is news.

        It follows in any case when nothing else would ever bring one.
        """
        with self._wake:
            is_news = models != self._wanted.models
            if is_news:
                self._wanted.models = dict(models)
            if self._interval_s == 0 or (is_news and self._interval_s > 0):
                self._wanted.is_due = True
                self._wake.notify()

    def look_soon(self) -> None:
        """Looks follow at once, beside those that are due in any case; none when polling is off."""
        with self._wake:
            self._wanted.is_due = self._interval_s >= 0
            self._wake.notify()

    def watch(self, changes: Mapping[str, frozenset[int]]) -> None:
        """Fingerprint these versions of these models in each look (it costs I/O); of others as before."""
        with self._wake:
            for name, versions in changes.items():
                if versions:
                    self._wanted.watched[name] = versions
                else:
                    self._wanted.watched.pop(name, None)

    def guard(self, servables: frozenset[ServableId]) -> None:
        """Fingerprint these versions in turn, within a budget; in between the last known one is reported."""
        with self._wake:
            self._wanted.guarded = servables

    def poll(self) -> None:
        """Looks at every model once and reports; to be called by one thread at a time."""
        with self._wake:
            models, watched, guarded = self._wanted.models, dict(self._wanted.watched), self._wanted.guarded
            self._wanted.guarded = None
        if guarded is not None:
            self._guard.set(guarded)
            self._guarded = _by_model(guarded)
        if models is not self._models:
            self._configure(models)
        asked_at = self._clock.now()
        looks = self._ask(watched, asked_at)
        self._lookers.begin(looks)
        answered = self._lookers.wait(looks, asked_at + PATIENCE_S)
        self._report((*self._take(answered), *self._overdue()))

    def _run(self) -> None:
        yield_to_requests()  # and so do the threads that look, which are started from here
        next_at = self._clock.now()
        while (is_due := self._wait_until_due(next_at)) is not None:
            if is_due:
                next_at = self._clock.now() + self._interval_s
                self.poll()
            elif late := (*self._take(self._lookers.take()), *self._overdue()):
                self._report(late)

    def _wait_until_due(self, next_at: float) -> bool | None:
        """Whether a poll is due, or else something that an earlier one waited for; none: it is over."""
        wanted = self._wanted
        with self._wake:
            while not wanted.is_over:
                wait_s = next_at - self._clock.now() if self._interval_s > 0 else None
                if wanted.is_due or (wait_s is not None and wait_s <= 0):
                    wanted.is_due = False
                    return True
                if wanted.is_late:
                    wanted.is_late = False
                    return False
                is_any_to_tell = any(look.overdue is None for look in self._under_way.values())
                if not self._wake.wait(min(wait_s or PATIENCE_S, PATIENCE_S) if is_any_to_tell else wait_s):
                    wanted.is_late = is_any_to_tell
        return None

    def _note_late(self) -> None:
        with self._wake:
            self._wanted.is_late = True
            self._wake.notify()

    def _configure(self, models: Mapping[str, Place]) -> None:
        """Forgets what was seen, and what is under way, where nobody asks any more."""
        self._models = models
        self._seen = {name: seen for name, seen in self._seen.items() if name in models}
        stale = [look for look in self._under_way.values() if models.get(look.name) != look.place]
        if stale:
            self._lookers.withdraw(stale)
            for look in stale:
                del self._under_way[look.name]

    def _ask(self, watched: ByModel, asked_at: float) -> list[Look]:
        """A look for each model, except where one is still under way."""
        checked = _by_model(self._guard.pick())
        looks = [
            Look(
                name=name,
                place=place,
                asked_at=asked_at,
                before=self._seen.get(name),
                watched=watched.get(name, NONE),
                guarded=self._guarded.get(name, NONE),
                checked=checked.get(name, NONE),
            )
            for name, place in self._models.items()
            if name not in self._under_way
        ]
        self._under_way.update((look.name, look) for look in looks)
        return looks

    def _take(self, answered: Iterable[Look]) -> list[FoundVersions]:
        """What these looks saw, of those that somebody still asks for."""
        reports = []
        for look in answered:
            if look.check_s:
                self._guard.note(len(look.checked), look.check_s)
            if self._under_way.get(look.name) is look and look.seen is not None:
                del self._under_way[look.name]
                self._seen[look.name] = look.seen
                reports.append(look.seen.found)
        return reports

    def _overdue(self) -> list[FoundVersions]:
        """Those that should have come back by now."""
        now = self._clock.now()
        for look in self._under_way.values():
            since = look.asked_at if look.begun_at is None else look.begun_at
            if look.overdue is None and now - since >= LOOK_TIMEOUT_S:
                look.overdue = _overdue(look)
        return [look.overdue for look in self._under_way.values() if look.overdue is not None]


def _by_model(servables: Iterable[ServableId]) -> ByModel:
    numbers: dict[str, set[int]] = {}
    for servable in servables:
        numbers.setdefault(servable.name, set()).add(servable.version)
    return {name: frozenset(each) for name, each in numbers.items()}


def _overdue(look: Look) -> FoundVersions:
    """The same words however long it lasts: it is one failure, told once."""
    path = look.place.base_path
    if look.begun_at is None:
        why = (
            f"No look at {path} could begin for {LOOK_TIMEOUT_S:g} s: looks at other paths have not come back"
        )
        failure = Failure(Code.UNAVAILABLE, why)
    else:
        why = f"The look at {path} has not come back for {LOOK_TIMEOUT_S:g} s: does its file system answer?"
        failure = Failure(Code.DEADLINE_EXCEEDED, why)
    return FoundVersions(look.name, (), failure, base_path=path)
