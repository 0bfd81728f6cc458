"""One model's versions by number, and former incarnations of the same numbers that are not gone yet.

A number has one current incarnation. When the version is found in another place while it is loaded, or being
loaded, from where it was, the current one becomes a former one and a new one takes its number. Former ones
are never aspired, and are forgotten when they have ended. Which of them should live is decided in model.py.
"""

from collections.abc import Iterator

from understudy.lifecycle.harness import FINISHED, Harness
from understudy.servable import FoundVersion, ServableId, State


class Incarnations:
    """Every harness of one model; each in one place."""

    __slots__ = ("_current", "_former")

    def __init__(self) -> None:
        self._current: dict[int, Harness] = {}
        self._former: dict[ServableId, Harness] = {}

    def __iter__(self) -> Iterator[Harness]:
        yield from self._former.values()
        yield from self._current.values()

    def __len__(self) -> int:
        return len(self._former) + len(self._current)

    def current(self, version: int) -> Harness | None:
        """The incarnation that a number stands for."""
        return self._current.get(version)

    def find(self, servable: ServableId) -> Harness | None:
        """One incarnation; none when it is forgotten."""
        current = self._current.get(servable.version)
        if current is not None and current.servable == servable:
            return current
        return self._former.get(servable)

    def add(self, harness: Harness) -> None:
        """A number that stands for nothing stands for this one from now on."""
        assert harness.servable.version not in self._current  # noqa: S101 - two would share a number
        self._current[harness.servable.version] = harness

    def next_incarnation(self, version: int) -> int:
        """One that no harness of this number has."""
        known = [harness.servable.incarnation for harness in self if harness.servable.version == version]
        return max(known, default=-1) + 1

    def former_at(self, found: FoundVersion) -> Harness | None:
        """A former incarnation that still serves from the place where its number is found now."""
        for harness in self._former.values():
            is_same = harness.servable.version == found.version and harness.loaded_path == found.path
            if is_same and harness.state is State.READY:
                return harness
        return None

    def supersede(self, version: int, by: Harness | None = None) -> None:
        """The current incarnation becomes a former one; a former one takes its place, or nobody yet."""
        former = self._current.pop(version)
        self._former[former.servable] = former
        if by is not None:
            del self._former[by.servable]
            self._current[version] = by

    def forget(self, harness: Harness) -> None:
        """A current one is not remembered any longer."""
        del self._current[harness.servable.version]

    def forget_ended_formers(self) -> bool:
        """Former ones that have ended are nobody's concern; whether there were any."""
        ended = [servable for servable, harness in self._former.items() if harness.state in FINISHED]
        for servable in ended:
            del self._former[servable]
        return bool(ended)
