"""Which versions should live: what was found, through the model's version policy.

`aspired_versions` is the rule. `Aspirer` remembers the last good look at each model, so that a look that
failed, or a policy that changed between two looks, still has something to decide on.
"""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import assert_never

from understudy.model_config import (
    All,
    Latest,
    ModelConfig,
    ServerConfig,
    Specific,
    Transition,
    VersionPolicy,
)
from understudy.servable import Event, Failure, FoundVersion, FoundVersions

NONE: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class AspiredVersions:
    """Which versions of one model should live: all of them; one that is left out is to be unloaded.

    Attributes:
        name: the model.
        versions: in ascending order, each number once.
        transition: in which order they are to come and go; none: as the server does by default.
    """

    name: str
    versions: tuple[FoundVersion, ...]
    transition: Transition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """What rollouts and operators add to the version policy of one model.

    Attributes:
        pinned: aspired although the policy does not choose them, as long as they are found.
        kept: likewise, and also when they are no longer found: what serves from memory goes on.
        held: they wait for a rollout: not aspired, unless they are pinned.
        quarantined: never aspired, pinned or not.
    """

    pinned: frozenset[int] = NONE
    kept: frozenset[int] = NONE
    held: frozenset[int] = NONE
    quarantined: frozenset[int] = NONE


NO_OVERLAY = Overlay()


def aspired_versions(
    policy: VersionPolicy, found: Iterable[FoundVersion], overlay: Overlay = NO_OVERLAY
) -> tuple[FoundVersion, ...]:
    """The versions that should live, ascending.

    Quarantine comes before the policy's choice: `Latest(1)` of 1, 2 and a quarantined 3 is 2; and so does
    what is held.
    """
    allowed = [v for v in found if v.version not in overlay.quarantined]
    chosen = _choose(policy, {v.version for v in allowed} - overlay.held) | overlay.pinned | overlay.kept
    return tuple(sorted((v for v in allowed if v.version in chosen), key=lambda v: v.version))


def missing_versions(policy: VersionPolicy, found: Iterable[FoundVersion]) -> tuple[int, ...]:
    """Versions that a `Specific` policy names and that are not there, ascending."""
    if not isinstance(policy, Specific):
        return ()
    return tuple(sorted(set(policy.versions) - {v.version for v in found}))


@dataclass(frozen=True, slots=True)
class AspireResult:
    """What one step of the aspirer says.

    Attributes:
        aspired: the whole aspired set of each model whose look, policy or overlay is new.
        removed: models that are no longer configured.
        events: failed looks, recoveries, missing versions; each told once.
    """

    aspired: tuple[AspiredVersions, ...]
    removed: tuple[str, ...]
    events: tuple[Event, ...]


class Aspirer:
    """Keeps, for each configured model, the last good look; turns looks and configuration into aspired sets.

    A failed look changes no aspired set: nothing is unloaded because a directory could not be read.
    Models are independent: what fails for one says nothing about another.
    """

    def __init__(self) -> None:
        self._models: dict[str, _Model] = {}
        self._config: ServerConfig | None = None
        self._overlays: Mapping[str, Overlay] = {}
        self._undecided: AbstractSet[str] = frozenset()

    def step(
        self,
        now: float,
        config: ServerConfig,
        looks: Iterable[FoundVersions] = (),
        overlays: Mapping[str, Overlay] | None = None,
        *,
        undecided: AbstractSet[str] = frozenset(),
    ) -> AspireResult:
        """Decides.

        Args:
            now: for the events.
            config: in force.
            looks: since the last step.
            overlays: in force, by model; the same object again says that all are as in the last step.
            undecided: models whose looks may be older than what their configuration asks for: what was
                aspired stays aspired, but for what is quarantined.
        """
        removed, changed = self._configure(config)
        events: list[Event] = []
        looked: dict[str, None] = {}
        for look in looks:
            model = self._models.get(look.name)
            if model is not None and model.take(now, look, events):
                looked[look.name] = None
        overlays = overlays or {}
        overlaid = () if overlays is self._overlays else overlays.keys() | self._overlays.keys()
        concerned = looked.keys() | overlaid | self._undecided | changed
        self._overlays, self._undecided = overlays, undecided
        aspired = tuple(self._aspire(now, sorted(concerned), looked.keys(), overlays, events))
        return AspireResult(aspired, removed, tuple(events))

    def _configure(self, config: ServerConfig) -> tuple[tuple[str, ...], set[str]]:
        """The models that are gone, and those that are not as they were."""
        if config is self._config:
            return (), set()
        self._config = config
        configured = {model.name: model for model in config.models}
        removed = tuple(sorted(self._models.keys() - configured.keys()))
        for name in removed:
            del self._models[name]
        changed = set()
        for name, model in configured.items():
            known = self._models.get(name)
            if known is None:
                self._models[name] = _Model(model)
            elif known.config is not model:
                if known.config.base_path != model.base_path:
                    known.kept = {}
                known.config = model
                changed.add(name)
        return removed, changed

    def _aspire(
        self,
        now: float,
        concerned: Iterable[str],
        looked: AbstractSet[str],
        overlays: Mapping[str, Overlay],
        events: list[Event],
    ) -> Iterator[AspiredVersions]:
        for name in concerned:
            model, overlay = self._models.get(name), overlays.get(name, NO_OVERLAY)
            if model is None or model.found is None:
                continue
            if name in self._undecided and model.may_wait(overlay):
                continue
            if model.is_covered(overlay) and (name in looked or model.is_stale(overlay)):
                yield model.aspire(now, model.found, overlay, events)


