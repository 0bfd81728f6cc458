"""What a rollout waits for, in words. Pure: it decides nothing, and says what the core would decide on."""

from collections.abc import Iterator
from math import ceil
from typing import Final

from understudy.admin.rollouts import RolloutHeadView, RolloutView, TrafficView
from understudy.analysis.verdict import Finding, Judgement
from understudy.evidence import ShadowCounts
from understudy.rollout.durations import counted_s, dwelt_s
from understudy.rollout.gathering import candidate_requests
from understudy.rollout.shortage import describe_few_users
from understudy.rollout.state import ENDS, Pause, Phase, Rollout

TELLING_MIN: Final = 10
"""Mirrored requests: what fewer came to says nothing."""


def list_waits(rollout: Rollout, now: float) -> tuple[str, ...]:
    """What is missing before a rollout goes on, a phrase each; empty: it has ended."""
    if rollout.phase in ENDS:
        return ()
    if rollout.pause is not None:
        return (_describe_pause(rollout, rollout.pause),)
    return tuple(_list_waits(rollout, now))


def show_percent(weight: int) -> str:
    """A share in hundredths of a per cent: `5 %`, `0.25 %`."""
    return f"{weight / 100:g} %"


def describe_phase(rollout: RolloutView | RolloutHeadView) -> str:
    """Where it is, and why it does not go on: `ramping, step 2 of 4, held: approval`."""
    said = rollout.phase.value.replace("_", " ")
    if rollout.step:
        said += f", step {rollout.step} of {rollout.steps}"
    return said if rollout.pause is None else f"{said}, held: {rollout.pause.value.replace('_', ' ')}"


def describe_shares(traffic: TrafficView) -> str:
    """Who answers what: `version 1 answers 95 %, version 2 5 %`."""
    return ", ".join(
        f"version {each.version} {'' if place else 'answers '}{show_percent(each.weight)}"
        for place, each in enumerate(traffic.shares)
    )


def _describe_pause(rollout: Rollout, pause: Pause) -> str:
    model = rollout.model
    match pause:
        case Pause.OPERATOR:
            return f"`understudy rollout resume {model}`: an operator paused it"
        case Pause.APPROVAL:
            return f"`understudy rollout approve {model}`: the step is passed"
        case Pause.INCONCLUSIVE:
            is_unseen = rollout.phase is Phase.SHADOWING
            return (
                f"an operator: its time is up, and the evidence says neither; `understudy rollout promote "
                f"{model}`, `abort {model}`, or `resume {model}` to give it more time"
                f"{_explain_uncompared(rollout.evidence.shadow) if is_unseen else ''}"
            )
        case Pause.BROKEN_SPLIT:
            return (
                "an operator: the counts do not fit the weights, so nothing that was counted can be trusted; "
                f"`understudy rollout abort {model}`, or `resume {model}` when the cause is gone"
            )
        case Pause.BASELINE_GONE:
            return f"version {rollout.baseline} to serve again: there is nothing to compare with"


def _list_waits(rollout: Rollout, now: float) -> Iterator[str]:
    elapsed_s = dwelt_s(rollout, now)
    match rollout.phase:
        case Phase.WAITING:
            yield f"version {rollout.candidate} to be ready"
        case Phase.VALIDATING:
            yield f"version {rollout.candidate} to pass validation"
        case Phase.SHADOWING:
            yield from _list_shadow(rollout, elapsed_s)
        case Phase.RAMPING:
            yield from _list_step(rollout, elapsed_s)
        case Phase.WATCHING:
            left_s = rollout.plan.keep_baseline_s - counted_s(rollout, now)
            undo = f"`understudy rollout undo {rollout.model}`"
            yield f"{_seconds(left_s)} more of watching; until then {undo} is instant"
        case Phase.PROMOTED | Phase.ROLLED_BACK | Phase.ENDED:
            return


def _list_shadow(rollout: Rollout, elapsed_s: float) -> Iterator[str]:
    stage = rollout.plan.shadow
    if stage is None:
        return
    yield from _list_dwell(stage.dwell_s - elapsed_s)
    missing = stage.requests - rollout.evidence.shadow.compared
    if missing > 0:
        yield f"{missing} more compared requests{_explain_uncompared(rollout.evidence.shadow)}"
    yield from _list_suspicions(rollout.judgement)


def _explain_uncompared(shadow: ShadowCounts) -> str:
    """Why compared requests stay away, where most of those that were mirrored are none."""
    if shadow.mirrored < TELLING_MIN:
        return ""
    if shadow.shed > shadow.compared:
        return (
            f": {shadow.shed:,} of {shadow.mirrored:,} mirrored ones were shed, because the server had no "
            "room for them; it has more at quieter hours, or start again with --no-shadow"
        )
    if shadow.incomparable > shadow.compared:
        return (
            f": {shadow.incomparable:,} of {shadow.mirrored:,} mirrored ones are none that the candidate can "
            "be asked; if clients are to change with it, start again with --no-shadow"
        )
    return ""


def _list_step(rollout: Rollout, elapsed_s: float) -> Iterator[str]:
    step = rollout.plan.steps[rollout.step]
    yield from _list_dwell(step.dwell_s - elapsed_s)
    missing = step.requests - candidate_requests(rollout)
    if missing > 0:
        yield f"{missing} more requests of version {rollout.candidate}"
    yield from _list_suspicions(rollout.judgement)
    if rollout.step < len(rollout.plan.steps) - 1:
        return
    yield from _list_undecided(rollout.judgement)


def _list_dwell(left_s: float) -> Iterator[str]:
    if left_s > 0:
        yield f"{_seconds(left_s)} more"


def _list_suspicions(judgement: Judgement | None) -> Iterator[str]:
    for metric in judgement.metrics if judgement else ():
        if metric.finding is Finding.SUSPICION and not metric.is_muted:
            yield f"{metric.metric} to be above suspicion"


def _list_undecided(judgement: Judgement | None) -> Iterator[str]:
    """Promotion needs more than the absence of harm: each metric must be seen to be harmless."""
    if judgement is None:
        yield "evidence"
        return
    for metric in judgement.metrics:
        if metric.finding is Finding.UNDECIDED and not metric.is_muted:
            needed = "" if metric.needed is None else f": about {metric.needed:,} more {metric.unit}"
            yield f"{metric.metric} to be decided{needed}"
    users = describe_few_users(judgement)
    if users:
        yield users


def _seconds(seconds: float) -> str:
    """Rounded up, so that what is left is never 0."""
    left = max(1, ceil(seconds))
    return f"{left} s" if left < 120 else f"{left // 60} min"
