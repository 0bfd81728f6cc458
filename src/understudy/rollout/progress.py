"""How a rollout goes on, phase by phase, when nothing keeps it; and what keeps it."""

from dataclasses import replace
from typing import assert_never

from understudy.analysis.verdict import Finding, Judgement
from understudy.rollout.begin import begin
from understudy.rollout.ends import Fault, promote, roll_back, supersede
from understudy.rollout.failing import fails
from understudy.rollout.gathering import candidate_requests, gather
from understudy.rollout.minutes import STRATEGY, Minutes, first_buckets, percent
from understudy.rollout.phases import Trigger
from understudy.rollout.plan import Inconclusive, Newer, Step
from understudy.rollout.state import Pause, Phase, Rollout
from understudy.rollout.upkeep import newest_version

OBJECTIVE = "slow:objective"
"""The threshold that an operator gave, beside those of the baseline."""
ADVERSE = frozenset({Finding.HARM, Finding.SUSPICION})


def guide(minutes: Minutes) -> None:
    """One step of the present rollout, if there is one: at most one change of its phase."""
    if minutes.traffic.rollout is None:
        return
    _note_found(minutes)
    _take_evidence(minutes)
    if fails(minutes) or _meets_baseline(minutes) or _is_kept(minutes):
        return
    _go_on(minutes)


def counted_s(rollout: Rollout, now: float) -> float:
    """How much of the time that its phase may last is over."""
    begun_at = rollout.started_at if rollout.traffic_at is None else rollout.traffic_at
    if rollout.phase is Phase.WATCHING:
        begun_at = rollout.entered_at
    paused_s = 0.0 if rollout.paused_at is None else now - rollout.paused_at
    return now - begun_at - rollout.uncounted_s - paused_s


def unpaused(rollout: Rollout, now: float) -> Rollout:
    """The rollout without its pause, whose length does not count."""
    paused_s = 0.0 if rollout.paused_at is None else now - rollout.paused_at
    return replace(rollout, pause=None, paused_at=None, uncounted_s=rollout.uncounted_s + paused_s)


def next_step(minutes: Minutes, index: int, trigger: Trigger, reason: str, *, by: str) -> None:
    """The candidate answers the share of the plan's step of this index."""
    rollout = minutes.present()
    steps = rollout.plan.steps
    weight = steps[index].weight
    ramping = replace(
        with_traffic(minutes, rollout),
        step=index,
        weight=weight,
        ranges=first_buckets(rollout.candidate, weight),
    )
    share = f"version {rollout.candidate} answers {percent(weight)} (step {index + 1} of {len(steps)})"
    minutes.move(ramping, trigger, f"{reason}; {share}", by=by)


def with_traffic(minutes: Minutes, rollout: Rollout) -> Rollout:
    """The rollout in a new epoch of its traffic, which may be its first."""
    rollout = replace(rollout, epoch=rollout.epoch + 1)
    if rollout.traffic_at is not None:
        return rollout
    thresholds = with_objective(rollout, minutes.situation.thresholds_s)
    return replace(rollout, traffic_at=minutes.now, uncounted_s=0.0, thresholds_s=thresholds)


def with_objective(
    rollout: Rollout, of_baseline: tuple[tuple[str, float], ...]
) -> tuple[tuple[str, float], ...]:
    """The baseline's thresholds, and the plan's."""
    objective_s = rollout.plan.slow_after_s
    return of_baseline if objective_s is None else (*of_baseline, (OBJECTIVE, objective_s))


def _note_found(minutes: Minutes) -> None:
    rollout = minutes.present()
    if rollout.found_at is None and rollout.candidate in minutes.situation.found:
        reason = f"version {rollout.candidate} is there; it is loaded, and then validated"
        minutes.tell(replace(rollout, found_at=minutes.now, reason=reason), "rollout_found", reason)


def _take_evidence(minutes: Minutes) -> None:
    """Keeps what is counted, and what it was found to say; fixes thresholds as soon as they are known.

    When counting has begun anew, what is said of former counts no longer matters.
    """
    rollout, situation = minutes.present(), minutes.situation
    if rollout.traffic_at is None:
        return
    evidence = gather(rollout, situation.evidence)
    is_anew = rollout.evidence_from > 0 and not evidence.epochs
    judgement = None if is_anew else situation.judgement or rollout.judgement
    minutes.change(replace(rollout, evidence=evidence, judgement=judgement))
    thresholds = with_objective(rollout, situation.thresholds_s)
    if situation.thresholds_s and len(rollout.thresholds_s) < len(thresholds):
        reason = "latency thresholds are known now: " + ", ".join(f"{n} {s:.3g} s" for n, s in thresholds)
        fixed = replace(minutes.present(), thresholds_s=thresholds, epoch=rollout.epoch + 1)
        minutes.tell(fixed, "rollout_thresholds", reason)


