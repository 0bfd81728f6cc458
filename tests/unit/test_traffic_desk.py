"""Models' traffic on the control loop's desk, tick by tick: recorded first, then seen; harm never waits."""

from dataclasses import replace

import pytest

from tests.steering import (
    MANAGED,
    PLAN,
    appear,
    break_store,
    command,
    count,
    mend_store,
    pass_step,
    ramping,
    recorded,
    rollout,
    route,
    split,
)
from tests.ticking import BROKEN, Ticking, found, model, ready
from understudy.control.facts import (
    StrategiesOrder,
    TrafficOrder,
)
from understudy.control.traffic_records import COUNTS_S, RETRY_S_MIN
from understudy.errors import ConfigError, StoreError
from understudy.model_config import All, Specific
from understudy.rollout.commands import (
    Abort,
    ClearWeights,
    Pause,
    Promote,
    Quarantine,
    SetWeights,
    Start,
)
from understudy.rollout.state import Phase
from understudy.routing.traffic import BucketRange
from understudy.servable import Loaded, LoadFailed, ServableId, Unloaded


def test_a_candidate_is_loaded_beside_what_serves_and_is_not_the_default() -> None:
    ticking = ready(1)
    command(ticking, Start(candidate=2, plan=PLAN)).result(timeout=0)
    ticking.see(found("m", 1, 2))
    ((load, _platform),) = ticking.tick().loads
    ticking.desk.finish(Loaded(load.servable, 0.1))
    ticking.tick()
    assert route(ticking).ready_versions == (1, 2)
    assert route(ticking).default_version == 1
    assert route(ticking).traffic is None
    assert {each.label: each.version for each in route(ticking).labels} == {"stable": 1}


def test_a_version_that_passes_every_step_is_promoted_and_the_old_one_kept_for_a_while() -> None:
    ticking = ramping()
    assert split(ticking).ranges == (BucketRange(2, 0, 1_000),)
    assert recorded(ticking) == (Phase.RAMPING, 1_000)
    pass_step(ticking)
    assert split(ticking).ranges == (BucketRange(2, 0, 5_000),)
    pass_step(ticking, requests=20_000)
    assert rollout(ticking).phase is Phase.WATCHING
    assert (route(ticking).default_version, route(ticking).ready_versions) == (2, (1, 2))
    ticking.clock.advance(PLAN.keep_baseline_s)
    turn = ticking.tick()
    assert [each.servable for each in turn.unloads] == [ServableId("m", 1)]
    assert route(ticking).traffic is None
    assert ticking.store.rollouts.history("m", 1)[0].phase is Phase.PROMOTED


def test_harm_takes_the_candidate_out_of_traffic_in_the_tick_that_sees_it() -> None:
    ticking = ramping()
    count(ticking, 40, errors=20)
    assert (route(ticking).default_version, route(ticking).traffic) == (1, None)
    kept = ticking.store.rollouts.in_force()["m"]
    assert (kept.rollout, list(kept.quarantined)) == (None, [2])
    decisions = ticking.store.rollouts.decisions("m-2-1")
    assert [each.kind for each in decisions[-2:]] == ["rollout_rolled_back", "version_quarantined"]
    assert decisions[-2].judgement is not None
    assert decisions[-2].evidence is not None
    assert appear(ticking, 1, 2) == []


def test_a_candidate_in_quarantine_is_unloaded() -> None:
    ticking = ramping()
    ticking.desk.take_traffic(TrafficOrder(model="m", command=Abort(reason="wrong"), by="ana"))
    turn = ticking.tick()
    assert [each.servable for each in turn.unloads] == [ServableId("m", 2)]
    assert route(ticking).ready_versions == (1,)


def test_a_candidate_that_cannot_be_loaded_is_rolled_back() -> None:
    ticking = ready(1)
    command(ticking, Start(candidate=2, plan=PLAN)).result(timeout=0)
    ticking.see(found("m", 1, 2))
    ticking.tick()
    ticking.desk.finish(LoadFailed(ServableId("m", 2), 0.1, BROKEN))
    ticking.tick()
    ticking.tick()
    assert ticking.store.rollouts.history("m", 1)[0].phase is Phase.ROLLED_BACK
    assert 2 in ticking.desk.picture.traffic["m"].quarantined


