"""The control loop's desk, tick by tick, without threads: what a turn orders, and when orders are answered."""

import pytest

from tests.ticking import BROKEN, Ticking, found, model, ready
from understudy.control.facts import ConfigOrder, Recorded, RetryOrder, Unavailable
from understudy.errors import Code, ConfigError, StoreError
from understudy.model_config import ConfigDiff, ServerConfig, Specific
from understudy.servable import (
    Failure,
    FoundVersion,
    FoundVersions,
    Loaded,
    LoadFailed,
    Place,
    ServableId,
    Unloaded,
)
from understudy.store.revision import Draft, Origin


def test_a_configuration_sends_the_source_and_is_answered_when_the_model_serves() -> None:
    ticking = Ticking()
    order = ticking.order(model("m"))
    assert ticking.tick().models == {"m": Place("/models/m")}
    ticking.see(found("m", 1))
    ((load, platform),) = ticking.tick().loads
    assert (load.servable, platform) == (ServableId("m", 1), "synthetic")
    assert not order.answer.done()
    ticking.desk.finish(Loaded(load.servable, 0.1))
    turn = ticking.tick()
    assert turn.routes is not None
    assert turn.routes.changed[0].ready_versions == (1,)
    assert order.answer.result(timeout=0).unavailable == ()


def test_a_new_model_that_cannot_load_is_named_in_the_answer() -> None:
    ticking = Ticking()
    order = ticking.order(model("m"))
    ticking.see(found("m", 1))
    ticking.tick()
    ticking.desk.finish(LoadFailed(ServableId("m", 1), 0.1, BROKEN))
    ticking.tick()
    assert order.answer.result(timeout=0).unavailable == (Unavailable(ServableId("m", 1), BROKEN),)


@pytest.mark.parametrize(
    "look",
    [
        found("m"),
        FoundVersions("m", (), Failure(Code.NOT_FOUND, "no such directory"), base_path="/models/m"),
    ],
    ids=["nothing there", "no such directory"],
)
def test_a_new_model_of_which_nothing_is_found_does_not_hold_the_answer_up(look: FoundVersions) -> None:
    ticking = Ticking()
    order = ticking.order(model("m"))
    ticking.tick()
    assert not order.answer.done()
    ticking.see(look)
    ticking.tick()
    assert order.answer.result(timeout=0).unavailable == ()


def test_routes_of_one_tick_already_leave_out_what_it_unloads() -> None:
    ticking = ready(1)
    ticking.see(found("m", 1, 2))
    ticking.tick()
    ticking.desk.finish(Loaded(ServableId("m", 2), 0.1))
    turn = ticking.tick()
    assert [unload.servable for unload in turn.unloads] == [ServableId("m", 1)]
    assert turn.routes is not None
    assert turn.routes.changed[0].ready_versions == (2,)


def test_a_refused_configuration_changes_nothing() -> None:
    ticking = ready(1)
    before = ticking.desk.picture
    order = ticking.order(model("m"), model("n", "relative/path"))
    with pytest.raises(ConfigError, match="absolute path"):
        order.answer.result(timeout=0)
    assert ticking.desk.picture is before
    assert ticking.tick().models is None


def test_the_picture_tells_since_when_the_configuration_is_in_force() -> None:
    assert Ticking().desk.picture.configured_at is None
    ticking = Ticking()
    ticking.order(model("m"))
    ticking.tick()
    since = ticking.desk.picture.configured_at
    assert since == ticking.now
    ticking.tick()
    ticking.order(model("n", "relative/path"))
    ticking.tick()
    assert ticking.desk.picture.configured_at == since < ticking.now


def test_a_look_at_a_place_that_is_no_longer_asked_for_is_not_believed() -> None:
    ticking = ready(1)
    ticking.order(model("m", "/models/elsewhere"))
    ticking.tick()
    ticking.see(found("m"))
    turn = ticking.tick()
    assert turn.unloads == ()
    ticking.see(found("m", 5, base_path="/models/elsewhere"))
    assert [load.path for load, _ in ticking.tick().loads] == ["/models/elsewhere/5"]


