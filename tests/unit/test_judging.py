"""What the evidence of a trial is judged to say, by example."""

import random

import pytest

from understudy.analysis.guards import check_guards
from understudy.analysis.judging import judge
from understudy.analysis.settings import AnalysisSettings, MetricSettings
from understudy.analysis.verdict import Finding, MetricVerdict
from understudy.evidence import ArmCounts, Bad, EpochCounts, Evidence, ShadowCounts

SETTINGS = AnalysisSettings()
WATCHED = ("errors", "invalid_outputs")


def epoch(
    candidate: tuple[int, int], baseline: tuple[int, int], *, weight: int = 500, number: int = 1
) -> EpochCounts:
    """An epoch of requests that were drawn each by itself; (errors, requests) of both arms."""
    return EpochCounts(
        epoch=number,
        weight=weight,
        is_sticky=False,
        candidate=ArmCounts(requests=candidate[1], bad={"errors": Bad(candidate[0])}),
        baseline=ArmCounts(requests=baseline[1], bad={"errors": Bad(baseline[0])}),
    )


def evidence(*epochs: EpochCounts, shadow: ShadowCounts = ShadowCounts()) -> Evidence:  # noqa: B008 - frozen
    return Evidence(trial="digits-2-1", epochs=epochs, shadow=shadow)


def errors(seen: Evidence, settings: AnalysisSettings = SETTINGS) -> MetricVerdict:
    (verdict,) = [
        verdict
        for verdict in judge(seen, settings, watched=WATCHED).metrics
        if verdict.metric == "errors" and verdict.unit != "pairs"
    ]
    return verdict


def test_nothing_counted_says_nothing() -> None:
    judgement = judge(evidence(), SETTINGS)
    assert judgement.finding is Finding.UNDECIDED
    assert [verdict.log_abort_e for verdict in judgement.metrics] == [0, 0]
    assert [verdict.needed for verdict in judgement.metrics] == [None, None]


def test_a_candidate_that_fails_eight_times_as_often_is_harm() -> None:
    judgement = judge(evidence(epoch((40, 4_031), (98, 76_210))), SETTINGS, watched=WATCHED)
    assert judgement.finding is Finding.HARM
    assert judgement.sentence.startswith(
        "errors: candidate 40 of 4,031 (0.99 %), baseline 98 of 76,210 (0.13 %), ratio 7.8 (4.1 to 14): harm; "
        "chance alone gets this far in one of "
    )


def test_a_candidate_that_never_fails_passes_after_some_thousand_requests() -> None:
    few = judge(evidence(epoch((0, 3_000), (0, 57_000))), SETTINGS, watched=WATCHED)
    enough = judge(evidence(epoch((0, 4_500), (0, 85_500))), SETTINGS, watched=WATCHED)
    assert few.finding is Finding.UNDECIDED
    assert enough.finding is Finding.NO_HARM


def test_what_is_needed_decides() -> None:
    (needed,) = {
        verdict.needed for verdict in judge(evidence(epoch((0, 3_000), (0, 57_000))), SETTINGS).metrics
    }
    assert needed is not None
    after = judge(evidence(epoch((0, 3_000 + needed), (0, 57_000 + 19 * needed))), SETTINGS)
    before = judge(evidence(epoch((0, 2_950 + needed), (0, 56_050 + 19 * needed))), SETTINGS)
    assert after.finding is Finding.NO_HARM
    assert before.finding is Finding.UNDECIDED


def test_as_many_errors_as_the_baseline_has_are_no_harm_in_time() -> None:
    judgement = judge(evidence(epoch((500, 100_000), (9_500, 1_900_000))), SETTINGS, watched=WATCHED)
    assert judgement.finding is Finding.NO_HARM


def test_a_large_ratio_of_tiny_rates_is_no_harm() -> None:
    verdict = errors(evidence(epoch((12, 100_000), (5, 1_900_000))))
    assert verdict.log_abort_e > 10
    assert verdict.finding is Finding.NO_HARM


def test_a_little_evidence_of_harm_is_suspicious() -> None:
    verdict = errors(evidence(epoch((16, 4_000), (98, 76_000))))
    assert verdict.finding is Finding.SUSPICION


