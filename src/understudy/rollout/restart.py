"""What a restart means for what is kept: nothing is lost, and who keeps crashing the server is taken out."""

from dataclasses import replace

from understudy.rollout.decision import Change
from understudy.rollout.durations import back_again
from understudy.rollout.ends import Fault, roll_back
from understudy.rollout.gathering import compact
from understudy.rollout.minutes import ROLLOUT, Minutes
from understudy.rollout.situation import Situation
from understudy.rollout.state import ModelTraffic, Rollout


def resumed(model: str, traffic: ModelTraffic, *, was_clean: bool, now: float) -> Change:
    """What is kept of a model, as the next process goes on from it; decided before anything is loaded.

    Counts begin at nothing in a new epoch; evidence so far is kept, and the weight is what it was.

    Args:
        model: its name.
        traffic: as recorded.
        was_clean: the last process ended in good order.
        now: by the control loop's clock.
    """
    minutes = Minutes(traffic, Situation(model=model, config=None), now)
    if traffic.waiting is not None:  # what was told, was told by a process whose journal is gone
        minutes.traffic = replace(minutes.traffic, waiting=None)
    if traffic.rollout is not None:
        _resume(minutes, traffic.rollout, was_clean=was_clean)
    return minutes.close()


def _resume(minutes: Minutes, rollout: Rollout, *, was_clean: bool) -> None:
    is_suspect = not was_clean and rollout.found_at is not None
    crashes = rollout.crashes + is_suspect
    reason = (
        "the server was started again" if was_clean else "the server ended suddenly and was started again"
    )
    if is_suspect:
        reason += f", {_times(crashes)} now while version {rollout.candidate} may have been loaded"
    evidence = compact(rollout.evidence)
    following = replace(
        back_again(rollout, minutes.now),
        epoch=rollout.epoch + 1 if rollout.traffic_at is not None else rollout.epoch,
        evidence=evidence,
        shadow_before=evidence.shadow,
        crashes=crashes,
        reason=f"{reason}; the rollout goes on where it was",
    )
    minutes.tell(following, "rollout_restarted", following.reason, by=ROLLOUT)
    if crashes > rollout.plan.crashes_max:
        roll_back(minutes, Fault(f"the server ended suddenly {_times(crashes)} during the rollout"))


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
