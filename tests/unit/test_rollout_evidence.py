"""What was counted in several lives of the server becomes one evidence."""

from dataclasses import replace

from tests.rolling import Rolling
from understudy.analysis.judging import judge
from understudy.analysis.settings import AnalysisSettings
from understudy.analysis.verdict import Finding
from understudy.evidence import ArmCounts, Bad, EpochCounts, Evidence, Moments, ShadowCounts
from understudy.rollout.commands import Resume
from understudy.rollout.gathering import add_counts, candidate_requests, compact, gather
from understudy.rollout.plan import Plan, Step
from understudy.rollout.state import Pause


def epoch(number: int, weight: int, requests: int) -> EpochCounts:
    bad = {"errors": Bad(events=1, keys=1)}
    return EpochCounts(
        epoch=number, weight=weight, is_sticky=True, candidate=ArmCounts(requests=requests, bad=bad)
    )


def test_all_that_is_counted_is_added() -> None:
    one = ArmCounts(
        requests=1,
        keys=2,
        bad={"errors": Bad(events=1, keys=1), "wrong": Bad(events=5)},
        scores={"log_loss": Moments(count=1, total=0.5, total_of_squares=0.25)},
    )
    other = ArmCounts(
        requests=10,
        refused=3,
        bad={"errors": Bad(events=2)},
        scores={"log_loss": Moments(count=2, total=1.0, total_of_squares=1.0)},
    )
    assert add_counts(one, other) == ArmCounts(
        requests=11,
        keys=2,
        refused=3,
        bad={"errors": Bad(events=3, keys=1), "wrong": Bad(events=5)},
        scores={"log_loss": Moments(count=3, total=1.5, total_of_squares=1.25)},
    )
    shadow = ShadowCounts(mirrored=2, only_candidate={"errors": 1})
    assert add_counts(shadow, shadow) == ShadowCounts(mirrored=4, only_candidate={"errors": 2})


def test_epochs_of_one_weight_become_one() -> None:
    evidence = Evidence(trial="t", epochs=(epoch(1, 100, 10), epoch(2, 500, 20), epoch(3, 500, 30)))
    merged = compact(evidence).epochs
    assert [(each.epoch, each.weight, each.candidate.requests) for each in merged] == [
        (1, 100, 10),
        (3, 500, 50),
    ]
    assert merged[1].candidate.bad["errors"] == Bad(events=2, keys=1)


def test_the_same_keys_in_every_life_of_the_server_are_no_new_evidence() -> None:
    unlucky = ArmCounts(requests=2_000, keys=530, assigned_keys=530, bad={"errors": Bad(90, 9)})
    lucky = ArmCounts(requests=2_000, keys=470, assigned_keys=470, bad={"errors": Bad(30, 3)})
    lives = tuple(
        EpochCounts(epoch=number, weight=5_000, is_sticky=True, baseline=lucky, candidate=unlucky)
        for number in range(1, 21)
    )
    once = judge(Evidence(trial="t", epochs=lives[:1]), AnalysisSettings())
    again = judge(compact(Evidence(trial="t", epochs=lives)), AnalysisSettings())
    assert (once.finding, once.is_split_broken) == (again.finding, again.is_split_broken)
    errors = next(each for each in again.metrics if each.metric == "errors" and each.unit == "keys")
    assert (errors.candidate_bad, errors.candidate_total) == (9, 530)


def test_keys_of_one_life_speak_for_all_and_requests_are_added() -> None:
    few = EpochCounts(
        epoch=1,
        weight=100,
        is_sticky=True,
        baseline=ArmCounts(requests=50, keys=40, keyless=5, bad={"errors": Bad(9, 8)}, truths=Bad(3, 2)),
        candidate=ArmCounts(requests=10, keys=4, keyless=1, truths=Bad(2, 2)),
    )
    many = EpochCounts(
        epoch=2,
        weight=100,
        is_sticky=True,
        baseline=ArmCounts(requests=500, keys=400, keyless=5, truths=Bad(30, 20)),
        candidate=ArmCounts(requests=5, keys=3, keyless=1, bad={"errors": Bad(2, 2)}, truths=Bad(1, 1)),
    )
    for epochs in ((few, many), (replace(many, epoch=1), replace(few, epoch=2))):
        (merged,) = compact(Evidence(trial="t", epochs=epochs)).epochs
        assert (merged.baseline.requests, merged.baseline.keys, merged.baseline.keyless) == (550, 400, 10)
        assert (merged.candidate.requests, merged.candidate.keys) == (15, 3), "of the same life"
        assert merged.baseline.bad == {"errors": Bad(9, 8)}
        assert merged.candidate.bad == {"errors": Bad(2, 0)}, "of the life with more bad keys"
        assert (merged.baseline.truths, merged.candidate.truths) == (Bad(33, 20), Bad(3, 1))


def test_restarts_lose_nothing_and_add_nothing_twice() -> None:
    rolling = Rolling()
    rolling.reach_first_step(plan=Plan(steps=(Step(weight=100, requests=100), Step(weight=5_000))))
    rolling.count(60)
    rolling.advance()
    for _ in range(3):
        rolling.restart(was_clean=True)
        rolling.load(1, 2)
        rolling.count(10)
        rolling.advance()
        rolling.advance()
    assert candidate_requests(rolling.rollout) == 90
    assert rolling.rollout.evidence.shadow.compared == 1_000
    rolling.count(10)
    rolling.advance(60.0)
    assert rolling.rollout.weight == 5_000


def test_what_another_trial_counted_is_no_evidence() -> None:
    rolling = Rolling()
    rolling.reach_first_step()
    kept = rolling.rollout.evidence
    assert gather(rolling.rollout, Evidence(trial="other", epochs=(epoch(9, 100, 9),))) == kept
    assert gather(rolling.rollout, None) == kept


def test_after_a_broken_split_counting_begins_anew() -> None:
    rolling = Rolling()
    rolling.reach_first_step()
    rolling.count(100)
    rolling.judge(Finding.UNDECIDED, is_split_broken=True)
    rolling.advance()
    assert rolling.rollout.pause is Pause.BROKEN_SPLIT
    rolling.order(Resume())
    change = rolling.advance()
    assert change.decisions == (), "what is said of the former counts no longer matters"
    assert rolling.rollout.evidence.epochs == ()
    assert rolling.rollout.judgement is None
    rolling.judge(Finding.NO_HARM)
    rolling.count(50)
    rolling.advance(60.0)
    assert rolling.rollout.weight == 500


def test_counts_alone_are_no_decision() -> None:
    rolling = Rolling()
    rolling.reach_first_step()
    rolling.count(1)
    change = rolling.advance()
    assert change.decisions == ()
    assert replace(change.traffic, rollout=None) == replace(rolling.traffic, rollout=None)
    assert rolling.advance().traffic is rolling.traffic, "nothing new: the very same"