@dataclass(slots=True)
class _Model:
    """What the aspirer remembers of one configured model.

    Attributes:
        config: in force.
        found: the last good look; none before it.
        only: the versions that look was for; none: all that are there.
        failure: of the last look, if that failed; told when it differs from the one before.
        ignored: what was last told to be named like a version and to be none.
        missing: versions last told to be missing.
        decided_on: policy, transition and overlay of the last decision.
        kept: what the overlay keeps, as it was last found at the present base path.
    """

    config: ModelConfig
    found: tuple[FoundVersion, ...] | None = None
    only: tuple[int, ...] | None = None
    failure: Failure | None = None
    ignored: tuple[str, ...] = ()
    missing: tuple[int, ...] = ()
    decided_on: tuple[VersionPolicy, Transition | None, Overlay] = field(default=(Latest(), None, NO_OVERLAY))
    kept: dict[int, FoundVersion] = field(default_factory=dict)

    def is_stale(self, overlay: Overlay) -> bool:
        """Whether the last decision was taken on another policy or overlay."""
        return self.decided_on != (self.config.version_policy, self.config.transition, overlay)

    def may_wait(self, overlay: Overlay) -> bool:
        """Whether its policy is not the one last decided on, and no more is quarantined than then."""
        policy, _, before = self.decided_on
        return policy != self.config.version_policy and overlay.quarantined <= before.quarantined

    def is_covered(self, overlay: Overlay) -> bool:
        """Whether the last good look was for all that policy and pins ask for; if not, the next one decides.

        To decide on less would let go of what serves before the source was asked for what replaces it.
        """
        if self.only is None:
            return True
        policy = self.config.version_policy
        return isinstance(policy, Specific) and {*policy.versions, *overlay.pinned} <= set(self.only)

    def take(self, now: float, look: FoundVersions, events: list[Event]) -> bool:
        """Takes one look; whether it has something to say about versions."""
        if look.base_path not in (None, self.config.base_path):
            return False
        if look.failure is not None:
            if look.failure != self.failure:
                events.append(self._event(now, "source_failed", self._why_failed(look.failure)))
            self.failure = look.failure
            return False
        if self.failure is not None:
            events.append(self._event(now, "source_recovered", f"{self.config.base_path} can be read again"))
        self.failure = None
        if look.ignored != self.ignored:
            events.extend(
                self._event(now, "entry_ignored", sentence)
                for sentence in look.ignored
                if sentence not in self.ignored
            )
        self.ignored = look.ignored
        self.found, self.only = look.versions, look.only
        return True

    def aspire(
        self, now: float, found: tuple[FoundVersion, ...], overlay: Overlay, events: list[Event]
    ) -> AspiredVersions:
        """Decides, and tells which versions are missing if that is news."""
        policy, transition = self.config.version_policy, self.config.transition
        self.decided_on = (policy, transition, overlay)
        missing = missing_versions(policy, found)
        if missing and missing != self.missing:
            named = ", ".join(str(version) for version in missing)
            reason = f"not in {self.config.base_path} yet: {named}; each is loaded when it appears"
            events.append(self._event(now, "versions_missing", reason))
        self.missing = missing
        there = self._with_kept(found, overlay)
        return AspiredVersions(self.config.name, aspired_versions(policy, there, overlay), transition)

    def _with_kept(self, found: tuple[FoundVersion, ...], overlay: Overlay) -> tuple[FoundVersion, ...]:
        """What was found, and what is kept although it no longer is."""
        numbers = {each.version for each in found}
        known = self.kept | {each.version: each for each in found}
        self.kept = {number: known[number] for number in sorted(overlay.kept & known.keys())}
        return (*found, *(each for number, each in self.kept.items() if number not in numbers))

    def _why_failed(self, failure: Failure) -> str:
        if self.found is None:
            return f"cannot look into {self.config.base_path} ({failure}); nothing is known to load yet"
        return f"cannot look into {self.config.base_path} ({failure}); what is aspired stays aspired"

    def _event(self, now: float, kind: str, reason: str) -> Event:
        return Event(now, self.config.name, None, kind, reason)


def _choose(policy: VersionPolicy, numbers: AbstractSet[int]) -> set[int]:
    match policy:
        case Latest(count):
            return set(sorted(numbers)[-count:])
        case All():
            return set(numbers)
        case Specific(versions):
            return set(versions).intersection(numbers)
        case _:
            assert_never(policy)
