"""What the control loop keeps between ticks, and one tick's decision: everything here is asked of the core.

No threads and no effects: a tick's effects come back as a `Turn`, which the loop carries out.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from understudy.control.facts import ConfigOrder, Unavailable
from understudy.control.journal import Journal
from understudy.control.orders import OpenOrders, Settled
from understudy.control.picture import Picture
from understudy.errors import ConfigError
from understudy.lifecycle.actions import Facts, Load, StepResult, Unload, Watch
from understudy.lifecycle.aspire import Aspirer
from understudy.lifecycle.manager import Manager
from understudy.model_config import ServerConfig, diff
from understudy.routing import RouteUpdate, build_route
from understudy.routing import diff as diff_routes
from understudy.servable import Event, FoundVersions, ModelSnapshot, Outcome, ServableId, State

UNDER_WAY = frozenset({State.NEW, State.LOADING, State.UNLOADING})
"""States of a wanted version in which nothing can be said of it yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one tick wants done, in this order.

    Attributes:
        models: base paths by model, for the source; none: as before.
        watched: versions to fingerprint; none: as before.
        routes: to publish before any unload starts; none: as before.
        unloads: to start.
        loads: to start, each with its model's platform.
        events: that happened.
    """

    models: dict[str, str] | None
    watched: frozenset[ServableId] | None
    routes: RouteUpdate | None
    unloads: tuple[Unload, ...]
    loads: tuple[tuple[Load, str], ...]
    events: tuple[Event, ...]


@dataclass(slots=True)
class _Taken:
    """What came in since the last tick."""

    looks: list[FoundVersions] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    is_reconfigured: bool = False
    rebuilds_routes: bool = False


class Desk:
    """The control plane's state. Owned by the loop's thread; others read `picture` and `journal`."""

    def __init__(self, manager: Manager, platforms: frozenset[str]) -> None:
        self.picture = Picture()
        self.journal = Journal()
        self._manager = manager
        self._aspirer = Aspirer()
        self._platforms = platforms
        self._orders = OpenOrders()
        self._taken = _Taken()
        self._watched: dict[str, frozenset[int]] = {}

    def see(self, looks: Iterable[FoundVersions], now: float) -> None:
        """Takes in what a source saw; a model that did not change costs one comparison.

        Of a model with watched versions every look counts: two that agree say that its files have settled.
        """
        picture = self.picture
        fresh = {
            look.name: look
            for look in looks
            if (picture.looks.get(look.name) is not look or look.name in self._watched)
            and self._is_of_now(look)
        }
        self._taken.looks.extend(fresh.values())
        seen = {**picture.looks, **fresh} if fresh else picture.looks
        self.picture = replace(picture, polled_at=now, looks=seen)

    def finish(self, outcome: Outcome) -> None:
        """Takes in what came of a load or an unload."""
        self._taken.outcomes.append(outcome)

    def take_order(self, order: ConfigOrder) -> None:
        """Puts a configuration in force, whole; or refuses it, changing nothing."""
        try:
            change = diff(self.picture.config, order.config, self._platforms)
        except ConfigError as error:
            order.answer.set_exception(error)
            return
        self._configure(order.config)
        self._orders.open(order, frozenset(model.name for model in change.added))

    def decide(self, now: float) -> Turn:
        """One tick: wishes, then the manager's step, then the routes that follow from it."""
        taken, self._taken = self._taken, _Taken()
        aspired = self._aspirer.step(now, self.picture.config, taken.looks)
        facts = Facts(removed=aspired.removed, aspired=aspired.aspired, outcomes=tuple(taken.outcomes))
        result = self._manager.step(now, facts)
        self._note_models(result)
        events = (*aspired.events, *result.events)
        self.journal.add(events)
        return Turn(
            models=self._base_paths() if taken.is_reconfigured else None,
            watched=self._note_watches(result),
            routes=self._build_update(result, of_all=taken.is_reconfigured or taken.rebuilds_routes),
            unloads=tuple(action for action in result.actions if isinstance(action, Unload)),
            loads=tuple((load, self._platform(load)) for load in result.actions if isinstance(load, Load)),
            events=events,
        )

    def note_published(self, update: RouteUpdate) -> None:
        """The update of this tick is what requests see now."""
        self.picture = replace(self.picture, table=self.picture.table.apply(update))

    def rebuild_routes(self) -> None:
        """The last update was refused: the next tick compares all routes with the table in force."""
        self._taken.rebuilds_routes = True

    def answer_orders(self) -> None:
        """Answers orders that have come to their end; called when a tick's routes are published."""
        self._orders.answer(self._read_settled)

    def _is_of_now(self, look: FoundVersions) -> bool:
        """A look begun before a change of configuration may be at a place that is no longer asked for."""
        config = self.picture.configured.get(look.name)
        return config is not None and look.base_path in {None, config.base_path}

    def _configure(self, config: ServerConfig) -> None:
        configured = {model.name: model for model in config.models}
        looks = {
            name: look
            for name, look in self.picture.looks.items()
            if name in configured and look.base_path in {None, configured[name].base_path}
        }
        self.picture = replace(self.picture, config=config, configured=configured, looks=looks)
        self._taken.is_reconfigured = True

    def _base_paths(self) -> dict[str, str]:
        return {model.name: model.base_path for model in self.picture.config.models}

    def _platform(self, load: Load) -> str:
        return self.picture.configured[load.servable.name].platform

    def _note_models(self, result: StepResult) -> None:
        if not result.changed and not result.forgotten:
            return
        models = {name: model for name, model in self.picture.models.items() if name not in result.forgotten}
        models.update((model.name, model) for model in result.changed)
        self.picture = replace(self.picture, models=models)

    def _note_watches(self, result: StepResult) -> frozenset[ServableId] | None:
        watches = [action for action in result.actions if isinstance(action, Watch)]
        if not watches:
            return None
        self._watched.update((watch.name, watch.versions) for watch in watches)
        self._watched = {name: versions for name, versions in self._watched.items() if versions}
        return frozenset(
            ServableId(name, version) for name, versions in self._watched.items() for version in versions
        )

    def _build_update(self, result: StepResult, *, of_all: bool) -> RouteUpdate | None:
        """Routes of the models that changed, or of all of them."""
        picture = self.picture
        models: Iterable[ModelSnapshot] = picture.models.values() if of_all else result.changed
        routes = [
            build_route(
                model,
                picture.configured[model.name].labels if model.name in picture.configured else (),
                picture.table.routes.get(model.name),
            )
            for model in models
        ]
        return diff_routes(picture.table, routes, result.forgotten)

    def _read_settled(self, name: str, order: ConfigOrder) -> Settled | None:
        """A new model has come to rest when something serves, or all has failed, or there is nothing."""
        look = self.picture.looks.get(name)
        if look is None:
            return Settled() if name not in self.picture.configured else None
        model = self.picture.models.get(name)
        aspired = [version for version in model.versions if version.aspired] if model else []
        if look.failure is not None or not aspired or any(v.state is State.READY for v in aspired):
            return Settled()
        under_way = UNDER_WAY | ({State.RETRYING} if order.waits_for_retries else set())
        if any(version.state in under_way for version in aspired):
            return None
        failed = [
            Unavailable(ServableId(name, v.version), v.failure) for v in aspired if v.failure is not None
        ]
        return Settled(failed[-1] if failed else None)
