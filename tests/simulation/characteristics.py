"""How often the tests of evidence are wrong and how soon they are right: rollouts drawn event by event.

The evidence for harm rises at the candidate's bad events alone, and so it is looked at after each of these:
nobody can look more often. What is found is a table in docs/explanation/how-a-candidate-is-judged.md.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import log, sqrt
from random import Random
from statistics import mean, median

from understudy.analysis.metric import Limits, weigh
from understudy.analysis.ratio import share_of_bad
from understudy.analysis.settings import MetricSettings
from understudy.analysis.strata import Arm, Stratum
from understudy.analysis.verdict import Finding
from understudy.rehearsal.drawing import draw_binomial, draw_poisson
from understudy.rehearsal.summary import Proportion, measure_proportion

ALPHA, BETA = 0.01, 0.05
LIMITS = Limits(harm=-log(ALPHA), safe=-log(BETA))
SETTINGS = MetricSettings(name="errors")
ROLLOUTS = 500
RATE, WEIGHT, MINUTES = 20.0, 0.1, 30
SHARE = 0.005


@dataclass(frozen=True, slots=True)
class Fired:
    """How often a rule fired, and after how long.

    Attributes:
        count: of all rollouts.
        rollouts: all of them.
        minutes: of those that fired, the median; none: none did.
        requests: of the candidate until then, the mean.
    """

    count: int
    rollouts: int
    minutes: float | None
    requests: float | None

    @property
    def proportion(self) -> Proportion:
        return measure_proportion(self.count, self.rollouts)


Rule = Callable[[Random, float, float], tuple[float, int] | None]
"""Plays one rollout, of the baseline's share of errors and a ratio; says when it fired, and after how many of the
candidate's requests."""


@lru_cache(64)
def play_all(rule: Rule, share: float, ratio: float, *, rollouts: int = ROLLOUTS) -> Fired:
    """Plays a rule. The seed is the cell's own."""
    random = Random(f"{rule.__name__}/{share}/{ratio}")  # noqa: S311 - no secret
    fired = [at for _ in range(rollouts) if (at := rule(random, share, ratio)) is not None]
    if not fired:
        return Fired(0, rollouts, None, None)
    return Fired(
        len(fired), rollouts, median(at for at, _ in fired) / 60, mean(requests for _, requests in fired)
    )


def judged(random: Random, share: float, ratio: float) -> tuple[float, int] | None:
    """Harm, by the tests of this project, requests drawn each by itself."""
    return _find(random, share, ratio, Finding.HARM, MINUTES * 60.0)


def judged_for_a_day(random: Random, share: float, ratio: float) -> tuple[float, int] | None:
    """The same, for as long as it takes: for delays."""
    return _find(random, share, ratio, Finding.HARM, 86_400.0)


def passed(random: Random, share: float, ratio: float) -> tuple[float, int] | None:
    """No harm found, within a few hours, looked at after each bad event and some times in between."""
    return _find(random, share, ratio, Finding.NO_HARM, 6 * 3_600.0)


def _find(
    random: Random, share: float, ratio: float, finding: Finding, longest_s: float
) -> tuple[float, int] | None:
    bad_rate = RATE * share * (WEIGHT * ratio + 1 - WEIGHT)
    candidate, baseline, now = Arm(), Arm(), 0.0
    while True:
        gap = random.expovariate(bad_rate) if bad_rate else longest_s / 100
        now += min(gap, longest_s / 100)
        if now > longest_s:
            return None
        is_event = bool(bad_rate) and gap <= longest_s / 100
        passed_s = min(gap, longest_s / 100)
        candidate += Arm(0, draw_poisson(random, RATE * WEIGHT * (1 - share * ratio) * passed_s))
        baseline += Arm(0, draw_poisson(random, RATE * (1 - WEIGHT) * (1 - share) * passed_s))
        is_candidates = is_event and random.random() < share_of_bad(WEIGHT, ratio)
        if is_event:
            candidate, baseline = (
                (candidate + Arm(1, 1), baseline) if is_candidates else (candidate, baseline + Arm(1, 1))
            )
        if is_candidates or finding is Finding.NO_HARM:
            strata = (Stratum(WEIGHT, False, candidate, baseline),)
            if weigh(strata, SETTINGS).find(LIMITS) is finding:
                return now, candidate.total


def threshold(random: Random, share: float, ratio: float) -> tuple[float, int] | None:
    """At least 99 % of a minute's requests must succeed: the first minute that fails rolls back."""
    total = 0
    for minute in range(1, MINUTES + 1):
        requests = draw_poisson(random, RATE * WEIGHT * 60)
        total += requests
        if draw_binomial(random, requests, share * ratio) > 0.01 * requests:
            return minute * 60.0, total
    return None


def z_test(random: Random, share: float, ratio: float) -> tuple[float, int] | None:
    """An ordinary test of two shares, each minute on all that was counted, at 5 % each time (one-sided)."""
    candidate, baseline = Arm(), Arm()
    for minute in range(1, MINUTES + 1):
        for_candidate, for_baseline = RATE * WEIGHT * 60, RATE * (1 - WEIGHT) * 60
        requests = draw_poisson(random, for_candidate)
        candidate += Arm(draw_binomial(random, requests, share * ratio), requests)
        requests = draw_poisson(random, for_baseline)
        baseline += Arm(draw_binomial(random, requests, share), requests)
        together = (candidate.bad + baseline.bad) / (candidate.total + baseline.total)
        error = sqrt(together * (1 - together) * (1 / candidate.total + 1 / baseline.total))
        if error and (candidate.bad / candidate.total - baseline.bad / baseline.total) / error > 1.645:
            return minute * 60.0, candidate.total
    return None