def test_a_candidate_that_fails_validation_meets_no_request() -> None:
    ticking = ready(1)
    command(ticking, Start(candidate=2, plan=PLAN)).result(timeout=0)
    appear(ticking, 1, 2, passes=False)
    assert (route(ticking).default_version, route(ticking).traffic) == (1, None)
    assert "misses an input" in ticking.store.rollouts.decisions("m-2-1")[-1].reason


def test_a_new_version_of_a_managed_model_is_never_the_default_for_one_publish() -> None:
    ticking = Ticking(strategies=MANAGED)
    ticking.order(model("m"))
    appear(ticking, 1)
    ticking.tick()
    assert ticking.desk.picture.traffic["m"].stable == 1
    ticking.see(found("m", 1, 2))
    defaults = set()
    for _ in range(5):
        for servable in [each.servable for each, _ in ticking.tick().loads]:
            ticking.desk.finish(Loaded(servable, 0.1))
        defaults.add(route(ticking).default_version)
    assert defaults == {1}
    assert route(ticking).ready_versions == (1, 2)
    assert rollout(ticking).asked_by == "strategy"


def test_what_served_goes_on_until_the_version_that_the_configuration_goes_back_to_is_ready() -> None:
    ticking = ramping()
    command(ticking, Promote())
    ticking.clock.advance(PLAN.keep_baseline_s)
    ticking.tick()
    ticking.desk.finish(Unloaded(ServableId("m", 1), 0.1))
    ticking.tick()
    assert route(ticking).ready_versions == (2,)
    ticking.order(model("m", version_policy=Specific((1,))))
    ((load, _platform),) = ticking.tick().loads
    ticking.tick()
    assert (load.servable.version, route(ticking).default_version) == (1, 2)
    ticking.desk.finish(Loaded(load.servable, 0.1))
    ticking.tick()
    ticking.tick()
    assert (route(ticking).default_version, route(ticking).ready_versions) == (1, (1,))


def test_a_strategy_that_is_taken_away_leaves_the_present_rollout_its_plan() -> None:
    ticking = Ticking(strategies=MANAGED)
    ticking.order(model("m"))
    appear(ticking, 1)
    appear(ticking, 1, 2)
    order = StrategiesOrder({})
    ticking.desk.take_traffic(order)
    ticking.tick()
    assert order.answer.done()
    assert ticking.desk.picture.strategies == {}
    assert rollout(ticking).plan == PLAN


def test_a_step_that_cannot_be_recorded_is_not_taken_and_told_once() -> None:
    ticking = ramping()
    for _ in range(6):
        ticking.tick()
    break_store(ticking)
    count(ticking, 20)
    for _ in range(3):
        ticking.tick()
    assert split(ticking).ranges == (BucketRange(2, 0, 1_000),)
    told = [each for each in ticking.desk.journal.of("m") if each.kind == "traffic_unrecorded"]
    assert len(told) == 1
    assert "goes no further" in told[0].reason
    mend_store(ticking)
    for _ in range(6):
        ticking.tick()
    assert split(ticking).ranges == (BucketRange(2, 0, 5_000),)
    assert recorded(ticking) == (Phase.RAMPING, 5_000)
    assert [each.kind for each in ticking.desk.journal.of("m")].count("traffic_recorded") == 1


def test_harm_does_not_wait_for_a_store_that_fails_and_is_recorded_when_it_works() -> None:
    ticking = ramping()
    break_store(ticking)
    count(ticking, 40, errors=20)
    assert route(ticking).traffic is None
    assert recorded(ticking) == (Phase.RAMPING, 1_000)
    mend_store(ticking)
    ticking.clock.advance(RETRY_S_MIN)
    ticking.tick()
    assert recorded(ticking) is None
    assert list(ticking.store.rollouts.in_force()["m"].quarantined) == [2]
    kinds = [each.kind for each in ticking.store.rollouts.decisions("m-2-1")]
    assert kinds[-2:] == ["rollout_rolled_back", "version_quarantined"]