def _meets_baseline(minutes: Minutes) -> bool:
    """Pauses while the baseline is gone, and goes on when it is back."""
    rollout, situation = minutes.present(), minutes.situation
    is_ready = situation.is_ready(rollout.baseline)
    if rollout.pause is Pause.BASELINE_GONE:
        if is_ready:
            reason = f"version {rollout.baseline} serves again; the rollout goes on"
            minutes.tell(replace(unpaused(rollout, minutes.now), reason=reason), "rollout_resumed", reason)
        return True
    is_needed = rollout.phase is not Phase.WATCHING
    if is_needed and rollout.pause is None and situation.is_lost(rollout.baseline):
        reason = (
            f"version {rollout.baseline}, the baseline, does not serve: there is nothing to compare version "
            f"{rollout.candidate} with, and it gets no traffic. Bring version {rollout.baseline} back, or "
            f"promote version {rollout.candidate}"
        )
        minutes.pause(Pause.BASELINE_GONE, reason)
        return True
    return False


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
    if are_ready and _passes(minutes, rollout):
        return
    _run_out(minutes, rollout)


def _passes(minutes: Minutes, rollout: Rollout) -> bool:
    """Enters the next phase, or asks an operator, if this one is passed."""
    match rollout.phase:
        case Phase.WAITING:
            reason = (
                f"version {rollout.candidate} is ready beside version {rollout.baseline}; it is validated"
            )
            minutes.move(rollout, Trigger.LOADED, reason)
            return True
        case Phase.VALIDATING:
            return _pass_validation(minutes, rollout)
        case Phase.SHADOWING:
            return _pass_shadow(minutes, rollout)
        case Phase.RAMPING:
            return _pass_step(minutes, rollout)
        case Phase.WATCHING | Phase.PROMOTED | Phase.ROLLED_BACK | Phase.ENDED:
            raise AssertionError(f"{rollout.id} is {rollout.phase.value}")
        case _:
            assert_never(rollout.phase)


def _pass_validation(minutes: Minutes, rollout: Rollout) -> bool:
    outcome = minutes.situation.validation
    if outcome is None or outcome.candidate.version != rollout.candidate or not outcome.passed:
        return False
    shadow = rollout.plan.shadow
    if shadow is None:
        return _leave_for_traffic(minutes, rollout, outcome.sentence)
    reason = f"{outcome.sentence}; it runs {percent(shadow.share)} of the requests, unseen"
    minutes.move(with_traffic(minutes, rollout), Trigger.SHADOW_BEGUN, reason)
    return True


def _pass_shadow(minutes: Minutes, rollout: Rollout) -> bool:
    shadow, compared = rollout.plan.shadow, rollout.evidence.shadow.compared
    if shadow is None or minutes.now - rollout.entered_at < shadow.dwell_s or compared < shadow.requests:
        return False
    if _finding(rollout) in ADVERSE:
        return False
    return _leave_for_traffic(minutes, rollout, f"{compared} shadow requests show no harm")


def _leave_for_traffic(minutes: Minutes, rollout: Rollout, reason: str) -> bool:
    """To the first step; a plan without steps has said that what was seen so far is enough."""
    if rollout.plan.steps:
        next_step(minutes, 0, Trigger.RAMP_BEGUN, reason, by="rollout")
        return True
    return _promote_or_ask(minutes, rollout, f"{reason}; the plan has no steps")


def _pass_step(minutes: Minutes, rollout: Rollout) -> bool:
    step, requests = rollout.plan.steps[rollout.step], candidate_requests(rollout)
    finding = _finding(rollout)
    if minutes.now - rollout.entered_at < step.dwell_s or requests < step.requests or finding in ADVERSE:
        return False
    is_last = rollout.step == len(rollout.plan.steps) - 1
    seen = f"{requests} requests at {percent(rollout.weight)} show no harm"
    if is_last and finding is not Finding.NO_HARM:
        return False
    if step.needs_approval:
        return _ask(minutes, step, seen)
    if is_last:
        return _promote_or_ask(minutes, rollout, _sentence(rollout.judgement) or seen)
    next_step(minutes, rollout.step + 1, Trigger.STEP_PASSED, seen, by="rollout")
    return True


def _promote_or_ask(minutes: Minutes, rollout: Rollout, reason: str) -> bool:
    if rollout.plan.is_automatic:
        promote(minutes, reason)
    else:
        minutes.pause(Pause.APPROVAL, f"{reason}; the plan wants an operator to promote")
    return True


def _ask(minutes: Minutes, step: Step, seen: str) -> bool:
    minutes.pause(Pause.APPROVAL, f"{seen}; the step of {percent(step.weight)} wants an operator's approval")
    return True


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
    reason = (
        f"{plan.duration_max_s:g} s are over, and the evidence does not suffice{_needed(rollout.judgement)}"
    )
    if plan.inconclusive is Inconclusive.ROLL_BACK:
        roll_back(minutes, Fault(reason))
    else:
        minutes.pause(Pause.INCONCLUSIVE, f"{reason}; it stays at {percent(rollout.weight)}")


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


def _finding(rollout: Rollout) -> Finding:
    return Finding.UNDECIDED if rollout.judgement is None else rollout.judgement.finding


def _sentence(judgement: Judgement | None) -> str:
    return "" if judgement is None else judgement.sentence


def _needed(judgement: Judgement | None) -> str:
    """How many requests more would decide, by metric."""
    metrics = judgement.metrics if judgement is not None else ()
    open_ones = [
        f"{each.metric} needs about {each.needed} more {each.unit}"
        for each in metrics
        if each.needed and not each.is_muted and each.finding is not Finding.NO_HARM
    ]
    return f" ({', '.join(open_ones)})" if open_ones else ""
