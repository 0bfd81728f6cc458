"""What scores, shares and the split are judged to say."""

from math import sqrt
from random import Random

import pytest

from understudy.analysis.judging import judge
from understudy.analysis.metric import Limits
from understudy.analysis.scores import judge_score
from understudy.analysis.settings import AnalysisSettings, ScoreSettings
from understudy.analysis.split import ALPHA, is_broken
from understudy.analysis.verdict import Finding
from understudy.evidence import ArmCounts, EpochCounts, Evidence, Moments
from understudy.rehearsal.drawing import draw_binomial
from understudy.rehearsal.summary import measure_proportion

LIMITS = Limits(harm=4.6, safe=3.0)
LOG_LOSS = ScoreSettings(name="log_loss")


def moments(count: int, mean: float, deviation: float) -> Moments:
    return Moments(count=count, total=count * mean, total_of_squares=count * (mean**2 + deviation**2))


def epoch(
    candidate: Moments, baseline: Moments, *, weight: int = 1_000, number: int = 1, is_sticky: bool = False
) -> EpochCounts:
    arms = [
        ArmCounts(requests=of.count, keys=of.count if is_sticky else 0, scores={"log_loss": of})
        for of in (candidate, baseline)
    ]
    return EpochCounts(epoch=number, weight=weight, is_sticky=is_sticky, candidate=arms[0], baseline=arms[1])


def finding(settings: ScoreSettings, *epochs: EpochCounts) -> Finding:
    return judge_score(epochs, settings, LIMITS, is_brief=False).finding


@pytest.mark.parametrize(
    ("mean", "count", "expected"),
    [
        (0.30, 50, Finding.UNDECIDED),
        (0.30, 20_000, Finding.NO_HARM),
        (0.33, 20_000, Finding.HARM),
        (0.25, 20_000, Finding.NO_HARM),
        (0.60, 400, Finding.HARM),
    ],
)
def test_a_mean_is_held_against_the_baselines(mean: float, count: int, expected: Finding) -> None:
    seen = epoch(moments(count, mean, 0.3), moments(9 * count, 0.30, 0.3))
    assert finding(LOG_LOSS, seen) is expected


def test_a_higher_score_is_better_where_the_operator_says_so() -> None:
    higher = ScoreSettings(name="log_loss", is_higher_better=True)
    lower_mean = epoch(moments(20_000, 0.25, 0.3), moments(180_000, 0.30, 0.3))
    assert finding(higher, lower_mean) is Finding.HARM
    assert finding(LOG_LOSS, lower_mean) is Finding.NO_HARM


def test_bounded_scores_are_judged_by_bets() -> None:
    bounded = ScoreSettings(name="log_loss", bound=1.0)
    for higher, better, worse in ((False, 0.2, 0.5), (True, 0.5, 0.2)):
        settings = ScoreSettings(name="log_loss", bound=1.0, is_higher_better=higher)
        baseline = moments(90_000, 0.3, 0.2)
        assert finding(settings, epoch(moments(10_000, worse, 0.2), baseline)) is Finding.HARM
        assert finding(settings, epoch(moments(10_000, better, 0.2), baseline)) is Finding.NO_HARM
    assert finding(bounded, epoch(moments(100, 0.3, 0.2), moments(900, 0.3, 0.2))) is Finding.UNDECIDED


def test_a_candidate_without_scores_does_not_pass() -> None:
    for settings in (LOG_LOSS, ScoreSettings(name="log_loss", bound=1.0)):
        assert finding(settings, epoch(Moments(), moments(90_000, 0.3, 0.2))) is Finding.UNDECIDED


def test_hours_that_differ_are_compared_each_by_itself() -> None:
    """All scores were higher at night, when the candidate had more traffic: no harm is in that."""
    day = epoch(moments(1_000, 0.2, 0.2), moments(99_000, 0.2, 0.2), weight=100)
    night = epoch(moments(50_000, 0.6, 0.2), moments(50_000, 0.6, 0.2), weight=5_000, number=2)
    assert finding(LOG_LOSS, day, night) is Finding.NO_HARM


def test_scores_of_sticky_users_are_no_more_than_a_suspicion() -> None:
    seen = epoch(moments(2_000, 0.9, 0.3), moments(18_000, 0.3, 0.3), is_sticky=True)
    assert finding(LOG_LOSS, seen) is Finding.SUSPICION


def test_a_score_takes_its_part_of_alpha_and_must_pass() -> None:
    seen = Evidence(trial="t", epochs=(epoch(moments(20_000, 0.30, 0.3), moments(180_000, 0.30, 0.3)),))
    judgement = judge(seen, AnalysisSettings(), watched=("errors", "log_loss"))
    assert [verdict.metric for verdict in judgement.metrics] == ["errors", "log_loss"]
    assert judgement.finding is Finding.NO_HARM
    assert "log_loss: candidate 0.3 of 20,000 predictions, baseline 0.3 of 180,000" in judgement.sentence


ROLLOUTS, LOOKS, REQUESTS = 300, 60, 400


def broken_splits(share: float, seed: int) -> int:
    """Of rollouts whose split is looked at again and again, in how many it is found to be broken."""
    random = Random(seed)  # noqa: S311 - no secret
    found = 0
    for _ in range(ROLLOUTS):
        candidate = total = 0
        for _ in range(LOOKS):
            candidate, total = candidate + draw_binomial(random, REQUESTS, share), total + REQUESTS
            arms = ArmCounts(requests=candidate), ArmCounts(requests=total - candidate)
            seen = EpochCounts(epoch=1, weight=1_000, is_sticky=False, candidate=arms[0], baseline=arms[1])
            if is_broken((seen,)):
                found += 1
                break
    return found


@pytest.mark.slow
def test_a_split_that_is_right_is_not_found_broken_and_one_that_is_wrong_is() -> None:
    assert measure_proportion(broken_splits(0.1, 1), ROLLOUTS).low <= ALPHA
    assert broken_splits(0.13, 2) == ROLLOUTS


def test_keys_that_come_again_in_each_epoch_are_no_new_evidence_about_the_split() -> None:
    """Of 4,000 users 3 too few fell on the candidate, as chance has it; forty epochs see the same users."""
    spread = round(3 * sqrt(4_000 * 0.1 * 0.9))
    arms = ArmCounts(keys=400 - spread, requests=4_000), ArmCounts(keys=3_600 + spread, requests=36_000)
    epochs = [
        EpochCounts(epoch=number, weight=1_000, is_sticky=True, candidate=arms[0], baseline=arms[1])
        for number in range(40)
    ]
    assert not is_broken(epochs)


def test_a_slow_candidate_does_not_make_its_split_look_broken() -> None:
    """Its answers are not there yet; its requests are."""
    hanging = ArmCounts(requests=10, assigned=1_000), ArmCounts(requests=9_000, assigned=9_000)
    drawn = EpochCounts(epoch=1, weight=1_000, is_sticky=False, candidate=hanging[0], baseline=hanging[1])
    assert not is_broken((drawn,))
    keyed = ArmCounts(keys=5, assigned_keys=500), ArmCounts(keys=4_400, assigned_keys=4_500)
    sticky = EpochCounts(epoch=1, weight=1_000, is_sticky=True, candidate=keyed[0], baseline=keyed[1])
    assert not is_broken((sticky,))
