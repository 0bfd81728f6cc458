"""When candidates are looked at: once beside their baseline, and anew if either of the two is loaded anew."""

from dataclasses import replace

import pytest

from tests.staged_rollouts import RAMPING
from understudy.control.picture import Picture
from understudy.control.validation_orders import ValidationOrders
from understudy.rollout.state import ModelTraffic, Phase
from understudy.rollout.validation import Validate
from understudy.servable import ModelSnapshot, ServableId, State, VersionSnapshot

MODEL = RAMPING.model
KEPT = {MODEL: ModelTraffic(rollout=replace(RAMPING, phase=Phase.VALIDATING))}


def ready(version: int, incarnation: int = 0, state: State = State.READY) -> VersionSnapshot:
    return VersionSnapshot(
        version=version,
        state=state,
        aspired=True,
        path=f"/models/{version}",
        since=float(incarnation),
        reason="as told",
        incarnation=incarnation,
    )


def due(orders: ValidationOrders, *versions: VersionSnapshot) -> list[Validate]:
    picture = Picture(models={MODEL: ModelSnapshot(MODEL, versions)})
    return list(orders.due([MODEL], KEPT, picture))


def test_a_candidate_is_looked_at_once() -> None:
    orders = ValidationOrders()
    (asked,) = due(orders, ready(1), ready(2))
    assert (asked.baseline, asked.candidate) == (ServableId(MODEL, 1, 0), ServableId(MODEL, 2, 0))
    assert due(orders, ready(1), ready(2)) == []


@pytest.mark.parametrize("anew", [1, 2])
def test_it_is_looked_at_again_when_one_of_the_two_is_loaded_anew(anew: int) -> None:
    orders = ValidationOrders()
    due(orders, ready(1), ready(2))
    kept = ready(3 - anew)
    assert due(orders, kept, ready(anew, state=State.LOADING)) == []
    (asked,) = due(orders, kept, ready(anew, incarnation=1))
    assert {asked.baseline, asked.candidate} == {
        ServableId(MODEL, anew, 1),
        ServableId(MODEL, 3 - anew, 0),
    }


def test_nothing_is_asked_before_both_are_ready_nor_in_another_phase() -> None:
    orders = ValidationOrders()
    assert due(orders, ready(1)) == []
    assert due(orders, ready(1, state=State.LOADING), ready(2)) == []
    picture = Picture(models={MODEL: ModelSnapshot(MODEL, (ready(1), ready(2)))})
    assert list(orders.due([MODEL], {MODEL: ModelTraffic(rollout=RAMPING)}, picture)) == []
