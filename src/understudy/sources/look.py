"""One look at one place, given what the look before saw: what need not be asked again is not. No thread.

It asks the file system and may hang in it; who waits for whom is said in lookers.py.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass

from understudy.clock import Clock
from understudy.servable import FoundVersion, FoundVersions, Place
from understudy.sources.directory import Listing, describe_failure, find_named, fingerprint, list_versions

MTIME_TRUST_S = 2.0
"""A listing is reused only when it was made this long after the directory last changed: a change within
the same tick of the file system's clock would leave the time as it was."""

NONE: frozenset[int] = frozenset()
_NOTHING = Listing({})

StatPath = Callable[[str], os.stat_result]
"""Asks the file system which directory is at a path, and when it last changed."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look saw, and what spares the next one work.

    Attributes:
        place: where it looked.
        identity: device, inode and time of change of the base path; none when it could not be read.
        listing: what was there.
        is_settled: the listing holds as long as the base path stays as it is.
        kept: versions whose fingerprint was asked for.
        found: what is reported.
    """

    place: Place
    identity: tuple[int, int, int] | None
    listing: Listing
    is_settled: bool
    kept: frozenset[int]
    found: FoundVersions


@dataclass(slots=True, kw_only=True, eq=False)
class Look:
    """A look that is asked for; filled in by the thread that looks.

    Attributes:
        name: the model.
        place: where to look.
        asked_at: when it was asked for.
        before: what the look before saw, at this place or another.
        watched: versions to fingerprint.
        guarded: versions whose last known fingerprint is reported again.
        checked: of those, the ones whose fingerprint is taken anew.
        begun_at: when a thread took it up.
        check_s: what the fingerprints of the checked versions took.
        seen: the answer.
        overdue: what is reported as long as the answer has not come in time.
    """

    name: str
    place: Place
    asked_at: float
    before: Seen | None = None
    watched: frozenset[int] = NONE
    guarded: frozenset[int] = NONE
    checked: frozenset[int] = NONE
    begun_at: float | None = None
    check_s: float = 0.0
    seen: Seen | None = None
    overdue: FoundVersions | None = None

    @property
    def device(self) -> int | None:
        """The file system that the place was on when it was last looked at; none: not known."""
        before = self.before
        if before is None or before.identity is None or before.place.base_path != self.place.base_path:
            return None
        return before.identity[0]


class Eyes:
    """Carries looks out; keeps nothing between two of them, so that many threads may use it at once."""

    def __init__(self, clock: Clock, stat: StatPath = os.stat) -> None:
        """Opens them.

        Args:
            clock: the wall clock is compared with directories' times.
            stat: the one question that every look asks.
        """
        self._clock = clock
        self._stat = stat

    def look(self, look: Look) -> Seen:
        """Carries one look out. Of a place that did not change it answers what was seen before, itself."""
        before = look.before if look.before is not None and look.before.place == look.place else None
        try:
            stat = self._stat(look.place.base_path)
            identity = (stat.st_dev, stat.st_ino, stat.st_mtime_ns)
            if before is None or not before.is_settled or before.identity != identity:
                return self._look_inside(look, before, identity)
        except (OSError, ValueError) as error:
            return _unreadable(look, before, error)
        if look.watched or look.checked or look.guarded != before.kept:
            return self._report(look, before, before)
        return before

    def _look_inside(self, look: Look, before: Seen | None, identity: tuple[int, int, int]) -> Seen:
        place = look.place
        looked_at = self._clock.wall()
        listing = find_named(place.base_path, place.versions) if place.versions is not None else None
        if listing is None:
            listing = list_versions(place.base_path)
        is_settled = not listing.follows_links and looked_at - identity[2] / 1e9 > MTIME_TRUST_S
        now = Seen(place, identity, listing, is_settled, NONE, FoundVersions(look.name, ()))
        return self._report(look, before, now)

    def _report(self, look: Look, before: Seen | None, now: Seen) -> Seen:
        """Takes the fingerprints that are asked for; what is as before is the same object as before."""
        known = {each.path: each.fingerprint for each in before.found.versions} if before else {}
        kept = look.watched | look.guarded
        found = FoundVersions(
            look.name,
            tuple(
                FoundVersion(number, path, self._fingerprint(look, number, path, known) if kept else None)
                for number, path in now.listing.paths.items()
            ),
            base_path=look.place.base_path,
            ignored=now.listing.ignored,
            only=now.listing.only,
        )
        if before is not None and before.found == found:
            found = before.found
        return Seen(now.place, now.identity, now.listing, now.is_settled, kept, found)

    def _fingerprint(self, look: Look, number: int, path: str, known: dict[str, str | None]) -> str | None:
        if number in look.watched:
            return fingerprint(path)
        if number in look.checked:
            begun_at = self._clock.now()
            taken = fingerprint(path)
            look.check_s += self._clock.now() - begun_at
            return taken
        return known.get(path) if number in look.guarded else None


def _unreadable(look: Look, before: Seen | None, error: OSError | ValueError) -> Seen:
    base_path = look.place.base_path
    found = FoundVersions(look.name, (), describe_failure(base_path, error), base_path=base_path)
    if before is not None and before.found == found:
        return before
    return Seen(look.place, None, _NOTHING, is_settled=False, kept=NONE, found=found)
