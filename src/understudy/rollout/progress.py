"""How a rollout goes on, phase by phase, when nothing keeps it; and what keeps it."""

from dataclasses import replace

from understudy.rollout.begin import begin
from understudy.rollout.durations import counted_s, unpaused
from understudy.rollout.ends import Fault, roll_back, supersede
from understudy.rollout.failing import fails
from understudy.rollout.gathering import gather
from understudy.rollout.minutes import STRATEGY, Minutes, duration, percent
from understudy.rollout.passing import passes, slow_thresholds
from understudy.rollout.phases import Trigger
from understudy.rollout.plan import Inconclusive, Newer
from understudy.rollout.shortage import describe_few_users, describe_missing
from understudy.rollout.state import Pause, Phase, Rollout
from understudy.rollout.upkeep import newest_version


def guide(minutes: Minutes) -> None:
    """One step of the present rollout, if there is one: at most one change of its phase."""
    if minutes.traffic.rollout is None:
        return
    _note_found(minutes)
    _take_evidence(minutes)
    _fix_thresholds(minutes)
    if fails(minutes) or _meets_baseline(minutes) or _is_kept(minutes):
        return
    _go_on(minutes)


def _note_found(minutes: Minutes) -> None:
    rollout = minutes.present()
    if rollout.found_at is None and rollout.candidate in minutes.situation.found:
        reason = f"version {rollout.candidate} is there; it is loaded, and then validated"
        minutes.tell(replace(rollout, found_at=minutes.now, reason=reason), "rollout_found", reason)


def _take_evidence(minutes: Minutes) -> None:
    """Keeps what is counted, and what it was found to say.

    When counting has begun anew, what is said of former counts no longer matters.
    """
    rollout, situation = minutes.present(), minutes.situation
    if rollout.traffic_at is None:
        return
    evidence = gather(rollout, situation.evidence)
    counted_at = rollout.counted_at if evidence == rollout.evidence else minutes.now
    is_anew = rollout.evidence_from > 0 and not evidence.epochs
    judgement = None if is_anew else situation.judgement or rollout.judgement
    minutes.change(replace(rollout, evidence=evidence, counted_at=counted_at, judgement=judgement))


def _fix_thresholds(minutes: Minutes) -> None:
    """Latency thresholds that were not known when the ramp began hold from a new epoch on."""
    rollout = minutes.present()
    thresholds = slow_thresholds(minutes, rollout)
    if rollout.phase is not Phase.RAMPING or len(thresholds) == len(rollout.thresholds_s):
        return
    told = ", ".join(f"{name} beyond {duration(after_s)}" for name, after_s in thresholds)
    reason = f"what counts as slow is known now, from the baseline: {told}"
    fixed = replace(rollout, thresholds_s=thresholds, epoch=rollout.epoch + 1)
    minutes.tell(fixed, "rollout_thresholds", reason)


def _meets_baseline(minutes: Minutes) -> bool:
    """Pauses while the baseline is gone, whatever else it waits for, and goes on when it is back."""
    rollout, situation = minutes.present(), minutes.situation
    if rollout.pause is Pause.BASELINE_GONE:
        if situation.is_ready(rollout.baseline):
            _find_baseline(minutes, rollout)
        return True
    if rollout.phase is Phase.WATCHING or not situation.is_lost(rollout.baseline):
        return False
    minutes.is_urgent = True
    gone = replace(unpaused(rollout, minutes.now), epoch=rollout.epoch + 1, pause_before=rollout.pause)
    minutes.change(gone)
    reason = (
        f"version {rollout.baseline}, the baseline, does not serve: there is nothing to compare version "
        f"{rollout.candidate} with, and it gets no traffic. Bring version {rollout.baseline} back, or "
        f"promote version {rollout.candidate}"
    )
    minutes.pause(Pause.BASELINE_GONE, reason)
    return True


