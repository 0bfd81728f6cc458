"""What the manager orders and says. Its course over time is in tests/scenarios and tests/simulation."""

import pytest

from tests.steps import CORRUPT, Steps, aspire, failed, loaded, loads, unloaded, unloads
from understudy.errors import Code
from understudy.lifecycle import (
    Facts,
    Inspect,
    Load,
    Manager,
    ManagerOptions,
    StepResult,
    Unload,
    Watch,
    Withdraw,
)
from understudy.lifecycle.manager import REMOVED_MODELS_MAX
from understudy.lifecycle.model import FINISHED_VERSIONS_MAX
from understudy.model_config import Transition
from understudy.servable import (
    Failure,
    Inspected,
    Loaded,
    LoadOverdue,
    LoadWithdrawn,
    ServableId,
    State,
    Unloaded,
    WarmUp,
)


def test_nothing_happened_is_nothing_to_do() -> None:
    steps = Steps()
    assert steps() == StepResult((), (), (), (), None)


def test_the_same_aspired_set_again_is_nothing_to_do() -> None:
    steps = Steps()
    steps(aspire("m", 1))
    steps(loaded("m", 1))
    assert steps(aspire("m", 1)) == StepResult((), (), (), (), None)


def test_of_two_aspired_sets_in_one_step_the_later_counts() -> None:
    steps = Steps()
    assert loads(steps(aspire("m", 1), aspire("m", 2))) == ["m/2"]


def test_a_model_removed_and_added_again_in_one_step_keeps_serving() -> None:
    steps = Steps()
    steps(aspire("m", 1))
    steps(loaded("m", 1))
    result = steps.manager.step(1.0, Facts(removed=("m",), aspired=(aspire("m", 1),)))
    assert unloads(result) == []
    assert steps.version("m", 1).state is State.READY


def test_removing_a_model_that_was_never_seen_is_nothing_to_do() -> None:
    assert Manager().step(0.0, Facts(removed=("m",))) == StepResult((), (), (), (), None)


def test_the_step_that_orders_an_unload_already_tells_it_out_of_ready_and_its_successor_in() -> None:
    steps = Steps()
    steps(aspire("m", 1))
    steps(loaded("m", 1))
    steps(aspire("m", 2))
    result = steps(loaded("m", 2))
    assert unloads(result) == ["m/1"]
    (model,) = result.changed
    assert [(v.version, v.state) for v in model.versions] == [(1, State.UNLOADING), (2, State.READY)]


def test_unloads_are_ordered_before_loads() -> None:
    steps = Steps()
    steps(aspire("z", 1, 2))
    steps(loaded("z", 1), loaded("z", 2))
    kinds = [type(action) for action in steps(aspire("a", 1), aspire("z", 2, 3)).actions]
    assert kinds == [Unload, Load, Load]


def test_files_are_inspected_before_every_attempt_and_only_once_for_each() -> None:
    manager = Manager(ManagerOptions(load_retry_interval_s=10.0))
    servable = ServableId("m", 1)
    inspect = Inspect(servable, "/models/m/1")
    inspected = Inspected(servable, "/models/m/1", 5, "a")
    first = manager.step(0.0, Facts(aspired=(aspire("m", 1),)))
    assert first.actions == (inspect,)
    assert manager.step(0.1, Facts(aspired=(aspire("m", 1, files="x"),))).actions == ()
    second = manager.step(0.2, Facts(outcomes=(inspected,)))
    assert second.actions[0] == Load(servable, "/models/m/1", 1, "a")
    manager.step(0.3, Facts(outcomes=(failed("m", 1),)))
    assert manager.step(10.3, Facts()).actions == (inspect,)


def test_an_inspection_of_a_place_that_is_no_longer_asked_for_says_nothing() -> None:
    manager = Manager()
    servable = ServableId("m", 1)
    manager.step(0.0, Facts(aspired=(aspire("m", 1),)))
    manager.step(0.0, Facts(aspired=(aspire("m", 1, where="/new"),)))
    result = manager.step(0.0, Facts(outcomes=(Inspected(servable, "/models/m/1", 5, "a"),)))
    assert result.actions == (Inspect(servable, "/new/m/1"),)


def test_what_was_inspected_elsewhere_is_inspected_again_before_it_loads() -> None:
    steps = Steps(ManagerOptions(memory_limit_bytes=100))
    steps.estimates |= {"/models/m/1": 60, "/models/n/1": 90, "/elsewhere/n/1": 5}
    steps(aspire("m", 1))
    steps(loaded("m", 1))
    steps(aspire("m"), aspire("n", 1))
    assert steps.version("n", 1).estimate_bytes == 90
    assert loads(steps(aspire("n", 1, where="/elsewhere"))) == ["n/1"]
    assert steps.version("n", 1).estimate_bytes == 5


