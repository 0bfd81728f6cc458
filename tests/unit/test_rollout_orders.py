"""Operators' orders about traffic: what is taken, and what is refused with what to do."""

import pytest

from tests.rolling import MODEL, Rolling, managed
from understudy.analysis.verdict import Finding
from understudy.errors import Code, ConfigError
from understudy.rollout.commands import (
    Abort,
    Approve,
    ClearWeights,
    Command,
    Pause,
    Promote,
    Quarantine,
    Release,
    Resume,
    SetWeights,
    Start,
    Undo,
)
from understudy.rollout.plan import Plan, Step
from understudy.rollout.state import Pause as Paused
from understudy.rollout.state import Phase
from understudy.servable import State

ONE_STEP = Plan(shadow=None, steps=(Step(weight=1_000),))


def refusal(rolling: Rolling, command: Command) -> ConfigError:
    before = rolling.traffic
    with pytest.raises(ConfigError) as caught:
        rolling.order(command)
    assert rolling.traffic is before
    return caught.value


class TestStart:
    def test_may_come_before_its_version_is_published(self) -> None:
        rolling = Rolling()
        rolling.start(to=7)
        assert rolling.phase() is Phase.WAITING
        assert rolling.effects.overlay.pinned == {1, 7}
        assert rolling.rollout.id == "digits-7-1"

    def test_a_second_one_of_a_model_is_refused(self) -> None:
        rolling = Rolling()
        rolling.start(to=2)
        error = refusal(rolling, Start(candidate=3))
        assert error.code is Code.ALREADY_EXISTS
        assert "digits-2-1" in error.message

    @pytest.mark.parametrize(
        ("command", "words"),
        [
            (Start(candidate=1), "serves already"),
            (Start(candidate=2, baseline=3), "a rollout begins from what serves"),
            (Start(candidate=-1), "no version"),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, command: Start, words: str) -> None:
        assert words in refusal(Rolling(), command).message

    def test_of_a_quarantined_version_says_how_to_release_it(self) -> None:
        rolling = Rolling()
        rolling.order(Quarantine(version=2, reason="wrong on sevens"))
        error = refusal(rolling, Start(candidate=2))
        assert "wrong on sevens" in error.message
        assert "understudy quarantine release digits 2" in error.message

    def test_without_a_version_that_serves_is_refused(self) -> None:
        assert "No version of digits serves" in refusal(Rolling(states={}), Start(candidate=2)).message

    def test_of_a_model_that_is_not_configured_is_refused(self) -> None:
        assert refusal(Rolling(config=None), Start(candidate=2)).code is Code.NOT_FOUND

    def test_while_traffic_is_split_by_hand_is_refused(self) -> None:
        rolling = Rolling()
        rolling.order(SetWeights(weights=((1, 10_000),)))
        assert "understudy traffic clear digits" in refusal(rolling, Start(candidate=2)).message

    def test_from_a_version_whose_files_are_gone_is_refused(self) -> None:
        rolling = Rolling()
        rolling.delete(1)
        assert "nothing to go back to" in refusal(rolling, Start(candidate=2)).message

    def test_takes_the_plan_of_the_strategy_unless_it_brings_one(self) -> None:
        rolling = managed(starts_itself=False, plan=ONE_STEP)
        rolling.start(to=2)
        assert rolling.rollout.plan == ONE_STEP

    def test_of_the_same_version_again_meets_the_same_callers(self) -> None:
        rolling = Rolling()
        rolling.start(to=2)
        first = rolling.rollout
        rolling.order(Abort(quarantines=False))
        rolling.start(to=2)
        assert rolling.rollout.salt == first.salt
        assert rolling.rollout.id != first.id


class TestPause:
    def test_keeps_the_weight_and_resume_goes_on(self) -> None:
        rolling = Rolling()
        rolling.reach_first_step()
        ranges, salt = rolling.rollout.ranges, rolling.rollout.salt
        rolling.order(Pause())
        rolling.judge(Finding.NO_HARM)
        rolling.count(10_000)
        rolling.advance(7_200.0)
        assert (rolling.rollout.ranges, rolling.rollout.salt) == (ranges, salt)
        rolling.order(Resume())
        rolling.advance()
        assert rolling.rollout.weight == 500

    def test_does_not_keep_harm_from_being_rolled_back(self) -> None:
        rolling = Rolling()
        rolling.reach_first_step()
        rolling.order(Pause())
        rolling.judge(Finding.HARM)
        rolling.advance()
        assert rolling.ended[0].phase is Phase.ROLLED_BACK

    def test_does_not_count_as_time(self) -> None:
        rolling = Rolling()
        rolling.reach_first_step(plan=Plan(shadow=None, duration_max_s=100.0))
        rolling.advance(50.0)
        rolling.order(Pause())
        rolling.advance(1_000.0)
        rolling.order(Resume())
        rolling.advance(49.0)
        assert rolling.rollout.pause is None
        rolling.advance(1.0)
        assert rolling.rollout.pause is Paused.INCONCLUSIVE

    def test_twice_and_resume_without_it_are_refused(self) -> None:
        rolling = Rolling()
        rolling.start()
        assert "is not paused" in refusal(rolling, Resume()).message
        rolling.order(Pause())
        assert "paused already" in refusal(rolling, Pause()).message


class TestApproval:
    def test_is_asked_for_by_a_step_and_given_by_an_operator(self) -> None:
        rolling = Rolling()
        steps = (Step(weight=100, needs_approval=True), Step(weight=5_000))
        rolling.reach_first_step(plan=Plan(shadow=None, steps=steps))
        assert "waits for no approval" in refusal(rolling, Approve()).message
        rolling.count(50)
        rolling.advance(60.0)
        assert rolling.rollout.pause is Paused.APPROVAL
        assert "rollout approve" in refusal(rolling, Resume()).message
        rolling.advance(86_399.0)
        assert rolling.rollout.weight == 100
        change = rolling.order(Approve(), by="bob")
        assert rolling.rollout.weight == 5_000
        assert change.decisions[0].by == "bob"

    def test_is_needed_to_promote_where_the_plan_is_not_automatic(self) -> None:
        rolling = Rolling()
        plan = Plan(shadow=None, steps=(Step(weight=100),), is_automatic=False)
        rolling.reach_watch(plan=plan)
        assert rolling.rollout.pause is Paused.APPROVAL
        rolling.order(Approve())
        assert rolling.phase() is Phase.WATCHING


class TestPromote:
    def test_needs_no_evidence(self) -> None:
        rolling = Rolling()
        rolling.reach_first_step()
        rolling.order(Promote())
        assert rolling.phase() is Phase.WATCHING
        assert rolling.default_version == 2

    def test_of_a_version_that_is_not_ready_is_refused(self) -> None:
        rolling = Rolling()
        rolling.start(to=2)
        assert "Version 2 of digits is not ready" in refusal(rolling, Promote()).message

    def test_a_second_time_ends_the_watch(self) -> None:
        rolling = Rolling()
        rolling.reach_watch()
        rolling.order(Promote())
        assert rolling.ended[0].phase is Phase.PROMOTED
        assert rolling.effects.overlay.pinned == {2}


class TestAbort:
    def test_puts_the_candidate_in_quarantine_with_the_reason(self) -> None:
        rolling = Rolling()
        rolling.reach_first_step()
        rolling.order(Abort(reason="complaints"), by="ada")
        entry = rolling.traffic.quarantined[2]
        assert (entry.reason, entry.by, entry.rollout) == ("complaints", "ada", "digits-2-1")

    def test_without_quarantine_the_version_waits_for_another_order(self) -> None:
        rolling = managed()
        rolling.publish(2)
        rolling.settle()
        rolling.order(Abort(quarantines=False))
        rolling.settle()
        assert rolling.phase() is None
        assert rolling.effects.overlay.held == {2}
        rolling.start(to=2)
        assert rolling.phase() is Phase.WAITING

    def test_without_quarantine_no_policy_picks_the_version_up(self) -> None:
        rolling = Rolling()
        rolling.reach_first_step()
        rolling.order(Abort(quarantines=False))
        rolling.settle()
        assert rolling.effects.overlay.held == {2}
        assert rolling.default_version == 1

    @pytest.mark.parametrize("command", [Undo(), Abort()])
    def test_of_a_promotion_needs_a_baseline_that_is_ready(self, command: Command) -> None:
        rolling = Rolling()
        rolling.reach_watch()
        rolling.states[1] = State.LOADING
        assert "Version 1 of digits is not ready" in refusal(rolling, command).message

    def test_undo_before_a_promotion_says_what_to_do(self) -> None:
        rolling = Rolling()
        rolling.reach_first_step()
        assert "understudy rollout abort" in refusal(rolling, Undo()).message


def test_a_version_that_a_rollout_took_out_waits_for_another_one_when_it_is_released() -> None:
    rolling = Rolling()
    rolling.reach_first_step()
    rolling.order(Abort())
    rolling.order(Release(version=2))
    rolling.load(2)
    rolling.settle()
    assert (rolling.traffic.stable, rolling.default_version) == (1, 1)
    assert rolling.effects.overlay.held == {2}
    assert "`understudy rollout start digits --to 2`" in rolling.reasons[-1]
    rolling.start(to=2)
    assert rolling.phase() is Phase.WAITING


@pytest.mark.parametrize("command", [Pause(), Resume(), Approve(), Promote(), Abort(), Undo()])
def test_orders_about_a_rollout_that_is_not_there_say_how_to_start_one(command: Command) -> None:
    assert f"understudy rollout start {MODEL} --to VERSION" in refusal(Rolling(), command).message


class TestQuarantine:
    def test_of_the_candidate_rolls_back(self) -> None:
        rolling = Rolling()
        rolling.reach_first_step()
        assert rolling.order(Quarantine(version=2)).is_urgent
        assert rolling.ended[0].phase is Phase.ROLLED_BACK

    @pytest.mark.parametrize(
        "command", [Quarantine(version=2, reason="x" * 1_001), Abort(reason="x" * 1_001)]
    )
    def test_with_a_reason_without_end_is_refused(self, command: Command) -> None:
        rolling = Rolling()
        rolling.reach_first_step()
        assert "1001 of 1000" in refusal(rolling, command).message

    def test_of_the_baseline_is_refused(self) -> None:
        rolling = Rolling()
        rolling.reach_first_step()
        assert "is the baseline of rollout digits-2-1" in refusal(rolling, Quarantine(version=1)).message

    def test_of_what_serves_lets_the_next_lower_version_serve(self) -> None:
        rolling = managed(starts_itself=False)
        rolling.reach_watch(to=2, plan=ONE_STEP)
        rolling.order(Promote())
        assert rolling.traffic.stable == 2
        rolling.order(Quarantine(version=2))
        assert rolling.traffic.stable == 1
        assert rolling.default_version == 1

    def test_of_all_there_is_leaves_the_choice_to_the_policy(self) -> None:
        rolling = managed()
        rolling.order(Quarantine(version=1))
        assert rolling.traffic.stable is None
        rolling.publish(2)
        rolling.settle()
        assert rolling.traffic.stable == 2, "nobody served: there was nothing to compare with"

    def test_twice_is_refused_and_so_is_release_without_it(self) -> None:
        rolling = Rolling()
        assert refusal(rolling, Release(version=2)).code is Code.NOT_FOUND
        rolling.order(Quarantine(version=2, reason="slow"))
        assert "slow" in refusal(rolling, Quarantine(version=2)).message

    def test_a_released_version_is_rolled_out_again_by_the_strategy(self) -> None:
        rolling = managed()
        rolling.publish(2)
        rolling.settle()
        rolling.order(Abort())
        rolling.settle()
        assert rolling.phase() is None
        rolling.order(Release(version=2))
        rolling.settle()
        assert rolling.rollout.candidate == 2


class TestWeights:
    def test_split_traffic_and_pin_their_versions(self) -> None:
        rolling = Rolling(found={1, 2, 3}, states=dict.fromkeys((1, 2, 3), State.READY))
        rolling.order(SetWeights(weights=((3, 9_000), (2, 1_000))))
        effects = rolling.effects
        assert effects.traffic is not None
        assert effects.traffic.candidate is None
        assert [(each.version, each.stop - each.start) for each in effects.traffic.ranges] == [(2, 1_000)]
        assert effects.default_version == 3
        assert effects.overlay.pinned == {2, 3}

    def test_the_version_that_serves_keeps_the_rest_whatever_its_weight(self) -> None:
        rolling = Rolling(found={1, 2}, states=dict.fromkeys((1, 2), State.READY))
        rolling.order(SetWeights(weights=((1, 9_000), (2, 1_000))))
        rolling.order(SetWeights(weights=((1, 1_000), (2, 9_000))))
        weights = rolling.traffic.weights
        assert weights is not None
        assert weights.default == 2, "it served before"
        assert weights.epoch == 2

    @pytest.mark.parametrize(
        ("weights", "words"),
        [
            (((1, 9_000),), "90 % together"),
            (((1, 5_000), (1, 5_000)), "one weight"),
            (((1, 11_000), (2, -1_000)), "none below 0"),
            (((1, 5_000), (2, 5_000)), "Version 2 of digits is not ready"),
            (tuple((version, 500) for version in range(20)), "at most 16"),
        ],
    )
    def test_that_cannot_be_are_refused(self, weights: tuple[tuple[int, int], ...], words: str) -> None:
        assert words in refusal(Rolling(), SetWeights(weights=weights)).message

    def test_of_a_quarantined_version_are_refused(self) -> None:
        rolling = Rolling(found={1, 2}, states=dict.fromkeys((1, 2), State.READY))
        rolling.order(Quarantine(version=2, reason="slow"))
        assert "slow" in refusal(rolling, SetWeights(weights=((1, 5_000), (2, 5_000)))).message

    def test_while_a_rollout_lasts_are_refused(self) -> None:
        rolling = Rolling()
        rolling.start()
        assert "digits-2-1" in refusal(rolling, SetWeights(weights=((1, 10_000),))).message
        assert "digits-2-1" in refusal(rolling, ClearWeights()).message

    def test_are_cleared(self) -> None:
        rolling = Rolling()
        assert "not split by hand" in refusal(rolling, ClearWeights()).message
        rolling.order(SetWeights(weights=((1, 10_000),)))
        rolling.order(ClearWeights())
        assert rolling.effects.traffic is None

    def test_of_a_version_that_goes_away_is_told_and_so_is_its_return(self) -> None:
        rolling = Rolling(found={1, 2}, states=dict.fromkeys((1, 2), State.READY))
        rolling.order(SetWeights(weights=((2, 9_000), (1, 1_000))))
        rolling.fail(1)
        rolling.settle()
        rolling.load(1)
        rolling.settle()
        assert rolling.told[-2:] == ["weights_fallback", "weights_restored"]

    def test_quarantine_takes_the_weight_of_a_version_but_not_of_the_last_resort(self) -> None:
        rolling = Rolling(found={1, 2}, states=dict.fromkeys((1, 2), State.READY))
        rolling.order(SetWeights(weights=((2, 9_000), (1, 1_000))))
        assert "fall back to" in refusal(rolling, Quarantine(version=2)).message
        rolling.order(Quarantine(version=1))
        assert rolling.traffic.weights is not None
        assert rolling.traffic.weights.ranges == ()
