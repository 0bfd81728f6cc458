"""Every situation that one model with two versions can get into, and the way out of each.

Breadth first over everything that can happen next: every aspired set, every outcome of what is under way,
time passing, an operator's retry. Situations that look alike (same states, flags and attempts) are explored
once. In every one the referee of the simulation checks the invariants; from every one, when nothing fails any
more, what is aspired becomes ready.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import pytest

from tests.driver import Driver, Step
from tests.simulation.invariants import Referee, check_settled
from tests.simulation.plane import Phase, Plane
from understudy.errors import Code
from understudy.lifecycle import Load, ManagerOptions, Unload, Withdraw
from understudy.model_config import ModelConfig, Specific, Transition
from understudy.servable import (
    Failure,
    Loaded,
    LoadFailed,
    LoadOverdue,
    LoadWithdrawn,
    Outcome,
    ServableId,
    State,
    Unloaded,
)

ASPIRED: tuple[tuple[int, ...], ...] = ((), (1,), (2,), (1, 2))
FAILURE = Failure(Code.DATA_LOSS, "corrupt")
INTERVAL_S = 10.0
SETTLE_STEPS = 12

Deed = Callable[["Situation"], object]


@dataclass(slots=True)
class Situation:
    """The core with one model, and what is under way."""

    driver: Driver
    referee: Referee
    plane: Plane
    withdrawals: set[ServableId] = field(default_factory=set)

    def step(self, outcome: Outcome | None = None, retry: ServableId | None = None) -> Step:
        """One step of the core, checked and carried out."""
        looks = list(self.driver.look_at_all())
        self.referee.note_looks(looks, self.driver.models)
        if outcome is not None:
            self._end(outcome)
        outcomes = [] if outcome is None else [outcome]
        retries = [] if retry is None else [retry]
        step = self.driver.step(looks=looks, outcomes=outcomes, retries=retries)
        self.referee.check(self.driver, step)
        self.plane.publish(self.driver.table)
        for order in step.orders:
            match order:
                case Load():
                    self.plane.load(order.servable, Loaded(order.servable, 1.0), 1.0, 0.0)
                case Unload():
                    self.plane.unload(order.servable, Unloaded(order.servable, 1.0), 1.0, 0.0)
                case Withdraw():
                    self.withdrawals.add(order.servable)
        return step

    def under_way(self) -> Iterator[Outcome]:
        """Everything that can come next of the orders given."""
        for servable, phase in self.plane.phases.items():
            if phase is Phase.LOADING:
                yield Loaded(servable, 1.0)
                yield LoadFailed(servable, 1.0, FAILURE)
                if servable in self.withdrawals:
                    yield LoadWithdrawn(servable)
                if servable not in self.plane.overdue:
                    yield LoadOverdue(servable, 60.0)
            elif phase is Phase.UNLOADING:
                yield Unloaded(servable, 1.0)

    def key(self) -> object:
        """What tells this situation from others."""
        return tuple(
            (v.version, v.state, v.aspired, v.attempts, v.next_attempt_at is not None, v.failure)
            for model in self.driver.manager.snapshots()
            for v in model.versions
        ), frozenset(self.withdrawals)

    def deeds(self) -> Iterator[Deed]:
        """Everything that can happen next."""
        for versions in ASPIRED:
            yield partial(aspire, versions=versions)
        for outcome in self.under_way():
            yield partial(Situation.step, outcome=outcome)
        yield pass_time
        for version in (1, 2):
            yield partial(Situation.step, retry=ServableId("m", version))

    def _end(self, outcome: Outcome) -> None:
        if isinstance(outcome, LoadOverdue):
            self.plane.overdue.add(outcome.servable)
            self.withdrawals.discard(outcome.servable)
            return
        self.plane.overdue.discard(outcome.servable)
        self.withdrawals.discard(outcome.servable)
        if isinstance(outcome, Loaded):
            self.plane.phases[outcome.servable] = Phase.LOADED
        else:
            del self.plane.phases[outcome.servable]


def aspire(situation: Situation, versions: tuple[int, ...]) -> None:
    situation.driver.configure([ModelConfig("m", "/m", version_policy=Specific(versions))])
    situation.step()


def pass_time(situation: Situation) -> None:
    situation.driver.clock.advance(INTERVAL_S)
    situation.step()


def build_situation(transition: Transition, deeds: tuple[Deed, ...]) -> Situation:
    driver = Driver(
        ManagerOptions(transition=transition, load_retries_max=1, load_retry_interval_s=INTERVAL_S)
    )
    for version in (1, 2):
        driver.source.put("/m", version)
    plane = Plane(workers=10)
    situation = Situation(driver, Referee(), plane)
    for deed in deeds:
        deed(situation)
    return situation


def settle(situation: Situation) -> str | None:
    """Nothing fails any more, and an operator asks for what was given up; what is still wrong then."""
    for _ in range(SETTLE_STEPS):
        for outcome in list(situation.under_way()):
            if isinstance(outcome, Loaded | Unloaded):
                situation.step(outcome)
        failed = [
            ServableId("m", version.version)
            for model in situation.driver.manager.snapshots()
            for version in model.versions
            if version.aspired and version.state is State.ERROR
        ]
        for servable in failed:
            situation.step(retry=servable)
        pass_time(situation)
        if (unsettled := check_settled(situation.driver, set(situation.plane.phases))) is None:
            return None
    return unsettled


@pytest.mark.slow
@pytest.mark.parametrize("transition", list(Transition), ids=lambda each: each.value)
def test_every_situation_of_two_versions_keeps_the_invariants_and_has_a_way_out(
    transition: Transition,
) -> None:
    seen = set()
    ahead: deque[tuple[Deed, ...]] = deque([()])
    while ahead:
        way = ahead.popleft()
        situation = build_situation(transition, way)
        key = situation.key()
        if key in seen:
            continue
        seen.add(key)
        ahead.extend((*way, deed) for deed in situation.deeds())
        assert settle(situation) is None, way
    assert len(seen) > 100
