"""Rollouts of a live server: what a strategy does by itself, and who gets which version, through both doors."""

import signal
from pathlib import Path

import grpc
import pytest

from tests.live.asking import answer_of, predict
from tests.live.drop_in import drop_in
from tests.live.exports import Exports, config_text, model_text
from tests.live.process import LiveServer
from tests.live.splits import answers_by_grpc, answers_by_rest, bucket, wait_managed

pytestmark = pytest.mark.slow

REQUESTS_MAX = 10_000
PAUSE_S = 0.005
KEYS = [f"user-{number}" for number in range(60)]
AT_30_PERCENT = "{shadow: none, steps: [{weight: 30 %, needs_approval: true}]}"
HALF_AND_HALF = """{
    shadow: none, steps: [{weight: 50 %, dwell: 0 s, requests: 20}], keep_baseline: 0 s,
    analysis: {metrics: {errors: {floor: 20 %}, invalid_outputs: {floor: 20 %}, "slow:p99": {muted: true}}}}"""
AT_10_PERCENT = "{shadow: none, steps: [10 %]}"


class World:
    """Two models with a version each, and the file of their strategies."""

    def __init__(self, folder: Path) -> None:
        self.ramped, self.other = Exports(folder / "ramped"), Exports(folder / "other")
        for exports in (self.ramped, self.other):
            exports.synthetic(1)
        self.models = folder / "models.config"
        self.models.write_text(
            config_text(
                model_text("other", self.other.base_path), model_text("ramped", self.ramped.base_path)
            )
        )
        self.plans = folder / "rollouts.yaml"
        self.plan(ramped=AT_30_PERCENT, other=AT_10_PERCENT)

    def plan(self, **plans: str) -> None:
        lines = "".join(f"  {model}: {plan}\n" for model, plan in plans.items())
        self.plans.write_text(f"models:\n{lines}")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_new_version_of_a_managed_model_gets_the_share_that_its_rollout_says_and_no_more(
    world: World,
) -> None:
    with drop_in(
        f"--model_config_file={world.models}",
        f"--rollout_config={world.plans}",
        "--file_system_poll_wait_seconds=1",
    ) as server:
        wait_managed(server, "ramped")
        world.ramped.synthetic(2)
        server.wait_log("rollout_ramping", model="ramped", version=2)
        expected = {key: 2 if bucket("ramped", 2, key) < 3_000 else 1 for key in KEYS}
        assert {key: answers_by_rest(server, "ramped", key) for key in KEYS} == expected
        with grpc.insecure_channel(server.grpc) as channel:
            assert {key: answers_by_grpc(channel, "ramped", key) for key in KEYS} == expected


def test_strategies_are_read_again_and_a_file_that_cannot_be_taken_changes_nothing(world: World) -> None:
    world.plan(other=AT_10_PERCENT)
    with LiveServer(f"--model-config-file={world.models}", f"--rollout-config={world.plans}") as server:
        wait_managed(server, "other")
        world.plans.write_text("models: {other: {stepps: []}}")
        server.signal(signal.SIGHUP)
        refused = server.wait_log("rollout_config_refused")
        assert "rollouts.yaml:1:18" in str(refused.fields["reason"])
        world.plan(ramped=AT_10_PERCENT)
        server.signal(signal.SIGHUP)
        server.wait_log("rollout_config_taken", models=1)
        wait_managed(server, "ramped")
        world.ramped.synthetic(2)
        server.wait_log("rollout_ramping", model="ramped", version=2)


def test_a_rollout_goes_on_at_its_weight_after_a_restart_and_a_crash(world: World, tmp_path: Path) -> None:
    arguments = (
        f"--model-config-file={world.models}",
        f"--rollout-config={world.plans}",
        f"--state-dir={tmp_path / 'state'}",
    )
    with LiveServer(*arguments) as server:
        wait_managed(server, "ramped")
        world.ramped.synthetic(2)
        server.wait_log("rollout_ramping", model="ramped", version=2)
        before = {key: answers_by_rest(server, "ramped", key) for key in KEYS}
    with LiveServer(*arguments) as server:
        restarted = next(line for line in server.log if line.says("rollout_restarted", model="ramped"))
        assert "suddenly" not in str(restarted.fields["reason"])
        server.wait_said("state_changed", model="ramped", version=2, state="ready")  # till then 1 stands in
        assert {key: answers_by_rest(server, "ramped", key) for key in KEYS} == before
        server.kill()
    with LiveServer(*arguments) as server:
        restarted = next(line for line in server.log if line.says("rollout_restarted", model="ramped"))
        assert "suddenly" in str(restarted.fields["reason"])
        server.wait_said("state_changed", model="ramped", version=2, state="ready")  # till then 1 stands in
        assert {key: answers_by_rest(server, "ramped", key) for key in KEYS} == before


def ask_until(server: LiveServer, model: str, event: str, version: int) -> list[int]:
    """Asks until the log says so of the version, leaving the server time to decide; the answers' statuses."""
    statuses = []
    while not server.logged(event, model=model, version=version):
        statuses.append(predict(server, model).status_code)
        assert len(statuses) < REQUESTS_MAX, server.tail()
        while server.next_log_within(PAUSE_S) is not None:
            pass
    return statuses


def test_evidence_promotes_a_good_version_and_rolls_a_bad_one_back_for_good(
    world: World, tmp_path: Path
) -> None:
    world.plan(ramped=HALF_AND_HALF)
    arguments = (
        f"--model-config-file={world.models}",
        f"--rollout-config={world.plans}",
        f"--state-dir={tmp_path / 'state'}",
    )
    with LiveServer(*arguments) as server:
        wait_managed(server, "ramped")
        world.ramped.synthetic(2)
        assert set(ask_until(server, "ramped", "rollout_promoted", version=2)) == {200}
        assert answer_of(server, "ramped") == 2
        world.ramped.synthetic(3, fail_on=0.0)
        statuses = ask_until(server, "ramped", "rollout_rolled_back", version=3)
        assert 400 in statuses, "the failed requests are what it was rolled back for"
        assert {predict(server, "ramped").status_code for _ in KEYS} == {200}
        server.kill()
    with LiveServer(*arguments) as server:
        assert answer_of(server, "ramped") == 2
        assert not server.logged("state_changed", model="ramped", version=3), "it is not loaded again"
