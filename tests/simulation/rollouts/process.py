"""A process that serves one model: what it loads of what is aspired, who answers, what is lost with it."""

from dataclasses import dataclass, field
from random import Random

from understudy.errors import Code
from understudy.lifecycle.aspire import Aspirer, Overlay
from understudy.model_config import ModelConfig, ServerConfig
from understudy.rollout import Consequences
from understudy.servable import Failure, FoundVersions, ModelSnapshot, State, VersionSnapshot

CORRUPT = Failure(Code.DATA_LOSS, "cannot read saved_model.pb")


@dataclass(slots=True)
class Process:
    """One life of the server, as far as one model goes.

    Attributes:
        random: the world's.
        aspirer: the real one.
        aspired: the versions that should live.
        states: of those that live, or whose load was given up.
        loading: when each load ends.
        look: the last good one; none yet.
    """

    random: Random
    aspirer: Aspirer = field(default_factory=Aspirer)
    aspired: frozenset[int] = frozenset()
    states: dict[int, State] = field(default_factory=dict)
    loading: dict[int, float] = field(default_factory=dict)
    look: FoundVersions | None = None

    @property
    def ready(self) -> frozenset[int]:
        """The versions that answer."""
        return frozenset(version for version, state in self.states.items() if state is State.READY)

    def see(self, look: FoundVersions) -> None:
        """A good look."""
        self.look = look

    def aspire(self, now: float, config: ModelConfig | None, overlay: Overlay) -> None:
        """What should live, by the real rule."""
        looks = () if self.look is None else (self.look,)
        models = () if config is None else (config,)
        result = self.aspirer.step(
            now, ServerConfig(models), looks, {model.name: overlay for model in models}
        )
        if result.removed:
            self.aspired = frozenset()
        for each in result.aspired:
            self.aspired = frozenset(version.version for version in each.versions)

    def work(self, now: float, corrupt: frozenset[int]) -> None:
        """Loads begin and end; what is not aspired goes, as soon as something that is answers."""
        for version in sorted(self.aspired - self.states.keys()):
            self.states[version] = State.LOADING
            self.loading[version] = now + self.random.choice((0.0, 1.0, 20.0))
        for version, ends_at in sorted(self.loading.items()):
            if ends_at <= now:
                del self.loading[version]
                self.states[version] = State.ERROR if version in corrupt else State.READY
        is_served = not self.aspired or bool(self.ready & self.aspired)
        for version in sorted(self.states.keys() - self.aspired):
            if is_served or self.states[version] is not State.READY:
                del self.states[version]
                self.loading.pop(version, None)

    def default_version(self, effects: Consequences) -> int | None:
        """Who answers requests that name no version: as routing decides it."""
        if effects.default_version in self.ready:
            return effects.default_version
        allowed = self.ready - effects.barred
        return max(allowed & self.aspired, default=max(allowed, default=None))

    def snapshot(self, name: str) -> ModelSnapshot:
        """Of all versions that live."""
        return ModelSnapshot(
            name,
            tuple(
                VersionSnapshot(
                    version=version,
                    state=state,
                    aspired=version in self.aspired,
                    path=f"/models/{name}/{version}",
                    since=0.0,
                    reason="simulated",
                    failure=CORRUPT if state is State.ERROR else None,
                )
                for version, state in sorted(self.states.items())
            ),
        )
