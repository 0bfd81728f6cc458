"""Every state by every trigger: 7 times 10 pairs, of which 14 are in the table."""

from itertools import product

import pytest

from understudy.lifecycle.harness import FINISHED, TRANSITIONS, Harness, Trigger, next_state
from understudy.servable import FoundVersion, ServableId, State

TABLE = {
    (State.NEW, Trigger.LOAD_STARTED): State.LOADING,
    (State.NEW, Trigger.CANCELLED): State.END,
    (State.NEW, Trigger.REFUSED): State.ERROR,
    (State.LOADING, Trigger.LOADED): State.READY,
    (State.LOADING, Trigger.LOADED_UNWANTED): State.UNLOADING,
    (State.LOADING, Trigger.ATTEMPT_FAILED): State.RETRYING,
    (State.LOADING, Trigger.GAVE_UP): State.ERROR,
    (State.LOADING, Trigger.WITHDRAWN): State.END,
    (State.LOADING, Trigger.OVERRAN): State.OVERDUE,
    (State.OVERDUE, Trigger.LOADED): State.READY,
    (State.OVERDUE, Trigger.LOADED_UNWANTED): State.UNLOADING,
    (State.OVERDUE, Trigger.ATTEMPT_FAILED): State.RETRYING,
    (State.OVERDUE, Trigger.GAVE_UP): State.ERROR,
    (State.OVERDUE, Trigger.WITHDRAWN): State.END,
    (State.RETRYING, Trigger.LOAD_STARTED): State.LOADING,
    (State.RETRYING, Trigger.CANCELLED): State.END,
    (State.RETRYING, Trigger.REFUSED): State.ERROR,
    (State.READY, Trigger.UNLOAD_STARTED): State.UNLOADING,
    (State.UNLOADING, Trigger.UNLOADED): State.END,
    (State.END, Trigger.RENEWED): State.NEW,
    (State.ERROR, Trigger.RENEWED): State.NEW,
}

WAY_TO: dict[State, tuple[Trigger, ...]] = {
    State.NEW: (),
    State.LOADING: (Trigger.LOAD_STARTED,),
    State.OVERDUE: (Trigger.LOAD_STARTED, Trigger.OVERRAN),
    State.RETRYING: (Trigger.LOAD_STARTED, Trigger.ATTEMPT_FAILED),
    State.READY: (Trigger.LOAD_STARTED, Trigger.LOADED),
    State.UNLOADING: (Trigger.LOAD_STARTED, Trigger.LOADED, Trigger.UNLOAD_STARTED),
    State.END: (Trigger.CANCELLED,),
    State.ERROR: (Trigger.REFUSED,),
}


def harness_in(state: State) -> Harness:
    harness = Harness(ServableId("m", 1), FoundVersion(1, "/m/1"), now=0.0, reason="found")
    for trigger in WAY_TO[state]:
        harness.move(trigger, 0.0, "on the way")
    assert harness.state is state
    return harness


@pytest.mark.parametrize(("state", "trigger"), list(product(State, Trigger)), ids=lambda each: each.name)
def test_a_trigger_moves_as_the_table_says_or_is_a_fault_of_ours(state: State, trigger: Trigger) -> None:
    harness = harness_in(state)
    expected = TABLE.get((state, trigger))
    if expected is None:
        with pytest.raises(AssertionError, match=f"no change of state from {state.name} by {trigger.name}"):
            harness.move(trigger, 1.0, "why")
        assert harness.state is state
    else:
        event = harness.move(trigger, 1.0, "why")
        assert (harness.state, harness.since, harness.reason) == (expected, 1.0, "why")
        assert (event.state, event.at, event.reason, event.version) == (expected, 1.0, "why", 1)


def test_the_table_has_nothing_else() -> None:
    assert dict(TRANSITIONS) == TABLE


def test_a_version_can_come_back_from_every_finished_state() -> None:
    for state in FINISHED:
        assert next_state(state, Trigger.RENEWED) is State.NEW


def test_every_state_can_reach_ready_so_that_nothing_is_ever_stuck() -> None:
    reach = {State.READY}
    while True:
        wider = reach | {before for (before, _), after in TABLE.items() if after in reach}
        if wider == reach:
            break
        reach = wider
    assert reach == set(State)
