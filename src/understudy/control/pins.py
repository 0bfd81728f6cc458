"""Versions that labels hold in place until they have moved, as overlays on version policies."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from understudy.lifecycle.aspire import NO_OVERLAY, Overlay
from understudy.lifecycle.labels import pinned_versions
from understudy.model_config import ModelConfig, Transition
from understudy.routing import ModelRoute


class LabelPins:
    """What each model's labels pin now; kept up to date by those who change configuration and routes."""

    def __init__(self, transition: Transition) -> None:
        """Nothing is pinned.

        Args:
            transition: of models that do not choose one.
        """
        self._transition = transition
        self._pinned: dict[str, frozenset[int]] = {}

    def note_configured(
        self, changed: Iterable[ModelConfig], configured: Collection[str], routes: Mapping[str, ModelRoute]
    ) -> None:
        """These models are configured otherwise now, and only these are configured at all."""
        for model in changed:
            self._pin(model, routes.get(model.name))
        self._pinned = {name: pinned for name, pinned in self._pinned.items() if name in configured}

    def note_published(self, routes: Iterable[ModelRoute], configured: Mapping[str, ModelConfig]) -> None:
        """These routes are in force now: labels may have moved, or what they name may be ready."""
        for route in routes:
            if route.labels and route.name in configured:
                self._pin(configured[route.name], route)

    def add_to(self, overlays: Mapping[str, Overlay]) -> Mapping[str, Overlay]:
        """The overlays, with what is pinned; the same object when nothing is."""
        if not self._pinned:
            return overlays
        pinned_too = dict(overlays)
        for name, pinned in self._pinned.items():
            overlay = overlays.get(name, NO_OVERLAY)
            pinned_too[name] = replace(overlay, pinned=overlay.pinned | pinned)
        return pinned_too

    def _pin(self, model: ModelConfig, route: ModelRoute | None) -> None:
        pinned = pinned_versions(model, route, self._transition)
        if pinned:
            self._pinned[model.name] = pinned
        else:
            self._pinned.pop(model.name, None)
