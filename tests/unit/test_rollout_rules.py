"""What makes a rollout go on, wait, pause or end by itself."""

from dataclasses import replace

import pytest

from tests.rolling import CORRUPT, Rolling, managed
from understudy.analysis.settings import DEFAULT_METRICS, AnalysisSettings, MetricSettings
from understudy.analysis.verdict import Finding, Judgement, MetricVerdict
from understudy.model_config import All, Specific, VersionPolicy
from understudy.rollout.commands import Pause as PauseOrder
from understudy.rollout.commands import Promote, Resume, SetWeights
from understudy.rollout.plan import Inconclusive, Newer, Plan, QualitySettings, ShadowStage, Step, Strategy
from understudy.rollout.state import Pause, Phase
from understudy.routing.traffic import BucketRange, Remembering, ShadowRoute
from understudy.servable import State

ONE_STEP = Plan(shadow=None, steps=(Step(weight=1_000),))
SHORT = replace(ONE_STEP, duration_max_s=100.0)


def metric(name: str, needed: int | None) -> MetricVerdict:
    return MetricVerdict(
        metric=name,
        unit="requests",
        finding=Finding.UNDECIDED,
        is_muted=False,
        baseline_bad=0,
        baseline_total=100,
        candidate_bad=0,
        candidate_total=10,
        ratio=None,
        ratio_low=None,
        ratio_high=None,
        log_abort_e=0.0,
        log_pass_e=0.0,
        needed=needed,
        sentence="",
    )


class TestWaiting:
    def test_a_candidate_that_cannot_be_loaded_is_rolled_back_and_quarantined(self) -> None:
        rolling = Rolling()
        rolling.start()
        rolling.found.add(2)
        rolling.fail(2)
        rolling.settle()
        assert str(CORRUPT) in rolling.traffic.quarantined[2].reason

    @pytest.mark.parametrize("strategy", [None, Strategy(starts_itself=False)])
    def test_a_candidate_that_never_appears_serves_nobody_when_it_does(
        self, strategy: Strategy | None
    ) -> None:
        rolling = Rolling(strategy=strategy)
        rolling.settle()
        rolling.start(to=2)
        rolling.advance(3_599.0)
        assert rolling.phase() is Phase.WAITING
        rolling.advance(1.0)
        assert rolling.ended[0].phase is Phase.ROLLED_BACK
        rolling.found.add(2)
        rolling.settle()
        overlay = rolling.effects.overlay
        assert 2 in overlay.quarantined | overlay.held

    def test_one_that_does_not_load_in_time_is_quarantined(self) -> None:
        rolling = Rolling()
        rolling.start()
        rolling.found.add(2)
        rolling.states[2] = State.LOADING
        rolling.settle()
        rolling.advance(3_600.0)
        assert "was not ready within 3600 s" in rolling.traffic.quarantined[2].reason

    def test_a_failed_validation_says_what_it_found(self) -> None:
        rolling = Rolling()
        rolling.start()
        rolling.publish(2)
        rolling.settle()
        rolling.validate("output `scores` is missing")
        rolling.advance()
        assert "output `scores` is missing" in rolling.traffic.quarantined[2].reason
        assert rolling.ended[0].traffic_at is None


