"""What `status`, `why` and `versions` say of a model whose traffic is split, and what is quarantined."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.staged_rollouts import RAMPING
from tests.unit.test_rollout_tables import lines
from tests.unit.test_status_tables import MODEL, SERVER
from understudy.admin.rollouts import OverlayView, QuarantinedView, RolloutHeadView, ShareView, TrafficView
from understudy.admin.summary import summarise
from understudy.admin.view import ListedView, ModelView
from understudy.cli.changes import Changes
from understudy.cli.models import build_models
from understudy.cli.status_tables import build_model, build_server
from understudy.clock import Calendar
from understudy.control.picture import Picture
from understudy.model_config import ModelConfig
from understudy.rollout.plan import Strategy
from understudy.rollout.state import ModelTraffic, Phase, Quarantined, Weights
from understudy.routing import LabelRoute, ModelRoute, RouteTable, RouteUpdate
from understudy.routing.routes import ReadyVersion
from understudy.routing.traffic import BucketRange, Traffic
from understudy.servable import FoundVersion, FoundVersions
from understudy.server.labels import build_labels
from understudy.server.rollout_views import build_head, build_traffic
from understudy.testing import ManualClock

NOON = datetime(2030, 1, 2, 12, 0, 0, tzinfo=UTC)
CALENDAR = Calendar(ManualClock(wall_at_zero_s=NOON.timestamp()))
HEAD: RolloutHeadView = build_head(RAMPING, CALENDAR)
SPLIT = TrafficView(
    model="digits",
    rollout="m-2-1",
    shares=(
        ShareView(version=1, weight=9_500, arm="baseline"),
        ShareView(version=2, weight=500, arm="candidate"),
    ),
    overlays=(
        OverlayView(version=2, kind="pinned", reason="pinned by rollout m-2-1"),
        OverlayView(version=4, kind="held", reason="held back: it is not served until a rollout takes it up"),
    ),
    quarantined=(QuarantinedView(version=3, at=NOON, by="rollout", reason="errors: harm"),),
)
HELD = tuple(OverlayView(version=version, kind="held", reason="held back") for version in range(1, 5))
ROLLED: ModelView = replace(MODEL, traffic=SPLIT, rollout=HEAD)


def test_status_has_a_line_for_the_rollout_one_for_the_split_and_one_for_the_quarantine() -> None:
    assert lines(build_server(replace(SERVER, models=(ROLLED,))))[-4:] == [
        "digits: rollout m-2-1, version 2 in place of 1: ramping, step 2 of 4, 5 %",
        "digits: version 1 answers 95 %, version 2 5 %",
        "digits: held back until a rollout takes it up: version 4",
        "digits: quarantined: version 3",
    ]


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (ROLLED, "2: ramping, step 2 of 4, 5 %; 4 held; 3 quarantined"),
        (replace(ROLLED, rollout=None), "split 1=95 %, 2=5 %; 4 held; 3 quarantined"),
        (replace(MODEL, traffic=TrafficView(model="digits", managed=True)), "managed"),
        (replace(MODEL, traffic=TrafficView(model="digits", overlays=HELD)), "2, 3, 4 and 1 more held"),
        (replace(MODEL, traffic=TrafficView(model="digits", shares=SPLIT.shares[:1])), ""),
        (MODEL, ""),
    ],
)
def test_the_list_of_models_says_what_is_special_about_a_model_s_traffic(model: ModelView, told: str) -> None:
    (line,) = lines(build_models([ListedView.of(model)]))[1:]
    assert line.split("latest 1")[1].strip().removesuffix("retrying").strip() == told


def test_one_model_s_status_lists_split_and_overlays() -> None:
    shown = [" ".join(line.split()) for line in lines(build_model(ROLLED))]
    assert "rollout m-2-1, version 2 in place of 1: ramping, step 2 of 4, 5 %" in shown
    assert "split version 1 answers 95 %, version 2 5 %" in shown
    assert "version 2 pinned by rollout m-2-1" in shown
    by_hand = replace(SPLIT, rollout=None, weights_by="ann@desk", weights_at=NOON)
    shown = [" ".join(line.split()) for line in lines(build_model(replace(MODEL, traffic=by_hand)))]
    assert "split by ann@desk" in shown


def test_why_tells_of_the_rollout_the_split_and_how_to_release_what_is_quarantined() -> None:
    said = summarise(ROLLED)
    for sentence in (
        "Rollout m-2-1 is to put version 2 in the place of version 1; it is ramping, step 2 of 4 since "
        "2030-01-02 12:03:20+00:00: step 1 is passed: no metric suspects harm.",
        "Of the requests that name neither version nor label, version 1 answers 95 %, version 2 5 %.",
        "Version 4 is held back: it is not served until a rollout takes it up.",
        "Version 3 is quarantined by rollout since 2030-01-02 12:00:00+00:00: errors: harm. "
        "`understudy quarantine release digits 3` lets it be served again.",
    ):
        assert sentence in said
    watching = replace(HEAD, phase=Phase.WATCHING, step=0)
    assert "Rollout m-2-1 has put version 2" in summarise(replace(ROLLED, rollout=watching))
    by_hand = replace(SPLIT, rollout=None, weights_by="ann@desk", weights_at=NOON)
    assert "ann@desk has split its requests by hand." in summarise(replace(MODEL, traffic=by_hand))


@pytest.mark.parametrize(
    "changed",
    [replace(ROLLED, rollout=replace(HEAD, weight=2_500)), replace(ROLLED, traffic=None)],
    ids=["weight", "traffic"],
)
def test_a_watched_status_shows_when_a_rollout_moves(changed: ModelView) -> None:
    changes = Changes()
    changes.take(ROLLED, 0.0)
    assert not changes.take(ROLLED, 1.0)
    assert changes.take(changed, 2.0)


def picture_of(kept: ModelTraffic, *ranges: BucketRange, managed: bool = False) -> Picture:
    traffic = Traffic(trial="t", epoch=1, candidate=None, salt="s", key_header="x-user", ranges=ranges)
    ready = tuple(ReadyVersion(version) for version in (1, 2))
    route = ModelRoute("m", ready, 1, (), (), traffic=traffic if ranges else None)
    found = tuple(FoundVersion(version, f"/m/{version}") for version in (1, 2, 3, 4))
    return Picture(
        table=RouteTable().apply(RouteUpdate(1, (route,), ())),
        looks={"m": FoundVersions("m", found)},
        traffic={"m": kept},
        strategies={"m": Strategy()} if managed else {},
    )


def test_the_view_of_a_rollout_s_traffic_has_arms_and_overlays() -> None:
    bad = Quarantined(version=4, at=5.0, by="ann", reason="broken", rollout="m-4-0")
    kept = ModelTraffic(rollout=RAMPING, quarantined={4: bad})
    view = build_traffic("m", picture_of(kept, BucketRange(2, 0, 500)), CALENDAR)
    assert view.shares == SPLIT.shares
    assert (view.rollout, view.key_header, view.managed) == ("m-2-1", "x-user", False)
    assert (view.salt, view.ranges) == ("s", (BucketRange(2, 0, 500),))
    assert [(each.version, each.kind) for each in view.overlays] == [
        (1, "pinned"),
        (2, "pinned"),
        (3, "held"),
        (4, "quarantined"),
    ]
    assert view.overlays[1].reason == "pinned by rollout m-2-1"
    assert view.overlays[3].reason == "quarantined by ann: broken"
    (quarantined,) = view.quarantined
    assert (quarantined.version, quarantined.rollout) == (4, "m-4-0")
    assert quarantined.at == datetime(2030, 1, 2, 12, 0, 5, tzinfo=UTC)


def test_the_view_of_weights_by_hand_says_whose_they_are() -> None:
    ranges = (BucketRange(2, 0, 1_000),)
    weights = Weights(salt="s", epoch=1, ranges=ranges, default=1, by="ann@desk", at=7.0)
    view = build_traffic("m", picture_of(ModelTraffic(weights=weights), *ranges), CALENDAR)
    assert [(each.version, each.weight, each.arm) for each in view.shares] == [(1, 9_000, ""), (2, 1_000, "")]
    assert (view.weights_by, view.weights_at) == ("ann@desk", datetime(2030, 1, 2, 12, 0, 7, tzinfo=UTC))
    assert {each.reason for each in view.overlays} == {"pinned by the weights that ann@desk set"}


def test_labels_that_a_rollout_sets_are_listed_beside_those_configured() -> None:
    picture = picture_of(ModelTraffic(rollout=RAMPING), BucketRange(2, 0, 500))
    configured = ModelConfig("m", "/m", labels=(("mine", 1), ("stable", 9)))
    in_force = tuple(
        LabelRoute(label, version) for label, version in (("canary", 2), ("mine", 1), ("stable", 1))
    )
    route = replace(picture.table.routes["m"], labels=in_force)
    picture = replace(
        picture, configured={"m": configured}, table=RouteTable().apply(RouteUpdate(1, (route,), ()))
    )
    listed = build_labels("m", picture)
    assert [(each.label, each.version, each.ready) for each in listed] == [
        ("canary", 2, True),
        ("mine", 1, True),
        ("stable", 1, True),
    ]
    assert not any(each.target for each in listed), "all are where they are to be"


def test_a_managed_model_is_said_to_be_one() -> None:
    view = build_traffic("m", picture_of(ModelTraffic(stable=1), managed=True), CALENDAR)
    assert (view.managed, view.stable, view.key_header) == (True, 1, "")
    assert [(each.version, each.kind) for each in view.overlays] == [
        (1, "pinned"),
        (2, "held"),
        (3, "held"),
        (4, "held"),
    ]
    assert build_traffic("nobody", Picture(), CALENDAR).shares == ()
