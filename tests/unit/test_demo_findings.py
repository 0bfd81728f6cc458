"""The demo's closing table says no when what it claims did not happen."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from examples.digits.answers import Answer
from examples.digits.findings import Finding, Seen, judge, returned
from examples.digits.rollouts import Decision, Played, Story

PROMOTED = "Version 2 was promoted, step by step, by itself"
CAUGHT_BY_TRUTH = "Version 3, which confuses digits, was caught by the truth"
CAUGHT_BY_ERRORS = "Version 4, which throws, was caught at the first step"
MET_NOBODY = "Version 5, a copy that broke off, met nobody"
STICKY = "No user went back to the old version while the new one was tried"
WENT_BACK = "Went back to version 1 by configuration"
NONE_FAILED = "No request failed but by version 4 itself"
OF_THEIR_VERSION = "Every answer is of the version that it names"


def played(version: int, begun: float, phase: str, *weights: int, reason: str = "") -> Played:
    ramp: list[Decision] = [{"after": {"phase": "ramping", "weight": weight}} for weight in weights]
    story: Story = {
        "rollout": {"id": f"digits-{version}-1", "phase": phase, "reason": reason},
        "decisions": [*ramp, {"after": {"phase": phase, "weight": 0}}, {"after": None}],
    }
    return Played(version, begun, begun + 9.0, story)


BETTER = played(2, 10.0, "promoted", 100, 500, 2_500, 5_000)
CONFUSED = played(3, 20.0, "rolled_back", 100, 500, reason="wrong: candidate 9 of 40")
STRICT = played(4, 30.0, "rolled_back", 100, reason="errors: candidate 3 of 40")
BROKEN = played(5, 40.0, "rolled_back", reason="it could not be loaded")
ROLLOUTS = (BETTER, CONFUSED, STRICT, BROKEN)
SEEN = Seen(rollouts=ROLLOUTS, undone=50.0, settled=52.0, exit_code=0)


def answer(at: float, version: int, door: str, user: str = "user-1") -> Answer:
    is_right = version != 1 or at % 3 > 0
    return Answer(at=at, door=door, user=user, version=version, is_right=is_right)


def a_good_play() -> list[Answer]:
    """Somebody who never meets a candidate, somebody who does, and the one request that version 4 fails."""
    versions = [1] * 19 + [2] * 32 + [1] * 9
    doors = ("grpc", "rest")
    answers = [answer(at, version, door) for at, version in enumerate(versions) for door in doors]
    met = [answer(at, version, "rest", "user-2") for at, version in ((15.0, 2), (25.0, 3))]
    return [*answers, *met, replace(answer(35.0, 4, "rest", "user-3"), failure="too bright", is_right=False)]


def broken_claims(answers: Sequence[Answer], **seen: object) -> set[str]:
    findings: list[Finding] = judge(answers, replace(SEEN, **seen))  # type: ignore[arg-type] # each fits
    return {finding.claim for finding in findings if not finding.holds}


def test_a_good_play_holds_every_claim() -> None:
    assert broken_claims(a_good_play()) == set()


@pytest.mark.parametrize(
    ("rollout", "claim"),
    [
        (played(2, 10.0, "rolled_back", 100), PROMOTED),
        (played(2, 10.0, "promoted", 100), PROMOTED),
        (played(3, 20.0, "promoted", 100, 500, 2_500, 5_000), CAUGHT_BY_TRUTH),
        (played(3, 20.0, "rolled_back", 100, reason="errors: candidate 3 of 40"), CAUGHT_BY_TRUTH),
        (played(3, 20.0, "rolled_back", 100, 500, 2_500, 5_000, reason="wrong: 9 of 40"), CAUGHT_BY_TRUTH),
        (played(4, 30.0, "rolled_back", 100, 500, reason="errors: 3 of 40"), CAUGHT_BY_ERRORS),
        (played(4, 30.0, "ended", 100, reason="errors: 3 of 40"), CAUGHT_BY_ERRORS),
        (played(5, 40.0, "promoted"), MET_NOBODY),
    ],
)
def test_a_rollout_that_ended_otherwise_or_went_too_far_is_told(rollout: Played, claim: str) -> None:
    rollouts = [rollout if each.version == rollout.version else each for each in ROLLOUTS]
    assert broken_claims(a_good_play(), rollouts=rollouts) == {claim}


def test_one_failed_request_anywhere_is_told() -> None:
    failed = replace(answer(45.0, 2, "grpc"), version=None, failure="UNAVAILABLE: closing")
    assert NONE_FAILED in broken_claims([*a_good_play(), failed])


def test_a_failed_request_on_the_way_back_breaks_the_way_back_too() -> None:
    failed = replace(answer(50.5, 2, "grpc"), failure="NOT_FOUND")
    assert broken_claims([*a_good_play(), failed]) == {WENT_BACK, NONE_FAILED}


def test_a_version_that_throws_and_met_nobody_proves_nothing() -> None:
    assert broken_claims([each for each in a_good_play() if each.version != 4]) == {CAUGHT_BY_ERRORS}


def test_an_answer_that_is_not_of_its_version_is_told() -> None:
    answers = a_good_play()
    answers[7] = replace(answers[7], mixed=True)
    assert broken_claims(answers) == {OF_THEIR_VERSION}


def test_an_answer_by_the_broken_version_is_told() -> None:
    assert MET_NOBODY in broken_claims([*a_good_play(), answer(45.0, 5, "rest", "user-4")])


def test_a_user_who_goes_back_through_another_door_is_told() -> None:
    back = [answer(12.0, 2, "grpc", "user-5"), answer(14.0, 1, "rest", "user-5"), answer(17.0, 2, "grpc")]
    assert broken_claims([*a_good_play(), *back]) == {STICKY}
    assert returned(back, 2) == {"user-5"}


def test_a_user_goes_back_with_all_others_when_the_rollout_ends() -> None:
    assert returned([answer(12.0, 3, "grpc"), answer(14.0, 2, "rest"), answer(14.1, 2, "rest")], 3) == set()


def test_an_old_answer_after_the_way_back_has_settled_breaks_it() -> None:
    assert broken_claims([*a_good_play(), answer(55.0, 2, "rest")]) == {WENT_BACK}


def test_a_new_version_that_is_no_better_is_told() -> None:
    answers = [replace(each, is_right=True) for each in a_good_play()]
    assert broken_claims(answers) == {"Answers on held-out digits got better"}


def test_a_bad_end_is_told() -> None:
    assert broken_claims(a_good_play(), exit_code=-9) == {"The server ended in good order"}


def test_no_traffic_proves_nothing() -> None:
    assert len(broken_claims([])) == 7