class TestTraffic:
    def test_shadow_requests_reach_the_candidate_and_no_caller_does(self) -> None:
        rolling = Rolling()
        plan = Plan(quality=QualitySettings(output="digit"), shadow=ShadowStage(share=2_000))
        rolling.start(plan=plan)
        rolling.publish(2)
        rolling.settle()
        rolling.validate()
        rolling.advance()
        traffic = rolling.effects.traffic
        assert traffic is not None
        assert traffic.ranges == ()
        assert traffic.shadow == ShadowRoute(version=2, share=2_000)
        assert traffic.remembering == Remembering(output="digit")
        assert dict(rolling.effects.labels) == {"stable": 1}

    def test_the_canary_label_leads_to_the_candidate_while_it_answers(self) -> None:
        rolling = Rolling()
        rolling.reach_first_step(plan=ONE_STEP)
        assert dict(rolling.effects.labels) == {"stable": 1, "canary": 2}
        rolling.judge(Finding.NO_HARM)
        rolling.count(50)
        rolling.advance(60.0)
        assert dict(rolling.effects.labels) == {"stable": 2}

    def test_suspicion_holds_the_ramp(self) -> None:
        rolling = Rolling()
        rolling.reach_first_step()
        rolling.count(1_000)
        rolling.judge(Finding.SUSPICION)
        rolling.advance(3_600.0)
        assert (rolling.rollout.weight, rolling.rollout.pause) == (100, None)
        rolling.judge(Finding.UNDECIDED)
        rolling.advance()
        assert rolling.rollout.weight == 500

    def test_the_last_step_is_left_only_without_harm(self) -> None:
        rolling = Rolling()
        rolling.reach_first_step(plan=ONE_STEP)
        rolling.count(1_000)
        rolling.judge(Finding.UNDECIDED)
        rolling.advance(3_600.0)
        assert rolling.phase() is Phase.RAMPING
        rolling.judge(Finding.NO_HARM)
        rolling.advance()
        assert rolling.phase() is Phase.WATCHING

    def test_each_change_of_the_split_is_another_epoch(self) -> None:
        rolling = Rolling()
        rolling.reach_first_step()
        epochs = [rolling.rollout.epoch]
        rolling.judge(Finding.NO_HARM)
        for _ in range(4):
            rolling.count(50)
            rolling.advance(60.0)
            epochs.append(rolling.rollout.epoch)
        assert epochs == sorted(set(epochs))

    def test_what_is_slow_is_fixed_when_the_ramp_begins(self) -> None:
        rolling = Rolling(thresholds_s=(("slow:p99", 0.2),))
        rolling.reach_first_step(plan=replace(ONE_STEP, slow_after_s=0.5))
        fixed = (("slow:p99", 0.2), ("slow:objective", 0.5))
        assert rolling.rollout.thresholds_s == fixed
        rolling.thresholds_s = (("slow:p99", 9.0),)
        rolling.advance()
        assert rolling.rollout.thresholds_s == fixed

    def test_what_is_slow_is_fixed_later_in_another_epoch_if_it_was_not_known(self) -> None:
        rolling = Rolling()
        rolling.reach_first_step(plan=ONE_STEP)
        epoch = rolling.rollout.epoch
        rolling.thresholds_s = (("slow:p99", 0.2),)
        rolling.advance()
        assert rolling.rollout.thresholds_s == (("slow:p99", 0.2),)
        assert rolling.rollout.epoch == epoch + 1
        assert rolling.told[-1] == "rollout_thresholds"

    def test_what_no_metric_asks_for_is_not_counted_and_what_is_fixed_stays(self) -> None:
        p99_and_p90 = AnalysisSettings(metrics=(*DEFAULT_METRICS, MetricSettings(name="slow:p90")))
        rolling = Rolling()
        rolling.reach_first_step(plan=replace(ONE_STEP, analysis=p99_and_p90))
        for known in (
            (("slow:p50", 0.01),),
            (("slow:p50", 0.02), ("slow:p90", 0.1)),
            (("slow:p50", 0.03), ("slow:p90", 0.2), ("slow:p95", 0.3)),
            (("slow:p50", 0.04), ("slow:p90", 0.3), ("slow:p95", 0.4), ("slow:p99", 0.5)),
        ):
            rolling.thresholds_s = known
            rolling.advance()
        assert dict(rolling.rollout.thresholds_s) == {"slow:p90": 0.1, "slow:p99": 0.5}
        assert rolling.told.count("rollout_thresholds") == 2

    def test_a_plan_without_steps_promotes_after_validation(self) -> None:
        rolling = Rolling()
        rolling.start(plan=Plan(shadow=None, steps=()))
        rolling.publish(2)
        rolling.settle()
        rolling.validate()
        rolling.advance()
        assert rolling.phase() is Phase.WATCHING


