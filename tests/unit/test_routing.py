"""Snapshots and labels become routes."""

from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.errors import Code
from understudy.routing import (
    LabelRoute,
    ModelRoute,
    ReadyVersion,
    RouteTable,
    RouteUpdate,
    Steering,
    Terms,
    VersionStatus,
    build_route,
    diff,
)
from understudy.servable import Failure, ModelSnapshot, State, VersionSnapshot

CORRUPT = Failure(Code.DATA_LOSS, "corrupt")


def version(
    number: int,
    state: State,
    *,
    aspired: bool = True,
    failure: Failure | None = None,
    incarnation: int = 0,
) -> VersionSnapshot:
    return VersionSnapshot(
        version=number,
        state=state,
        aspired=aspired,
        path=f"/m/{number}",
        since=0.0,
        reason="a test says so",
        failure=failure,
        incarnation=incarnation,
    )


def model(*versions: VersionSnapshot) -> ModelSnapshot:
    return ModelSnapshot("m", versions)


def route(name: str = "m", *ready: int) -> ModelRoute:
    return ModelRoute(name, tuple(map(ReadyVersion, ready)), max(ready, default=None), (), ())


@pytest.mark.parametrize("state", [each for each in State if each is not State.READY])
def test_only_ready_versions_are_routed(state: State) -> None:
    built = build_route(model(version(1, State.READY), version(2, state)))
    assert (built.ready_versions, built.default_version) == ((1,), 1)


@pytest.mark.parametrize(
    ("steering", "default"),
    [
        (Steering(default_version=1), 1),
        (Steering(default_version=4), 3),
        (Steering(default_version=4, barred=frozenset({3})), 2),
        (Steering(default_version=4, barred=frozenset({1, 2, 3})), None),
        (Steering(default_version=3, barred=frozenset({3})), 3),
        (Steering(barred=frozenset({3})), 2),
    ],
    ids=["ready", "not ready", "the next is barred", "all barred", "steered to", "as without steering"],
)
def test_the_default_is_steered_to_or_what_is_not_barred(steering: Steering, default: int | None) -> None:
    versions = model(*(version(number, State.READY) for number in (1, 2, 3)))
    built = build_route(versions, terms=Terms(steering=steering))
    assert (built.ready_versions, built.default_version) == ((1, 2, 3), default)


def test_labels_of_rollouts_stand_over_those_configured() -> None:
    versions = model(version(1, State.READY), version(2, State.READY), version(3, State.LOADING))
    steering = Steering(labels=(("canary", 3), ("stable", 1)))
    built = build_route(versions, (("mine", 1), ("stable", 2)), terms=Terms(steering=steering))
    assert built.labels == (LabelRoute("mine", 1), LabelRoute("stable", 1))


def test_nobody_answers_when_nothing_is_ready() -> None:
    assert build_route(model(version(1, State.LOADING))).default_version is None
    assert build_route(model()).default_version is None


def test_the_default_is_the_highest_ready_version_that_is_aspired() -> None:
    built = build_route(model(version(2, State.READY), version(3, State.READY, aspired=False)))
    assert (built.ready_versions, built.default_version) == ((2, 3), 2)


def test_the_default_is_the_highest_ready_version_when_none_of_them_is_aspired() -> None:
    kept = [version(n, State.READY, aspired=False) for n in (1, 2)]
    assert build_route(model(*kept, version(3, State.ERROR))).default_version == 2


def former(state: State, *, aspired: bool = False) -> VersionSnapshot:
    return version(3, state, aspired=aspired, incarnation=0)


def present(state: State, *, aspired: bool = True) -> VersionSnapshot:
    return version(3, state, aspired=aspired, incarnation=1)


@pytest.mark.parametrize(
    ("versions", "answering", "told"),
    [
        ([former(State.READY), present(State.LOADING)], [ReadyVersion(3, 0)], 30),
        ([former(State.READY), present(State.ERROR)], [ReadyVersion(3, 0)], 30),
        ([former(State.READY), present(State.READY)], [ReadyVersion(3, 1)], 30),
        ([former(State.READY, aspired=True), present(State.READY, aspired=False)], [ReadyVersion(3, 0)], 30),
        ([former(State.READY), present(State.READY, aspired=False)], [ReadyVersion(3, 1)], 30),
        ([former(State.UNLOADING), present(State.READY)], [ReadyVersion(3, 1)], 30),
        ([former(State.UNLOADING), present(State.LOADING)], [], 20),
        ([former(State.UNLOADING), present(State.ERROR)], [], 40),
        ([former(State.LOADING), present(State.NEW)], [], 10),
        ([former(State.END), present(State.RETRYING)], [], 20),
        ([former(State.END), present(State.END, aspired=False)], [], 50),
    ],
)
def test_of_two_incarnations_of_a_number_the_most_alive_one_answers_and_is_told(
    versions: list[VersionSnapshot], answering: list[ReadyVersion], told: int
) -> None:
    for order in (versions, list(reversed(versions))):
        built = build_route(model(version(2, State.READY), *order, version(4, State.END)))
        assert list(built.ready) == [ReadyVersion(2), *answering]
        assert [(each.version, each.state) for each in built.statuses] == [(4, 50), (3, told), (2, 30)]


def test_a_number_that_is_loaded_anew_stays_the_default_while_its_former_incarnation_answers() -> None:
    moving = model(version(2, State.READY, incarnation=1), former(State.READY), present(State.LOADING))
    assert build_route(moving).default_version == 3


