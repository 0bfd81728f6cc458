"""Candidates of rollouts that fail validation never answer anybody: real SavedModels, real clients, one server."""

import json
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypedDict

import httpx
import pytest

from tests.live.exports import Exports
from tests.live.process import LiveServer

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

TIMEOUT_S = 60
GOLDEN = Path("assets.extra", "understudy_golden.jsonl")
PLAN = "{shadow: none, steps: [{weight: 50 %, dwell: 1 h}], validation: {latency_budget: 10 s}}"


class Rollout(TypedDict):
    """As the API tells it; other fields are not read here."""

    phase: str
    reason: str


class Stage:
    """Version 1 serves y = x + 1 to a client that never stops asking; a rollout of version 2 waits for it."""

    def __init__(self, folder: Path, saved_models: Path, server: LiveServer) -> None:
        self._models = saved_models
        self._exports = Exports(folder / "next")
        self._base = folder / "m"
        self._api = httpx.Client(base_url=f"http://{server.admin}", timeout=TIMEOUT_S, trust_env=False)
        self._rest = httpx.Client(base_url=f"http://{server.rest}", timeout=TIMEOUT_S, trust_env=False)
        self.versions: set[str] = set()

    def roll_out(self, model: str, *lines: dict[str, object], plan: str = PLAN) -> None:
        """Orders it, and only then publishes the version, with these golden examples."""
        wanted = {"candidate": 2, "plan": plan}
        answer = self._api.post("/v1/models/m/rollout", json=wanted)
        assert answer.status_code == 200, answer.text
        export = self._exports.base_path.parent / "export"
        shutil.copytree(self._models / model, export)
        (export / GOLDEN).parent.mkdir(exist_ok=True)
        (export / GOLDEN).write_text("".join(json.dumps(line) + "\n" for line in lines))
        export.rename(self._base / "2")

    def wait_phase(self, *phases: str) -> Rollout:
        """Until the rollout is in one of these."""
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            rollout: Rollout = self._api.get("/v1/models/m/rollout").raise_for_status().json()
            if rollout["phase"] in phases:
                return rollout
            assert time.monotonic() < deadline, rollout
            time.sleep(0.05)

    def quarantined(self) -> dict[int, str]:
        """Versions and reasons."""
        told = self._api.get("/v1/models/m/quarantine").raise_for_status().json()
        return {each["version"]: each["reason"] for each in told["versions"]}

    def why(self) -> str:
        """What `understudy why` says, events included."""
        return self._api.get("/v1/models/m/why").raise_for_status().text

    def close(self) -> None:
        """Lets go of its connections."""
        self._api.close()
        self._rest.close()

    def ask(self) -> None:
        """Who answers this one."""
        answer = self._rest.post("/v1/models/m:predict", json={"instances": [0.0]}).raise_for_status()
        self.versions.add(answer.headers["x-understudy-version"])


@pytest.fixture
def stage(tmp_path: Path, saved_models: Path) -> Iterator[Stage]:
    shutil.copytree(saved_models / "offset_1", tmp_path / "m" / "1")
    with LiveServer(f"--model=m={tmp_path / 'm'}", "--poll-interval=0.1") as server:
        stage = Stage(tmp_path, saved_models, server)
        with closing(stage), asking(stage):
            yield stage


@contextmanager
def asking(stage: Stage) -> Iterator[None]:
    """A client that never stops."""
    stopped = threading.Event()

    def ask() -> None:
        while not stopped.is_set():
            stage.ask()

    client = threading.Thread(target=ask)
    client.start()
    try:
        yield
    finally:
        stopped.set()
        client.join()


def test_one_that_does_not_reproduce_its_golden_examples_is_rolled_back_before_anybody_sees_it(
    stage: Stage,
) -> None:
    stage.roll_out(
        "offset_2",
        {"name": "nought", "inputs": [0.0], "outputs": [2.0]},
        {"name": "four", "inputs": [4.0], "outputs": [5.0]},
    )
    rollout = stage.wait_phase("rolled_back")
    found = "1 of 2 golden examples are not reproduced: line 2 of understudy_golden.jsonl (four): "
    assert f"{found}output y: 6 instead of 5 at [0]" in rollout["reason"]
    assert found in stage.quarantined()[2]
    assert found in stage.why()
    stage.ask()
    assert stage.versions == {"1"}


def test_one_whose_signatures_lose_something_is_rolled_back_before_anybody_sees_it(stage: Stage) -> None:
    stage.roll_out("strings")
    rollout = stage.wait_phase("rolled_back")
    assert (
        "clients of version 1 would miss: signature serving_default: input x takes DT_STRING"
        in (rollout["reason"])
    )
    stage.ask()
    assert stage.versions == {"1"}


def test_one_that_is_slower_than_its_budget_is_rolled_back(stage: Stage) -> None:
    plan = "{shadow: none, steps: [50 %], validation: {signatures: false, latency_budget: 1 ms}}"
    stage.roll_out("slow", {"name": "slow", "inputs": [50.0], "outputs": {"milliseconds": [50.0]}}, plan=plan)
    rollout = stage.wait_phase("rolled_back")
    assert "(slow) took " in rollout["reason"]
    assert "more than the latency budget of 1 ms" in rollout["reason"]
    assert stage.versions == {"1"}


def test_one_that_is_what_it_must_be_gets_its_first_traffic(stage: Stage) -> None:
    stage.roll_out("offset_2", {"name": "nought", "inputs": [0.0], "outputs": [2.0]})
    rollout = stage.wait_phase("ramping", "rolled_back")
    assert rollout["phase"] == "ramping", rollout["reason"]
    assert "it reproduces its golden examples (1), the slowest in " in stage.why()
    deadline = time.monotonic() + TIMEOUT_S
    while stage.versions != {"1", "2"}:
        assert time.monotonic() < deadline, stage.versions
        stage.ask()
