"""The core wired as the control loop wires it, with a clock and directories that move only when told to.

Scenarios and simulation drive the same thing: looks -> aspired versions -> manager -> routes. No threads, no
model: whoever drives it decides what comes of each load and unload.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from understudy.lifecycle import Aspirer, Facts, Load, Manager, ManagerOptions, Unload, Watch
from understudy.lifecycle.aspire import AspiredVersions, Overlay
from understudy.model_config import ModelConfig, ServerConfig, diff
from understudy.routing import RouteTable, RouteUpdate, build_route
from understudy.routing import diff as diff_routes
from understudy.servable import Event, FoundVersions, Outcome, ServableId
from understudy.testing import FakeSource, ManualClock


@dataclass(frozen=True, slots=True)
class Step:
    """What one step came to: events, the routes to publish, then the orders to carry out."""

    events: tuple[Event, ...]
    update: RouteUpdate | None
    orders: tuple[Load | Unload, ...]
    aspired: tuple[AspiredVersions, ...]
    next_step_at: float | None


@dataclass(slots=True)
class Driver:
    """The whole core, stepped by hand."""

    options: ManagerOptions = field(default_factory=ManagerOptions)
    clock: ManualClock = field(default_factory=ManualClock)
    source: FakeSource = field(default_factory=FakeSource)
    config: ServerConfig = field(default_factory=ServerConfig)
    models: dict[str, ModelConfig] = field(default_factory=dict)
    overlays: dict[str, Overlay] = field(default_factory=dict)
    table: RouteTable = field(default_factory=RouteTable)
    aspirer: Aspirer = field(default_factory=Aspirer)
    manager: Manager = field(init=False)
    watched: dict[str, frozenset[int]] = field(default_factory=dict)
    _routed_config: ServerConfig = field(default_factory=ServerConfig)

    def __post_init__(self) -> None:
        self.manager = Manager(self.options)

    def configure(self, models: Iterable[ModelConfig]) -> None:
        """Swaps the configuration, or raises and changes nothing."""
        config = ServerConfig(tuple(sorted(models, key=lambda model: model.name)))
        diff(self.config, config)
        self.config = config
        self.models = {model.name: model for model in config.models}

    def look(self, model: ModelConfig) -> FoundVersions:
        """What the source sees of a model now."""
        return self.source.look(model, self.watched.get(model.name, frozenset()))

    def look_at_all(self) -> tuple[FoundVersions, ...]:
        """What the source sees of every configured model now."""
        return tuple(self.look(model) for model in self.config.models)

    def step(
        self,
        *,
        looks: Iterable[FoundVersions] = (),
        outcomes: Iterable[Outcome] = (),
        retries: Iterable[ServableId] = (),
    ) -> Step:
        """One step of the whole core; its routes count as published when it returns."""
        now = self.clock.now()
        decided = self.aspirer.step(now, self.config, looks, self.overlays)
        facts = Facts(
            removed=decided.removed,
            aspired=decided.aspired,
            outcomes=tuple(outcomes),
            retries=tuple(retries),
        )
        result = self.manager.step(now, facts)
        concerned = {snapshot.name: snapshot for snapshot in result.changed}
        if self._routed_config is not self.config:
            self._routed_config = self.config
            concerned = {snapshot.name: snapshot for snapshot in self.manager.snapshots()}
        routes = [
            build_route(
                snapshot,
                self.models[name].labels if name in self.models else (),
                self.table.routes.get(name),
            )
            for name, snapshot in concerned.items()
        ]
        update = diff_routes(self.table, routes, result.forgotten)
        if update is not None:
            self.table = self.table.apply(update)
        for action in result.actions:
            if isinstance(action, Watch):
                self.watched[action.name] = action.versions
        return Step(
            events=decided.events + result.events,
            update=update,
            orders=tuple(a for a in result.actions if not isinstance(a, Watch)),
            aspired=decided.aspired,
            next_step_at=result.next_step_at,
        )
