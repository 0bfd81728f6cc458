"""What the desk decides on: looks that may be older than what they are held against, and what labels hold."""

from dataclasses import replace

import pytest

from tests.ticking import Ticking, found, model
from understudy.control.awaited import REPORTS_WAITED
from understudy.control.held import HOLD_S_MAX
from understudy.errors import ConfigError
from understudy.model_config import Latest, ModelConfig, Specific
from understudy.servable import (
    Loaded,
    Place,
    ServableId,
)


def test_a_specific_policy_names_the_versions_to_look_for_each_once() -> None:
    ticking = Ticking()
    ticking.order(model("m", version_policy=Specific((3, 1, 3))))
    assert ticking.tick().models == {"m": Place("/models/m", (1, 3))}


def test_what_serves_stays_until_there_was_a_look_for_what_replaces_it() -> None:
    ticking = Ticking()
    ticking.order(model("m", version_policy=Specific((1,))))
    ticking.see(replace(found("m", 1), only=(1,)))
    ticking.tick()
    ticking.desk.finish(Loaded(ServableId("m", 1), 0.1))
    ticking.tick()
    ticking.order(model("m", version_policy=Specific((2,))))
    assert ticking.tick().unloads == ()
    ticking.see(replace(found("m", 1), only=(1,)))
    assert ticking.tick().unloads == ()
    ticking.see(replace(found("m", 2), only=(2,)))
    turn = ticking.tick()
    assert [load.servable.version for load, _ in turn.loads] == [2]
    assert turn.unloads == ()


def serving_by_name(*versions: int, label: int) -> Ticking:
    """Model m serves these versions by a specific policy, after looks for no others; a label is on one."""
    ticking = Ticking()
    config = replace(model("m", version_policy=Specific(versions)), labels=(("stable", label),))
    ticking.order(config)
    ticking.see(replace(found("m", *versions), only=versions))
    ticking.tick()
    for version in versions:
        ticking.desk.finish(Loaded(ServableId("m", version), 0.1))
    ticking.tick()
    return ticking


def test_what_a_label_holds_is_looked_for_until_the_label_has_moved() -> None:
    ticking = serving_by_name(1, label=1)
    moved = replace(model("m", version_policy=Specific((2,))), labels=(("stable", 2),))
    assert not ticking.order(moved).answer.done()
    assert ticking.tick().models == {"m": Place("/models/m", (1, 2))}
    ticking.see(replace(found("m", 1, 2), only=(1, 2)))
    turn = ticking.tick()
    assert [load.servable.version for load, _ in turn.loads] == [2]
    assert turn.unloads == ()
    ticking.desk.finish(Loaded(ServableId("m", 2), 0.1))
    turn = ticking.tick()
    assert turn.routes is not None
    assert [(each.label, each.version) for each in turn.routes.changed[0].labels] == [("stable", 2)]


def test_a_label_is_not_refused_for_a_version_that_no_look_was_for() -> None:
    ticking = serving_by_name(1, label=1)
    ticking.order(replace(model("m", version_policy=Specific((1, 2))), labels=(("stable", 2),)))
    assert ticking.desk.picture.configured["m"].labels == (("stable", 2),)


def labelled(version: int) -> ModelConfig:
    return replace(model("m", version_policy=Latest(2)), labels=(("stable", version),))


def serving_the_latest() -> Ticking:
    ticking = Ticking()
    ticking.order(model("m", version_policy=Latest(2)))
    ticking.see(found("m", 1))
    ticking.tick()
    ticking.desk.finish(Loaded(ServableId("m", 1), 0.1))
    ticking.tick()
    return ticking


def test_a_label_on_a_version_that_was_not_there_at_the_last_look_is_judged_after_the_next_ones() -> None:
    ticking = serving_the_latest()
    order = ticking.order(labelled(2))
    turn = ticking.tick()
    assert turn.wants_look
    ticking.see(found("m", 1))  # may have begun before the order came
    assert ticking.tick().wants_look
    assert ticking.desk.picture.config is not order.config
    ticking.see(found("m", 1, 2))
    turn = ticking.tick()
    assert ticking.desk.picture.config is order.config
    assert [load.servable.version for load, _ in turn.loads] == [2]
    assert not ticking.tick().wants_look
    ticking.desk.finish(Loaded(ServableId("m", 2), 0.1))
    ticking.tick()
    assert order.answer.result(timeout=0).labels_left == ()


def test_a_label_on_a_version_that_the_next_looks_do_not_see_either_is_refused() -> None:
    ticking = serving_the_latest()
    before = ticking.desk.picture.config
    order = ticking.order(labelled(2))
    for _ in range(REPORTS_WAITED):
        ticking.tick()
        ticking.see(found("m", 1))
    ticking.tick()
    with pytest.raises(ConfigError, match="Request to assign label to version 2 of model m, which is not"):
        order.answer.result(timeout=0)
    assert ticking.desk.picture.config is before


def test_a_policy_for_a_version_just_published_alone_lets_nothing_go_before_it_was_looked_for() -> None:
    ticking = serving_the_latest()
    ticking.order(model("m", version_policy=Specific((2,))))
    turn = ticking.tick()
    assert (turn.unloads, turn.wants_look) == ((), True)
    ticking.see(found("m", 1))  # may have begun before version 2 was there
    turn = ticking.tick()
    assert (turn.unloads, turn.wants_look) == ((), True)
    ticking.see(found("m", 1, 2))
    turn = ticking.tick()
    assert [load.servable.version for load, _ in turn.loads] == [2]
    assert (turn.unloads, turn.wants_look) == ((), False)
    ticking.desk.finish(Loaded(ServableId("m", 2), 0.1))
    assert [unload.servable.version for unload in ticking.tick().unloads] == [1]


def test_a_policy_for_a_version_that_is_not_there_is_realized_when_looks_have_said_so() -> None:
    ticking = serving_the_latest()
    ticking.order(model("m", version_policy=Specific((2,))))
    for _ in range(REPORTS_WAITED):
        assert ticking.tick().unloads == ()
        ticking.see(found("m", 1))
    assert [unload.servable.version for unload in ticking.tick().unloads] == [1]


def test_an_order_is_not_judged_before_one_that_came_earlier() -> None:
    ticking = serving_the_latest()
    first, second = ticking.order(labelled(2)), ticking.order(labelled(1))
    assert not second.answer.done()
    for _ in range(REPORTS_WAITED):
        ticking.see(found("m", 1, 2))
    ticking.tick()
    assert ticking.desk.picture.config is second.config
    assert ticking.desk.picture.config_revision == 3
    assert first.answer.result(timeout=0).revision == 2


def test_a_source_that_does_not_look_keeps_no_order_from_being_judged_for_long() -> None:
    ticking = serving_the_latest()
    order = ticking.order(labelled(2))
    ticking.tick()
    ticking.clock.advance(HOLD_S_MAX)
    ticking.tick()
    with pytest.raises(ConfigError, match="it is not in /models/m"):
        order.answer.result(timeout=0)
