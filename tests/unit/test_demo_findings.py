"""The demo's closing table says no when what it claims did not happen."""

from dataclasses import replace

from examples.digits.answers import Answer
from examples.digits.findings import Finding, Moments, Refusal, judge

MOMENTS = Moments(
    started=0.0,
    published_2=10.0,
    settled_2=12.0,
    published_3=20.0,
    withdrew_3=30.0,
    rolled_back=40.0,
    settled_1=42.0,
    ended=50.0,
)
REFUSAL = Refusal(state="error", reason="half of it is missing")
TOOK_OVER = "Version 2 took over"
ROLLED_BACK = "Rolled back to version 1 by configuration"
REFUSED = "Broken version 3 was refused, 2 served on"


def answer(at: float, version: int, door: str) -> Answer:
    right = 3 if version == 1 else 4
    return Answer(at=at, door=door, version=version, asked=4, right=right, mixed=False, failure="")


def a_good_play() -> list[Answer]:
    versions = [1] * 11 + [2] * 30 + [1] * 9
    return [answer(at, version, door) for at, version in enumerate(versions) for door in ("grpc", "rest")]


def broken_claims(answers: list[Answer], refusal: Refusal = REFUSAL, exit_code: int = 0) -> set[str]:
    findings: list[Finding] = judge(answers, MOMENTS, refusal, exit_code)
    return {finding.claim for finding in findings if not finding.holds}


def test_a_good_play_holds_every_claim() -> None:
    assert broken_claims(a_good_play()) == set()


def test_one_failed_request_anywhere_is_told() -> None:
    answers = a_good_play()
    answers[5] = replace(answers[5], version=None, asked=0, right=0, failure="UNAVAILABLE: closing")
    assert "No request failed" in broken_claims(answers)


def test_a_failed_request_in_the_changeover_breaks_the_changeover_too() -> None:
    answers = [
        replace(each, failure="timeout", version=None) if each.at == 11.0 else each for each in a_good_play()
    ]
    assert {"No request failed", TOOK_OVER} <= broken_claims(answers)


def test_a_mixed_answer_is_told() -> None:
    answers = a_good_play()
    answers[7] = replace(answers[7], mixed=True)
    assert broken_claims(answers) == {"No answer mixed two versions"}


def test_an_old_answer_after_the_changeover_has_settled_breaks_it() -> None:
    answers = [replace(each, version=1) if each.at == 15.0 else each for each in a_good_play()]
    assert broken_claims(answers) == {TOOK_OVER}


def test_one_silent_door_is_not_a_changeover() -> None:
    answers = [each for each in a_good_play() if each.door == "grpc" or each.at < 10.0]
    assert {TOOK_OVER, ROLLED_BACK, REFUSED} <= broken_claims(answers)


def test_an_answer_by_the_broken_version_means_it_was_not_refused() -> None:
    answers = [replace(each, version=3) if each.at == 25.0 else each for each in a_good_play()]
    assert broken_claims(answers) == {REFUSED}


def test_a_refusal_without_the_state_error_is_none() -> None:
    assert broken_claims(a_good_play(), refusal=replace(REFUSAL, state="ready")) == {REFUSED}


def test_a_new_version_that_is_no_better_is_told() -> None:
    answers = [replace(each, right=3) for each in a_good_play()]
    assert broken_claims(answers) == {"Answers on held-out digits got better"}


def test_a_bad_end_is_told() -> None:
    assert broken_claims(a_good_play(), exit_code=-9) == {"The server ended in good order"}


def test_no_traffic_proves_nothing() -> None:
    assert len(broken_claims([])) == 7
