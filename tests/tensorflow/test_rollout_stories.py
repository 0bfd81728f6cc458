"""The demo's stories, each with kill -9 in its middle: promoted, caught by truths, caught by errors, undone.

Every death leaves a record, and users' own notes are held against it: nobody met more than was on record,
whoever met the candidate stayed with it across the crash, nothing failed but by the kill or the candidate.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from examples.digits import answers as kept
from examples.digits.answers import accuracy, by, failures
from examples.digits.doors import MODEL

from tests.live.process import LiveServer
from tests.live.splits import wait_managed
from tests.tensorflow.digits import (
    Story,
    build_story,
    has_weight,
    is_fallback,
    is_in,
    look,
    suspects,
    wait_default,
    wait_rollout,
)
from understudy.analysis.verdict import Finding
from understudy.rollout.state import Phase

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

JUDGED = """quality: {metric: accuracy, output: classes, window: 60 s}, keep_baseline: 1 h,
    analysis: {metrics: {errors: {floor: 2 %}, invalid_outputs: {floor: 2 %}, "slow:p99": {muted: true}}}"""
SHADOW = "shadow: {share: 50 %, dwell: 0 s, requests: 300}"
RAMP = """[{weight: 1 %, dwell: 0 s, requests: 10}, {weight: 25 %, dwell: 0 s, requests: 200},
    {weight: 50 %, dwell: 0 s, requests: 400}]"""
STAY = 1_000_000
"""More requests than there are: the step is not passed."""
SUSPICION = 1.0
"""Logarithm of evidence for harm: some, and far from enough."""

Begin = Callable[[str], Story]


@pytest.fixture(scope="session")
def staging(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's versions, trained once, in a process of their own."""
    folder = tmp_path_factory.mktemp("digits") / "staging"
    command = [sys.executable, "-m", "examples.digits.train", "--staging", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    return folder


@pytest.fixture
def begin(tmp_path: Path, staging: Path) -> Begin:
    """A story by a plan."""
    return lambda plan: build_story(tmp_path / "demo", staging, plan)


def order(server: LiveServer, turn: str, **wanted: object) -> None:
    """An operator's order, and its acknowledgement."""
    httpx.post(
        f"http://{server.admin}/v1/models/{MODEL}/rollout/{turn}",
        json={"by": "ada", **wanted},
        trust_env=False,
        timeout=30,
    ).raise_for_status()


def versions(story: Story, *, since: float) -> set[int | None]:
    """Who has answered since then, but for whom had to stand in for a version that was not loaded yet."""
    answers = kept.since(story.answers, since)
    return {answer.version for answer in answers if not answer.failure and not is_fallback(answer)}


def test_a_better_version_is_promoted_although_the_server_is_killed_in_every_stage(begin: Begin) -> None:
    story = begin(f"{{{SHADOW}, steps: {RAMP}, {JUDGED}, crashes_max: 3}}")
    with story.living() as server:
        wait_managed(server, MODEL)
        story.folder.publish(2)
        wait_rollout(server, is_in(Phase.SHADOWING))
        story.kill(server)
    story.check()
    for weight in (2_500, 5_000):
        with story.living() as server:
            wait_rollout(server, has_weight(weight))
            story.kill(server)
        story.check()
    with story.living() as server:
        wait_rollout(server, is_in(Phase.WATCHING))
        promoted_at = story.ask_on()
    story.check()
    record = story.records()[2]
    assert record.kinds.count("rollout_restarted") == 3
    (promoted,) = [each for each in record.decisions if each.kind == "rollout_watching"]
    assert promoted.judgement is not None
    assert promoted.judgement.finding is Finding.NO_HARM
    assert versions(story, since=promoted_at) == {2}
    after = kept.since(story.answers, promoted_at)
    assert accuracy(after) > accuracy(by(story.answers, 1)) + 0.1
    assert failures(by(story.answers, 2)) == []


def test_a_version_that_is_wrong_is_caught_by_truths_from_before_and_after_a_kill(begin: Begin) -> None:
    steps = f"[{{weight: 1 %, dwell: 0 s, requests: 5}}, {{weight: 5 %, requests: {STAY}}}]"
    story = begin(f"{{{SHADOW}, steps: {steps}, {JUDGED}}}")
    with story.living() as server:
        wait_managed(server, MODEL)
        story.folder.publish(2)
        wait_rollout(server, is_in(Phase.RAMPING))
        order(server, "promote")
        wait_rollout(server, is_in(Phase.WATCHING))
        order(server, "promote")
        story.folder.publish(3)
        wait_rollout(server, lambda seen: seen["id"].startswith(f"{MODEL}-3-"))
        wait_rollout(server, suspects("wrong", SUSPICION))
        story.kill(server)
    story.check()
    with story.living() as server:
        wait_rollout(server, is_in(Phase.ROLLED_BACK))
        rolled_back_at = story.ask_on()
        assert [each["version"] for each in server.status(MODEL)["versions"] if each["state"] == "ready"] == [
            2
        ]
    story.check()
    record = story.records()[3]
    assert record.kinds[-2:] == ["rollout_rolled_back", "version_quarantined"]
    assert "rollout_restarted" in record.kinds
    assert "wrong" in record.rollout.reason
    assert record.exposed <= 500
    assert accuracy(by(story.answers, 3)) < accuracy(by(story.answers, 2)) - 0.05
    assert versions(story, since=rolled_back_at) == {2}


def test_a_version_that_throws_is_caught_at_one_per_cent_although_the_server_is_killed(begin: Begin) -> None:
    story = begin(f"{{shadow: none, steps: [{{weight: 1 %, requests: {STAY}}}], {JUDGED}}}")
    with story.living() as server:
        wait_managed(server, MODEL)
        story.folder.publish(4)
        wait_rollout(server, suspects("errors", SUSPICION))
        story.kill(server)
    story.check()
    with story.living() as server:
        wait_rollout(server, is_in(Phase.ROLLED_BACK))
        rolled_back_at = story.ask_on()
        assert server.status(MODEL)["default_version"] == 1
    story.check()
    record = story.records()[4]
    assert record.kinds[-2:] == ["rollout_rolled_back", "version_quarantined"]
    assert "errors" in record.rollout.reason
    assert record.exposed == 100
    assert failures(by(story.answers, 4)) != []
    assert versions(story, since=rolled_back_at) == {1}


def test_a_promotion_outlives_a_kill_and_so_does_its_undoing(begin: Begin) -> None:
    story = begin(f"{{shadow: none, steps: [{{weight: 25 %, requests: {STAY}}}], {JUDGED}}}")
    with story.living() as server:
        wait_managed(server, MODEL)
        story.folder.publish(2)
        wait_rollout(server, is_in(Phase.RAMPING))
        order(server, "promote")
        story.kill(server)
    story.check()
    with story.living() as server:
        seen = look(server)
        assert seen is not None
        assert (seen["phase"], seen["weight"]) == (Phase.WATCHING.value, 10_000)
        wait_default(server, 2)
        assert versions(story, since=story.ask_on()) == {2}
        order(server, "undo")
        story.kill(server)
    story.check()
    with story.living() as server:
        assert versions(story, since=story.ask_on()) == {1}
        assert server.status(MODEL)["default_version"] == 1
    story.check()
    record = story.records()[2]
    assert record.rollout.phase is Phase.ROLLED_BACK
    assert [each.by for each in record.decisions if each.kind == "rollout_watching"] == ["ada"]
