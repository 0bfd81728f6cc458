"""What a restart of the server means for a rollout: nothing is lost, and the time without a server is no time."""

import pytest

from tests.rolling import Rolling, managed
from understudy.errors import ConfigError
from understudy.rollout.commands import Pause as PauseOrder
from understudy.rollout.commands import Quarantine, Resume, Start
from understudy.rollout.plan import Plan
from understudy.rollout.state import Pause, Phase


def test_a_rollout_goes_on_where_it_was_in_another_epoch() -> None:
    rolling = Rolling()
    rolling.reach_first_step()
    before = rolling.rollout
    rolling.restart(was_clean=True)
    after = rolling.rollout
    assert (after.phase, after.weight, after.ranges) == (before.phase, before.weight, before.ranges)
    assert after.epoch == before.epoch + 1
    assert after.crashes == 0
    rolling.load(2)
    rolling.settle()
    assert rolling.default_version is None, "the baseline is still being loaded"


def test_a_candidate_that_crashes_the_server_is_taken_out_before_it_is_loaded_again() -> None:
    rolling = Rolling()
    rolling.reach_first_step()
    rolling.restart(was_clean=False)
    rolling.restart(was_clean=False)
    assert rolling.rollout.crashes == 2
    rolling.restart(was_clean=False)
    assert rolling.phase() is None
    assert rolling.effects.overlay.quarantined == {2}


def test_the_time_without_a_server_is_no_time_at_a_step() -> None:
    rolling = Rolling()
    rolling.reach_first_step()
    rolling.count(1_000)
    rolling.advance(10.0)
    for _ in range(2):
        rolling.now += 86_400.0
        rolling.restart(was_clean=True)
        rolling.load(1, 2)
        rolling.settle()
    assert rolling.rollout.weight == 100, "nobody met the candidate since"
    rolling.advance(49.0)
    assert (rolling.rollout.weight, rolling.rollout.pause) == (100, None)
    rolling.advance(1.0)
    assert rolling.rollout.weight == 500


def test_a_candidate_is_not_held_to_have_been_late_while_no_server_ran() -> None:
    rolling = Rolling()
    rolling.start(to=2)
    rolling.found.add(2)
    rolling.settle()
    rolling.now += 86_400.0
    rolling.restart(was_clean=True)
    rolling.load(1)
    rolling.advance(3_599.0)
    assert rolling.phase() is Phase.WAITING
    rolling.advance(1.0)
    assert rolling.effects.overlay.quarantined == {2}


def test_what_was_promoted_is_watched_by_a_server_that_runs() -> None:
    rolling = Rolling()
    rolling.reach_watch()
    rolling.advance(1_000.0)
    rolling.count(10)
    rolling.advance(0.0)
    rolling.now += 86_400.0
    rolling.restart(was_clean=True)
    rolling.load(1, 2)
    rolling.advance(2_599.0)
    assert rolling.phase() is Phase.WATCHING
    rolling.advance(1.0)
    assert rolling.phase() is None


def test_a_pause_and_the_time_without_a_server_are_left_out_once() -> None:
    rolling = Rolling()
    rolling.reach_first_step(plan=Plan(shadow=None, duration_max_s=3_600.0))
    rolling.order(PauseOrder())
    rolling.now += 86_400.0
    rolling.restart(was_clean=True)
    rolling.load(1, 2)
    rolling.advance(100.0)
    rolling.order(Resume())
    rolling.advance(3_599.0)
    assert rolling.rollout.pause is None
    rolling.advance(1.0)
    assert rolling.rollout.pause is Pause.INCONCLUSIVE


def test_a_managed_model_whose_version_is_gone_after_a_restart_says_how_it_serves_again() -> None:
    rolling = managed(starts_itself=False)
    rolling.found.add(2)
    rolling.settle()
    rolling.delete(1)
    rolling.restart(was_clean=True)
    rolling.settle()
    assert (rolling.told[-1], rolling.default_version) == ("version_waiting", None)
    way_out = "`understudy quarantine add digits 1`"
    assert way_out in rolling.reasons[-1]
    with pytest.raises(ConfigError, match=way_out):
        rolling.order(Start(candidate=2))
    rolling.order(Quarantine(version=1))
    rolling.load(2)
    rolling.settle()
    assert (rolling.default_version, rolling.traffic.stable) == (2, 2)


def test_crashes_before_the_candidate_was_there_are_not_its_doing() -> None:
    rolling = Rolling()
    rolling.start(to=2)
    rolling.restart(was_clean=False)
    assert rolling.rollout.crashes == 0
