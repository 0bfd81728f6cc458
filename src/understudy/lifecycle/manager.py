"""The manager: the only owner of every model's versions. Facts in, decisions out, once a step.

It knows the whole: fairness between models, memory, when to wake. What happens inside one model is in
model.py, in which order in transition.py.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from understudy.lifecycle.actions import Action, Facts, Inspect, Load, StepResult, Watch
from understudy.lifecycle.fairness import WantedLoad, by_need
from understudy.lifecycle.harness import FINISHED, Harness
from understudy.lifecycle.model import ManagedModel
from understudy.lifecycle.resources import Budget
from understudy.lifecycle.transition import POLICIES, StartLoad, StartUnload
from understudy.model_config import Transition
from understudy.servable import (
    Event,
    Inspected,
    LoadFailed,
    LoadWithdrawn,
    ModelSnapshot,
    Outcome,
    ServableId,
    State,
    Unloaded,
)

LOAD_RETRIES_MAX = 5
LOAD_RETRY_INTERVAL_S = 60.0

REMOVED_MODELS_MAX = 100
"""Models that are no longer configured, remembered for status."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagerOptions:
    """How the manager manages.

    Attributes:
        transition: in which order versions are loaded and unloaded, unless their model says otherwise.
        load_retries_max: attempts after the first; negative counts as 0.
        load_retry_interval_s: between attempts; negative counts as 0.
        memory_limit_bytes: of the estimates of all resident versions together; none: no limit.
    """

    transition: Transition = Transition.AVAILABILITY_PRESERVING
    load_retries_max: int = LOAD_RETRIES_MAX
    load_retry_interval_s: float = LOAD_RETRY_INTERVAL_S
    memory_limit_bytes: int | None = None


