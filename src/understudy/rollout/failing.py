"""What takes a candidate back: its load, its validation, the evidence, its files."""

from understudy.analysis.verdict import Finding
from understudy.rollout.ends import Fault, roll_back
from understudy.rollout.minutes import Minutes
from understudy.rollout.state import Pause, Phase, Rollout


def fails(minutes: Minutes) -> bool:
    """Rolls back if there is a reason to. Pauses do not keep a candidate from failing."""
    rollout, situation = minutes.present(), minutes.situation
    fault = find_fault(minutes, rollout)
    if fault is None:
        return False
    if rollout.phase is Phase.WATCHING and not situation.is_ready(rollout.baseline):
        return _cannot_go_back(minutes, rollout, fault)
    roll_back(minutes, fault)
    return True


def find_fault(minutes: Minutes, rollout: Rollout) -> Fault | None:
    """The first reason for rolling back that there is; none: none."""
    situation, candidate = minutes.situation, rollout.candidate
    given_up = situation.given_up(candidate)
    if given_up is not None:
        return Fault(f"version {candidate} could not be loaded: {given_up.failure or given_up.reason}")
    if rollout.found_at is not None and situation.is_missing(candidate):
        return Fault(f"the files of version {candidate} were deleted", quarantines=False)
    outcome = situation.validation
    if (
        rollout.phase is Phase.VALIDATING
        and outcome is not None
        and outcome.candidate.version == candidate
        and not outcome.passed
    ):
        return Fault(f"version {candidate} {outcome.sentence}")
    return _find_harm(rollout)


def _find_harm(rollout: Rollout) -> Fault | None:
    """A split that is broken makes comparisons worthless, but not the limits without statistics."""
    judgement = rollout.judgement
    if judgement is None or judgement.finding is not Finding.HARM:
        return None
    if judgement.is_split_broken and not judgement.guards:
        return None
    return Fault(judgement.sentence or f"version {rollout.candidate} does harm")


def _cannot_go_back(minutes: Minutes, rollout: Rollout, fault: Fault) -> bool:
    """The promoted version fails, and there is nothing to go back to: an operator is told, once."""
    if rollout.pause is Pause.BASELINE_GONE:
        return True
    reason = (
        f"{fault.reason}; but version {rollout.baseline} does not serve either, so that version "
        f"{rollout.candidate} goes on; it is taken back as soon as version {rollout.baseline} serves"
    )
    minutes.pause(Pause.BASELINE_GONE, reason)
    return True
