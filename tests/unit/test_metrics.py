"""Metrics: the catalogue, what a picture and what was counted become, bounds, and the docs that name them."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from understudy.clock import Calendar
from understudy.control.picture import Picture
from understudy.dataplane.native import NativeDataPlane
from understudy.dataplane.options import DataPlaneOptions
from understudy.errors import Code
from understudy.metrics import catalogue, tallies
from understudy.metrics.catalogue import CATALOGUE
from understudy.metrics.collector import Collector, Sources
from understudy.metrics.metric import Kind
from understudy.metrics.page import MetricsPage
from understudy.metrics.readings import Observations
from understudy.metrics.reference import build_reference
from understudy.metrics.tallies import Tallies
from understudy.model_config import ModelConfig, ServerConfig
from understudy.routing import RouteTable, RouteUpdate, build_route
from understudy.servable import (
    Event,
    Failure,
    FoundVersions,
    Loaded,
    LoadFailed,
    LoadOverdue,
    ModelSnapshot,
    ServableId,
    State,
    Unloaded,
    VersionSnapshot,
    WarmUp,
)
from understudy.testing import ManualClock

DOCS = Path(__file__).parents[2] / "docs"
WALL = 1_700_000_000.0
GONE = Failure(Code.NOT_FOUND, "gone")
V = ServableId("m", 1)

Values = dict[tuple[str, tuple[tuple[str, str], ...]], float]


PLAIN = VersionSnapshot(version=0, state=State.NEW, aspired=True, path="/m/0", since=5.0, reason="so")


def version(number: int, state: State, *, aspired: bool = True) -> VersionSnapshot:
    return replace(PLAIN, version=number, state=state, aspired=aspired)


def picture_of(*versions: VersionSnapshot, labels: tuple[tuple[str, int], ...] = ()) -> Picture:
    config = ModelConfig(name="m", base_path="/m", labels=labels)
    model = ModelSnapshot("m", versions)
    route = build_route(model, labels)
    return Picture(
        config=ServerConfig(models=(config,)),
        configured={"m": config},
        models={"m": model},
        looks={"m": FoundVersions("m", (), GONE)},
        configured_at=3.0,
        polled_at=7.0,
        table=RouteTable().apply(RouteUpdate(1, (route,), ())),
    )


def collector_of(
    picture: Picture, counted: Tallies | None = None, *, memory_limit_bytes: int | None = None
) -> Collector:
    limits = DataPlaneOptions(grpc_address=None, rest_address=None, connections_max=7)
    plane = NativeDataPlane(limits)
    return Collector(
        Sources(
            calendar=Calendar(ManualClock(wall_at_zero_s=WALL)),
            picture=lambda: picture,
            statistics=plane.statistics,
            serving_counters=plane.serving_counters,
            tallies=counted or Tallies(),
            phase=lambda: "serving",
            phases=("starting", "serving"),
            software_version="1",
            limits=limits,
            memory_limit_bytes=memory_limit_bytes,
        )
    )


def scrape(collector: Collector) -> Values:
    """Every sample of the page, by name and labels; a test fails when two are the same."""
    page = MetricsPage(collector).draw().decode()
    samples = [sample for family in text_string_to_metric_families(page) for sample in family.samples]
    values = {(each.name, tuple(sorted(each.labels.items()))): each.value for each in samples}
    assert len(values) == len(samples), "a series stands on the page twice"
    return values


def of(values: Values, name: str, **labels: str) -> float | None:
    return values.get((name, tuple(sorted(labels.items()))))


def test_names_follow_the_conventions_of_prometheus() -> None:
    names = [metric.name for metric in CATALOGUE]
    assert len(names) == len(set(names)) > 40
    for metric in CATALOGUE:
        assert re.fullmatch(r"understudy_[a-z_]+", metric.name)
        assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)
        assert metric.name.endswith(("_seconds", "_rows")) or metric.kind is not Kind.HISTOGRAM
        assert metric.help
        assert not metric.help.endswith(".")


def test_a_version_has_one_series_for_the_state_it_is_in() -> None:
    ready = replace(
        version(2, State.READY), attempts=1, estimate_bytes=100, growth_bytes=90, files_changed_at=6.0
    )
    retrying = replace(version(3, State.RETRYING), attempts=2, next_attempt_at=65.0)
    values = scrape(collector_of(picture_of(ready, retrying)))
    states = {labels: value for (name, labels), value in values.items() if name == "understudy_version_state"}
    assert states == {
        (("model", "m"), ("state", "ready"), ("version", "2")): 1,
        (("model", "m"), ("state", "retrying"), ("version", "3")): 1,
    }
    names = {
        "understudy_version_state_since_timestamp_seconds": (WALL + 5, WALL + 5),
        "understudy_version_aspired": (1, 1),
        "understudy_version_load_attempts": (1, 2),
        "understudy_version_next_attempt_timestamp_seconds": (None, WALL + 65),
        "understudy_version_memory_estimate_bytes": (100, None),
        "understudy_version_memory_growth_bytes": (90, None),
        "understudy_version_files_changed": (1, 0),
    }
    found = {name: tuple(of(values, name, model="m", version=each) for each in "23") for name in names}
    assert found == names
    assert of(values, "understudy_memory_reserved_bytes") == 100


@pytest.mark.parametrize(
    ("state", "aspired", "is_told"),
    [
        (state, aspired, aspired or state not in {State.END, State.ERROR})
        for state in State
        for aspired in (True, False)
    ],
    ids=str,
)
def test_what_ended_and_is_not_wanted_has_no_series(state: State, aspired: bool, is_told: bool) -> None:  # noqa: FBT001 - a table
    values = scrape(collector_of(picture_of(version(1, state, aspired=aspired))))
    named = of(values, "understudy_version_state", model="m", version="1", state=state.value)
    assert (named == 1) is is_told


def test_of_two_incarnations_of_a_number_the_later_one_is_told() -> None:
    former = version(1, State.UNLOADING, aspired=False)
    later = replace(version(1, State.LOADING), incarnation=1)
    values = scrape(collector_of(picture_of(former, later)))
    assert of(values, "understudy_version_state", model="m", version="1", state="loading") == 1
    assert of(values, "understudy_version_state", model="m", version="1", state="unloading") is None


def test_labels_tell_where_they_lead_where_they_are_to_lead_and_whether_they_answer() -> None:
    labels = (("next", 9), ("stable", 2))
    values = scrape(collector_of(picture_of(version(2, State.READY), labels=labels)))
    names = ("understudy_label_version", "understudy_label_target_version", "understudy_label_ready")
    assert [of(values, name, model="m", label="stable") for name in names] == [2, 2, 1]
    assert [of(values, name, model="m", label="next") for name in names] == [9, 9, 0]


def test_a_model_tells_who_answers_and_whether_its_directory_can_be_read() -> None:
    serving = scrape(collector_of(picture_of(version(2, State.READY), version(5, State.READY))))
    assert of(serving, "understudy_default_version", model="m") == 5
    assert of(serving, "understudy_ready_versions", model="m") == 2
    assert of(serving, "understudy_look_failing", model="m") == 1
    assert of(serving, "understudy_last_look_timestamp_seconds") == WALL + 7
    assert of(serving, "understudy_config_applied_timestamp_seconds") == WALL + 3
    silent = scrape(collector_of(picture_of(version(2, State.ERROR))))
    assert of(silent, "understudy_default_version", model="m") is None
    assert of(silent, "understudy_ready_versions", model="m") == 0


def test_the_server_tells_its_phase_program_and_limit() -> None:
    values = scrape(collector_of(Picture(), memory_limit_bytes=5))
    assert of(values, "understudy_phase", phase="serving") == 1
    assert of(values, "understudy_phase", phase="starting") == 0
    assert of(values, "understudy_build_info", version="1") == 1
    assert of(values, "understudy_memory_limit_bytes") == 5
    assert of(scrape(collector_of(Picture())), "understudy_memory_limit_bytes") is None


def test_what_happens_is_counted() -> None:
    counted = Tallies()
    counted.take_event(Event(0, "m", 1, "state_changed", "so", State.LOADING))
    counted.take_event(Event(0, "m", None, "source_failed", "so"))
    counted.take_outcome(LoadFailed(V, 2.0, GONE))
    counted.take_outcome(Loaded(V, 0.2, warm_up=WarmUp(12, 0.1)))
    counted.take_outcome(LoadOverdue(V, 600.0))
    counted.take_outcome(Unloaded(V, 3.0, requests_left=4))
    counted.take_order("rpc", is_applied=False)
    counted.take_control_failure("routes_refused")
    values = scrape(collector_of(picture_of(), counted))
    assert of(values, "understudy_events_total", kind="source_failed") == 1
    assert of(values, "understudy_load_attempts_total", model="m") == 1
    assert of(values, "understudy_look_failures_total", model="m") == 1
    assert of(values, "understudy_load_failures_total", model="m", code="NOT_FOUND") == 1
    assert of(values, "understudy_load_duration_seconds_sum", model="m", result="loaded") == 0.2
    assert of(values, "understudy_load_duration_seconds_count", model="m", result="failed") == 1
    assert of(values, "understudy_unload_duration_seconds_bucket", le="2.5") == 0
    assert of(values, "understudy_unload_duration_seconds_bucket", le="5.0") == 1
    assert of(values, "understudy_loads_overdue_total", model="m") == 1
    assert of(values, "understudy_warm_up_records_total", model="m") == 12
    assert of(values, "understudy_warm_up_seconds_total", model="m") == 0.1
    assert of(values, "understudy_drain_requests_left_total", model="m") == 4
    assert of(values, "understudy_config_orders_total", origin="rpc", result="refused") == 1
    assert of(values, "understudy_control_failures_total", kind="routes_refused") == 1


def test_counts_of_a_model_that_nobody_remembers_are_not_told() -> None:
    counted = Tallies()
    counted.take_event(Event(0, "other", 1, "state_changed", "so", State.LOADING))
    values = scrape(collector_of(picture_of(), counted))
    assert of(values, "understudy_load_attempts_total", model="other") is None


def test_counts_are_bounded_and_what_rests_longest_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallies, "SERIES_MAX", 2)
    counted = Tallies()
    for kind in ("a", "b", "a", "c"):
        counted.take_control_failure(kind)
    kept = [(reading.labels, reading.value) for reading in counted.read() if not hasattr(reading, "bounds")]
    assert kept == [(("a",), 2), (("c",), 1)]


@pytest.mark.parametrize(
    ("sizes", "counts"), [((), (0, 0, 0)), ((1.0,), (1, 1, 1)), ((1.5, 2.0, 9.0), (0, 2, 3))]
)
def test_an_observation_is_counted_in_every_bucket_that_holds_it(
    sizes: tuple[float, ...], counts: tuple[int, ...]
) -> None:
    seen = Observations((1.0, 2.0))
    for size in sizes:
        seen.add(size)
    read = seen.read(catalogue.UNLOAD_DURATION, ())
    assert (*read.counts, read.count) == counts
    assert read.sum == sum(sizes)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("understudy_load_attempts_total", 1),
        ("understudy_load_failures_total", 1),
        ("/tensorflow/cc/saved_model/load_attempt_count", 2),
        ("/tensorflow/cc/saved_model/load_latency", 2_250_000),
        ("/tensorflow/serving/request_count", 0),
        ("understudy_version_state", 0),
        ("unheard_of", 0),
    ],
)
def test_a_counter_is_asked_for_by_name(name: str, value: int) -> None:
    counted = Tallies()
    counted.take_event(Event(0, "m", 1, "state_changed", "so", State.LOADING))
    counted.take_outcome(LoadFailed(V, 2.0, GONE))
    counted.take_outcome(Loaded(V, 0.25))
    collector = collector_of(picture_of(version(1, State.READY)), counted)
    assert collector.values([name, "another"]) == {name: value, "another": 0}


def test_what_the_doors_allow_stands_beside_what_they_hold() -> None:
    values = scrape(collector_of(picture_of()))
    assert values["understudy_connections", (("door", "grpc"),)] == 0
    assert values["understudy_connections", (("door", "rest"),)] == 0
    assert values["understudy_connections_limit", ()] == 7
    assert values["understudy_requests_in_flight_limit", ()] == 16_384
    assert values["understudy_buffered_bytes_limit", ()] == 4 << 30


def test_a_moment_has_one_date_unless_the_machine_s_clock_is_set() -> None:
    clock = ManualClock(now_s=10.0, wall_at_zero_s=WALL)
    calendar = Calendar(clock)
    clock.wall_at_zero_s += 0.3
    assert calendar.seconds(5.0) == WALL + 5
    clock.wall_at_zero_s += 0.3
    assert calendar.seconds(5.0) == pytest.approx(WALL + 5.6)
    assert calendar.date(5.0).timestamp() == pytest.approx(WALL + 5.6)


def test_the_page_in_the_docs_is_made_from_the_catalogue(rewrite: bool) -> None:  # noqa: FBT001 - a fixture
    path = DOCS / "reference" / "metrics.md"
    if rewrite:
        path.write_text(build_reference())
    else:
        assert path.read_text() == build_reference()


def test_the_rules_in_the_docs_name_metrics_that_exist() -> None:
    text = (DOCS / "how-to" / "watch-with-prometheus.md").read_text()
    named = set(re.findall(r"understudy_[a-z_]+", text))
    suffixes = {Kind.HISTOGRAM: ("_bucket", "_sum", "_count")}
    known = {metric.name + suffix for metric in CATALOGUE for suffix in suffixes.get(metric.kind, ("",))}
    assert len(named) > 10
    assert named - known == set()
