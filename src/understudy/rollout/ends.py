"""How a rollout ends: rolled back, promoted, overruled. Each is one change with one reason."""

from dataclasses import dataclass, replace

from understudy.rollout.minutes import CONFIGURATION, ROLLOUT, Minutes, first_buckets, percent
from understudy.rollout.phases import Trigger
from understudy.rollout.state import Phase
from understudy.routing.traffic import BUCKETS


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a candidate is taken back.

    Attributes:
        reason: a clause for people.
        quarantines: it must not be picked up again.
        passed_over: without quarantine: it is no longer new, so that nothing but an order rolls it out again.
    """

    reason: str
    quarantines: bool = True
    passed_over: bool = False


def roll_back(
    minutes: Minutes, fault: Fault, *, by: str = ROLLOUT, trigger: Trigger = Trigger.FAILED
) -> None:
    """The baseline answers everything again, at once."""
    rollout = minutes.present()
    minutes.is_urgent = True
    kept = f"version {rollout.baseline} answers everything"
    minutes.move(rollout, trigger, f"{fault.reason}; {kept}", by=by)
    minutes.serve(rollout.baseline, known=rollout.candidate if fault.passed_over else rollout.baseline)
    if fault.quarantines:
        minutes.quarantine(rollout.candidate, fault.reason, by=by, rollout=rollout.id)


def promote(minutes: Minutes, reason: str, *, by: str = ROLLOUT, trigger: Trigger = Trigger.PASSED) -> None:
    """The candidate answers everything; the baseline is kept for a while."""
    rollout = minutes.present()
    kept_s = rollout.plan.keep_baseline_s
    promoted = replace(
        rollout,
        step=0,
        weight=BUCKETS,
        ranges=first_buckets(rollout.candidate, BUCKETS),
        epoch=rollout.epoch + 1,
        traffic_at=minutes.now if rollout.traffic_at is None else rollout.traffic_at,
        uncounted_s=0.0,
    )
    kept = f"version {rollout.baseline} stays loaded for {kept_s:g} s, so that it can be undone at once"
    minutes.move(promoted, trigger, f"{reason}; {kept}", by=by)
    minutes.serve(rollout.candidate, known=rollout.baseline)


def overrule(minutes: Minutes, reason: str) -> None:
    """The configuration has another will: the rollout ends without a verdict, and at once."""
    minutes.is_urgent = True
    supersede(minutes, reason, by=CONFIGURATION)


def supersede(minutes: Minutes, reason: str, *, by: str) -> None:
    """The rollout ends without a verdict; whoever serves now is the stable version."""
    rollout = minutes.present()
    serves = rollout.candidate if rollout.phase is Phase.WATCHING else rollout.baseline
    was = f"it was at {percent(rollout.weight)}" if rollout.weight else "it had no traffic"
    minutes.move(rollout, Trigger.OVERRULED, f"{reason}; {was}", by=by)
    minutes.serve(serves, known=rollout.baseline)
