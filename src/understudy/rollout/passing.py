"""How a rollout passes from one phase to the next: what each phase asks for before it is over."""

from dataclasses import replace
from typing import assert_never

from understudy.analysis.settings import SLOW_OBJECTIVE
from understudy.analysis.verdict import Finding
from understudy.rollout.durations import dwelt_s
from understudy.rollout.ends import promote
from understudy.rollout.gathering import candidate_requests
from understudy.rollout.minutes import ROLLOUT, Minutes, first_buckets, percent
from understudy.rollout.phases import Trigger
from understudy.rollout.plan import Step
from understudy.rollout.state import Pause, Phase, Rollout

ADVERSE = frozenset({Finding.HARM, Finding.SUSPICION})


def passes(minutes: Minutes, rollout: Rollout) -> bool:
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


def next_step(minutes: Minutes, index: int, trigger: Trigger, reason: str, *, by: str) -> None:
    """The candidate answers the share of the plan's step of this index."""
    rollout = minutes.present()
    steps = rollout.plan.steps
    weight = steps[index].weight
    ramping = replace(
        _with_traffic(minutes, rollout),
        step=index,
        weight=weight,
        ranges=first_buckets(rollout.candidate, weight),
        thresholds_s=slow_thresholds(minutes, rollout),
    )
    share = f"version {rollout.candidate} answers {percent(weight)} (step {index + 1} of {len(steps)})"
    minutes.move(ramping, trigger, f"{reason}; {share}", by=by)


def _with_traffic(minutes: Minutes, rollout: Rollout) -> Rollout:
    """The rollout in a new epoch of its traffic, which may be its first."""
    rollout = replace(rollout, epoch=rollout.epoch + 1)
    if rollout.traffic_at is not None:
        return rollout
    return replace(rollout, traffic_at=minutes.now, uncounted_s=0.0)


def slow_thresholds(minutes: Minutes, rollout: Rollout) -> tuple[tuple[str, float], ...]:
    """Latency thresholds that the plan's metrics ask for: those that are fixed, and what is known beyond."""
    asked = {metric.name for metric in rollout.plan.analysis.metrics}
    known = {name: after_s for name, after_s in minutes.situation.thresholds_s if name in asked}
    if rollout.plan.slow_after_s is not None:
        known[SLOW_OBJECTIVE] = rollout.plan.slow_after_s
    return tuple((known | dict(rollout.thresholds_s)).items())


def _pass_validation(minutes: Minutes, rollout: Rollout) -> bool:
    outcome = minutes.situation.validation
    if outcome is None or outcome.candidate.version != rollout.candidate or not outcome.passed:
        return False
    shadow = rollout.plan.shadow
    if shadow is None:
        return _leave_for_traffic(minutes, rollout, outcome.sentence)
    reason = f"{outcome.sentence}; it runs {percent(shadow.share)} of the requests, unseen"
    minutes.move(_with_traffic(minutes, rollout), Trigger.SHADOW_BEGUN, reason)
    return True


def _pass_shadow(minutes: Minutes, rollout: Rollout) -> bool:
    shadow, compared = rollout.plan.shadow, rollout.evidence.shadow.compared
    if shadow is None or dwelt_s(rollout, minutes.now) < shadow.dwell_s or compared < shadow.requests:
        return False
    if _finding(rollout) in ADVERSE:
        return False
    return _leave_for_traffic(minutes, rollout, f"{compared} shadow requests show no harm")


def _leave_for_traffic(minutes: Minutes, rollout: Rollout, reason: str) -> bool:
    """To the first step; a plan without steps has said that what was seen so far is enough."""
    if rollout.plan.steps:
        next_step(minutes, 0, Trigger.RAMP_BEGUN, reason, by=ROLLOUT)
        return True
    return _promote_or_ask(minutes, rollout, f"{reason}; the plan has no steps")


def _pass_step(minutes: Minutes, rollout: Rollout) -> bool:
    step, requests = rollout.plan.steps[rollout.step], candidate_requests(rollout)
    finding = _finding(rollout)
    if dwelt_s(rollout, minutes.now) < step.dwell_s or requests < step.requests or finding in ADVERSE:
        return False
    is_last = rollout.step == len(rollout.plan.steps) - 1
    judged = rollout.judgement.sentence if rollout.judgement is not None else ""
    seen = f"{requests} requests at {percent(rollout.weight)} show no harm"
    if is_last and finding is not Finding.NO_HARM:
        return False
    if step.needs_approval:
        return _ask(minutes, step, seen)
    if is_last:
        return _promote_or_ask(minutes, rollout, judged or seen)
    next_step(minutes, rollout.step + 1, Trigger.STEP_PASSED, seen, by=ROLLOUT)
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


def _finding(rollout: Rollout) -> Finding:
    return Finding.UNDECIDED if rollout.judgement is None else rollout.judgement.finding