USERS, CULPRITS, CULPRITS_SHARE = 2_000, 0.01, 0.7
"""One user in a hundred has 70 % of all errors."""


def by_key(random: Random, share: float, ratio: float) -> tuple[float, int] | None:
    """Harm, by the tests of this project, of users who stay with their version: each user counts once."""
    return _find_sticky(random, share, ratio, is_keyed=True)


def by_event(random: Random, share: float, ratio: float) -> tuple[float, int] | None:
    """The same traffic, judged as if each request had been drawn by itself."""
    return _find_sticky(random, share, ratio, is_keyed=False)


def _find_sticky(random: Random, share: float, ratio: float, *, is_keyed: bool) -> tuple[float, int] | None:
    seconds, each_rate = MINUTES * 60.0, RATE / USERS
    events: list[tuple[float, bool]] = []
    users = [0, 0]
    for user in range(USERS):
        is_culprit = user < USERS * CULPRITS
        of_user = share * (CULPRITS_SHARE / CULPRITS if is_culprit else (1 - CULPRITS_SHARE) / (1 - CULPRITS))
        is_candidates = random.random() < WEIGHT
        users[is_candidates] += 1
        bad_rate = each_rate * min(of_user * (ratio if is_candidates else 1.0), 1.0)
        at = random.expovariate(bad_rate)
        while at < seconds:
            events.append((at, is_candidates))
            if is_keyed:
                break
            at += random.expovariate(bad_rate)
    bad = [0, 0]
    for at, is_candidates in sorted(events):
        bad[is_candidates] += 1
        if is_candidates:
            totals = users if is_keyed else [round(count * each_rate * at) for count in users]
            candidate, baseline = (Arm(bad[side], max(totals[side], bad[side])) for side in (True, False))
            stratum = Stratum(WEIGHT, is_keyed, candidate, baseline)
            if weigh((stratum,), SETTINGS).find(LIMITS) is Finding.HARM:
                return at, candidate.total
    return None


def wald_requests(share: float, ratio: float) -> float:
    """The candidate's requests that any test of the same errors needs on average, when the ratio is known.

    Wald 1945: ((1 - b) ln((1 - b)/a) + b ln(b/(1 - a))) / KL bad events, of which each takes 1/rate seconds.
    """
    q0, q1 = share_of_bad(WEIGHT, 1.0), share_of_bad(WEIGHT, ratio)
    divergence = q1 * log(q1 / q0) + (1 - q1) * log((1 - q1) / (1 - q0))
    events = ((1 - BETA) * log((1 - BETA) / ALPHA) + BETA * log(BETA / (1 - ALPHA))) / divergence
    return events / (share * (WEIGHT * ratio + 1 - WEIGHT)) * WEIGHT


def tables() -> Iterator[str]:
    """The page's tables, in Markdown."""
    yield from _table_of_rules()
    yield ""
    yield from _table_of_keys()
    yield ""
    yield from _table_of_passing()
    yield ""
    yield from _table_of_delays()


def _table_of_rules() -> Iterator[str]:
    yield "| rule | harmless (ratio 1) | ratio 2 | ratio 5 |"
    yield "| --- | --- | --- | --- |"
    for name, rule in (
        ("at least 99 % success each minute", threshold),
        ("z-test each minute, 5 %", z_test),
        ("**these tests, alpha 1 %**", judged),
    ):
        cells = (_cell(play_all(rule, SHARE, ratio)) for ratio in (1.0, 2.0, 5.0))
        yield f"| {name} | {' | '.join(cells)} |"


def _table_of_keys() -> Iterator[str]:
    yield "| unit | harmless (ratio 1) | ratio 3 | ratio 10 |"
    yield "| --- | --- | --- | --- |"
    for name, rule in (("event", by_event), ("**key**", by_key)):
        cells = (_cell(play_all(rule, SHARE, ratio, rollouts=300)) for ratio in (1.0, 3.0, 10.0))
        yield f"| {name} | {' | '.join(cells)} |"


PASSES = (
    ("no errors at all", 0.0, 1.0),
    ("0.5 % on both sides", SHARE, 1.0),
    ("0.5 %, half as many with the candidate", SHARE, 0.5),
    ("0.5 %, 1.5 times as many (the margin)", SHARE, 1.5),
    ("0.05 %, three times as many (the floor)", 0.0005, 3.0),
)


def _table_of_passing() -> Iterator[str]:
    yield "| candidate | passes within six hours | candidate's requests until then, mean |"
    yield "| --- | --- | --- |"
    for name, share, ratio in PASSES:
        fired = play_all(passed, share, ratio, rollouts=100)
        yield f"| {name} | {_share(fired.proportion)} | {_requests(fired)} |"


def _table_of_delays() -> Iterator[str]:
    yield "| ratio | candidate's requests until harm is found, mean | Wald's bound | factor |"
    yield "| --- | --- | --- | --- |"
    for ratio in (2.0, 3.0, 5.0, 10.0):
        fired, bound = play_all(judged_for_a_day, SHARE, ratio, rollouts=200), wald_requests(SHARE, ratio)
        factor = (fired.requests or 0.0) / bound
        yield f"| {ratio:g} | {_requests(fired)} | {bound:,.0f} | {factor:.2f} |"


def _cell(fired: Fired) -> str:
    after = "" if fired.minutes is None else f", {fired.minutes:.1f} min"
    return f"{_share(fired.proportion)}{after}"


def _share(measured: Proportion) -> str:
    return f"{measured.share:.3f} ({measured.low:.3f} to {measured.high:.3f})"


def _requests(fired: Fired) -> str:
    return "" if fired.requests is None else f"{fired.requests:,.0f}"