def test_a_candidate_that_answers_nothing_does_not_pass() -> None:
    """All its requests fell back to the baseline, or hang: silence is no proof."""
    silent = judge(evidence(epoch((0, 0), (5_000, 1_000_000))), SETTINGS, watched=WATCHED)
    assert {verdict.finding for verdict in silent.metrics} == {Finding.UNDECIDED}
    assert silent.is_split_broken


def test_errors_of_one_request_in_five_are_harm_without_statistics() -> None:
    judgement = judge(evidence(epoch((6, 25), (0, 500))), SETTINGS, watched=WATCHED)
    assert judgement.finding is Finding.HARM
    assert judgement.guards == (
        "the candidate failed 6 of 25 requests (24%); more than 20% is harm without further tests",
    )


def test_the_guard_is_quiet_while_the_baseline_fails_as_often() -> None:
    judgement = judge(evidence(epoch((10, 40), (190, 760))), SETTINGS, watched=WATCHED)
    assert judgement.guards == ()
    assert judgement.finding is Finding.UNDECIDED


def test_the_guard_is_quiet_when_a_baseline_that_often_fails_explains_a_few_unlucky_requests() -> None:
    unlucky = judge(evidence(epoch((5, 20), (200, 2_000))), SETTINGS, watched=WATCHED)
    assert (unlucky.guards, unlucky.finding) == ((), Finding.UNDECIDED)
    assert judge(evidence(epoch((18, 20), (200, 2_000))), SETTINGS, watched=WATCHED).guards != ()
    pairs = ShadowCounts(mirrored=25, compared=25, only_candidate={"errors": 6}, only_baseline={"errors": 3})
    assert judge(Evidence(trial="t", shadow=pairs), SETTINGS, watched=WATCHED).guards == ()


def test_the_guard_cries_wolf_in_one_rollout_of_a_hundred_at_most() -> None:
    draws = random.Random(20)  # noqa: S311 - requests, not secrets
    rollouts, alarms = 200, 0
    for _ in range(rollouts):
        errors = 0
        for requests in range(1, 200):
            errors += draws.random() < 0.1
            bad = {"errors": Bad(events=errors)}
            candidate = ArmCounts(requests=requests, bad=bad)
            baseline = ArmCounts(requests=9_900, bad={"errors": Bad(events=990)})
            ramp = EpochCounts(epoch=1, weight=100, is_sticky=False, baseline=baseline, candidate=candidate)
            if check_guards(Evidence(trial="t", epochs=(ramp,)), SETTINGS):
                alarms += 1
                break
    assert alarms <= rollouts / 100, "without a look at the baseline it is one of ten"


def test_a_candidate_that_breaks_after_a_good_hour_meets_the_guard() -> None:
    seen = evidence(epoch((0, 50_000), (0, 950_000)), epoch((30, 60), (0, 60), weight=5_000, number=2))
    assert judge(seen, SETTINGS, watched=WATCHED).guards != ()


def test_a_broken_split_says_only_that() -> None:
    judgement = judge(evidence(epoch((40, 1_500), (98, 76_210))), SETTINGS, watched=WATCHED)
    assert judgement.is_split_broken
    assert judgement.finding is Finding.UNDECIDED
    assert judgement.sentence.startswith("the split is broken")


def test_a_muted_metric_decides_nothing_and_takes_nothing_of_alpha() -> None:
    muted = AnalysisSettings(
        metrics=(MetricSettings(name="errors", is_muted=True), MetricSettings(name="invalid_outputs"))
    )
    seen = evidence(epoch((40, 4_031), (98, 76_210)))
    judgement = judge(seen, muted, watched=WATCHED)
    assert judgement.metrics[0].finding is Finding.HARM
    assert judgement.finding is Finding.UNDECIDED


@pytest.mark.parametrize(
    ("only_candidate", "finding"), [(0, Finding.UNDECIDED), (5, Finding.SUSPICION), (12, Finding.HARM)]
)
def test_pairs_of_which_only_the_candidate_fails_are_harm(only_candidate: int, finding: Finding) -> None:
    shadow = ShadowCounts(mirrored=900, compared=900, only_candidate={"errors": only_candidate})
    assert judge(evidence(shadow=shadow), SETTINGS, watched=WATCHED).finding is finding