def test_an_inspection_that_comes_back_when_its_version_is_forgotten_is_no_fault() -> None:
    manager = Manager()
    assert manager.step(0.0, Facts(outcomes=(Inspected(ServableId("m", 1), "/m/1", 5),))).actions == ()


def test_models_that_answer_nothing_yet_load_first_and_every_models_first_version_before_any_second() -> None:
    steps = Steps()
    steps(aspire("serving", 1))
    steps(loaded("serving", 1))
    result = steps(aspire("serving", 1, 2), aspire("a", 1, 2, 3), aspire("b", 7, 8))
    assert loads(result) == ["a/3", "b/8", "serving/2", "a/2", "b/7", "a/1"]


def test_a_version_that_failed_before_waits_behind_one_that_did_not() -> None:
    steps = Steps(ManagerOptions(load_retry_interval_s=10.0))
    steps(aspire("a", 1))
    steps(failed("a", 1))
    assert loads(steps(aspire("b", 1), after_s=10.0)) == ["b/1", "a/1"]


def test_attempts_are_one_more_than_retries_and_an_interval_apart() -> None:
    steps = Steps(ManagerOptions(load_retries_max=2, load_retry_interval_s=10.0))
    steps(aspire("m", 1))
    assert steps(failed("m", 1)).next_step_at == 10.0
    assert loads(steps(after_s=9.9)) == []
    assert loads(steps(after_s=0.1)) == ["m/1"]
    steps(failed("m", 1))
    assert loads(steps(after_s=10.0)) == ["m/1"]
    assert steps(failed("m", 1)).next_step_at is None
    assert steps.version("m", 1).state is State.ERROR
    assert loads(steps(after_s=1e9)) == []


@pytest.mark.parametrize("retries", [0, -1])
def test_without_retries_there_is_one_attempt(retries: int) -> None:
    steps = Steps(ManagerOptions(load_retries_max=retries))
    steps(aspire("m", 1))
    steps(failed("m", 1))
    assert steps.version("m", 1).state is State.ERROR


def test_without_an_interval_the_next_attempt_begins_in_the_same_step() -> None:
    steps = Steps(ManagerOptions(load_retry_interval_s=-1.0))
    steps(aspire("m", 1))
    result = steps(failed("m", 1))
    assert Load(ServableId("m", 1), "/models/m/1", 2) in result.actions


def test_a_retry_that_waits_is_cancelled_at_once_when_it_is_no_longer_aspired() -> None:
    steps = Steps()
    steps(aspire("m", 1))
    steps(failed("m", 1))
    steps(aspire("m"))
    version = steps.version("m", 1)
    assert (version.state, version.failure) == (
        State.END,
        Failure(Code.CANCELLED, "Loading of servable cancelled"),
    )
    assert loads(steps(after_s=1e9)) == []


def test_a_load_that_fails_when_it_is_no_longer_aspired_ends_with_its_failure() -> None:
    steps = Steps()
    steps(aspire("m", 1))
    steps(aspire("m"))
    steps(failed("m", 1))
    version = steps.version("m", 1)
    assert (version.state, version.failure) == (State.ERROR, CORRUPT)


def test_a_version_whose_load_never_began_ends_cancelled_when_it_is_no_longer_aspired() -> None:
    steps = Steps(ManagerOptions(transition=Transition.RESOURCE_PRESERVING))
    steps(aspire("m", 1))
    steps(loaded("m", 1))
    steps(aspire("m", 2))
    assert steps.version("m", 2).state is State.NEW
    steps(aspire("m", 3))
    version = steps.version("m", 2)
    assert version.failure is not None
    assert (version.state, version.failure.code) == (State.END, Code.CANCELLED)


def test_a_load_that_ends_in_the_step_in_which_it_is_aspired_again_serves() -> None:
    steps = Steps()
    steps(aspire("m", 1))
    steps(aspire("m"))
    assert unloads(steps(aspire("m", 1), loaded("m", 1))) == []
    assert steps.version("m", 1).state is State.READY


def test_a_load_that_ends_in_the_step_in_which_it_is_no_longer_aspired_never_serves() -> None:
    steps = Steps()
    steps(aspire("m", 1))
    result = steps(aspire("m"), loaded("m", 1))
    assert unloads(result) == ["m/1"]
    assert State.READY not in [event.state for event in result.events]


