"""Models' traffic after the process has ended: it goes on where it was on record, and never further."""

from pathlib import Path

import pytest

from tests.steering import (
    MANAGED,
    PLAN,
    appear,
    break_store,
    command,
    mend_store,
    pass_step,
    ramping,
    rollout,
    route,
    settle,
    split,
)
from tests.ticking import BROKEN, Ticking, found, model, ready
from understudy.control.facts import RetryOrder
from understudy.errors import ConfigError, StartupError
from understudy.rollout.commands import Abort, Promote, Quarantine, Start
from understudy.rollout.state import Pause, Phase
from understudy.routing.traffic import BucketRange
from understudy.servable import Loaded, LoadFailed, ServableId
from understudy.server.state import resume_traffic


def begin_to_load(ticking: Ticking) -> list[ServableId]:
    """Versions 1 and 2 are there, and what is to be loaded is being loaded."""
    ticking.see(found("m", 1, 2))
    return [each.servable for _ in range(3) for each, _platform in ticking.tick().loads]


def serve(ticking: Ticking, *versions: int) -> Ticking:
    """The same configuration in another process, and these versions are there."""
    ticking.order(model("m"))
    appear(ticking, *versions)
    return ticking


@pytest.mark.parametrize("is_orderly", [True, False], ids=["stopped", "killed"])
def test_a_ramp_goes_on_at_the_recorded_weight_with_the_evidence_so_far(
    tmp_path: Path,
    is_orderly: bool,  # noqa: FBT001
) -> None:
    ticking = ramping(tmp_path)
    pass_step(ticking)
    before = rollout(ticking)
    again = serve(ticking.restarted(is_orderly=is_orderly), 1, 2)
    after = rollout(again)
    assert (after.phase, after.step, after.weight) == (Phase.RAMPING, 1, 5_000)
    assert after.evidence.epochs == before.evidence.epochs
    assert after.epoch > before.epoch
    assert after.crashes == (0 if is_orderly else 1)
    assert split(again).ranges == (BucketRange(2, 0, 5_000),)
    assert route(again).default_version == 1


def test_what_is_kept_outlives_a_start_whose_configuration_is_refused(tmp_path: Path) -> None:
    again = ramping(tmp_path).restarted()
    refused = again.order(model("m", base_path="not absolute"))
    again.tick()
    with pytest.raises(ConfigError):
        refused.answer.result()
    assert again.desk.picture.traffic["m"].rollout is not None
    third = serve(again.restarted(), 1, 2)
    assert rollout(third).phase is Phase.RAMPING


def test_a_candidate_that_is_ready_first_after_a_restart_is_not_the_default(tmp_path: Path) -> None:
    again = ramping(tmp_path).restarted()
    order = again.order(model("m"))
    again.see(found("m", 1, 2))
    turn = again.tick()
    assert sorted(each.servable.version for each, _platform in turn.loads) == [1, 2]
    again.desk.finish(Loaded(ServableId("m", 2), 0.1))
    again.tick()
    assert (route(again).ready_versions, route(again).default_version) == ((2,), None)
    assert not order.answer.done(), "nobody could be answered yet"
    again.desk.finish(Loaded(ServableId("m", 1), 0.1))
    again.tick()
    assert route(again).default_version == 1
    assert order.answer.done()


def test_a_candidate_whose_baseline_is_gone_gets_nothing_until_it_is_back(tmp_path: Path) -> None:
    again = ramping(tmp_path).restarted()
    again.order(model("m"))
    again.see(found("m", 1, 2))
    again.tick()
    again.desk.finish(LoadFailed(ServableId("m", 1), 0.1, BROKEN))
    again.desk.finish(Loaded(ServableId("m", 2), 0.1))
    settle(again)
    assert rollout(again).pause is Pause.BASELINE_GONE
    assert (split(again).ranges, route(again).default_version) == ((), None)
    again.desk.take_retry(RetryOrder(ServableId("m", 1)))
    settle(again)
    assert split(again).ranges == (BucketRange(2, 0, 1_000),)
    assert route(again).default_version == 1


def test_a_rollback_that_could_not_be_recorded_before_the_end_resumes_no_higher(tmp_path: Path) -> None:
    ticking = ramping(tmp_path)
    break_store(ticking)
    command(ticking, Abort(reason="wrong")).result(timeout=0)
    assert route(ticking).traffic is None
    mend_store(ticking)  # but the process ends before it is asked again
    again = serve(ticking.restarted(), 1, 2)
    assert split(again).ranges == (BucketRange(2, 0, 1_000),)


def test_a_promotion_on_record_is_one_after_a_restart(tmp_path: Path) -> None:
    ticking = ramping(tmp_path)
    command(ticking, Promote()).result(timeout=0)
    again = serve(ticking.restarted(), 1, 2)
    assert (rollout(again).phase, route(again).default_version) == (Phase.WATCHING, 2)
    assert route(again).ready_versions == (1, 2)


def test_what_is_in_quarantine_is_not_loaded_again(tmp_path: Path) -> None:
    ticking = ready(1, directory=tmp_path)
    command(ticking, Quarantine(version=2, reason="wrong on eights")).result(timeout=0)
    again = ticking.restarted()
    again.order(model("m"))
    assert appear(again, 1, 2) == [ServableId("m", 1)]


def test_a_candidate_that_keeps_taking_the_process_with_it_is_not_loaded_again(tmp_path: Path) -> None:
    ticking = ready(1, directory=tmp_path)
    command(ticking, Start(candidate=2, plan=PLAN)).result(timeout=0)
    for _ in range(PLAN.crashes_max + 1):
        assert ServableId("m", 2) in begin_to_load(ticking)
        ticking = ticking.restarted()
        ticking.order(model("m"))
    assert begin_to_load(ticking) == [ServableId("m", 1)]
    quarantined = ticking.desk.picture.traffic["m"].quarantined[2]
    assert "ended suddenly" in quarantined.reason
    assert [each.kind for each in ticking.desk.journal.of("m")].count("rollout_rolled_back") == 1


def test_ends_in_good_order_are_held_against_nobody(tmp_path: Path) -> None:
    ticking = ramping(tmp_path)
    for _ in range(PLAN.crashes_max + 2):
        ticking = serve(ticking.restarted(is_orderly=True), 1, 2)
    assert rollout(ticking).crashes == 0


def test_a_managed_model_serves_what_was_promoted_and_not_what_came_while_the_server_was_down(
    tmp_path: Path,
) -> None:
    ticking = Ticking(directory=tmp_path, strategies=MANAGED)
    ticking.order(model("m"))
    appear(ticking, 1)
    again = ticking.restarted()
    again.order(model("m"))
    again.see(found("m", 1, 2))
    defaults = set()
    for _ in range(6):
        settle(again)
        defaults.add(route(again).default_version)
    assert defaults == {1}


def test_a_start_that_cannot_record_what_it_resumes_does_not_start(tmp_path: Path) -> None:
    ticking = ramping(tmp_path)
    break_store(ticking)
    with pytest.raises(StartupError, match="could not be written"):
        resume_traffic(ticking.store, ticking.clock)