class TestTimeIsUp:
    def test_it_holds_and_says_how_much_evidence_is_missing(self) -> None:
        rolling = Rolling()
        rolling.reach_first_step(plan=SHORT)
        rolling.judgement = Judgement(
            finding=Finding.UNDECIDED, metrics=(metric("errors", 1_200), metric("wrong", None))
        )
        rolling.advance(100.0)
        assert rolling.rollout.pause is Pause.INCONCLUSIVE
        assert "errors needs about 1,200 more requests" in rolling.reasons[-1]
        assert "promote it, abort it, or resume for as much time again" in rolling.reasons[-1]
        assert "users" not in rolling.reasons[-1]
        assert rolling.effects.traffic is not None
        assert rolling.effects.traffic.ranges == (BucketRange(2, 0, 1_000),)

    def test_it_says_what_to_do_where_there_are_fewer_users_than_the_evidence_needs(self) -> None:
        rolling = Rolling()
        rolling.reach_first_step(plan=SHORT)
        users = replace(metric("errors", 3_825), unit="keys", candidate_total=250)
        rolling.judgement = Judgement(finding=Finding.UNDECIDED, metrics=(users,))
        rolling.advance(100.0)
        assert "the candidate has met 250: if there will never be so many, promote it" in rolling.reasons[-1]
        assert "higher `floor`" in rolling.reasons[-1]

    def test_an_operator_gives_it_as_much_time_again(self) -> None:
        rolling = Rolling()
        rolling.reach_first_step(plan=SHORT)
        rolling.advance(100.0)
        rolling.order(Resume())
        rolling.advance(99.0)
        assert rolling.rollout.pause is None
        rolling.advance(1.0)
        assert rolling.rollout.pause is Pause.INCONCLUSIVE

    def test_it_rolls_back_where_the_plan_says_so(self) -> None:
        rolling = Rolling()
        rolling.reach_first_step(plan=replace(SHORT, inconclusive=Inconclusive.ROLL_BACK))
        rolling.advance(100.0)
        assert rolling.ended[0].phase is Phase.ROLLED_BACK


class TestSplit:
    def test_a_broken_one_holds_and_comparisons_no_longer_count(self) -> None:
        rolling = Rolling()
        rolling.reach_first_step()
        rolling.judge(Finding.HARM, is_split_broken=True)
        rolling.advance()
        assert rolling.rollout.pause is Pause.BROKEN_SPLIT

    def test_a_guard_counts_all_the_same(self) -> None:
        rolling = Rolling()
        rolling.reach_first_step()
        rolling.judge(Finding.HARM, is_split_broken=True, guards=("30 of 100 requests failed",))
        rolling.advance()
        assert rolling.ended[0].phase is Phase.ROLLED_BACK


class TestWatching:
    def test_harm_takes_the_promotion_back(self) -> None:
        rolling = Rolling()
        rolling.reach_watch()
        rolling.judge(Finding.HARM)
        rolling.advance()
        assert rolling.default_version == 1
        assert 2 in rolling.traffic.quarantined

    def test_harm_without_a_baseline_to_go_back_to_waits_for_it(self) -> None:
        rolling = Rolling()
        rolling.reach_watch()
        rolling.fail(1)
        rolling.judge(Finding.HARM)
        rolling.settle()
        assert rolling.rollout.pause is Pause.BASELINE_GONE
        assert rolling.default_version == 2
        rolling.load(1)
        rolling.advance()
        assert rolling.default_version == 1

    def test_deleting_the_promoted_version_takes_it_back_without_quarantine(self) -> None:
        rolling = Rolling()
        rolling.reach_watch()
        rolling.delete(2)
        rolling.advance()
        assert rolling.default_version == 1
        assert rolling.traffic.quarantined == {}