def test_shadow_requests_acquit_only_where_none_was_split() -> None:
    shadow = ShadowCounts(mirrored=9_000, compared=9_000)
    assert judge(evidence(shadow=shadow), SETTINGS, watched=WATCHED).finding is Finding.NO_HARM
    split = evidence(epoch((0, 10), (0, 190)), shadow=shadow)
    assert judge(split, SETTINGS, watched=WATCHED).finding is Finding.UNDECIDED


@pytest.mark.parametrize(
    ("disagreed", "finding"), [(2, Finding.NO_HARM), (60, Finding.UNDECIDED), (180, Finding.HARM)]
)
def test_disagreements_are_held_against_the_bound(disagreed: int, finding: Finding) -> None:
    shadow = ShadowCounts(mirrored=6_000, compared=6_000, disagreed=disagreed)
    settings = AnalysisSettings(disagreement_max=0.01)
    verdict = judge(evidence(shadow=shadow), settings, watched=WATCHED).metrics[-1]
    assert verdict.metric == "disagreements"
    assert verdict.finding is finding


def test_keys_are_counted_where_requests_go_by_their_key() -> None:
    """One user whose every request fails is one draw that fell on the candidate."""
    seen = EpochCounts(
        epoch=1,
        weight=500,
        is_sticky=True,
        candidate=ArmCounts(requests=5_000, keys=500, bad={"errors": Bad(events=400, keys=1)}),
        baseline=ArmCounts(requests=95_000, keys=9_500, bad={"errors": Bad(events=100, keys=10)}),
    )
    verdict = errors(evidence(seen))
    assert (verdict.unit, verdict.candidate_bad, verdict.candidate_total) == ("keys", 1, 500)
    assert verdict.finding is Finding.SUSPICION


def sticky(candidate: ArmCounts, baseline: ArmCounts) -> Evidence:
    return evidence(
        EpochCounts(epoch=1, weight=5_000, is_sticky=True, candidate=candidate, baseline=baseline)
    )


def of_keys(keys: int, bad_keys: int, requests: int, events: int) -> ArmCounts:
    return ArmCounts(requests=requests, keys=keys, bad={"errors": Bad(events=events, keys=bad_keys)})


def test_keys_that_are_all_bad_on_both_sides_do_not_acquit_a_candidate_that_is_bad_more_often() -> None:
    """Each of 2,000 users met an error of either version, but one of the candidate's ten times as often."""
    verdict = errors(sticky(of_keys(1_000, 1_000, 100_000, 20_000), of_keys(1_000, 1_000, 100_000, 2_000)))
    assert verdict.log_pass_e > 3
    assert verdict.finding is Finding.SUSPICION
    assert "by request: candidate 20,000 of 100,000 (20.00 %)" in verdict.sentence


def test_keys_and_requests_together_acquit() -> None:
    verdict = errors(sticky(of_keys(8_000, 1, 800_000, 20), of_keys(8_000, 1, 800_000, 22)))
    assert verdict.finding is Finding.NO_HARM


def test_keys_alone_find_harm() -> None:
    verdict = errors(sticky(of_keys(1_000, 60, 100_000, 70), of_keys(1_000, 5, 100_000, 80)))
    assert verdict.finding is Finding.HARM


def test_requests_without_a_key_count_each_by_itself_among_sticky_ones() -> None:
    seen = EpochCounts(
        epoch=1,
        weight=500,
        is_sticky=True,
        candidate=ArmCounts(
            requests=5_000, keys=2, keyless=4_900, bad={"errors": Bad(events=60, keys=1, keyless=55)}
        ),
        baseline=ArmCounts(
            requests=95_000, keys=40, keyless=93_000, bad={"errors": Bad(events=98, keys=3, keyless=90)}
        ),
    )
    verdict = errors(evidence(seen))
    assert (verdict.candidate_bad, verdict.candidate_total) == (56, 4_902)
    assert verdict.finding is Finding.HARM


def test_a_brief_judgement_finds_the_same() -> None:
    seen = evidence(epoch((40, 4_031), (98, 76_210)))
    whole, brief = (judge(seen, SETTINGS, watched=WATCHED, is_brief=brief) for brief in (False, True))
    assert brief.finding is whole.finding
    assert [v.log_abort_e for v in brief.metrics] == [v.log_abort_e for v in whole.metrics]
