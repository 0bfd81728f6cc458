"""Requests that hang hold their own version until its drain deadline, and nothing else."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests.live.asking import answer_of
from tests.live.exports import Exports, config_text, model_text, release
from tests.live.process import LiveServer

pytestmark = pytest.mark.slow

HANGS = 7.0
HUNG = ("hung-1", "hung-2", "hung-3")
QUICK = ("quick-1", "quick-2")


class Models:
    """Models whose version 1 hangs when it is asked for 7, and others; one thread that unloads."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.exports = {name: Exports(folder / name) for name in (*HUNG, *QUICK)}
        self.held = {name: self.exports[name].synthetic(1, hang_on=HANGS) for name in HUNG}
        for name in QUICK:
            self.exports[name].synthetic(1)
        config = folder / "models.config"
        config.write_text(
            config_text(*(model_text(name, each.base_path) for name, each in self.exports.items()))
        )
        self.server = LiveServer(
            f"--model-config-file={config}", "--poll-interval=0.05", "--unload-threads=1", *arguments
        )

    @contextmanager
    def hanging_requests(self) -> Iterator[dict[str, Future[float]]]:
        """One request in version 1 of each model that hangs; let go at the end at the latest."""
        with ThreadPoolExecutor(len(HUNG)) as pool:
            asked = {name: pool.submit(answer_of, self.server, name, HANGS) for name in HUNG}
            for name, answer in asked.items():
                while self.server.status(name)["versions"][0]["in_flight"] == 0:
                    assert not answer.done(), answer.result()
            try:
                yield asked
            finally:
                for path in self.held.values():
                    release(path)

    def state(self, name: str, version: int) -> str:
        """The operators' API's word."""
        return {each["version"]: each["state"] for each in self.server.status(name)["versions"]}[version]


def test_hung_requests_hold_up_no_other_model_and_no_newer_version(tmp_path: Path) -> None:
    models = Models(tmp_path, "--drain-timeout=600")
    with models.server as server, models.hanging_requests() as asked:
        for name in HUNG:
            models.exports[name].synthetic(2)
        server.wait_log_of_each("state_changed", HUNG, version=1, state="unloading")
        for name in QUICK:
            models.exports[name].synthetic(2)
        server.wait_log_of_each("state_changed", QUICK, version=1, state="end")
        assert {models.state(name, 1) for name in HUNG} == {"unloading"}
        assert not any(answer.done() for answer in asked.values())
        assert {answer_of(server, name) for name in (*HUNG, *QUICK)} == {2.0}
        release(models.held[HUNG[1]])
        server.wait_log("state_changed", model=HUNG[1], version=1, state="end")
        assert {models.state(name, 1) for name in (HUNG[0], HUNG[2])} == {"unloading"}
        assert asked[HUNG[1]].result() == HANGS + 1


def test_after_the_drain_deadline_the_version_ends_and_its_request_is_still_answered(tmp_path: Path) -> None:
    models = Models(tmp_path, "--drain-timeout=0.3")
    with models.server as server, models.hanging_requests() as asked:
        for name in HUNG:
            models.exports[name].synthetic(2)
        server.wait_log_of_each("state_changed", HUNG, version=1, state="end")
        for name, answer in asked.items():
            ended = {each["version"]: each for each in server.status(name)["versions"]}[1]
            assert ended["requests_left"] == 1
            assert "outlived the drain" in ended["reason"]
            assert not answer.done()
            assert answer_of(server, name) == 2.0
        assert "understudy_versions_unloaded_late 3" in metrics(server)
        for name, answer in asked.items():
            release(models.held[name])
            assert answer.result() == HANGS + 1, "the version that was asked answers, not its successor"
        while "understudy_versions_unloaded_late 0" not in metrics(server):
            assert {answer_of(server, name) for name in HUNG} == {2.0}


def metrics(server: LiveServer) -> str:
    """What Prometheus would scrape."""
    return requests.get(f"http://{server.admin}/metrics", timeout=30).text
