"""What changed between two pictures of a server. Counts of requests and passing time are no change."""

from dataclasses import replace

from understudy.admin.view import ModelView, ServerView, VersionView
from understudy.cli.status_tables import VersionKey

FRESH_S = 5.0
"""How long a change counts as fresh: longer than a glance away."""


class Changes:
    """Remembers the last picture, and when what changed."""

    def __init__(self) -> None:
        self._last: ServerView | ModelView | None = None
        self._versions: dict[VersionKey, VersionView] = {}
        self._changed_at: dict[VersionKey, float] = {}

    def take(self, seen: ServerView | ModelView, now: float) -> bool:
        """Takes the next picture; whether it differs from the one before. The first one does."""
        settled = _settle(seen)
        versions = _versions(settled)
        if self._last is not None:
            moved = {key: now for key, version in versions.items() if self._versions.get(key) != version}
            self._changed_at = {key: at for key, at in self._changed_at.items() if key in versions} | moved
        is_news = settled != self._last
        self._last, self._versions = settled, versions
        return is_news

    def fresh(self, now: float) -> frozenset[VersionKey]:
        """The versions that changed a moment ago."""
        return frozenset(key for key, at in self._changed_at.items() if now - at < FRESH_S)


def _settle(seen: ServerView | ModelView) -> ServerView | ModelView:
    """The picture without what changes while nothing happens."""
    if isinstance(seen, ModelView):
        return _settle_model(seen)
    models = tuple(_settle_model(model) for model in seen.models)
    return replace(seen, at=seen.started_at, in_flight=0, connections=0, refused_overload=0, models=models)


def _settle_model(model: ModelView) -> ModelView:
    versions = tuple(
        replace(
            version,
            in_flight=0,
            requests=0,
            failures=0,
            methods=(),
            in_state_s=0.0,
            waiting_s=None,
            serving_s=None,
        )
        for version in model.versions
    )
    return replace(model, found_at=None, versions=versions)


def _versions(seen: ServerView | ModelView) -> dict[VersionKey, VersionView]:
    models = seen.models if isinstance(seen, ServerView) else (seen,)
    return {
        (model.name, version.version, version.incarnation): version
        for model in models
        for version in model.versions
    }
