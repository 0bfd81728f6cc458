"""Every world of up to four versions, through both transition policies.

A version is in one of eight states and aspired or not: 16 ways, so 1 + 16 + 16² + 16³ + 16⁴ = 69,905 worlds.
The decision tables are written down here row by row, not computed the way the policies compute.
"""

from collections.abc import Iterator
from itertools import product

import pytest

from understudy.lifecycle.transition import (
    AvailabilityPreserving,
    Decision,
    ResourcePreserving,
    StartLoad,
    StartUnload,
    TransitionPolicy,
    VersionView,
    plan,
)
from understudy.servable import State

VERSIONS_MAX = 4
WORLDS = 69_905

World = tuple[VersionView, ...]


def worlds() -> Iterator[World]:
    kinds = list(product(State, (False, True)))
    for count in range(VERSIONS_MAX + 1):
        for chosen in product(kinds, repeat=count):
            yield tuple(VersionView(n, state, asp) for n, (state, asp) in enumerate(chosen, start=1))


# Availability preserving. Columns: anything aspired, an aspired version ready, un-aspired ready versions
# (none, one, more), an aspired version new. Rows that cannot be are not there.
AVAILABILITY: dict[tuple[bool, bool, int, bool], str] = {
    (False, False, 0, False): "nothing",
    (False, False, 1, False): "unload lowest",
    (False, False, 2, False): "unload lowest",
    (True, True, 0, False): "nothing",
    (True, True, 0, True): "load highest",
    (True, True, 1, False): "unload lowest",
    (True, True, 1, True): "unload lowest",
    (True, True, 2, False): "unload lowest",
    (True, True, 2, True): "unload lowest",
    (True, False, 0, False): "nothing",
    (True, False, 0, True): "load highest",
    (True, False, 1, False): "nothing",
    (True, False, 1, True): "load highest",
    (True, False, 2, False): "unload lowest",
    (True, False, 2, True): "unload lowest",
}

# Resource preserving. Columns: an un-aspired version ready, one not finished, an aspired version new.
RESOURCE: dict[tuple[bool, bool, bool], str] = {
    (True, True, False): "unload lowest",
    (True, True, True): "unload lowest",
    (False, True, False): "nothing",
    (False, True, True): "nothing",
    (False, False, False): "nothing",
    (False, False, True): "load highest",
}


def availability_row(world: World) -> tuple[bool, bool, int, bool]:
    aspired = [v.state for v in world if v.aspired]
    unaspired_ready = sum(v.state is State.READY and not v.aspired for v in world)
    return bool(aspired), State.READY in aspired, min(unaspired_ready, 2), State.NEW in aspired


def resource_row(world: World) -> tuple[bool, bool, bool]:
    unaspired = [v.state for v in world if not v.aspired]
    unfinished = any(state not in (State.END, State.ERROR) for state in unaspired)
    return State.READY in unaspired, unfinished, any(v.aspired and v.state is State.NEW for v in world)


def named(decision: Decision | None, world: World) -> str:
    """The decision in the table's words."""
    surplus = [v.version for v in world if v.state is State.READY and not v.aspired]
    new = [v.version for v in world if v.state is State.NEW and v.aspired]
    if decision is None:
        return "nothing"
    if isinstance(decision, StartUnload) and decision.version == min(surplus, default=None):
        return "unload lowest"
    if isinstance(decision, StartLoad) and decision.version == max(new, default=None):
        return "load highest"
    return f"{decision}, which no row of any table says"


def after(world: World, decisions: tuple[Decision, ...]) -> World:
    begun = {d.version: State.LOADING if isinstance(d, StartLoad) else State.UNLOADING for d in decisions}
    return tuple(VersionView(v.version, begun.get(v.version, v.state), v.aspired) for v in world)


def test_the_availability_preserving_policy_is_its_table_in_every_world() -> None:
    policy = AvailabilityPreserving()
    seen = set()
    count = 0
    for world in worlds():
        row = availability_row(world)
        assert named(policy.next_decision(world), world) == AVAILABILITY[row], world
        seen.add(row)
        count += 1
    assert (seen, count) == (set(AVAILABILITY), WORLDS)


def test_the_resource_preserving_policy_is_its_table_in_every_world() -> None:
    policy = ResourcePreserving()
    seen = set()
    for world in worlds():
        row = resource_row(world)
        assert named(policy.next_decision(world), world) == RESOURCE[row], world
        seen.add(row)
    assert seen == set(RESOURCE)


@pytest.mark.parametrize("policy", [AvailabilityPreserving(), ResourcePreserving()], ids=repr)
@pytest.mark.slow
def test_every_plan_unloads_then_loads_each_version_at_most_once(policy: TransitionPolicy) -> None:
    for world in worlds():
        decisions = plan(policy, world)
        unloads = [d.version for d in decisions if isinstance(d, StartUnload)]
        loads = [d.version for d in decisions if isinstance(d, StartLoad)]
        assert [d.version for d in decisions] == unloads + loads, world
        assert unloads == sorted(set(unloads)), world
        assert loads == sorted(set(loads), reverse=True), world
        views = {v.version: v for v in world}
        assert all(not views[v].aspired and views[v].state is State.READY for v in unloads), world
        assert all(views[v].aspired and views[v].state is State.NEW for v in loads), world
        assert policy.next_decision(after(world, decisions)) is None, world


@pytest.mark.slow
def test_the_last_ready_version_is_kept_in_every_world_where_anything_is_aspired() -> None:
    for world in worlds():
        was_ready = any(v.state is State.READY for v in world)
        if was_ready and any(v.aspired for v in world):
            planned = after(world, plan(AvailabilityPreserving(), world))
            assert any(v.state is State.READY for v in planned), world


@pytest.mark.slow
def test_nothing_is_left_surplus_once_an_aspired_version_is_ready_in_any_world() -> None:
    for world in worlds():
        planned = after(world, plan(AvailabilityPreserving(), world))
        ready = [v for v in planned if v.state is State.READY]
        assert not (any(v.aspired for v in ready) and any(not v.aspired for v in ready)), world
        assert sum(not v.aspired for v in ready) <= 1, world


@pytest.mark.slow
def test_resource_preserving_never_loads_beside_what_is_not_aspired_in_any_world() -> None:
    for world in worlds():
        decisions = plan(ResourcePreserving(), world)
        if any(isinstance(d, StartLoad) for d in decisions):
            unaspired = [v.state for v in after(world, decisions) if not v.aspired]
            assert set(unaspired) <= {State.END, State.ERROR}, world