class TestFiles:
    def test_a_candidate_that_is_deleted_is_rolled_back_without_quarantine(self) -> None:
        rolling = Rolling()
        rolling.reach_first_step()
        rolling.delete(2)
        rolling.advance()
        assert rolling.ended[0].phase is Phase.ROLLED_BACK
        assert rolling.traffic.quarantined == {}

    def test_a_baseline_that_is_deleted_goes_on_from_memory(self) -> None:
        rolling = Rolling()
        rolling.reach_first_step()
        rolling.delete(1)
        rolling.settle()
        assert 1 in rolling.effects.overlay.kept
        assert rolling.rollout.pause is None

    def test_a_baseline_that_is_gone_pauses_and_its_return_goes_on(self) -> None:
        rolling = Rolling()
        rolling.reach_first_step()
        rolling.fail(1)
        rolling.settle()
        assert rolling.rollout.pause is Pause.BASELINE_GONE
        effects = rolling.effects
        assert effects.traffic is not None
        assert effects.traffic.ranges == (), "there is nobody to compare with"
        assert rolling.default_version is None, "the candidate is not promoted by accident"
        rolling.load(1)
        rolling.settle()
        assert rolling.told[-1] == "rollout_resumed"

    def test_a_baseline_that_is_gone_takes_the_share_of_a_paused_candidate_too(self) -> None:
        rolling = Rolling()
        rolling.reach_first_step()
        rolling.order(PauseOrder())
        rolling.fail(1)
        rolling.settle()
        assert rolling.rollout.pause is Pause.BASELINE_GONE
        rolling.load(1)
        rolling.settle()
        effects = rolling.effects
        assert (rolling.told[-1], rolling.traffic.rollout) == ("rollout_paused", rolling.rollout)
        assert effects.traffic is not None
        assert effects.traffic.ranges == (BucketRange(2, 0, 100),)
        rolling.order(Resume())
        rolling.judge(Finding.NO_HARM)
        rolling.count(50)
        rolling.advance(60.0)
        assert rolling.rollout.weight == 500

    def test_without_its_baseline_an_operator_may_promote(self) -> None:
        rolling = Rolling()
        rolling.reach_first_step()
        rolling.fail(1)
        rolling.settle()
        rolling.order(Promote())
        assert rolling.default_version == 2


class TestThirdVersion:
    def test_waits_and_that_is_told_once(self) -> None:
        rolling = managed()
        rolling.publish(2)
        rolling.settle()
        rolling.found.add(3)
        rolling.settle()
        assert rolling.told.count("version_waiting") == 1
        assert rolling.effects.overlay.held == {3}
        rolling.judge(Finding.HARM)
        rolling.fail(2)
        rolling.settle()
        assert rolling.rollout.candidate == 3
        assert rolling.rollout.baseline == 1

    def test_takes_the_place_of_the_candidate_where_the_plan_says_so(self) -> None:
        rolling = managed(plan=replace(ONE_STEP, newer=Newer.SUPERSEDE))
        rolling.publish(2)
        rolling.settle()
        rolling.found.add(3)
        change = rolling.advance()
        assert [each.phase for each in change.ended] == [Phase.ENDED]
        assert (rolling.rollout.baseline, rolling.rollout.candidate) == (1, 3)
        assert not change.is_urgent, "the new one has to be on record first"

    def test_that_was_there_before_does_not_supersede(self) -> None:
        rolling = managed(starts_itself=False, plan=replace(ONE_STEP, newer=Newer.SUPERSEDE))
        rolling.found.update({2, 3})
        rolling.start(to=2)
        rolling.settle()
        assert rolling.rollout.candidate == 2