class Manager:
    """Steps every version towards what is aspired. Deterministic: same facts, same result.

    One step takes the facts in, lets each concerned model's policy decide, and returns what to do. In its
    result a version that is to be unloaded is already out of READY, and the version that supersedes it
    already in: publishing the routes before starting the actions never leaves a gap.
    """

    def __init__(self, options: ManagerOptions | None = None) -> None:
        self._options = options or ManagerOptions()
        self._budget = Budget(self._options.memory_limit_bytes)
        self._models: dict[str, ManagedModel] = {}
        self._snapshots: dict[str, ModelSnapshot] = {}
        self._watched: dict[str, frozenset[int]] = {}
        self._due_at: dict[str, float] = {}
        self._short_of_memory: set[str] = set()
        self._removed: dict[str, None] = {}

    @property
    def options(self) -> ManagerOptions:
        """How it manages."""
        return self._options

    @property
    def budget(self) -> Budget:
        """The reservations, to look at."""
        return self._budget

    def snapshots(self) -> tuple[ModelSnapshot, ...]:
        """Every model as the last step left it, by name."""
        return tuple(self._snapshots[name] for name in sorted(self._snapshots))

    def step(self, now: float, facts: Facts) -> StepResult:
        """Takes in what happened, decides what to do now."""
        events: list[Event] = []
        concerned: set[str] = set()
        self._take_in(now, facts, concerned, events)
        concerned.update(name for name, at in self._due_at.items() if at <= now)
        concerned.update(self._short_of_memory)
        models = [self._models[name] for name in sorted(concerned)]
        actions = self._decide(now, models)
        actions.extend(self._settle(now, models))
        for model in models:
            events.extend(model.events)
            model.events.clear()
        changed, forgotten = self._tell(models)
        due_at = min(self._due_at.values(), default=None)
        return StepResult(tuple(actions), tuple(events), changed, forgotten, due_at)

    # Taking in.

    def _take_in(self, now: float, facts: Facts, concerned: set[str], events: list[Event]) -> None:
        for name in facts.removed:
            self._remove(now, name, concerned)
        for aspired in {each.name: each for each in facts.aspired}.values():
            model = self._configured_model(aspired.name)
            if model.changed or model.is_news(aspired):
                model.aspire(now, aspired)
                concerned.add(aspired.name)
        for servable in facts.retries:
            if servable.name in self._models:
                self._models[servable.name].retry(now, servable.version)
                concerned.add(servable.name)
            else:
                reason = "there is no such model to try again"
                events.append(Event(now, servable.name, servable.version, "retry_refused", reason))
        for outcome in facts.outcomes:
            self._take_outcome(now, outcome, concerned)

    def _configured_model(self, name: str) -> ManagedModel:
        model = self._models.get(name)
        if model is None:
            options = self._options
            model = self._models[name] = ManagedModel(
                name,
                attempts_max=1 + max(0, options.load_retries_max),
                retry_interval_s=max(0.0, options.load_retry_interval_s),
            )
        if model.removed:
            model.removed = False
            model.changed = True
            self._removed.pop(name, None)
        return model

    def _remove(self, now: float, name: str, concerned: set[str]) -> None:
        model = self._models.get(name)
        if model is None or model.removed:
            return
        model.remove(now)
        concerned.add(name)

    def _take_outcome(self, now: float, outcome: Outcome, concerned: set[str]) -> None:
        model = self._models.get(outcome.servable.name)
        if model is None:
            assert isinstance(outcome, Inspected), outcome  # noqa: S101 - its model may be forgotten, no other's
            return
        concerned.add(model.name)
        model.take(now, outcome)
        if isinstance(outcome, LoadFailed | LoadWithdrawn | Unloaded):
            self._budget.release(outcome.servable)

    # Deciding.

    def _decide(self, now: float, models: Iterable[ManagedModel]) -> list[Action]:
        actions: list[Action] = []
        wanted: list[WantedLoad] = []
        for model in models:
            self._renew_refused(now, model)
            actions.extend(model.orders)
            model.orders.clear()
            loads = []
            for decision in model.plan(now, POLICIES[self._options.transition]):
                servable = ServableId(model.name, decision.version, decision.incarnation)
                match decision:
                    case StartUnload():
                        actions.append(model.start_unload(now, model[servable], decision.reason))
                    case StartLoad():
                        loads.append(servable)
            wanted.extend(WantedLoad(model, servable, place) for place, servable in enumerate(loads))
        begun = [self._begin(now, each.model, each.model[each.servable]) for each in by_need(wanted)]
        actions.extend(action for action in begun if action is not None)
        return actions

    def _renew_refused(self, now: float, model: ManagedModel) -> None:
        for harness in model:
            refused = harness.state is State.ERROR and harness.aspired and harness.is_short_of_memory
            if refused and self._budget.has_room_for(harness.estimate_bytes or 0):
                model.renew_refused(now, harness)

    def _begin(self, now: float, model: ManagedModel, harness: Harness) -> Inspect | Load | None:
        """Looks at the files first; then loads, waits for memory that is being freed, or refuses."""
        estimate_bytes = harness.estimate_bytes
        if estimate_bytes is None:
            return model.start_inspection(harness)
        if self._budget.reserve(harness.servable, estimate_bytes):
            return model.start_load(now, harness)
        why = self._budget.why_no_room(estimate_bytes)
        if self._is_memory_being_freed():
            model.wait_for_memory(now, harness, why)
        else:
            model.refuse(now, harness, why)
        return None

    def _is_memory_being_freed(self) -> bool:
        return any(
            harness.state is State.UNLOADING or (harness.state is State.LOADING and not harness.aspired)
            for model in self._models.values()
            for harness in model
        )

    # Settling.

    def _settle(self, now: float, models: Iterable[ManagedModel]) -> list[Watch]:
        """Brings what the manager remembers of each model in step with the model."""
        watches = []
        for model in models:
            model.explain_waiting(now)
            model.forget_surplus()
            self._settle_times(now, model)
            watched = model.watched()
            if watched != self._watched.get(model.name, frozenset()):
                self._watched[model.name] = watched
                watches.append(Watch(model.name, watched))
            if model.removed and model.is_finished():
                self._removed.setdefault(model.name)
        return watches

    def _settle_times(self, now: float, model: ManagedModel) -> None:
        due_at = model.next_attempt_at(now)
        if due_at is None:
            self._due_at.pop(model.name, None)
        else:
            self._due_at[model.name] = due_at
        if any(h.is_short_of_memory and (h.aspired or h.state not in FINISHED) for h in model):
            self._short_of_memory.add(model.name)
        else:
            self._short_of_memory.discard(model.name)

    def _tell(self, models: Iterable[ManagedModel]) -> tuple[tuple[ModelSnapshot, ...], tuple[str, ...]]:
        """The snapshots that changed, and the models forgotten."""
        forgotten = tuple(list(self._removed)[:-REMOVED_MODELS_MAX])
        for name in forgotten:
            del self._removed[name]
            del self._models[name]
            del self._snapshots[name]
            self._watched.pop(name, None)
        changed = []
        for model in models:
            if model.changed and model.name in self._models:
                model.changed = False
                self._snapshots[model.name] = model.snapshot()
                changed.append(self._snapshots[model.name])
        return tuple(changed), forgotten
