"""What the control loop keeps between ticks, and one tick's decision: everything here is asked of the core.

No threads and no effects: a tick's effects come back as a `Turn`, which the loop carries out.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never

from understudy.control.awaited import AwaitedLooks
from understudy.control.facts import (
    Applied,
    ConfigOrder,
    EvidenceSeen,
    Recorded,
    Retried,
    RetryOrder,
    StrategiesOrder,
    TrafficOrder,
    Validated,
)
from understudy.control.guarded import GuardedVersions
from understudy.control.held import HeldOrders
from understudy.control.journal import Journal
from understudy.control.judging import Judge, new_labels
from understudy.control.ledger import Ledger
from understudy.control.orders import OpenOrders
from understudy.control.picture import Picture
from understudy.control.pins import LabelPins
from understudy.control.places import build_place, is_at, may_be_older
from understudy.control.route_updates import RouteUpdates
from understudy.control.traffic_desk import TrafficDesk, TrafficTurn
from understudy.errors import Code, ConfigError, StoreError
from understudy.lifecycle.actions import Facts, Inspect, Load, StepResult, Unload, Watch, Withdraw
from understudy.lifecycle.aspire import NO_OVERLAY, Aspirer, Overlay
from understudy.lifecycle.manager import Manager
from understudy.model_config import ModelConfig, ServerConfig
from understudy.rollout.validation import Validate
from understudy.routing import RouteUpdate
from understudy.servable import Event, FoundVersions, Outcome, Place, ServableId


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one tick wants done, in this order.

    Attributes:
        models: where to look, by model, for the source; none: as before.
        wants_look: the source should look now, beside the looks that are due in any case.
        watched: versions to fingerprint in each look, of the models of which that changed.
        guarded: versions that serve, to fingerprint in turn; none: as before.
        withdrawals: loads not to begin if they have not.
        routes: to publish before any unload starts; none: as before.
        unloads: to start.
        inspections: to start, before the loads that follow from them in a later tick.
        loads: to start, each with its model's platform.
        validations: of candidates that are loaded, to start.
        events: that happened.
    """

    models: dict[str, Place] | None
    wants_look: bool
    watched: dict[str, frozenset[int]]
    guarded: frozenset[ServableId] | None
    withdrawals: tuple[Withdraw, ...]
    routes: RouteUpdate | None
    unloads: tuple[Unload, ...]
    inspections: tuple[Inspect, ...]
    loads: tuple[tuple[Load, str], ...]
    validations: tuple[Validate, ...]
    events: tuple[Event, ...]


@dataclass(slots=True)
class _Taken:
    """What came in since the last tick.

    Attributes:
        looks: that are news.
        outcomes: of loads and unloads.
        told: what the data plane tells of models.
        retries: that operators wish for.
        reconfigured: models that are new in the configuration, or not as they were, or gone from it.
        is_reconfigured: a configuration was put in force, were it the same.
        rebuilds_routes: all routes are to be compared with the table in force.
    """

    looks: list[FoundVersions] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    told: list[Event] = field(default_factory=list)
    retries: list[RetryOrder] = field(default_factory=list)
    reconfigured: set[str] = field(default_factory=set)
    is_reconfigured: bool = False
    rebuilds_routes: bool = False


