"""Metrics of models' traffic: how it is split, rollouts and their evidence, quarantine; bounded series."""

from dataclasses import replace

import pytest

from tests.staged_rollouts import RAMPING
from tests.unit.test_metrics import WALL, Values, collector_of, of, picture_of, scrape, version
from understudy.control.picture import Picture
from understudy.rollout.state import ModelTraffic, Pause, Phase, Quarantined, Rollout
from understudy.routing import RouteTable, RouteUpdate
from understudy.routing.traffic import BucketRange, Traffic
from understudy.servable import State

BAD = Quarantined(version=7, at=1.0, by="ann", reason="broken")


def picture_with(kept: ModelTraffic | None) -> Picture:
    return replace(picture_of(version(1, State.READY)), traffic={"m": kept} if kept else {})


def values_of(rollout: Rollout) -> Values:
    return scrape(collector_of(picture_with(ModelTraffic(rollout=rollout, quarantined={7: BAD}))))


def of_rollouts(values: Values) -> list[str]:
    return sorted({name for name, _ in values if name.startswith("understudy_rollout_")})


def test_a_rollout_tells_where_it_is() -> None:
    values = values_of(RAMPING)
    labels = {"model": "m", "rollout": "m-2-1", "baseline": "1", "candidate": "2"}
    assert of(values, "understudy_rollout_info", **labels) == 1
    assert of(values, "understudy_rollout_phase", model="m", phase="ramping") == 1
    assert of(values, "understudy_rollout_since_timestamp_seconds", model="m") == WALL + 200
    assert of(values, "understudy_rollout_step", model="m") == 2
    assert of(values, "understudy_rollout_steps", model="m") == 4
    assert of(values, "understudy_rollout_weight_ratio", model="m") == 0.05
    assert of(values, "understudy_rollout_crashes", model="m") == 0
    assert of(values, "understudy_quarantined_versions", model="m") == 1


def test_a_rollout_that_waits_for_an_operator_tells_why() -> None:
    assert not [name for name, _ in values_of(RAMPING) if name == "understudy_rollout_held"]
    held = values_of(replace(RAMPING, pause=Pause.INCONCLUSIVE))
    assert of(held, "understudy_rollout_held", model="m", cause="inconclusive") == 1


def test_a_rollout_that_does_not_ramp_is_at_no_step() -> None:
    assert of(values_of(replace(RAMPING, phase=Phase.SHADOWING)), "understudy_rollout_step", model="m") == 0


def test_evidence_is_counted_by_arm_over_all_epochs() -> None:
    values = values_of(RAMPING)
    assert of(values, "understudy_rollout_requests_total", model="m", arm="candidate") == 59
    assert of(values, "understudy_rollout_requests_total", model="m", arm="baseline") == 7_800
    assert of(values, "understudy_rollout_bad_total", model="m", arm="baseline", kind="errors") == 40
    assert of(values, "understudy_rollout_bad_total", model="m", arm="candidate", kind="errors") == 3
    assert of(values, "understudy_rollout_fallbacks_total", model="m") == 2
    outcomes = {"agreed": 997, "disagreed": 3, "shed": 4, "incomparable": 6}
    shadowed = {
        each: of(values, "understudy_rollout_shadowed_total", model="m", outcome=each) for each in outcomes
    }
    assert shadowed == outcomes
    assert of(values, "understudy_rollout_evidence", model="m", metric="errors", of="harm") == 0.5
    assert of(values, "understudy_rollout_evidence", model="m", metric="errors", of="no_harm") == -0.25


@pytest.mark.parametrize("kept", [None, ModelTraffic(stable=1)])
def test_without_a_rollout_there_is_no_series_of_one(kept: ModelTraffic | None) -> None:
    assert of_rollouts(scrape(collector_of(picture_with(kept)))) == []


def test_shares_are_those_that_requests_see() -> None:
    plain = picture_of(version(1, State.READY), version(2, State.READY))
    assert [name for name, _ in scrape(collector_of(plain)) if name == "understudy_traffic_share_ratio"] == []
    (route,) = plain.table.routes.values()
    traffic = Traffic(
        trial="m-2-1",
        epoch=1,
        candidate=1,
        salt="s",
        ranges=(BucketRange(1, 0, 400), BucketRange(1, 500, 600), BucketRange(9, 600, 700)),
    )
    table = RouteTable().apply(RouteUpdate(1, (replace(route, traffic=traffic),), ()))
    values = scrape(collector_of(replace(plain, table=table)))
    shares = [of(values, "understudy_traffic_share_ratio", model="m", version=each) for each in "129"]
    assert shares == [0.05, 0.94, 0.01]