def test_an_order_to_go_forward_is_refused_when_it_cannot_be_recorded() -> None:
    ticking = ramping()
    break_store(ticking)
    with pytest.raises(StoreError, match="nothing was changed"):
        command(ticking, Promote()).result(timeout=0)
    assert (rollout(ticking).phase, route(ticking).default_version) == (Phase.RAMPING, 1)


def test_an_order_to_retreat_is_obeyed_when_it_cannot_be_recorded_and_says_so() -> None:
    ticking = ramping()
    break_store(ticking)
    obeyed = command(ticking, Abort(reason="I saw eights")).result(timeout=0)
    assert not obeyed.is_recorded
    assert obeyed.traffic.rollout is None
    assert route(ticking).traffic is None


def test_a_server_without_a_state_directory_says_once_that_it_forgets() -> None:
    ticking = ready(1)
    ticking.order(model("m"))
    for version in (2, 3):
        command(ticking, Quarantine(version=version, reason="wrong on eights")).result(timeout=0)
    kinds = [each.kind for each in ticking.desk.journal.of("m")]
    assert kinds.count("traffic_in_memory") == 1


def test_what_the_core_refuses_changes_nothing() -> None:
    ticking = ready(1)
    before = ticking.desk.picture
    with pytest.raises(ConfigError, match="no rollout"):
        command(ticking, Pause()).result(timeout=0)
    with pytest.raises(ConfigError, match="There is no model"):
        command(ticking, Start(candidate=2), name="unheard of").result(timeout=0)
    assert ticking.desk.picture.traffic is before.traffic
    assert ticking.store.rollouts.in_force() == {}


def test_two_orders_in_one_tick_are_obeyed_one_after_the_other() -> None:
    ticking = ready(1)
    orders = [TrafficOrder(model="m", command=Start(candidate=each), by="ana") for each in (2, 3)]
    for order in orders:
        ticking.desk.take_traffic(order)
    ticking.tick()
    assert orders[0].answer.result(timeout=0).decisions[0].rollout == "m-2-1"
    assert not orders[1].answer.done()
    ticking.tick()
    with pytest.raises(ConfigError, match="has a rollout"):
        orders[1].answer.result(timeout=0)


def test_weights_by_hand_split_traffic_until_they_are_cleared() -> None:
    ticking = Ticking()
    ticking.order(replace(model("m"), version_policy=All()))
    appear(ticking, 1, 2)
    assert route(ticking).default_version == 2
    command(ticking, SetWeights(((1, 9_000), (2, 1_000)))).result(timeout=0)
    assert route(ticking).default_version == 2
    assert split(ticking).ranges == (BucketRange(1, 0, 9_000),)
    assert ticking.store.rollouts.in_force()["m"].weights is not None
    command(ticking, ClearWeights()).result(timeout=0)
    assert (route(ticking).default_version, route(ticking).traffic) == (2, None)
    assert [each.kind for each in ticking.store.rollouts.other_decisions("m")] == [
        "weights_set",
        "weights_cleared",
    ]


def test_quarantine_outlives_the_rollout_and_the_policy_skips_it() -> None:
    ticking = ready(1)
    command(ticking, Quarantine(version=2, reason="wrong on eights")).result(timeout=0)
    assert appear(ticking, 1, 2) == []
    assert appear(ticking, 1, 2, 3) == [ServableId("m", 3)]


def test_counts_that_decide_nothing_are_recorded_now_and_then() -> None:
    ticking = ramping()
    count(ticking, 5)
    kept = ticking.store.rollouts.in_force()["m"].rollout
    assert kept is not None
    assert kept.evidence.epochs == ()
    ticking.clock.advance(COUNTS_S)
    ticking.tick()
    kept = ticking.store.rollouts.in_force()["m"].rollout
    assert kept is not None
    assert kept.evidence.epochs[0].candidate.requests == 5