def _find_baseline(minutes: Minutes, rollout: Rollout) -> None:
    """Goes on where it was, in another epoch; it may have been paused before."""
    following = replace(unpaused(rollout, minutes.now), epoch=rollout.epoch + 1, pause_before=None)
    back = f"version {rollout.baseline} serves again"
    if rollout.pause_before is None:
        reason = f"{back}; the rollout goes on"
        minutes.tell(replace(following, reason=reason), "rollout_resumed", reason)
    else:
        minutes.change(following)
        minutes.pause(rollout.pause_before, f"{back}; the rollout was paused before, and still is")


def _is_kept(minutes: Minutes) -> bool:
    """Whether it must not go on now, or has ended because of a newer version."""
    rollout = minutes.present()
    if not minutes.situation.is_recorded:
        return True
    if rollout.phase is not Phase.WATCHING and _is_superseded(minutes, rollout):
        return True
    if rollout.pause is not None:
        return True
    judgement = rollout.judgement
    if rollout.phase is Phase.RAMPING and judgement is not None and judgement.is_split_broken:
        reason = (
            "the counts do not fit the weights: the split is broken, and nothing that is counted can be "
            f"trusted. {judgement.sentence}"
        )
        minutes.pause(Pause.BROKEN_SPLIT, reason.strip())
        return True
    return False


def _is_superseded(minutes: Minutes, rollout: Rollout) -> bool:
    if rollout.plan.newer is not Newer.SUPERSEDE:
        return False
    newest = newest_version(minutes)
    if newest is None or newest <= rollout.newest:
        return False
    supersede(minutes, f"version {newest} is there and takes its place", by=STRATEGY)
    begin(minutes, rollout.baseline, newest, rollout.plan, by=rollout.asked_by)
    return True


def _go_on(minutes: Minutes) -> None:
    rollout, situation = minutes.present(), minutes.situation
    if rollout.phase is Phase.WATCHING:
        _watch(minutes, rollout)
        return
    are_ready = situation.is_ready(rollout.baseline) and situation.is_ready(rollout.candidate)
    if are_ready and passes(minutes, rollout):
        return
    _run_out(minutes, rollout)


def _watch(minutes: Minutes, rollout: Rollout) -> None:
    if counted_s(rollout, minutes.now) < rollout.plan.keep_baseline_s:
        return
    reason = f"watched for {rollout.plan.keep_baseline_s:g} s; version {rollout.baseline} is let go"
    minutes.move(rollout, Trigger.WATCHED, reason)


def _run_out(minutes: Minutes, rollout: Rollout) -> None:
    """The time for what was to happen is up."""
    plan, spent_s = rollout.plan, counted_s(rollout, minutes.now)
    if rollout.traffic_at is None:
        if spent_s >= plan.wait_s:
            _give_up_waiting(minutes, rollout)
        return
    if spent_s < plan.duration_max_s:
        return
    missing = describe_missing(rollout.judgement)
    reason = f"{plan.duration_max_s:g} s are over, and the evidence does not suffice{missing}"
    if plan.inconclusive is Inconclusive.ROLL_BACK:
        roll_back(minutes, Fault(reason))
    else:
        stays = (
            f"it stays at {percent(rollout.weight)}: promote it, abort it, or resume for as much time again"
        )
        users = describe_few_users(rollout.judgement)
        minutes.pause(Pause.INCONCLUSIVE, f"{reason}; {stays}{f'. {users}' if users else ''}")


def _give_up_waiting(minutes: Minutes, rollout: Rollout) -> None:
    """Without a strategy, a version that is not in quarantine would serve everything when it appears."""
    waited = f"within {rollout.plan.wait_s:g} s"
    if rollout.found_at is None:
        reason = f"version {rollout.candidate} did not appear {waited}"
        roll_back(minutes, Fault(reason, quarantines=minutes.situation.strategy is None))
    elif rollout.phase is Phase.VALIDATING:
        roll_back(minutes, Fault(f"version {rollout.candidate} was not validated {waited}"))
    else:
        roll_back(minutes, Fault(f"version {rollout.candidate} was not ready {waited}"))
