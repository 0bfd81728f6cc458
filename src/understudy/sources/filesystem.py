"""A source that polls local directories: many models, each looked at on its own.

One thread looks; what it saw goes out as facts. It decides nothing about versions.
"""

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from understudy.clock import Clock
from understudy.servable import FoundVersions, ServableId
from understudy.sources.directory import Listing, describe_failure, found_version, list_versions

Report = Callable[[tuple[FoundVersions, ...]], None]

MTIME_TRUST_S = 2.0
"""A listing is reused only when it was made this long after the directory last changed: a change within
the same tick of the file system's clock would leave the time as it was."""


@dataclass(frozen=True, slots=True)
class _Remembered:
    """A look that need not be repeated while the directory is the same."""

    base_path: str
    identity: tuple[int, int, int]
    listed_at: float
    listing: Listing
    found: FoundVersions


class FileSystemSource:
    """Polls base paths and reports all models after each look at them.

    A model that did not change is reported as the very same object, so that a reader can skip it by identity.
    """

    def __init__(self, clock: Clock, report: Report, *, poll_interval_s: float) -> None:
        """Prepares a source.

        Args:
            clock: the wall clock is compared with directories' times.
            report: takes what was seen; called on the polling thread.
            poll_interval_s: seconds between the starts of two polls; 0: only when the models change;
                negative: only when `poll` is called.
        """
        self._clock = clock
        self._report = report
        self._interval_s = poll_interval_s
        self._models: Mapping[str, str] = {}
        self._watched: frozenset[ServableId] = frozenset()
        self._remembered: dict[str, _Remembered] = {}
        self._wake = threading.Condition()
        self._stopping = False
        self._due = False
        self._thread = threading.Thread(target=self._run, name="source-poll", daemon=True)

    def start(self) -> None:
        """Starts polling."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Stops polling; a look that hangs in the file system is left behind."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join(timeout_s)

    def set_models(self, models: Mapping[str, str]) -> None:
        """From now on these base paths, by model name; a look follows at once."""
        with self._wake:
            self._models = dict(models)
            self._due = self._interval_s >= 0
            self._wake.notify()

    def watch(self, servables: frozenset[ServableId]) -> None:
        """Fingerprint these versions in each look (it costs I/O), and no others."""
        with self._wake:
            self._watched = servables

    def poll(self) -> None:
        """Looks at every model once and reports, in this thread."""
        with self._wake:
            models, watched = self._models, self._watched
        seen = tuple(self._look(name, path, watched) for name, path in models.items())
        self._remembered = {name: self._remembered[name] for name in models if name in self._remembered}
        self._report(seen)

    def _run(self) -> None:
        next_at = self._clock.now()
        while self._wait_until_due(next_at):
            next_at = self._clock.now() + self._interval_s
            self.poll()

    def _wait_until_due(self, next_at: float) -> bool:
        with self._wake:
            while not (self._stopping or self._due):
                wait_s = next_at - self._clock.now() if self._interval_s > 0 else None
                if wait_s is not None and wait_s <= 0:
                    break
                self._wake.wait(wait_s)
            self._due = False
            return not self._stopping

    def _look(self, name: str, base_path: str, watched: frozenset[ServableId]) -> FoundVersions:
        before = self._remembered.get(name)
        try:
            seen = os.stat(base_path)  # noqa: PTH116 (ten thousand of these in one poll)
            identity = (seen.st_dev, seen.st_ino, seen.st_mtime_ns)
            if before is not None and _is_unchanged(before, base_path, identity):
                listing = before.listing
            else:
                listing = list_versions(base_path)
        except OSError as error:
            self._remembered.pop(name, None)
            return FoundVersions(name, (), describe_failure(base_path, error), base_path=base_path)
        found = FoundVersions(
            name,
            tuple(
                found_version(number, path, watched=ServableId(name, number) in watched)
                for number, path in listing.paths.items()
            ),
            ignored=listing.ignored,
            base_path=base_path,
        )
        if before is not None and before.found == found:
            found = before.found
        listed_at = before.listed_at if before and listing is before.listing else self._clock.wall()
        self._remembered[name] = _Remembered(base_path, identity, listed_at, listing, found)
        return found


def _is_unchanged(before: _Remembered, base_path: str, identity: tuple[int, int, int]) -> bool:
    changed_at = identity[2] / 1e9
    return (
        before.base_path == base_path
        and before.identity == identity
        and not before.listing.follows_links
        and before.listed_at - changed_at > MTIME_TRUST_S
    )