def test_an_incarnation_that_takes_over_is_an_update_although_the_number_is_the_same() -> None:
    before = build_route(model(former(State.READY), present(State.LOADING)), (("stable", 3),))
    after = build_route(model(former(State.UNLOADING), present(State.READY)), (("stable", 3),), before)
    assert diff(RouteTable(1, MappingProxyType({"m": before})), [after]) == RouteUpdate(2, (after,), ())
    assert before.labels == after.labels == (LabelRoute("stable", 3),)


def test_statuses_are_told_highest_first_in_the_wires_numbers() -> None:
    built = build_route(model(*(version(n, state) for n, state in enumerate(State))))
    assert [(s.version, s.state) for s in built.statuses] == [
        (7, 50),
        (6, 50),
        (5, 40),
        (4, 30),
        (3, 20),
        (2, 50),
        (1, 20),
        (0, 10),
    ]


@pytest.mark.parametrize("state", [State.ERROR, State.END])
def test_a_failure_is_told_when_nothing_more_is_tried(state: State) -> None:
    built = build_route(model(version(1, state, failure=CORRUPT)))
    assert built.statuses == (VersionStatus(1, 50, 15, "corrupt"),)


def test_a_version_that_is_retrying_is_told_as_loading_without_a_fault() -> None:
    built = build_route(model(version(1, State.RETRYING, failure=CORRUPT)))
    assert built.statuses == (VersionStatus(1, 20, 0, ""),)


def test_a_label_appears_when_its_version_is_ready() -> None:
    labels = (("stable", 1),)
    assert build_route(model(version(1, State.LOADING)), labels).labels == ()
    assert build_route(model(version(1, State.READY)), labels).labels == (LabelRoute("stable", 1),)


def test_a_label_stays_on_its_old_version_until_the_new_one_is_ready() -> None:
    current = build_route(model(version(1, State.READY)), (("stable", 1),))
    moving = model(version(1, State.READY), version(2, State.LOADING))
    assert build_route(moving, (("stable", 2),), current).labels == (LabelRoute("stable", 1),)
    moved = model(version(1, State.READY), version(2, State.READY))
    assert build_route(moved, (("stable", 2),), current).labels == (LabelRoute("stable", 2),)


def test_a_label_goes_when_the_configuration_no_longer_has_it() -> None:
    current = build_route(model(version(1, State.READY)), (("stable", 1),))
    assert build_route(model(version(1, State.READY)), (), current).labels == ()


def test_a_label_stays_when_its_version_is_unloaded() -> None:
    current = build_route(model(version(1, State.READY)), (("stable", 1),))
    gone = build_route(model(version(1, State.END)), (("stable", 1),), current)
    assert gone.labels == (LabelRoute("stable", 1),)


def test_only_a_new_label_may_name_what_is_not_ready_and_only_where_that_is_allowed() -> None:
    loading = model(version(1, State.READY), version(2, State.LOADING))
    ahead = build_route(loading, (("canary", 2),), terms=Terms(may_label_unavailable=True))
    assert ahead.labels == (LabelRoute("canary", 2),)
    current = build_route(model(version(1, State.READY)), (("stable", 1),))
    stays = build_route(loading, (("stable", 2),), current, Terms(may_label_unavailable=True))
    assert stays.labels == (LabelRoute("stable", 1),)


def test_labels_are_sorted() -> None:
    built = build_route(model(version(1, State.READY)), (("b", 1), ("a", 1)))
    assert [each.label for each in built.labels] == ["a", "b"]


def test_nothing_changed_is_no_update() -> None:
    table = RouteTable(3, MappingProxyType({"m": route("m", 1)}))
    assert diff(table, [route("m", 1)], ["unknown"]) is None


def test_an_update_carries_only_what_changed() -> None:
    table = RouteTable(3, MappingProxyType({"m": route("m", 1), "n": route("n", 1), "o": route("o")}))
    update = diff(table, [route("m", 1), route("n", 2)], ["o"])
    assert update == RouteUpdate(4, (route("n", 2),), ("o",))


def test_a_refused_update_leaves_the_table_and_the_next_one_has_the_same_generation() -> None:
    table = RouteTable(3, MappingProxyType({"m": route("m", 1)}))
    refused = diff(table, [route("m", 2)])
    again = diff(table, [route("m", 2)])
    assert refused == again
    assert table == RouteTable(3, MappingProxyType({"m": route("m", 1)}))


def test_generations_are_applied_in_order_or_it_is_a_fault_of_ours() -> None:
    with pytest.raises(AssertionError, match="generation 9 after 3"):
        RouteTable(3).apply(RouteUpdate(9, (), ()))


NAMES = st.sampled_from(["a", "b", "c"])
ROUTES = st.dictionaries(NAMES, st.frozensets(st.integers(1, 3)))


@given(ROUTES, ROUTES)
def test_applying_a_difference_leads_from_any_table_to_any_other(
    before: dict[str, frozenset[int]], after: dict[str, frozenset[int]]
) -> None:
    table = RouteTable(
        1, MappingProxyType({name: route(name, *sorted(ready)) for name, ready in before.items()})
    )
    wanted = {name: route(name, *sorted(ready)) for name, ready in after.items()}
    update = diff(table, wanted.values(), before.keys() - after.keys())
    reached = table if update is None else table.apply(update)
    assert dict(reached.routes) == wanted
    assert reached.generation == 1 + (update is not None)
    assert diff(reached, wanted.values()) is None
