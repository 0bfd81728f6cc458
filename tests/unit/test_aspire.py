"""Which versions should live."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.errors import Code
from understudy.lifecycle.aspire import Aspirer, AspireResult, Overlay, aspired_versions, missing_versions
from understudy.model_config import (
    All,
    Latest,
    ModelConfig,
    ServerConfig,
    Specific,
    Transition,
    VersionPolicy,
)
from understudy.servable import Failure, FoundVersion, FoundVersions

GONE = Failure(Code.NOT_FOUND, "/models/m does not exist")
POLICIES = st.one_of(
    st.builds(Latest, st.integers(1, 5)),
    st.just(All()),
    st.builds(Specific, st.lists(st.integers(-2, 9)).map(tuple)),
)
NUMBERS = st.frozensets(st.integers(-2, 9))


def found(*numbers: int, where: str = "/models/m") -> tuple[FoundVersion, ...]:
    return tuple(FoundVersion(number, f"{where}/{number}") for number in numbers)


def look(*numbers: int, where: str = "/models/m") -> FoundVersions:
    return FoundVersions("m", found(*numbers, where=where), None, where)


def failed_look() -> FoundVersions:
    return FoundVersions("m", (), GONE, "/models/m")


def config(policy: VersionPolicy | None = None, base_path: str = "/models/m") -> ServerConfig:
    return ServerConfig((ModelConfig("m", base_path, version_policy=policy or Latest()),))


def numbers_of(result: AspireResult) -> dict[str, list[int]]:
    return {each.name: [version.version for version in each.versions] for each in result.aspired}


@pytest.mark.parametrize(
    ("policy", "there", "aspired"),
    [
        (Latest(1), (1, 2, 3), [3]),
        (Latest(2), (1, 2, 3), [2, 3]),
        (Latest(5), (1, 2), [1, 2]),
        (Latest(1), (-3, 0), [0]),
        (Latest(1), (), []),
        (All(), (3, 20170111173521), [3, 20170111173521]),
        (Specific((2, 7)), (1, 2, 3), [2]),
        (Specific((2, 2)), (1, 2), [2]),
        (Specific(()), (1, 2), []),
    ],
)
def test_a_policy_chooses_among_what_is_there(
    policy: VersionPolicy, there: tuple[int, ...], aspired: list[int]
) -> None:
    assert [v.version for v in aspired_versions(policy, found(*there))] == aspired


def test_each_aspired_version_keeps_the_path_it_was_found_at() -> None:
    padded = FoundVersion(7, "/models/m/00007")
    assert aspired_versions(Latest(1), [padded]) == (padded,)


def test_a_quarantined_version_leaves_its_place_to_the_next() -> None:
    chosen = aspired_versions(Latest(1), found(1, 2, 3), Overlay(quarantined=frozenset({3})))
    assert [v.version for v in chosen] == [2]


def test_a_pinned_version_is_aspired_beside_the_policys_choice_if_it_is_there() -> None:
    chosen = aspired_versions(Latest(1), found(1, 2, 3), Overlay(pinned=frozenset({1, 9})))
    assert [v.version for v in chosen] == [1, 3]


def test_a_held_version_leaves_its_place_to_the_next_unless_it_is_pinned() -> None:
    held = Overlay(held=frozenset({3}))
    assert [v.version for v in aspired_versions(Latest(1), found(1, 2, 3), held)] == [2]
    pinned = Overlay(held=frozenset({3}), pinned=frozenset({3}))
    assert [v.version for v in aspired_versions(Latest(1), found(1, 2, 3), pinned)] == [2, 3]


@given(POLICIES, NUMBERS, NUMBERS, NUMBERS)
def test_whatever_the_policy_only_found_and_never_quarantined_versions_are_aspired(
    policy: VersionPolicy, there: frozenset[int], pinned: frozenset[int], quarantined: frozenset[int]
) -> None:
    overlay = Overlay(pinned=pinned, quarantined=quarantined)
    chosen = [v.version for v in aspired_versions(policy, found(*there), overlay)]
    assert chosen == sorted(set(chosen))
    assert set(chosen) <= there - quarantined
    assert (pinned & there) - quarantined <= set(chosen)


@given(st.integers(1, 5), NUMBERS)
def test_latest_takes_the_highest_and_as_many_as_it_says(count: int, there: frozenset[int]) -> None:
    chosen = {v.version for v in aspired_versions(Latest(count), found(*there))}
    assert len(chosen) == min(count, len(there))
    assert all(left < taken for taken in chosen for left in there - chosen)


def test_only_specific_versions_can_be_missing() -> None:
    assert missing_versions(Specific((9, 1, 4)), found(1)) == (4, 9)
    assert missing_versions(Latest(5), found(1)) == ()


def test_nothing_is_aspired_before_the_first_look() -> None:
    assert Aspirer().step(0.0, config()) == AspireResult((), (), ())


def test_a_failed_look_says_nothing_about_versions_and_is_told_once() -> None:
    aspirer = Aspirer()
    assert numbers_of(aspirer.step(0.0, config(), [look(1)])) == {"m": [1]}
    first = aspirer.step(1.0, config(), [failed_look()])
    second = aspirer.step(2.0, config(), [failed_look()])
    assert (first.aspired, second.aspired, second.events) == ((), (), ())
    assert [event.kind for event in first.events] == ["source_failed"]
    assert "what is aspired stays aspired" in first.events[0].reason


def test_a_failure_of_another_kind_is_told_again_and_so_is_the_recovery() -> None:
    aspirer = Aspirer()
    server = config()
    denied = FoundVersions("m", (), Failure(Code.PERMISSION_DENIED, "not readable"), "/models/m")
    kinds = [
        [event.kind for event in aspirer.step(at, server, [each]).events]
        for at, each in enumerate([failed_look(), denied, look(1), look(1), failed_look()])
    ]
    assert kinds == [["source_failed"], ["source_failed"], ["source_recovered"], [], ["source_failed"]]


def test_a_policy_that_changes_while_the_path_cannot_be_read_decides_on_the_last_good_look() -> None:
    aspirer = Aspirer()
    aspirer.step(0.0, config(), [look(1, 2)])
    aspirer.step(1.0, config(), [failed_look()])
    assert numbers_of(aspirer.step(2.0, config(All()))) == {"m": [1, 2]}


def test_a_new_overlay_is_taken_up_without_a_new_look_and_only_once() -> None:
    aspirer = Aspirer()
    server = config()
    aspirer.step(0.0, server, [look(1, 2)])
    overlays = {"m": Overlay(quarantined=frozenset({2}))}
    assert numbers_of(aspirer.step(1.0, server, (), overlays)) == {"m": [1]}
    assert numbers_of(aspirer.step(2.0, server, (), overlays)) == {}
    assert numbers_of(aspirer.step(3.0, server)) == {"m": [2]}


def test_a_new_transition_policy_is_taken_up_without_a_new_look_and_only_once() -> None:
    aspirer = Aspirer()
    aspirer.step(0.0, config(), [look(1)])
    (model,) = config().models
    sparing = ServerConfig((replace(model, transition=Transition.RESOURCE_PRESERVING),))
    (aspired,) = aspirer.step(1.0, sparing).aspired
    assert aspired.transition is Transition.RESOURCE_PRESERVING
    assert aspirer.step(2.0, sparing).aspired == ()


def test_missing_versions_are_told_once_for_each_set_of_them() -> None:
    aspirer = Aspirer()
    server = config(Specific((1, 2, 3)))
    events = [aspirer.step(0.0, server, [each]).events for each in (look(1), look(1), look(1, 2), look(1, 2))]
    assert [[event.kind for event in each] for each in events] == [
        ["versions_missing"],
        [],
        ["versions_missing"],
        [],
    ]
    assert "2, 3" in events[0][0].reason


def test_a_removed_model_is_named_once_and_forgotten() -> None:
    aspirer = Aspirer()
    aspirer.step(0.0, config(), [look(1)])
    assert aspirer.step(1.0, ServerConfig()).removed == ("m",)
    assert aspirer.step(2.0, ServerConfig()).removed == ()
    assert aspirer.step(3.0, config()) == AspireResult((), (), ())


def test_a_look_at_a_model_that_is_not_configured_is_ignored() -> None:
    assert Aspirer().step(0.0, ServerConfig(), [look(1)]).aspired == ()


def test_a_look_that_began_before_the_base_path_changed_is_ignored() -> None:
    aspirer = Aspirer()
    aspirer.step(0.0, config(), [look(1)])
    moved = config(base_path="/elsewhere")
    assert aspirer.step(1.0, moved, [look(1, 2)]).aspired == ()
    assert numbers_of(aspirer.step(2.0, moved, [look(5, where="/elsewhere")])) == {"m": [5]}


def test_the_last_look_at_the_old_base_path_stays_in_force_until_the_new_one_is_read() -> None:
    aspirer = Aspirer()
    aspirer.step(0.0, config(), [look(1)])
    moved = config(base_path="/elsewhere")
    failed = FoundVersions("m", (), GONE, "/elsewhere")
    assert aspirer.step(1.0, moved, [failed]).aspired == ()


def test_one_models_failure_says_nothing_about_another() -> None:
    server = ServerConfig((ModelConfig("a", "/models/a"), ModelConfig("b", "/models/b")))
    bad = FoundVersions("a", (), GONE, "/models/a")
    good = FoundVersions("b", found(1), None, "/models/b")
    assert numbers_of(Aspirer().step(0.0, server, [bad, good])) == {"b": [1]}


def test_a_kept_version_goes_on_without_its_files_where_it_was_found() -> None:
    aspirer, overlay = Aspirer(), {"m": Overlay(kept=frozenset({1}))}
    aspirer.step(0.0, config(), [look(1)], overlay)
    result = aspirer.step(1.0, config(), [look(2)], overlay)
    assert numbers_of(result) == {"m": [1, 2]}
    assert result.aspired[0].versions[0].path == "/models/m/1"
    assert numbers_of(aspirer.step(2.0, config(), [look(3)], overlay)) == {"m": [1, 3]}
    assert numbers_of(aspirer.step(3.0, config())) == {"m": [3]}
    assert numbers_of(aspirer.step(4.0, config(), (), overlay)) == {"m": [3]}, "nothing was kept of it"


def test_what_was_never_found_at_the_present_base_path_is_not_kept() -> None:
    aspirer, overlay = Aspirer(), {"m": Overlay(kept=frozenset({1}))}
    assert numbers_of(aspirer.step(0.0, config(), [look(2)], overlay)) == {"m": [2]}
    aspirer.step(1.0, config(), [look(1, 2)], overlay)
    moved = config(base_path="/other/m")
    result = aspirer.step(2.0, moved, [look(2, where="/other/m")], overlay)
    assert numbers_of(result) == {"m": [2]}