def test_retrying_and_failed_versions_are_watched_and_nothing_else() -> None:
    steps = Steps(ManagerOptions(load_retries_max=1))
    assert not [a for a in steps(aspire("m", 1, 2)).actions if isinstance(a, Watch)]
    assert not [a for a in steps(loaded("m", 2)).actions if isinstance(a, Watch)]
    assert Watch("m", frozenset({1})) in steps(failed("m", 1)).actions
    assert Watch("m", frozenset()) in steps(after_s=60.0).actions
    assert Watch("m", frozenset({1})) in steps(failed("m", 1)).actions
    assert Watch("m", frozenset()) in steps(aspire("m", 2)).actions


def test_a_failed_version_is_tried_again_when_two_looks_see_the_same_new_files() -> None:
    steps = Steps(ManagerOptions(load_retries_max=0))
    steps(aspire("m", 1, files="a"))
    steps(failed("m", 1))
    assert loads(steps(aspire("m", 1, files="a"))) == []
    assert loads(steps(aspire("m", 1, files="b"))) == []
    assert loads(steps(aspire("m", 1, files="c"))) == []
    assert loads(steps(aspire("m", 1, files="c"))) == ["m/1"]
    steps(failed("m", 1))
    assert loads(steps(aspire("m", 1, files="c"))) == []


def test_files_that_an_inspection_could_not_see_are_tried_once_more() -> None:
    steps = Steps(ManagerOptions(load_retries_max=0))
    steps(aspire("m", 1))
    steps(failed("m", 1))
    assert loads(steps(aspire("m", 1, files="a"))) == []
    assert loads(steps(aspire("m", 1, files="a"))) == ["m/1"]
    steps(failed("m", 1))
    assert loads(steps(aspire("m", 1, files="a"))) == []


def test_a_failed_version_is_tried_again_where_it_is_found_now() -> None:
    steps = Steps(ManagerOptions(load_retries_max=0))
    steps(aspire("m", 1))
    steps(failed("m", 1))
    result = steps(aspire("m", 1, where="/elsewhere"))
    assert Load(ServableId("m", 1), "/elsewhere/m/1", 1) in result.actions


def test_a_version_whose_files_changed_under_it_serves_on_and_that_is_said_once() -> None:
    steps = Steps()
    steps(aspire("m", 1, files="a"))
    steps(loaded("m", 1))
    assert steps(aspire("m", 1, files="a")).events == ()
    result = steps(aspire("m", 1, files="b"), after_s=5.0)
    assert [event.kind for event in result.events] == ["files_changed"]
    assert result.actions == ()
    assert steps(aspire("m", 1, files="c"), after_s=1.0).events == ()
    assert steps.version("m", 1).files_changed_at == 5.0


def test_a_load_past_its_deadline_is_told_as_failed_and_serves_if_it_comes_back() -> None:
    steps = Steps(ManagerOptions(memory_limit_bytes=100))
    steps.estimates["/models/m/1"] = 60
    steps(aspire("m", 1))
    steps(LoadOverdue(ServableId("m", 1), 30.0), after_s=30.0)
    version = steps.version("m", 1)
    assert version.failure is not None
    assert (version.state, version.failure.code) == (State.OVERDUE, Code.DEADLINE_EXCEEDED)
    assert steps.manager.budget.reserved_bytes == 60
    steps(loaded("m", 1), after_s=1.0)
    version = steps.version("m", 1)
    assert (version.state, version.failure) == (State.READY, None)


def test_a_version_that_was_warmed_up_says_so() -> None:
    steps = Steps()
    steps(aspire("m", 1))
    steps(Loaded(ServableId("m", 1), 0.4, warm_up=WarmUp(12, 0.3)))
    assert steps.version("m", 1).reason == "loaded in 0.4 s, 0.3 s of it for 12 warm-up records, serving"


def test_an_overdue_load_holds_up_no_later_version_when_availability_is_preserved() -> None:
    steps = Steps()
    steps(aspire("m", 1))
    steps(LoadOverdue(ServableId("m", 1), 30.0))
    assert loads(steps(aspire("m", 2))) == ["m/2"]
    assert unloads(steps(loaded("m", 2), loaded("m", 1))) == ["m/1"]


def test_a_load_that_is_no_longer_wanted_is_withdrawn_and_wanted_again_it_begins_anew() -> None:
    steps = Steps()
    servable = ServableId("m", 1)
    steps(aspire("m", 1))
    assert Withdraw(servable) in steps(aspire("m")).actions
    steps(aspire("m", 1))
    assert loads(steps(LoadWithdrawn(servable))) == ["m/1"]
    steps(aspire("m"))
    steps(LoadWithdrawn(servable))
    version = steps.version("m", 1)
    assert version.failure is not None
    assert (version.state, version.failure.code) == (State.END, Code.CANCELLED)
    assert steps.manager.budget.reservations() == {}


