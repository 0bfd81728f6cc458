"""What the control loop keeps of models' traffic: each tick steps it, has it recorded, says what follows.

The rules are the core's (`rollout`). What is in force here is on record already, or could not wait for that;
what follows for a model's overlay and route is read from it alone: no effect runs ahead of its record.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from understudy.control.facts import EvidenceSeen, Obeyed, StrategiesOrder, TrafficOrder
from understudy.control.ledger import TrafficLedger
from understudy.control.picture import Picture
from understudy.control.store_notices import StoreNotices
from understudy.control.traffic_knowledge import TrafficKnowledge
from understudy.control.traffic_records import Settled, TrafficRecords
from understudy.control.validation_orders import ValidationOrders
from understudy.errors import ConfigError
from understudy.lifecycle.aspire import NO_OVERLAY, Overlay
from understudy.model_config import ModelConfig
from understudy.rollout.consequences import Consequences, consequences
from understudy.rollout.decision import Change
from understudy.rollout.machine import advance, order
from understudy.rollout.plan import Strategy
from understudy.rollout.situation import Situation
from understudy.rollout.state import ModelTraffic
from understudy.rollout.validation import Validate, ValidationOutcome
from understudy.routing import UNSTEERED, Steering
from understudy.servable import Event, FoundVersions

NOTHING_KEPT: Final = ModelTraffic()


@dataclass(frozen=True, slots=True)
class TrafficTurn:
    """What one step says.

    Attributes:
        events: that happened.
        validations: to start.
    """

    events: tuple[Event, ...] = ()
    validations: tuple[Validate, ...] = ()


class TrafficDesk:
    """Models' traffic. Owned by the control loop's thread.

    Attributes:
        kept: of each model of which something is kept; replaced whole when anything in it changes.
    """

    def __init__(
        self,
        ledger: TrafficLedger,
        resumed: Mapping[str, Change] | None = None,
        strategies: Mapping[str, Strategy] | None = None,
        *,
        is_forgetful: bool = False,
    ) -> None:
        """Goes on from what is kept.

        Args:
            ledger: where changes are recorded before they take effect.
            resumed: what a start goes on from, on record already.
            strategies: for models' new versions, from the first look on.
            is_forgetful: the ledger ends with the process, which is to be told.
        """
        self.kept: Mapping[str, ModelTraffic] = {}
        self._knowledge = TrafficKnowledge(dict(strategies or {}))
        self._records = TrafficRecords(ledger)
        self._orders: list[TrafficOrder] = []
        self._obeyed: list[tuple[TrafficOrder, Obeyed]] = []
        self._active: set[str] = set()
        self._consequences: dict[str, Consequences] = {}
        self._overlays: Mapping[str, Overlay] | None = None
        self._resteered: set[str] = set()
        self._validations = ValidationOrders()
        self._notices = StoreNotices(is_forgetful=is_forgetful)
        self._resumed = resumed or {}
        self._adopt(Settled(self._resumed))
        self._touched: set[str] = {*self.kept, *self.strategies}

    @property
    def strategies(self) -> Mapping[str, Strategy]:
        """In force, by model."""
        return self._knowledge.strategies

    @property
    def owed(self) -> Mapping[str, Change]:
        """What is in force and not on record yet, by model."""
        return self._records.owed

    def take_order(self, asked: TrafficOrder) -> None:
        """Takes in what an operator wants of a model's traffic; the next step decides."""
        self._orders.append(asked)

    def take_strategies(self, asked: StrategiesOrder) -> None:
        """From now on these strategies."""
        before, after = self.strategies, asked.strategies
        self._knowledge.strategies = after
        self.touch(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
        asked.answer.set_result(None)

    def note_evidence(self, seen: EvidenceSeen) -> None:
        """The data plane counted."""
        for model, trial in seen.trials.items():
            self._knowledge.note_trial(model, trial)

    def note_outcome(self, outcome: ValidationOutcome) -> None:
        """A candidate was looked at."""
        self._knowledge.note_outcome(outcome)

    def note_looks(self, looks: Iterable[FoundVersions]) -> None:
        """A source saw these models."""
        looks = [look for look in looks if look.failure is None]
        self._knowledge.note_looks(looks)
        self.touch(look.name for look in looks)

    def note_moved(self, models: Iterable[str]) -> None:
        """These are not configured any more, or are to be found elsewhere: former looks say nothing."""
        for model in models:
            self._knowledge.forget(model)

    def touch(self, models: Iterable[str]) -> None:
        """Something about these models is news: the next step looks at them."""
        self._touched.update(models)

    def step(self, now: float, picture: Picture) -> TrafficTurn:
        """Decides for the models concerned, records, and says what happened.

        Not before a configuration is in force: without one, every model would seem to be removed. A first one
        that is refused ends the server, and what is kept goes on in the next.
        """
        if picture.config_revision == 0:
            return TrafficTurn()
        orders, changes = self._obey(now, picture)
        concerned = self._active | {name for name in self._touched if self._is_kept_or_managed(name)}
        self._touched.clear()
        changes |= self._advance(now, picture, concerned - changes.keys())
        settled = self._records.settle(now, changes)
        self._adopt(settled)
        self._answer(orders, changes, settled)
        self.refresh(now, picture, concerned | settled.in_force.keys())
        resumed, self._resumed = self._resumed, {}
        decided = [
            each.event
            for change in (*resumed.values(), *settled.in_force.values())
            for each in change.decisions
        ]
        notices = self._notices.tell(now, settled, self._records, self.kept)
        validations = self._validations.due(sorted(self._active), self.kept, picture)
        return TrafficTurn((*decided, *notices), tuple(validations))

    def refresh(self, now: float, picture: Picture, models: Iterable[str]) -> None:
        """What follows from what is kept, for models that are not as they were."""
        for name in models:
            if not self._is_kept_or_managed(name):
                follows = None
            else:
                traffic = self.kept.get(name, NOTHING_KEPT)
                follows = consequences(traffic, self._situation(now, name, traffic, picture))
            if follows == self._consequences.get(name):
                continue
            self._resteered.add(name)
            self._overlays = None
            if follows is None:
                self._consequences.pop(name, None)
            else:
                self._consequences[name] = follows

    def overlays(self, others: Mapping[str, Overlay]) -> Mapping[str, Overlay]:
        """The overlays in force, of traffic and these; the same object while nothing changes.

        Thousands of models may be managed, and hardly any of them is news in a tick.
        """
        if self._overlays is None:
            self._overlays = {
                name: each.overlay for name, each in self._consequences.items() if each.overlay != NO_OVERLAY
            }
        if not others:
            return self._overlays
        joined = {name: _join(self._overlays.get(name, NO_OVERLAY), each) for name, each in others.items()}
        return {**self._overlays, **joined}

    def steering(self, model: str) -> Steering:
        """What a model's route is to say."""
        follows = self._consequences.get(model)
        if follows is None:
            return UNSTEERED
        return Steering(
            default_version=follows.default_version,
            barred=follows.barred,
            labels=follows.labels,
            traffic=follows.traffic,
        )

    def relabelled(self, config: ModelConfig) -> ModelConfig:
        """A model as configured, with the labels that are in force."""
        labels = self.steering(config.name).over(config.labels)
        return config if labels == config.labels else replace(config, labels=labels)

    def take_resteered(self) -> set[str]:
        """Models whose routes may have to differ since this was last asked."""
        resteered, self._resteered = self._resteered, set()
        return resteered

    def answer_orders(self) -> None:
        """Answers what is in force; called when the step's routes are published."""
        for asked, obeyed in self._obeyed:
            asked.answer.set_result(obeyed)
        self._obeyed.clear()

    def _obey(self, now: float, picture: Picture) -> tuple[dict[str, TrafficOrder], dict[str, Change]]:
        """One order of each model: a second one is decided on what the first one has left on record."""
        orders: dict[str, TrafficOrder] = {}
        changes: dict[str, Change] = {}
        waiting = []
        for asked in self._orders:
            if asked.model in orders:
                waiting.append(asked)
                continue
            before = self.kept.get(asked.model, NOTHING_KEPT)
            situation = self._situation(now, asked.model, before, picture)
            try:
                change = order(before, asked.command, situation, by=asked.by, now=now)
            except ConfigError as error:
                asked.answer.set_exception(error)
                continue
            orders[asked.model] = asked
            if change.traffic is not before:
                changes[asked.model] = change
        self._orders = waiting
        return orders, changes

    def _advance(self, now: float, picture: Picture, models: Iterable[str]) -> dict[str, Change]:
        """What follows by itself; while the store fails, only what must not wait for it, and counts."""
        changes = {}
        for name in sorted(models):
            before = self.kept.get(name, NOTHING_KEPT)
            situation = self._situation(now, name, before, picture)
            change = advance(before, situation, now)
            may_wait = bool(change.decisions) and not change.is_urgent
            if change.traffic is not before and (situation.is_recorded or not may_wait):
                changes[name] = change
        return changes

    def _answer(
        self, orders: Mapping[str, TrafficOrder], changes: Mapping[str, Change], settled: Settled
    ) -> None:
        for model, asked in orders.items():
            if model in settled.refused:
                asked.answer.set_exception(settled.failure)
                continue
            decisions = changes[model].decisions if model in changes else ()
            traffic = self.kept.get(model, NOTHING_KEPT)
            self._obeyed.append(
                (asked, Obeyed(traffic=traffic, decisions=decisions, is_recorded=settled.failure is None))
            )

    def _adopt(self, settled: Settled) -> None:
        if not settled.in_force:
            return
        kept = dict(self.kept)
        for name, change in settled.in_force.items():
            if change.ended:
                self._knowledge.forget_rollout(name)
            kept[name] = change.traffic
            if change.traffic == NOTHING_KEPT:
                del kept[name]
        self.kept = kept
        for name in settled.in_force:
            traffic = kept.get(name, NOTHING_KEPT)
            if traffic.rollout is None and traffic.weights is None:
                self._active.discard(name)
            else:
                self._active.add(name)

    def _situation(self, now: float, name: str, traffic: ModelTraffic, picture: Picture) -> Situation:
        return self._knowledge.situation(
            name, traffic, picture, is_recorded=self._records.is_recorded(name, now)
        )

    def _is_kept_or_managed(self, model: str) -> bool:
        return model in self.kept or model in self.strategies or model in self._consequences


def _join(one: Overlay, other: Overlay) -> Overlay:
    return Overlay(
        pinned=one.pinned | other.pinned,
        kept=one.kept | other.kept,
        held=one.held | other.held,
        quarantined=one.quarantined | other.quarantined,
    )
