"""What the demo has to have seen, judged from the clients' own answers and the server's record. All pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from examples.digits import answers as kept
from examples.digits.answers import DOORS, Answer
from examples.digits.rollouts import PER_CENT, Played

BETTER_BY = 0.1
"""How much better version 2 must be on held-out digits, as its answers show."""
FIRST_STEP = 100
"""In hundredths of a per cent, as all weights are."""
PROMOTED_FROM = 5_000
MARGIN_S = 1.0
"""Clients write down when an answer was there, not when it was made: their order is not quite known."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One row of the closing table."""

    claim: str
    seen: str
    holds: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """All that the demo has seen beside the clients' answers. Times are seconds since 1970.

    Attributes:
        rollouts: of versions 2, 3, 4 and 5, from beginning to end.
        undone: when version 1 was ordered by configuration.
        settled: when only version 1 was seen after that.
        exit_code: of the server.
    """

    rollouts: Sequence[Played]
    undone: float
    settled: float
    exit_code: int | None


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


def judge(answers: Sequence[Answer], seen: Seen) -> list[Finding]:
    """Every claim of the demo, beside what was seen."""
    better, confused, strict, broken = seen.rollouts
    undoing = Change(
        answers=kept.since(answers, seen.undone), old=2, new=1, begun=seen.undone, settled=seen.settled
    )
    return [
        _served_by_1(kept.since(answers, 0.0, better.begun)),
        _promoted(better, _during(answers, better)),
        _better(answers),
        _caught_by_quality(confused, _during(answers, confused)),
        _caught_by_errors(strict, _during(answers, strict)),
        _refused(broken, _during(answers, broken)),
        _sticky(answers, seen.rollouts),
        _changed_over("Went back to version 1 by configuration", undoing),
        _failed(answers, strict),
        _none_mixed(answers),
        Finding("The server ended in good order", f"exit code {seen.exit_code}", seen.exit_code == 0),
    ]


def _during(answers: Sequence[Answer], rollout: Played) -> list[Answer]:
    return kept.since(answers, rollout.begun, rollout.ended)


def _served_by_1(before: Sequence[Answer]) -> Finding:
    counts = ", ".join(f"{len(kept.by(before, 1, door))} by {door}" for door in DOORS)
    return Finding("Version 1 answered through both doors", counts, kept.only_by(before, 1))


def _promoted(rollout: Played, during: Sequence[Answer]) -> Finding:
    took_s = rollout.ended - rollout.begun
    seen = f"{rollout.phase} after {took_s:.0f} s; {_exposure(rollout, during)}"
    holds = rollout.phase == "promoted" and rollout.exposed == PROMOTED_FROM
    return Finding("Version 2 was promoted, step by step, by itself", seen, holds)


def _better(answers: Sequence[Answer]) -> Finding:
    before, after = (kept.accuracy(kept.by(answers, version)) for version in (1, 2))
    seen = f"{before:.1%} by version 1, {after:.1%} by version 2"
    return Finding("Answers on held-out digits got better", seen, after > before + BETTER_BY)


def _caught_by_quality(rollout: Played, during: Sequence[Answer]) -> Finding:
    by_2, by_3 = (kept.by(during, version) for version in (2, rollout.version))
    seen = (
        f"{rollout.phase}; {kept.accuracy(by_3):.1%} right where version 2 has {kept.accuracy(by_2):.1%}; "
        f"{_exposure(rollout, during)}"
    )
    holds = (
        rollout.phase == "rolled_back"
        and "wrong" in rollout.reason
        and rollout.exposed < PROMOTED_FROM
        and not kept.failures(during)
    )
    return Finding("Version 3, which confuses digits, was caught by the truth", seen, holds)


def _caught_by_errors(rollout: Played, during: Sequence[Answer]) -> Finding:
    failed = kept.failures(kept.by(during, rollout.version))
    seen = f"{rollout.phase}, {len(failed)} requests failed; {_exposure(rollout, during)}"
    holds = (
        rollout.phase == "rolled_back"
        and "errors" in rollout.reason
        and rollout.exposed == FIRST_STEP
        and bool(failed)
    )
    return Finding("Version 4, which throws, was caught at the first step", seen, holds)


def _refused(rollout: Played, during: Sequence[Answer]) -> Finding:
    seen = f"{rollout.phase}: {rollout.reason}"
    holds = rollout.phase == "rolled_back" and kept.only_by(during, 2)
    return Finding("Version 5, a copy that broke off, met nobody", seen, holds)


def _exposure(rollout: Played, during: Sequence[Answer]) -> str:
    by_candidate = kept.by(during, rollout.version)
    met, users = (len({answer.user for answer in each}) for each in (by_candidate, during))
    return (
        f"up to {rollout.exposed / PER_CENT:g} % of traffic; it answered {len(by_candidate):,} of "
        f"{len(during):,} requests, and {met:,} of {users:,} users met it"
    )


def _sticky(answers: Sequence[Answer], rollouts: Sequence[Played]) -> Finding:
    """Whoever has met the candidate, through whichever door, meets it until the rollout ends."""
    back = sum(len(returned(_during(answers, each), each.version)) for each in rollouts)
    users = len({answer.user for answer in answers})
    seen = f"{back} of {users:,} users, through both doors"
    return Finding("No user went back to the old version while the new one was tried", seen, back == 0)


def returned(during: Sequence[Answer], candidate: int) -> set[str]:
    """Users who met the candidate, and then somebody else, although others went on to meet it."""
    last_at = max((answer.at for answer in kept.by(during, candidate)), default=-math.inf)
    first_at: dict[str, float] = {}
    for answer in kept.by(during, candidate):
        first_at.setdefault(answer.user, answer.at)
    return {
        answer.user
        for answer in during
        if answer.version != candidate
        and first_at.get(answer.user, math.inf) + MARGIN_S < answer.at < last_at - MARGIN_S
    }


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


def _failed(answers: Sequence[Answer], strict: Played) -> Finding:
    """Version 4's own errors are the only ones."""
    others = [each for each in kept.failures(answers) if each.version != strict.version]
    first = f" ({others[0].failure})" if others else ""
    own = len(kept.failures(answers)) - len(others)
    seen = f"{len(others)} of {len(answers):,}{first}, beside {own} that version 4 failed"
    return Finding("No request failed but by version 4 itself", seen, bool(answers) and not others)


def _none_mixed(answers: Sequence[Answer]) -> Finding:
    mixed = sum(answer.mixed for answer in answers)
    doors = ", ".join(f"{sum(answer.door == door for answer in answers):,} by {door}" for door in DOORS)
    return Finding(
        "Every answer is of the version that it names",
        f"{mixed} are not, of {doors}",
        bool(answers) and mixed == 0,
    )