def test_a_policy_changed_to_an_older_version_loads_it_and_then_lets_the_newer_go() -> None:
    ticking = ready(1, 2)
    ticking.order(model("m", version_policy=Specific((1,))))
    turn = ticking.tick()
    assert [load.servable.version for load, _ in turn.loads] == [1]
    ticking.desk.finish(Loaded(ServableId("m", 1), 0.1))
    turn = ticking.tick()
    assert [unload.servable.version for unload in turn.unloads] == [2]
    assert turn.routes is not None
    assert turn.routes.changed[0].default_version == 1


def test_an_unchanged_look_is_skipped_by_identity() -> None:
    ticking = ready(1)
    look = ticking.desk.picture.looks["m"]
    ticking.see(look)
    turn = ticking.tick()
    assert (turn.loads, turn.unloads, turn.routes, turn.events) == ((), (), None, ())


def test_files_that_have_settled_are_tried_again_although_two_looks_in_a_row_are_the_same_object() -> None:
    ticking = ready(1)
    ticking.see(found("m", 1, 2))
    assert ticking.tick().watched == {}
    ticking.desk.finish(LoadFailed(ServableId("m", 2), 0.1, BROKEN))
    assert ticking.tick().watched == {"m": frozenset({2})}
    whole = FoundVersions(
        "m",
        (FoundVersion(1, "/models/m/1"), FoundVersion(2, "/models/m/2", fingerprint="whole now")),
        base_path="/models/m",
    )
    ticking.see(whole)
    assert ticking.tick().loads == ()
    ticking.see(whole)
    assert [load.servable.version for load, _ in ticking.tick().loads] == [2]


def test_a_removed_model_is_unloaded_and_remembered() -> None:
    ticking = ready(1)
    ticking.order()
    turn = ticking.tick()
    assert [unload.servable for unload in turn.unloads] == [ServableId("m", 1)]
    ticking.desk.finish(Unloaded(ServableId("m", 1), 0.1))
    ticking.tick()
    assert ticking.desk.picture.models["m"].removed
    assert [event.kind for event in ticking.desk.journal.of("m")][-1] == "state_changed"


def test_versions_that_serve_are_guarded_from_the_tick_in_which_they_do() -> None:
    ticking = ready(1)
    assert ticking.tick().guarded is None
    ticking.see(found("m", 1, 2))
    assert ticking.tick().guarded is None
    ticking.desk.finish(Loaded(ServableId("m", 2), 0.1))
    turn = ticking.tick()
    assert turn.guarded == frozenset({ServableId("m", 2)})


def test_a_configuration_is_on_record_before_it_is_in_force_and_the_picture_has_its_number() -> None:
    ticking = Ticking()
    assert ticking.desk.picture.config_revision == 0
    ticking.order(model("m"))
    ticking.order(model("m"), model("n"))
    newest = ticking.ledger.newest()
    assert newest is not None
    assert (newest.head.number, newest.text) == (2, "m n")
    assert ticking.desk.picture.config_revision == 2


def test_what_cannot_be_recorded_is_not_in_force() -> None:
    ticking = ready(1)
    before = ticking.desk.picture
    ticking.store.close()
    order = ticking.order(model("m"), model("n"))
    with pytest.raises(StoreError, match="could not be written, so nothing was changed"):
        order.answer.result(timeout=0)
    assert ticking.desk.picture is before
    assert ticking.tick().models is None


def test_an_equal_configuration_is_answered_at_once_and_makes_no_revision() -> None:
    ticking = Ticking()
    ticking.order(model("m"))
    order = ticking.order(model("m"))
    applied = order.answer.result(timeout=0)
    assert (applied.revision, applied.change) == (1, ConfigDiff())
    assert len(ticking.ledger.history(10)) == 1


def test_a_first_configuration_without_models_is_a_revision_too() -> None:
    ticking = Ticking()
    ticking.order()
    assert ticking.desk.picture.config_revision == 1


