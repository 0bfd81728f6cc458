"""What the demo has to have seen, judged from the clients' own answers and the server's words. All pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from examples.digits import answers as kept
from examples.digits.answers import DOORS, Answer

BETTER_BY = 0.1
"""How much better version 2 must be on held-out digits, as its answers show."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One row of the closing table."""

    claim: str
    seen: str
    holds: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """When the demo did what; seconds since 1970. Between two of them is one act."""

    started: float
    published_2: float
    settled_2: float
    published_3: float
    withdrew_3: float
    rolled_back: float
    settled_1: float
    ended: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One version after another: the answers of that act, when it began, when only the new one was seen."""

    answers: Sequence[Answer]
    old: int
    new: int
    begun: float
    settled: float

    @property
    def first_new_at(self) -> float:
        """When the new version first answered; never: at the end of time."""
        return min((answer.at for answer in kept.by(self.answers, self.new)), default=math.inf)

    @property
    def last_old_at(self) -> float:
        """When the old version last answered; never: before time began."""
        return max((answer.at for answer in kept.by(self.answers, self.old)), default=-math.inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What the server said of the broken version."""

    state: str
    reason: str


def judge(
    answers: Sequence[Answer], moments: Moments, refusal: Refusal, exit_code: int | None
) -> list[Finding]:
    """Every claim of the demo, beside what was seen."""
    taking_over = Change(
        answers=kept.since(answers, moments.published_2, moments.published_3),
        old=1,
        new=2,
        begun=moments.published_2,
        settled=moments.settled_2,
    )
    rolling_back = Change(
        answers=kept.since(answers, moments.rolled_back, moments.ended),
        old=2,
        new=1,
        begun=moments.rolled_back,
        settled=moments.settled_1,
    )
    return [
        _served_by_1(kept.since(answers, moments.started, moments.published_2)),
        _changed_over("Version 2 took over", taking_over),
        _better(answers),
        _refused(refusal, kept.since(answers, moments.published_3, moments.withdrew_3)),
        _changed_over("Rolled back to version 1 by configuration", rolling_back),
        _none_failed(answers),
        _none_mixed(answers),
        Finding("The server ended in good order", f"exit code {exit_code}", exit_code == 0),
    ]


def _served_by_1(before: Sequence[Answer]) -> Finding:
    counts = ", ".join(f"{len(kept.by(before, 1, door))} by {door}" for door in DOORS)
    return Finding("Version 1 answered through both doors", counts, kept.only_by(before, 1))


def _changed_over(claim: str, change: Change) -> Finding:
    failed = len(kept.failures(change.answers))
    overlap_ms = max(0.0, change.last_old_at - change.first_new_at) * 1000
    seen = (
        f"first answer after {change.first_new_at - change.begun:.1f} s, {failed} failed, "
        f"both in sight for {overlap_ms:.0f} ms"
    )
    known = {answer.version for answer in change.answers} <= {change.old, change.new}
    settled = kept.only_by(kept.since(change.answers, change.settled), change.new)
    return Finding(claim, seen, known and failed == 0 and settled)


def _better(answers: Sequence[Answer]) -> Finding:
    before, after = (kept.accuracy(kept.by(answers, version)) for version in (1, 2))
    seen = f"{before:.1%} by version 1, {after:.1%} by version 2"
    return Finding("Answers on held-out digits got better", seen, after > before + BETTER_BY)


def _refused(refusal: Refusal, meanwhile: Sequence[Answer]) -> Finding:
    seen = f"{refusal.state}: {refusal.reason}; meanwhile {len(kept.by(meanwhile, 2))} answers by 2"
    holds = refusal.state == "error" and kept.only_by(meanwhile, 2)
    return Finding("Broken version 3 was refused, 2 served on", seen, holds)


def _none_failed(answers: Sequence[Answer]) -> Finding:
    failed = kept.failures(answers)
    first = f" ({failed[0].failure})" if failed else ""
    return Finding(
        "No request failed", f"{len(failed)} of {len(answers)}{first}", bool(answers) and not failed
    )


def _none_mixed(answers: Sequence[Answer]) -> Finding:
    mixed = sum(answer.mixed for answer in answers)
    doors = ", ".join(f"{sum(answer.door == door for answer in answers)} by {door}" for door in DOORS)
    return Finding("No answer mixed two versions", f"{mixed} of {doors}", bool(answers) and mixed == 0)
