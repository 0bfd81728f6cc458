"""Fakes that we promise to users: time and a source of versions that move only when told to."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from understudy.model_config import ModelConfig
from understudy.servable import Failure, FoundVersion, FoundVersions, Inspected, ServableId


@dataclass(slots=True)
class ManualClock:
    """A clock that stands still until it is moved. It is a `Clock`.

    Attributes:
        now_s: what `now` answers.
        wall_at_zero_s: what `wall` answers while `now_s` is 0.
    """

    now_s: float = 0.0
    wall_at_zero_s: float = 1_700_000_000.0

    def now(self) -> float:
        """Seconds since the clock was made, as far as it was moved."""
        return self.now_s

    def wall(self) -> float:
        """Seconds since 1970, in step with `now`."""
        return self.wall_at_zero_s + self.now_s

    def advance(self, duration_s: float) -> float:
        """Moves it on; the new time.

        Raises:
            ValueError: the duration is negative.
        """
        if duration_s < 0:
            raise ValueError(f"time does not run backwards: {duration_s} s")
        self.now_s += duration_s
        return self.now_s


@dataclass(slots=True)
class FakeSource:
    """Version directories that exist only here. Fingerprints only the versions that it is told to watch.

    Attributes:
        found: what a look at each base path finds: by version.
        estimates: memory that a version needs, by its path.
        failures: base paths that cannot be read, and why.
    """

    found: dict[str, dict[int, FoundVersion]] = field(default_factory=dict)
    estimates: dict[str, int] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)

    def put(
        self, base_path: str, version: int, *, fingerprint: str = "original", estimate_bytes: int = 0
    ) -> FoundVersion:
        """A version appears under a base path, or its files change."""
        found = FoundVersion(version, f"{base_path}/{version}", fingerprint)
        self.estimates[found.path] = estimate_bytes
        self.found.setdefault(base_path, {})[version] = found
        return found

    def delete(self, base_path: str, version: int) -> None:
        """A version's directory is removed.

        Raises:
            KeyError: it is not there.
        """
        del self.found[base_path][version]

    def fail(self, base_path: str, failure: Failure) -> None:
        """From now on, looks at this base path fail."""
        self.failures[base_path] = failure

    def heal(self, base_path: str) -> None:
        """From now on, looks at this base path succeed."""
        self.failures.pop(base_path, None)

    def look(self, model: ModelConfig, watched: AbstractSet[int] = frozenset()) -> FoundVersions:
        """What is there now."""
        failure = self.failures.get(model.base_path)
        if failure is not None:
            return FoundVersions(model.name, (), failure, base_path=model.base_path)
        by_version = self.found.get(model.base_path, {})
        versions = tuple(_as_seen(by_version[number], watched) for number in sorted(by_version))
        return FoundVersions(model.name, versions, base_path=model.base_path)

    def inspect(self, servable: ServableId, path: str) -> Inspected:
        """What an inspection of a version's files says; of one that is gone, that it needs nothing."""
        base_path, _, name = path.rpartition("/")
        found = self.found.get(base_path, {}).get(int(name))
        if found is None:
            return Inspected(servable, path, 0)
        return Inspected(servable, path, self.estimates[path], found.fingerprint)


def _as_seen(found: FoundVersion, watched: AbstractSet[int]) -> FoundVersion:
    return found if found.version in watched else FoundVersion(found.version, found.path)
