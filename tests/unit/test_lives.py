"""What operators see of a version's life and of labels, from frozen snapshots and pictures."""

from dataclasses import replace

import pytest

from understudy.admin.view import LabelView, VersionView
from understudy.clock import Calendar
from understudy.control.picture import Picture
from understudy.model_config import ModelConfig
from understudy.routing import LabelRoute, ModelRoute, RouteTable, RouteUpdate, build_route
from understudy.servable import FoundVersion, FoundVersions, ModelSnapshot, State, VersionSnapshot
from understudy.server.labels import build_labels
from understudy.server.lives import build_life
from understudy.testing import ManualClock

NOW = 100.0
PLAIN = VersionSnapshot(version=1, state=State.NEW, aspired=True, path="/m/1", since=0.0, reason="so")

Entered = tuple[tuple[State, float], ...]


def life(*entered: tuple[State, float], attempts: int = 1) -> VersionView:
    state, since = entered[-1]
    snapshot = replace(PLAIN, state=state, since=since, entered=entered, attempts=attempts)
    return build_life(snapshot, NOW, Calendar(ManualClock(NOW)))


@pytest.mark.parametrize(
    ("entered", "attempts", "waiting_s", "serving_s"),
    [
        (((State.NEW, 90.0),), 0, 10, None),
        (((State.NEW, 10.0), (State.LOADING, 14.0)), 1, 4, None),
        (((State.NEW, 10.0), (State.LOADING, 14.0), (State.READY, 20.0)), 1, 4, 80),
        (
            ((State.NEW, 10.0), (State.RETRYING, 15.0), (State.LOADING, 75.0), (State.READY, 80.0)),
            2,
            None,
            20,
        ),
        (((State.NEW, 1.0), (State.LOADING, 2.0), (State.READY, 3.0), (State.UNLOADING, 50.0)), 1, 1, 47),
        (
            (
                (State.NEW, 1.0),
                (State.LOADING, 2.0),
                (State.READY, 3.0),
                (State.UNLOADING, 5.0),
                (State.END, 9.0),
            ),
            1,
            1,
            2,
        ),
        (((State.READY, 3.0), (State.UNLOADING, 5.0), (State.END, 9.0), (State.NEW, 60.0)), 0, 40, None),
    ],
    ids=["new", "loading", "ready", "ready after a retry", "draining", "ended", "new again"],
)
def test_each_step_of_a_life_has_a_duration(
    entered: Entered, attempts: int, waiting_s: float | None, serving_s: float | None
) -> None:
    seen = life(*entered, attempts=attempts)
    assert (seen.waiting_s, seen.serving_s) == (waiting_s, serving_s)
    assert seen.in_state_s == NOW - entered[-1][1]
    assert [each.state for each in seen.entered] == [state for state, _ in entered]


def test_times_become_dates_and_what_is_not_known_stays_so() -> None:
    clock = ManualClock(NOW)
    snapshot = replace(PLAIN, next_attempt_at=160.0, estimate_bytes=7, files_changed_at=50.0, incarnation=2)
    seen = build_life(snapshot, NOW, Calendar(clock))
    assert seen.next_attempt_at is not None
    assert seen.next_attempt_at.timestamp() == clock.wall_at_zero_s + 160
    assert seen.files_changed_at is not None
    assert seen.files_changed_at.timestamp() == clock.wall_at_zero_s + 50
    assert (seen.estimate_bytes, seen.growth_bytes, seen.incarnation) == (7, None, 2)
    assert build_life(PLAIN, NOW, Calendar(clock)).next_attempt_at is None


def label_of(
    configured: int,
    versions: dict[int, State],
    *,
    in_force: int | None = None,
    found: tuple[int, ...] = (),
) -> LabelView:
    """What is said of one label, with these versions and this route in force."""
    config = ModelConfig(name="m", base_path="/m", labels=(("stable", configured),))
    model = ModelSnapshot(
        "m", tuple(replace(PLAIN, version=number, state=state) for number, state in versions.items())
    )
    before = ModelRoute("m", (), None, () if in_force is None else (LabelRoute("stable", in_force),), ())
    picture = Picture(
        configured={"m": config},
        models={"m": model},
        looks={"m": FoundVersions("m", tuple(FoundVersion(number, f"/m/{number}") for number in found))},
        table=RouteTable().apply(RouteUpdate(1, (build_route(model, config.labels, before),), ())),
    )
    (label,) = build_labels("m", picture)
    return label


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (label_of(1, {1: State.READY}), LabelView("stable", 1, ready=True)),
        (label_of(1, {1: State.LOADING}), LabelView("stable", 1, ready=False)),
        (label_of(7, {}), LabelView("stable", 7, ready=False, missing=True)),
        (label_of(7, {}, found=(7,)), LabelView("stable", 7, ready=False)),
        (label_of(7, {7: State.END}), LabelView("stable", 7, ready=False, missing=True)),
        (
            label_of(2, {1: State.READY, 2: State.LOADING}, in_force=1),
            LabelView("stable", 1, ready=True, target=2, target_state=State.LOADING),
        ),
        (label_of(2, {1: State.READY}, in_force=1), LabelView("stable", 1, ready=True, target=2)),
        (
            label_of(2, {1: State.END}, in_force=1),
            LabelView("stable", 1, ready=False, missing=True, target=2),
        ),
        (label_of(2, {1: State.READY, 2: State.READY}, in_force=1), LabelView("stable", 2, ready=True)),
    ],
    ids=[
        "leads to a ready version",
        "leads to one that loads",
        "names one that never was there",
        "names one that the policy does not choose",
        "names one that is gone",
        "is to move to one that loads",
        "is to move to one that is not there",
        "leads to one that is gone and is to move",
        "has moved",
    ],
)
def test_a_label_says_where_it_leads_and_where_it_is_to_lead(seen: LabelView, expected: LabelView) -> None:
    assert seen == expected