class TestRecord:
    def test_nothing_goes_forward_before_it_is_on_record(self) -> None:
        rolling = Rolling()
        rolling.reach_first_step()
        rolling.judge(Finding.NO_HARM)
        rolling.count(1_000)
        rolling.is_recorded = False
        rolling.advance(3_600.0)
        assert rolling.rollout.weight == 100
        rolling.judge(Finding.HARM)
        assert rolling.advance().is_urgent

    def test_a_strategy_starts_nothing_then(self) -> None:
        rolling = managed()
        rolling.found.add(2)
        rolling.is_recorded = False
        rolling.settle()
        assert rolling.phase() is None


class TestManaged:
    def test_only_newer_versions_wait(self) -> None:
        rolling = managed(starts_itself=False)
        rolling.found.update({0, 2, 3})
        rolling.settle()
        assert rolling.effects.overlay.held == {2, 3}
        assert rolling.told == ["stable_set", "version_waiting"]

    def test_a_first_version_that_does_not_load_does_not_keep_the_next_one_out(self) -> None:
        rolling = Rolling(strategy=Strategy(), states={1: State.ERROR})
        rolling.settle()
        assert rolling.traffic.stable is None
        rolling.publish(2)
        rolling.settle()
        assert rolling.traffic.stable == 2

    def test_weights_by_hand_keep_the_strategy_from_starting(self) -> None:
        rolling = managed()
        rolling.order(SetWeights(weights=((1, 10_000),)))
        rolling.found.add(2)
        rolling.settle()
        assert rolling.phase() is None
        assert rolling.told[-1] == "version_waiting"

    def test_a_stable_version_whose_files_go_stays_in_memory_or_gives_way_to_a_lower_one(self) -> None:
        rolling = managed()
        rolling.delete(1)
        rolling.settle()
        assert rolling.traffic.stable == 1
        assert rolling.effects.overlay.kept == {1}
        rolling.found.add(0)
        rolling.settle()
        assert rolling.traffic.stable == 0

    def test_a_policy_that_names_its_versions_bounds_what_is_rolled_out(self) -> None:
        rolling = managed()
        assert rolling.config is not None
        rolling.config = replace(rolling.config, version_policy=Specific((1, 2)))
        rolling.settle()
        rolling.found.add(3)
        rolling.settle()
        assert rolling.phase() is None
        rolling.found.add(2)
        rolling.settle()
        assert rolling.rollout.candidate == 2


class TestWithoutStrategy:
    def test_what_was_promoted_serves_until_the_policy_chooses_something_newer(self) -> None:
        rolling = Rolling()
        rolling.reach_watch()
        rolling.order(Promote())
        rolling.found.add(3)
        rolling.settle()
        assert rolling.traffic.stable == 2
        rolling.load(3)
        rolling.settle()
        assert rolling.traffic.stable == 3
        assert dict(rolling.effects.labels) == {"stable": 3}

    @pytest.mark.parametrize("policy", [All(), Specific((1, 2, 3))])
    def test_versions_that_the_policy_wants_stay_loaded_when_a_rollout_goes_back(
        self, policy: VersionPolicy
    ) -> None:
        rolling = Rolling(found={1, 2, 3}, states=dict.fromkeys((1, 2, 3), State.READY))
        assert rolling.config is not None
        rolling.config = replace(rolling.config, version_policy=policy)
        rolling.start(to=1)
        rolling.settle()
        assert rolling.effects.overlay.held == frozenset()
        rolling.order(Promote())
        rolling.order(Promote())
        rolling.settle()
        assert rolling.effects.overlay.held == frozenset()
        assert rolling.default_version == 1
        assert rolling.effects.barred == {2, 3}

    def test_a_promotion_to_a_lower_version_is_not_taken_back_by_the_policy(self) -> None:
        rolling = Rolling(found={1, 2}, states={2: State.READY})
        rolling.start(to=1)
        rolling.load(1)
        rolling.settle()
        rolling.order(Promote())
        rolling.order(Promote())
        rolling.settle()
        assert rolling.default_version == 1
        assert rolling.effects.overlay.held == {2}