class Desk:
    """The control plane's state. Owned by the loop's thread; others read `picture` and `journal`.

    Attributes:
        overlays: on the version policies of models, beside what labels pin and what follows from traffic.
    """

    def __init__(self, manager: Manager, judge: Judge, *, ledger: Ledger, traffic: TrafficDesk) -> None:
        self.picture = Picture(traffic=traffic.kept, strategies=traffic.strategies)
        self.journal = Journal()
        self.overlays: dict[str, Overlay] = {}
        self._manager = manager
        self._aspirer = Aspirer()
        self._judge = judge
        self._ledger = ledger
        self._traffic = traffic
        self._routes = RouteUpdates(judge, traffic)
        self._pins = LabelPins(manager.options.transition)
        self._held = HeldOrders()
        self._awaited = AwaitedLooks()
        self._orders = OpenOrders()
        self._retried: list[tuple[RetryOrder, Retried]] = []
        self._taken = _Taken()
        self._watched: set[str] = set()
        self._guarded = GuardedVersions()
        self._places: dict[str, Place] = {}
        self._overlays: Mapping[str, Overlay] = {}

    def see(self, looks: Iterable[FoundVersions], now: float) -> None:
        """Takes in what a source saw; a model that did not change costs one comparison.

        Of a model with watched versions every look counts: two that agree say that its files have settled.
        """
        picture = self.picture
        if self._held or self._awaited:
            looks = tuple(looks)
            names = {look.name for look in looks}
            self._held.note_reports(names)
            self._awaited.note_reports(names)
        fresh = {
            look.name: look
            for look in looks
            if (picture.looks.get(look.name) is not look or look.name in self._watched)
            and self._is_of_now(look)
        }
        self._taken.looks.extend(fresh.values())
        self._traffic.note_looks(fresh.values())
        seen = {**picture.looks, **fresh} if fresh else picture.looks
        self.picture = replace(picture, polled_at=now, looks=seen)

    def finish(self, outcome: Outcome) -> None:
        """Takes in what came of a load or an unload."""
        self._taken.outcomes.append(outcome)

    def note(self, event: Event) -> None:
        """Takes in something that happened to a model and calls for no decision."""
        self._taken.told.append(event)

    def take_order(self, order: ConfigOrder) -> None:
        """Judges a configuration now, or after the look that it may lack."""
        unseen = self._judge.unseen(self.picture, order.config, self._traffic.overlays(self.overlays))
        if unseen or self._held:
            self._held.hold(order, unseen)
        else:
            self._apply(order)

    def _apply(self, order: ConfigOrder) -> None:
        """Puts a configuration in force, whole, once it is recorded; or refuses it, changing nothing."""
        try:
            self._check_expected(order)
            change = self._judge.judge(self.picture, order.config, self._traffic.overlays(self.overlays))
            revision = self._record(order)
        except (ConfigError, StoreError) as error:
            order.answer.set_exception(error)
            return
        applied = Applied(revision, change)
        if order.is_trial or revision == self.picture.config_revision:
            order.answer.set_result(applied)
            return
        labels = new_labels(self.picture, change)
        # What was awaited of a model was awaited for its former policy, or at its former place.
        self._awaited.cease(model.name for model in change.changed if self._is_asked_anew(model))
        self._awaited.wait_for(model.name for model in change.changed if self._may_know_too_little(model))
        self._configure(order.config, applied)
        changed = [self._traffic.relabelled(model) for model in change.changed]
        self._pins.note_configured(changed, self.picture.configured, self.picture.table.routes)
        self._orders.open(order, applied, labels)

    def take_retry(self, order: RetryOrder) -> None:
        """Takes in that an operator wants a version tried again."""
        self._taken.retries.append(order)

    def take_traffic(self, fact: TrafficOrder | StrategiesOrder | EvidenceSeen | Validated) -> None:
        """Takes in what concerns how models' traffic is split."""
        match fact:
            case TrafficOrder():
                self._traffic.take_order(fact)
            case StrategiesOrder():
                self._traffic.take_strategies(fact)
            case EvidenceSeen():
                self._traffic.note_evidence(fact)
            case Validated():
                self._traffic.note_outcome(fact.outcome)
            case _:
                assert_never(fact)

    def decide(self, now: float) -> Turn:
        """One tick: traffic, then the manager's step on what follows from it, then the routes of both."""
        for order in self._held.take_due(now):
            self._apply(order)
        taken, self._taken = self._taken, _Taken()
        if taken.is_reconfigured:
            self.picture = replace(self.picture, configured_at=now)
        traffic = self._step_traffic(now)
        overlays = self._pins.add_to(self._traffic.overlays(self.overlays))
        aspired = self._aspirer.step(
            now, self.picture.config, taken.looks, overlays, undecided=self._awaited.models()
        )
        facts = Facts(
            removed=aspired.removed,
            aspired=aspired.aspired,
            outcomes=tuple(taken.outcomes),
            retries=tuple(order.servable for order in taken.retries),
        )
        result = self._manager.step(now, facts)
        self._note_models(result)
        routes = self._build_update(now, result, taken)
        unloads = tuple(action for action in result.actions if isinstance(action, Unload))
        labels = self._routes.tell_labels(now, self.picture, routes, unloads)
        events = (*taken.told, *traffic.events, *aspired.events, *result.events, *labels)
        self.journal.add(events)
        self._retried.extend((order, _read_retried(order.servable, result)) for order in taken.retries)
        return Turn(
            models=self._note_places(overlays, taken),
            wants_look=bool(self._held or self._awaited),
            watched=self._note_watches(result),
            guarded=self._guarded.note(result),
            withdrawals=tuple(action for action in result.actions if isinstance(action, Withdraw)),
            routes=routes,
            unloads=unloads,
            inspections=tuple(action for action in result.actions if isinstance(action, Inspect)),
            loads=tuple((load, self._platform(load)) for load in result.actions if isinstance(load, Load)),
            validations=traffic.validations,
            events=events,
        )

    def note_published(self, update: RouteUpdate) -> None:
        """The update of this tick is what requests see now."""
        self.picture = replace(self.picture, table=self.picture.table.apply(update))
        changed = [route.name for route in update.changed if route.labels]
        configured = self.picture.configured
        relabelled = {
            name: self._traffic.relabelled(configured[name]) for name in changed if name in configured
        }
        self._pins.note_published(update.changed, relabelled)

    def rebuild_routes(self) -> None:
        """The last update was refused: the next tick compares all routes with the table in force."""
        self._taken.rebuilds_routes = True

    def answer_orders(self, now: float) -> None:
        """Answers orders that have come to their end; called when a tick's routes are published."""
        self._orders.answer(now, self.picture)
        self._traffic.answer_orders()
        for order, retried in self._retried:
            order.answer.set_result(retried)
        self._retried.clear()

    def _is_asked_anew(self, model: ModelConfig) -> bool:
        before = self.picture.configured[model.name]
        return (model.base_path, model.version_policy) != (before.base_path, before.version_policy)

    def _may_know_too_little(self, model: ModelConfig) -> bool:
        """Whether its new version policy asks for what the last look did not see, and the next may see."""
        look = self.picture.looks.get(model.name)
        is_policy_new = model.version_policy != self.picture.configured[model.name].version_policy
        return (
            is_policy_new
            and look is not None
            and is_at(look, build_place(model))
            and may_be_older(look, model)
        )

    def _check_expected(self, order: ConfigOrder) -> None:
        """Refuses a change that was made from a configuration that is no longer in force."""
        in_force = self.picture.config_revision
        if order.expected_revision not in {None, in_force}:
            raise ConfigError(
                Code.ABORTED,
                f"Revision {in_force} is in force, and the change was made from revision "
                f"{order.expected_revision}. Look at what is in force now, and change that.",
            )

    def _record(self, order: ConfigOrder) -> int:
        """The number under which the order's configuration is on record; that in force when it is no news.

        What is in force already is not recorded again, but when the file or the flags say it, that is noted:
        a start compares with it.

        Raises:
            StoreError: it cannot be recorded, so it must not be in force.
        """
        in_force = self.picture.config_revision
        if isinstance(order.record, Recorded):
            return order.record.revision
        if order.is_trial:
            return in_force
        if in_force and order.config == self.picture.config:
            if order.record.origin.is_declaration:
                self._ledger.note_declared(order.record.text)
            return in_force
        return self._ledger.record(order.record)

    def _step_traffic(self, now: float) -> TrafficTurn:
        turn = self._traffic.step(now, self.picture)
        seen = self.picture
        traffic, strategies, owed = self._traffic.kept, self._traffic.strategies, self._traffic.owed
        is_news = traffic is not seen.traffic or strategies is not seen.strategies or owed is not seen.owed
        if is_news:
            self.picture = replace(seen, traffic=traffic, strategies=strategies, owed=owed)
        return turn

    def _is_of_now(self, look: FoundVersions) -> bool:
        """A look begun before a change of configuration may be at a place that is no longer asked for."""
        config = self.picture.configured.get(look.name)
        return config is not None and is_at(look, build_place(config))

    def _configure(self, config: ServerConfig, applied: Applied) -> None:
        change = applied.change
        configured = {model.name: model for model in config.models}
        looks = dict(self.picture.looks)
        for model in change.changed:
            if model.name in looks and not is_at(looks[model.name], build_place(model)):
                del looks[model.name]
                self._traffic.note_moved([model.name])
        self._traffic.note_moved(change.removed)
        for name in change.removed:
            looks.pop(name, None)
        self.picture = replace(
            self.picture, config=config, config_revision=applied.revision, configured=configured, looks=looks
        )
        self._awaited.keep(configured)
        self._taken.is_reconfigured = True
        self._taken.reconfigured.update(change.removed)
        self._taken.reconfigured.update(model.name for model in (*change.added, *change.changed))

    def _note_places(self, overlays: Mapping[str, Overlay], taken: _Taken) -> dict[str, Place] | None:
        """Where to look from now on, if the source was told less; more than is needed does no harm."""
        is_news = overlays is not self._overlays
        self._overlays = overlays
        short = [
            name
            for name, overlay in (overlays.items() if is_news or taken.is_reconfigured else ())
            if (place := self._places.get(name)) is not None
            and place.versions is not None
            and not overlay.pinned <= set(place.versions)
        ]
        if not short and not taken.is_reconfigured:
            return None
        places = dict(self._places)
        for name in (*taken.reconfigured, *short):
            model = self.picture.configured.get(name)
            if model is None:
                places.pop(name, None)
            else:
                places[name] = build_place(model, overlays.get(name, NO_OVERLAY).pinned)
        self._places = places
        return places

    def _platform(self, load: Load) -> str:
        return self.picture.configured[load.servable.name].platform

    def _note_models(self, result: StepResult) -> None:
        if not result.changed and not result.forgotten:
            return
        models = dict(self.picture.models)
        models.update((model.name, model) for model in result.changed)
        for name in result.forgotten:
            del models[name]
        self.picture = replace(self.picture, models=models)

    def _note_watches(self, result: StepResult) -> dict[str, frozenset[int]]:
        watches = {action.name: action.versions for action in result.actions if isinstance(action, Watch)}
        for name, versions in watches.items():
            if versions:
                self._watched.add(name)
            else:
                self._watched.discard(name)
        return watches

    def _build_update(self, now: float, result: StepResult, taken: _Taken) -> RouteUpdate | None:
        """Routes of the models that changed, or are configured or steered otherwise; or of all of them."""
        picture = self.picture
        changed = {model.name for model in result.changed}
        self._traffic.touch(changed | taken.reconfigured)
        self._traffic.refresh(now, picture, changed)
        changed |= taken.reconfigured | self._traffic.take_resteered()
        names = picture.models.keys() if taken.rebuilds_routes else changed & picture.models.keys()
        models = [picture.models[name] for name in sorted(names)]
        return self._routes.build(picture, models, result.forgotten)


def _read_retried(servable: ServableId, result: StepResult) -> Retried:
    """What the step said to the wish: its last event about the version."""
    about = [
        event for event in result.events if (event.model, event.version) == (servable.name, servable.version)
    ]
    refusal = next((event for event in about if event.kind == "retry_refused"), None)
    if refusal is not None:
        return Retried(is_begun=False, reason=refusal.reason)
    return Retried(is_begun=True, reason=about[-1].reason)