@pytest.mark.parametrize(("origin", "noted"), [(Origin.FILE, True), (Origin.RPC, False)])
def test_a_file_that_says_what_is_in_force_already_is_noted_for_the_next_start(
    origin: Origin,
    noted: bool,  # noqa: FBT001 - a table's column
) -> None:
    ticking = Ticking()
    ticking.order(model("a"), origin=Origin.STARTUP)
    ticking.order(model("m"))
    ticking.order(model("m"), origin=origin)
    assert ticking.ledger.is_declared("m") is noted
    assert len(ticking.ledger.history(10)) == 2


def test_a_resumed_revision_keeps_its_number() -> None:
    ticking = Ticking()
    ticking.give(ConfigOrder(config=ServerConfig((model("m"),)), record=Recorded(7)))
    assert ticking.desk.picture.config_revision == 7
    assert ticking.ledger.newest() is None


def test_a_trial_says_what_would_change_and_changes_nothing() -> None:
    ticking = ready(1)
    before = ticking.desk.picture
    order = ConfigOrder(config=ServerConfig((model("n"),)), record=Draft(Origin.API, "", "n"), is_trial=True)
    change = ticking.give(order).answer.result(timeout=0).change
    assert (change.added, change.removed) == ((model("n"),), ("m",))
    assert ticking.desk.picture is before
    assert len(ticking.ledger.history(10)) == 1


@pytest.mark.parametrize("is_trial", [False, True])
def test_a_change_of_a_revision_that_is_no_longer_in_force_is_refused(is_trial: bool) -> None:  # noqa: FBT001
    ticking = ready(1)
    ticking.order(model("m"), model("n"))
    order = ConfigOrder(
        config=ServerConfig(), record=Draft(Origin.API, "", ""), expected_revision=1, is_trial=is_trial
    )
    with pytest.raises(ConfigError, match="Revision 2 is in force") as refused:
        ticking.give(order).answer.result(timeout=0)
    assert refused.value.code is Code.ABORTED
    assert ticking.desk.picture.config_revision == 2


def test_an_order_whose_time_is_up_is_answered_with_what_is_still_under_way() -> None:
    ticking = Ticking()
    order = ConfigOrder(
        config=ServerConfig((model("m"), model("n", "/models/n"))),
        record=Draft(Origin.RPC, "", "m n"),
        deadline=3.0,
    )
    ticking.give(order)
    ticking.see(found("m", 1), found("n", base_path="/models/n"))
    ticking.tick()
    ticking.tick()
    assert not order.answer.done()
    ticking.tick()
    applied = order.answer.result(timeout=0)
    assert (applied.revision, applied.unsettled) == (1, ("m",))
    ticking.desk.finish(Loaded(ServableId("m", 1), 0.1))
    turn = ticking.tick()
    assert turn.routes is not None, "the configuration is in force all the same"


def test_a_retry_is_answered_by_the_tick_that_takes_it() -> None:
    ticking = ready(1)
    begun, refused = RetryOrder(ServableId("m", 2)), RetryOrder(ServableId("m", 1))
    ticking.see(found("m", 1, 2))
    ticking.tick()
    ticking.desk.finish(LoadFailed(ServableId("m", 2), 0.1, BROKEN))
    ticking.tick()
    ticking.desk.take_retry(begun)
    ticking.desk.take_retry(refused)
    turn = ticking.tick()
    assert [load.servable.version for load, _ in turn.loads] == [2]
    assert begun.answer.result(timeout=0).is_begun
    answer = refused.answer.result(timeout=0)
    assert (answer.is_begun, answer.reason) == (False, "not tried again: it is not aspired")


def test_a_second_wish_for_the_same_try_is_answered_too() -> None:
    ticking = Ticking(load_retries_max=1)
    ticking.order(model("m"))
    ticking.see(found("m", 1))
    ticking.tick()
    ticking.desk.finish(LoadFailed(ServableId("m", 1), 0.1, BROKEN))
    ticking.tick()
    for _ in range(2):  # the inspection that the first one ordered has not come back
        wish = RetryOrder(ServableId("m", 1))
        ticking.desk.take_retry(wish)
        ticking.desk.decide(ticking.now)
        ticking.desk.answer_orders(ticking.now)
        assert wish.answer.result(timeout=0).is_begun
