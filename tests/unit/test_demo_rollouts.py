"""The demo's rollouts: truths are told late and in batches, and a story that went otherwise holds no claim."""

from dataclasses import replace

import httpx
import pytest
from examples.digits.rollouts import (
    CANDIDATES,
    PLAN,
    Candidate,
    Decision,
    Position,
    Rollout,
    Story,
    judge,
    tell,
)
from examples.digits.users import TELL_EVERY_S, TRUTHS_MAX, Asked, Truths, Turn, read_answer

from understudy.rollout.plan import Quality
from understudy.rollout_file import parse_plan

BETTER, CONFUSED, STRICT = CANDIDATES
TURN = Turn("user-1", [0.0] * 64, 8)
HEADERS = {"x-understudy-version": "2", "x-understudy-arm": "candidate", "x-request-id": "a"}
ASKED = Asked(at=1.0, user="user-1", version=1, arm="baseline", request_id="a", is_right=True, failure="")


def answer(digit: int) -> httpx.Response:
    return httpx.Response(200, headers=HEADERS, json={"predictions": [{"classes": digit, "scores": []}]})


def decision(phase: str, weight: int, reason: str = "") -> Decision:
    at = "2030-01-02T03:04:05Z"
    after: Position = {"phase": phase, "weight": weight}
    return {"at": at, "kind": "k", "by": "rollout", "reason": reason, "after": after}


def story(phase: str, *weights: int) -> Story:
    decisions = [*(decision("ramping", weight) for weight in weights), decision(phase, 0, "it ended")]
    rollout: Rollout = {"id": "digits-2-1", "phase": phase, "weight": 0, "candidate": 2, "reason": "it ended"}
    return {"rollout": rollout, "decisions": decisions}


def test_the_plan_is_one_that_the_server_takes() -> None:
    plan = parse_plan(PLAN)
    assert [step.weight for step in plan.steps] == [100, 500, 2_500, 5_000]
    assert plan.quality is not None
    assert plan.quality.metric is Quality.ACCURACY


def test_truths_are_told_when_they_are_known_in_batches_that_are_not_too_large_nor_too_many() -> None:
    truths = Truths(delay_s=2.0)
    for number in range(TRUTHS_MAX + 1):
        truths.note(10.0, str(number), 8)
    assert truths.take_due(11.9) == []
    batch = truths.take_due(12.4)
    assert len(batch) == TRUTHS_MAX
    assert batch[0] == {"request_id": "0", "truth": 8}
    assert truths.take_due(12.4 + TELL_EVERY_S / 2) == []
    assert truths.take_due(12.4 + TELL_EVERY_S) == [{"request_id": str(TRUTHS_MAX), "truth": 8}]
    assert truths.take_due(20.0) == []


def test_an_answer_says_who_made_it_and_whether_it_is_right() -> None:
    right, wrong = read_answer(TURN, answer(8)), read_answer(TURN, answer(3))
    assert (right.version, right.arm, right.request_id, right.is_right) == (2, "candidate", "a", True)
    assert (wrong.is_right, wrong.failure) == (False, "")
    failed = read_answer(TURN, httpx.Response(400, headers=HEADERS, text="too bright"))
    assert (failed.version, failed.is_right, failed.failure) == (2, False, "HTTP 400: too bright")
    assert read_answer(TURN, httpx.Response(503, text="gone")).version is None


@pytest.mark.parametrize(
    ("candidate", "told", "holds"),
    [
        (BETTER, story("promoted", 100, 5_000), True),
        (BETTER, story("rolled_back", 100), False),
        (BETTER, story("ended"), False),
        (CONFUSED, story("rolled_back", 100, 2_500), True),
        (CONFUSED, story("rolled_back", 100, 5_000), False),
        (STRICT, story("promoted", 100), False),
    ],
)
def test_a_rollout_that_ended_otherwise_or_went_too_far_does_not_hold(
    candidate: Candidate, told: Story, *, holds: bool
) -> None:
    assert judge(candidate, told, [ASKED]).holds is holds


def test_a_request_that_the_baseline_failed_does_not_hold() -> None:
    failed = replace(ASKED, failure="HTTP 503: gone")
    told = story("rolled_back", 100)
    assert not judge(STRICT, told, [failed]).holds
    assert judge(STRICT, told, [replace(failed, version=4)]).holds


def test_the_story_is_told_line_by_line() -> None:
    told = story("rolled_back", 100, 2_500)
    assert tell(told).splitlines()[1:] == [
        "03:04:05  ramping 25 %     ",
        "03:04:05  rolled_back      it ended",
    ]
