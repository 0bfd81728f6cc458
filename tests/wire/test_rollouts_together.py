"""A managed model's life on a live server, from version to version by itself: labels, quarantine, restarts."""

from pathlib import Path

import pytest

from tests.live.asking import answer_of, predict
from tests.live.exports import Exports, config_text, model_text
from tests.live.operating import Operator
from tests.live.process import LiveServer
from tests.live.splits import answers_label, wait_managed

pytestmark = pytest.mark.slow

REQUESTS_MAX = 10_000
PAUSE_S = 0.005
PLAN = """{
    shadow: none, steps: [{weight: 50 %, dwell: 0 s, requests: 20}], keep_baseline: 0 s,
    analysis: {metrics: {errors: {floor: 20 %}, invalid_outputs: {floor: 20 %}, "slow:p99": {muted: true}}}}"""
"""Some hundred requests decide."""


def ask_until(server: LiveServer, event: str, version: int) -> list[int]:
    """Asks until the log says so of the version, leaving the server time to decide; the answers' statuses."""
    statuses: list[int] = []
    while not server.logged(event, model="m", version=version):
        statuses.append(predict(server, "m").status_code)
        assert len(statuses) < REQUESTS_MAX, server.tail()
        while server.next_log_within(PAUSE_S) is not None:
            pass
    return statuses


def labels(server: LiveServer) -> tuple[int | None, int | None]:
    """Where `stable` and `canary` lead."""
    return answers_label(server, "m", "stable"), answers_label(server, "m", "canary")


def test_versions_follow_each_other_by_themselves_and_a_bad_one_stays_out(tmp_path: Path) -> None:
    exports = Exports(tmp_path / "m")
    exports.synthetic(1)
    models, plans = tmp_path / "models.config", tmp_path / "rollouts.yaml"
    models.write_text(config_text(model_text("m", exports.base_path)))
    plans.write_text(f"models: {{m: {PLAN}}}\n")
    arguments = (
        *(f"--model-config-file={models}", f"--rollout-config={plans}"),
        *(f"--state-dir={tmp_path / 'state'}", "--poll-interval=0.1"),
    )
    with LiveServer(*arguments) as server:
        operator = Operator(server)
        wait_managed(server, "m")
        assert labels(server) == (1, None)

        exports.synthetic(2)
        server.wait_said("rollout_ramping", model="m", version=2)
        assert labels(server) == (1, 2)
        exports.synthetic(3)
        server.wait_said("version_waiting", model="m", version=3)
        assert operator.loaded() == {1, 2}, "what waits is not loaded"
        assert set(ask_until(server, "rollout_promoted", 2)) == {200}

        server.wait_said("rollout_ramping", model="m", version=3)
        assert labels(server) == (2, 3)
        assert set(ask_until(server, "rollout_promoted", 3)) == {200}
        operator.wait_loaded(3)
        assert labels(server) == (3, None)

        exports.synthetic(4, fail_on=0.0)
        assert 400 in ask_until(server, "rollout_rolled_back", 4)
        assert labels(server) == (3, None)
        operator.wait_loaded(3)
        assert operator.quarantined() == {4}
        server.kill()
    with LiveServer(*arguments) as server:
        operator = Operator(server)
        assert labels(server) == (3, None)
        assert answer_of(server, "m") == 3
        assert (operator.quarantined(), operator.loaded()) == ({4}, {3})
        exports.synthetic(5)
        server.wait_said("rollout_ramping", model="m", version=5)
        assert labels(server) == (3, 5)
        assert set(ask_until(server, "rollout_promoted", 5)) == {200}
        assert not server.logged("state_changed", model="m", version=4), "it is not loaded again"
