"""Rollouts from their order to their end, each as an operator would tell it."""

from tests.rolling import Rolling, managed
from understudy.analysis.verdict import Finding
from understudy.rollout.commands import Undo
from understudy.rollout.state import Phase
from understudy.routing.traffic import BucketRange


def test_a_good_version_goes_through_shadow_and_steps_and_is_promoted() -> None:
    rolling = Rolling()
    rolling.start(to=2)
    assert rolling.phase() is Phase.WAITING
    rolling.publish(2)
    rolling.settle()
    assert rolling.phase() is Phase.VALIDATING
    assert rolling.effects.traffic is None
    assert rolling.default_version == 1
    rolling.validate()
    rolling.settle()
    assert rolling.phase() is Phase.SHADOWING
    rolling.compare(50)
    rolling.settle()
    assert rolling.phase() is Phase.SHADOWING, "a minute is not over"
    rolling.advance(60.0)
    weights = []
    rolling.judge(Finding.NO_HARM)
    while rolling.phase() is Phase.RAMPING:
        weights.append(rolling.rollout.weight)
        effects = rolling.effects
        assert effects.traffic is not None
        assert effects.traffic.ranges == (BucketRange(2, 0, weights[-1]),)
        assert rolling.default_version == 1
        rolling.count(50)
        rolling.advance(60.0)
    assert weights == [100, 500, 2_500, 5_000]
    assert rolling.phase() is Phase.WATCHING
    assert rolling.default_version == 2
    rolling.advance(3_599.0)
    assert rolling.phase() is Phase.WATCHING
    rolling.advance(1.0)
    assert rolling.traffic.rollout is None
    assert [each.phase for each in rolling.ended] == [Phase.PROMOTED]
    assert rolling.default_version == 2
    assert dict(rolling.effects.labels) == {"stable": 2}
    assert (
        rolling.told
        == [
            "rollout_started",
            "rollout_found",
            "rollout_validating",
            "rollout_shadowing",
            *["rollout_ramping"] * 4,
            "rollout_watching",
            "rollout_promoted",
        ]
        or rolling.told
    )


def test_harm_takes_the_candidate_out_at_once_and_into_quarantine() -> None:
    rolling = Rolling()
    rolling.reach_first_step()
    rolling.judge(Finding.HARM, "errors: 40 of 100 against 3 of 9,900")
    change = rolling.advance()
    assert change.is_urgent
    assert rolling.traffic.rollout is None
    assert rolling.ended[0].phase is Phase.ROLLED_BACK
    assert rolling.traffic.quarantined[2].reason == "errors: 40 of 100 against 3 of 9,900"
    assert rolling.effects.overlay.quarantined == {2}
    assert rolling.effects.traffic is None
    assert rolling.default_version == 1


def test_a_promotion_is_undone_at_once_while_the_baseline_is_kept() -> None:
    rolling = Rolling()
    rolling.reach_watch()
    assert rolling.effects.overlay.pinned == {1, 2}
    assert rolling.order(Undo()).is_urgent
    assert rolling.default_version == 1
    assert rolling.effects.overlay.quarantined == {2}


def test_a_managed_model_serves_no_version_that_no_rollout_promoted() -> None:
    rolling = managed()
    assert rolling.traffic.stable == 1
    rolling.found.add(2)
    assert rolling.effects.overlay.held == {2}
    rolling.settle()
    assert rolling.rollout.candidate == 2
    assert rolling.rollout.asked_by == "strategy"
    assert rolling.effects.overlay.pinned == {1, 2}
    assert rolling.effects.overlay.held == frozenset()
    assert rolling.default_version == 1
