"""Which versions serve, for the source to look at now and then: what is loaded should be what is on disk.

Kept up to date from what changed; what does not change costs nothing.
"""

from understudy.lifecycle.actions import StepResult
from understudy.servable import ServableId, State


class GuardedVersions:
    """The versions that are ready, of all models."""

    def __init__(self) -> None:
        self._by_model: dict[str, frozenset[ServableId]] = {}
        self._all: set[ServableId] = set()

    def note(self, result: StepResult) -> frozenset[ServableId] | None:
        """All of them, if that is news."""
        is_news = False
        for model in result.changed:
            ready = frozenset(
                ServableId(model.name, version.version)
                for version in model.versions
                if version.state is State.READY
            )
            is_news = self._replace(model.name, ready) or is_news
        for name in result.forgotten:
            is_news = self._replace(name, frozenset()) or is_news
        return frozenset(self._all) if is_news else None

    def _replace(self, name: str, ready: frozenset[ServableId]) -> bool:
        known = self._by_model.pop(name, frozenset())
        if ready:
            self._by_model[name] = ready
        self._all -= known
        self._all |= ready
        return ready != known
