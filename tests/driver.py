"""The core wired by the control loop's own desk, with a clock and directories that move only when told to.

Scenarios and simulation drive the same thing: looks -> aspired versions -> manager -> routes. No threads, no
model: whoever drives it decides what comes of each load and unload.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from understudy.control.desk import Desk
from understudy.control.facts import ConfigOrder, RetryOrder
from understudy.control.judging import Judge
from understudy.control.traffic_desk import TrafficDesk
from understudy.lifecycle import Inspect, Load, Manager, ManagerOptions, Overlay, Unload, Withdraw
from understudy.model_config import SUPPORTED_PLATFORMS, ModelConfig, ServerConfig, Transition
from understudy.rollout import Change
from understudy.routing import RouteTable, RouteUpdate
from understudy.servable import Event, FoundVersions, Inspected, Outcome, ServableId, State
from understudy.store.revision import Draft, Origin
from understudy.testing import FakeSource, ManualClock

Order = Inspect | Load | Withdraw | Unload


@dataclass(frozen=True, slots=True)
class Step:
    """What one step came to: events, the routes to publish, then the orders to carry out; is a look wanted?"""

    events: tuple[Event, ...]
    updates: tuple[RouteUpdate, ...]
    orders: tuple[Order, ...]
    wants_look: bool = False


class CountingLedger:
    """Numbers configurations and keeps none: what outlives a process is not the core's."""

    def __init__(self) -> None:
        self._count = 0

    def record(self, draft: Draft) -> int:
        del draft
        self._count += 1
        return self._count

    def note_declared(self, text: str) -> None:
        del text


class ForgettingLedger:
    """Takes every change of traffic, and keeps none."""

    def record(self, changes: Mapping[str, Change]) -> None:
        del changes


@dataclass(slots=True)
class Driver:
    """The whole core, stepped by hand.

    Attributes:
        inspects_at_once: inspections are answered within the step that orders them.
    """

    options: ManagerOptions = field(default_factory=ManagerOptions)
    may_label_unavailable: bool = False
    inspects_at_once: bool = True
    clock: ManualClock = field(default_factory=ManualClock)
    source: FakeSource = field(default_factory=FakeSource)
    watched: dict[str, frozenset[int]] = field(default_factory=dict)
    manager: Manager = field(init=False)
    desk: Desk = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """A process like the first one: it knows nothing, and nothing is loaded."""
        self.manager = Manager(self.options)
        self.desk = Desk(
            self.manager,
            Judge(platforms=SUPPORTED_PLATFORMS, may_label_unavailable=self.may_label_unavailable),
            ledger=CountingLedger(),
            traffic=TrafficDesk(ForgettingLedger()),
        )
        self.watched = {}

    @property
    def config(self) -> ServerConfig:
        """What is in force."""
        return self.desk.picture.config

    @property
    def models(self) -> dict[str, ModelConfig]:
        """What is configured, by name."""
        return {model.name: model for model in self.config.models}

    @property
    def overlays(self) -> dict[str, Overlay]:
        """On version policies, by model."""
        return self.desk.overlays

    @property
    def table(self) -> RouteTable:
        """The routes in force."""
        return self.desk.picture.table

    def preserves_availability(self, name: str) -> bool:
        """Which transition policy a model has now."""
        model = self.models.get(name)
        transition = (model.transition if model else None) or self.options.transition
        return transition is Transition.AVAILABILITY_PRESERVING

    def configure(self, models: Iterable[ModelConfig]) -> ConfigOrder:
        """Orders a configuration: it is in force, or will be judged after the next looks; or raises."""
        config = ServerConfig(tuple(sorted(models, key=lambda model: model.name)))
        order = ConfigOrder(config=config, record=Draft(Origin.RPC, "", ""))
        self.desk.take_order(order)
        if order.answer.done():
            order.answer.result()
        return order

    def look(self, model: ModelConfig) -> FoundVersions:
        """What the source sees of a model now; it guards the files of what serves."""
        watched = set(self.watched.get(model.name, ()))
        snapshot = self.desk.picture.models.get(model.name)
        served = {v.version for v in snapshot.versions if v.state is State.READY} if snapshot else set()
        return self.source.look(model, watched | served)

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
        for look in looks:
            self.desk.see([look], self.clock.now())
        for outcome in outcomes:
            self.desk.finish(outcome)
        for servable in retries:
            self.desk.take_retry(RetryOrder(servable))
        events: list[Event] = []
        updates: list[RouteUpdate] = []
        orders: list[Order] = []
        while True:
            turn = self.desk.decide(self.clock.now())
            events.extend(turn.events)
            if turn.routes is not None:
                self.desk.note_published(turn.routes)
                updates.append(turn.routes)
            self.watched.update(turn.watched)
            loads = [load for load, _ in turn.loads]
            orders.extend((*turn.withdrawals, *turn.unloads, *loads))
            self.desk.answer_orders(self.clock.now())
            if not self.inspects_at_once:
                orders.extend(turn.inspections)
                break
            if not turn.inspections:
                break
            for each in turn.inspections:
                self.desk.finish(self.inspected(each))
        return Step(tuple(events), tuple(updates), tuple(orders), turn.wants_look)

    def inspected(self, order: Inspect) -> Inspected:
        """What an inspection sees now."""
        return self.source.inspect(order.servable, order.path)