def test_a_model_may_have_a_transition_of_its_own_and_change_it() -> None:
    steps = Steps()
    steps(aspire("m", 1, transition=Transition.RESOURCE_PRESERVING))
    steps(loaded("m", 1))
    result = steps(aspire("m", 2, transition=Transition.RESOURCE_PRESERVING))
    assert (unloads(result), loads(result)) == (["m/1"], [])
    assert loads(steps(unloaded("m", 1))) == ["m/2"]
    steps(loaded("m", 2))
    result = steps(aspire("m", 3))
    assert (unloads(result), loads(result)) == ([], ["m/3"])


def test_a_memory_limit_is_kept_and_given_back_by_failures_and_unloads() -> None:
    steps = Steps(ManagerOptions(memory_limit_bytes=100))
    steps.estimates["/models/m/1"] = 70
    steps(aspire("m", 1))
    assert steps.manager.budget.reserved_bytes == 70
    steps(failed("m", 1))
    assert steps.manager.budget.reserved_bytes == 0
    steps(after_s=60.0)
    steps(loaded("m", 1))
    steps(aspire("m"))
    assert steps.manager.budget.reserved_bytes == 70
    steps(unloaded("m", 1))
    assert steps.manager.budget.reserved_bytes == 0


def test_a_version_that_does_not_fit_beside_the_old_one_is_refused_and_the_old_one_serves_on() -> None:
    steps = Steps(ManagerOptions(memory_limit_bytes=100))
    steps.estimates |= {"/models/m/1": 60, "/models/m/2": 60}
    steps(aspire("m", 1))
    steps(loaded("m", 1))
    steps(aspire("m", 2))
    version = steps.version("m", 2)
    assert version.failure is not None
    assert version.failure.code is Code.RESOURCE_EXHAUSTED
    assert steps.version("m", 1).state is State.READY


def test_a_refused_version_is_told_once_and_not_at_every_step() -> None:
    steps = Steps(ManagerOptions(memory_limit_bytes=100))
    steps.estimates["/models/m/1"] = 200
    steps(aspire("m", 1, files="a"))
    for _ in range(3):
        assert steps(aspire("m", 1, files="a")).events == ()


def test_a_refused_version_is_tried_again_when_its_files_have_become_smaller() -> None:
    steps = Steps(ManagerOptions(memory_limit_bytes=100))
    steps.estimates["/models/m/1"] = 200
    steps(aspire("m", 1, files="large"))
    steps.estimates["/models/m/1"] = 50
    steps(aspire("m", 1, files="small"))
    assert loads(steps(aspire("m", 1, files="small"))) == ["m/1"]


def test_an_outcome_that_nobody_ordered_is_a_fault_of_ours() -> None:
    steps = Steps()
    steps(aspire("m", 1))
    steps(loaded("m", 1))
    with pytest.raises(AssertionError, match="no change of state from READY by LOADED"):
        steps(loaded("m", 1))


def test_finished_versions_are_remembered_up_to_a_limit_the_latest_longest() -> None:
    steps = Steps(ManagerOptions(load_retries_max=0))
    last = FINISHED_VERSIONS_MAX + 10
    for number in range(1, last + 1):
        steps(aspire("m", number), after_s=1.0)
        steps(failed("m", number))
    (model,) = steps.manager.snapshots()
    assert [v.version for v in model.versions] == list(range(last - FINISHED_VERSIONS_MAX, last + 1))


def test_removed_models_are_remembered_up_to_a_limit_and_then_named_as_forgotten() -> None:
    steps = Steps()
    forgotten: list[str] = []
    for number in range(REMOVED_MODELS_MAX + 2):
        name = f"m{number}"
        steps(aspire(name, 1))
        steps(loaded(name, 1))
        steps.manager.step(0.0, Facts(removed=(name,)))
        forgotten.extend(steps(unloaded(name, 1)).forgotten)
    assert forgotten == ["m0", "m1"]
    assert len(steps.manager.snapshots()) == REMOVED_MODELS_MAX


def test_a_snapshot_tells_when_each_state_was_entered_and_how_long_things_took() -> None:
    steps = Steps()
    steps(aspire("m", 1))
    steps(loaded("m", 1), after_s=0.4)
    steps(aspire("m"), after_s=10.0)
    steps(Unloaded(ServableId("m", 1), 2.0, requests_left=3), after_s=2.0)
    version = steps.version("m", 1)
    assert version.entered == (
        (State.NEW, 0.0),
        (State.LOADING, 0.0),
        (State.READY, 0.4),
        (State.UNLOADING, 10.4),
        (State.END, 12.4),
    )
    assert (version.load_duration_s, version.unload_duration_s, version.requests_left) == (0.4, 2.0, 3)
    assert version.reason.startswith("unloaded in 2.0 s, but 3 requests outlived the drain")
