"""The metrics page of a live server, before and after versions change and a load fails."""

import signal
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.live.exports import Exports, config_text, model_text
from tests.live.process import LiveServer
from tests.live.serving_client import ServingClient

pytestmark = pytest.mark.slow

READY = "understudy_version_state"


class Page:
    """One scrape."""

    def __init__(self, server: LiveServer) -> None:
        answer = requests.get(f"http://{server.admin}/metrics", timeout=30)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        families = text_string_to_metric_families(answer.text)
        self._samples = [sample for family in families for sample in family.samples]
        series = [(sample.name, tuple(sorted(sample.labels.items()))) for sample in self._samples]
        assert len(series) == len(set(series)), "a series stands on the page twice"

    def sum(self, name: str, **labels: str) -> float:
        """Of all samples of the name that have these labels."""
        chosen = [s for s in self._samples if s.name == name and labels.items() <= s.labels.items()]
        return sum(sample.value for sample in chosen)

    def states(self) -> set[tuple[str, str]]:
        """Version and state."""
        return {(s.labels["version"], s.labels["state"]) for s in self._samples if s.name == READY}


def ask(server: LiveServer, name: str = "m") -> requests.Response:
    url = f"http://{server.rest}/v1/models/{name}:predict"
    return requests.post(url, json={"instances": [{"x": 0.0}]}, timeout=60)


def serve(folder: Path, base_path: Path) -> LiveServer:
    file = folder / "models.config"
    file.write_text(config_text(model_text("m", base_path)))
    return LiveServer("--model-config-file", str(file), "--load-retries", "0", "--poll-interval", "0.1")


def test_the_page_follows_a_changeover_a_failed_load_and_requests(tmp_path: Path) -> None:
    exports = Exports(tmp_path / "m")
    exports.synthetic(1)
    with serve(tmp_path, exports.base_path) as server:
        assert ask(server).status_code == 200
        before = Page(server)
        assert before.states() == {("1", "ready")}
        assert before.sum("understudy_default_version", model="m") == 1
        assert before.sum("understudy_phase", phase="serving") == 1
        assert before.sum("understudy_config_orders_total", origin="startup", result="applied") == 1
        assert before.sum("understudy_config_applied_timestamp_seconds") > 0
        estimate_bytes = before.sum("understudy_version_memory_estimate_bytes", model="m", version="1")
        assert before.sum("understudy_memory_reserved_bytes") == estimate_bytes > 0
        assert before.sum("understudy_load_duration_seconds_count", model="m", result="loaded") == 1

        exports.synthetic(2)
        server.wait_log("state_changed", version=1, state="end")
        assert [ask(server).status_code for _ in range(3)] == [200] * 3
        assert ask(server, "made-up").status_code == 404
        changed = Page(server)
        assert changed.states() == {("2", "ready")}
        assert changed.sum("understudy_default_version", model="m") == 2
        assert changed.sum("understudy_unload_duration_seconds_count") == 1
        assert changed.sum("understudy_route_generation") > before.sum("understudy_route_generation")
        assert changed.sum("understudy_requests_total", model="m", version="1", door="rest", code="OK") == 1
        assert changed.sum("understudy_requests_total", model="m", version="2", door="rest", code="OK") == 3
        assert changed.sum("understudy_requests_total", model="", version="", code="NOT_FOUND") == 1
        assert changed.sum("understudy_requests_total", model="made-up") == 0
        assert changed.sum("understudy_request_duration_seconds_bucket", version="2", le="+Inf") == 3
        assert changed.sum("understudy_version_runs_total", model="m", version="2") == 3

        exports.synthetic(3, fail_load="no such luck")
        server.wait_log("state_changed", version=3, state="error")
        failed = Page(server)
        assert failed.states() == {("2", "ready"), ("3", "error")}
        assert failed.sum("understudy_default_version", model="m") == 2
        assert failed.sum("understudy_load_failures_total", model="m", code="INVALID_ARGUMENT") == 1
        assert failed.sum("understudy_load_attempts_total", model="m") == 3


def test_a_number_that_is_loaded_again_still_makes_each_series_once(tmp_path: Path) -> None:
    exports = Exports(tmp_path / "m")
    exports.synthetic(1)
    with serve(tmp_path, exports.base_path) as server:
        assert ask(server).status_code == 200
        exports.synthetic(2)
        server.wait_log("state_changed", version=1, state="end")
        exports.remove(2)
        server.wait_log("state_changed", version=2, state="end")
        assert ask(server).status_code == 200
        assert Page(server).sum("understudy_requests_total", model="m", version="1", code="OK") == 2


def test_configurations_are_counted_by_who_wanted_them_and_what_came_of_it(
    tmp_path: Path, serving_client: ServingClient
) -> None:
    exports = Exports(tmp_path / "m")
    exports.synthetic(1)
    with serve(tmp_path, exports.base_path) as server:
        orders = "understudy_config_orders_total"
        file = tmp_path / "models.config"
        file.write_text("model_config_list {")
        server.signal(signal.SIGHUP)
        server.wait_log("reload_refused")
        assert Page(server).sum(orders, origin="file", result="refused") == 1
        file.write_text(config_text())
        server.signal(signal.SIGHUP)
        server.wait_log("reloaded")
        accepted = model_text("m", exports.base_path)
        for text in (accepted, accepted + accepted):
            request = f"config {{ {config_text(text)} }}"
            serving_client.call(server.grpc, "HandleReloadConfigRequest", request)
        page = Page(server)
        assert page.sum(orders, origin="file", result="applied") == 1
        assert page.sum(orders, origin="rpc", result="applied") == 1
        assert page.sum(orders, origin="rpc", result="refused") == 1
