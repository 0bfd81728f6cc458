"""What an operator orders: taken, or refused with what to do."""

from dataclasses import replace
from typing import Final, assert_never

from understudy.errors import Code, ConfigError
from understudy.evidence import Evidence
from understudy.rollout.begin import order_start
from understudy.rollout.commands import (
    Abort,
    Approve,
    ClearWeights,
    Command,
    Promote,
    Quarantine,
    Release,
    Resume,
    SetWeights,
    Start,
    Undo,
)
from understudy.rollout.commands import Pause as PauseOrder
from understudy.rollout.durations import unpaused
from understudy.rollout.ends import Fault, promote, roll_back
from understudy.rollout.minutes import Minutes
from understudy.rollout.passing import next_step
from understudy.rollout.phases import Trigger
from understudy.rollout.quarantine import put_in_quarantine, release
from understudy.rollout.refusals import check_configured, check_ready, refused, where
from understudy.rollout.state import Pause, Phase, Rollout
from understudy.rollout.weighing import clear_weights, set_weights

REASON_LENGTH_MAX: Final = 1_000
"""Of what an operator says, in letters: it is kept with the version for as long as that is in quarantine."""


def take_order(minutes: Minutes, command: Command, *, by: str) -> None:
    """Carries it out.

    Raises:
        ConfigError: it cannot be done, and nothing has changed.
    """
    if isinstance(command, Abort | Quarantine) and len(command.reason) > REASON_LENGTH_MAX:
        raise ConfigError(
            Code.INVALID_ARGUMENT,
            f"the reason is too long: {len(command.reason)} of {REASON_LENGTH_MAX} letters",
        )
    match command:
        case Start():
            order_start(minutes, command, by=by)
        case PauseOrder():
            _pause(minutes, by)
        case Resume():
            _resume(minutes, by)
        case Approve():
            _approve(minutes, by)
        case Promote():
            _promote(minutes, by)
        case Abort():
            _abort(minutes, command, by)
        case Undo():
            _undo(minutes, by)
        case SetWeights() | ClearWeights() | Quarantine() | Release():
            _order_versions(minutes, command, by)
        case _:
            assert_never(command)


def _order_versions(
    minutes: Minutes, command: SetWeights | ClearWeights | Quarantine | Release, by: str
) -> None:
    """Orders that are about versions, and not about a rollout."""
    match command:
        case SetWeights() | ClearWeights():
            _weigh(minutes, command, by)
        case Quarantine():
            _quarantine(minutes, command, by)
        case Release(version=version):
            release(minutes, version, by=by)
        case _:
            assert_never(command)


def _pause(minutes: Minutes, by: str) -> None:
    rollout = _rollout(minutes)
    if rollout.pause is not None:
        raise refused(f"Rollout {rollout.id} is paused already: {rollout.reason}")
    minutes.pause(Pause.OPERATOR, "an operator paused it; harm still rolls it back", by=by)


def _resume(minutes: Minutes, by: str) -> None:
    rollout = _rollout(minutes)
    match rollout.pause:
        case None:
            raise refused(f"Rollout {rollout.id} is not paused.")
        case Pause.APPROVAL:
            raise refused(f"Rollout {rollout.id} waits for approval: `understudy rollout approve`.")
        case Pause.BASELINE_GONE:
            raise refused(
                f"Rollout {rollout.id} goes on by itself when version {rollout.baseline} serves again. To go "
                "on without it, promote or abort."
            )
        case Pause.OPERATOR:
            reason = "an operator lets it go on"
        case Pause.INCONCLUSIVE:
            rollout = _granted(rollout, minutes.now)
            reason = "an operator gives it as much time again"
        case Pause.BROKEN_SPLIT:
            rollout = _without_evidence(rollout)
            reason = "an operator lets it go on; what was counted before is no evidence"
        case _:
            assert_never(rollout.pause)
    resumed = replace(unpaused(rollout, minutes.now), reason=reason)
    minutes.tell(resumed, "rollout_resumed", reason, by=by)


def _granted(rollout: Rollout, now: float) -> Rollout:
    """All the time so far does not count."""
    begun_at = rollout.started_at if rollout.traffic_at is None else rollout.traffic_at
    return replace(rollout, paused_at=None, uncounted_s=now - begun_at)


def _without_evidence(rollout: Rollout) -> Rollout:
    """Counting begins anew, in a new epoch."""
    epoch = rollout.epoch + 1
    evidence = Evidence(trial=rollout.id, shadow=rollout.evidence.shadow)
    return replace(rollout, epoch=epoch, evidence_from=epoch, evidence=evidence, judgement=None)


def _approve(minutes: Minutes, by: str) -> None:
    rollout = _rollout(minutes)
    if rollout.pause is not Pause.APPROVAL:
        raise refused(f"Rollout {rollout.id} waits for no approval; it is {where(rollout)}.")
    check_ready(minutes, rollout, rollout.baseline)
    check_ready(minutes, rollout, rollout.candidate)
    if rollout.phase is Phase.RAMPING and rollout.step < len(rollout.plan.steps) - 1:
        next_step(minutes, rollout.step + 1, Trigger.STEP_PASSED, "an operator approved the step", by=by)
    else:
        promote(minutes, "an operator approved it", by=by, trigger=Trigger.PROMOTED)


def _promote(minutes: Minutes, by: str) -> None:
    rollout = _rollout(minutes)
    check_ready(minutes, rollout, rollout.candidate)
    if rollout.phase is Phase.WATCHING:
        reason = f"an operator ends the watch; version {rollout.baseline} is let go"
        minutes.move(rollout, Trigger.PROMOTED, reason, by=by)
    else:
        said = rollout.judgement.sentence if rollout.judgement is not None else "nothing was counted"
        promote(minutes, f"an operator promoted it ({said})", by=by, trigger=Trigger.PROMOTED)


def _abort(minutes: Minutes, command: Abort, by: str) -> None:
    _rollout(minutes)
    _take_back(minutes, command.reason or "an operator aborted it", quarantines=command.quarantines, by=by)


def _undo(minutes: Minutes, by: str) -> None:
    rollout = _rollout(minutes)
    if rollout.phase is not Phase.WATCHING:
        raise refused(
            f"Rollout {rollout.id} has promoted nothing yet; it is {where(rollout)}. To take it back: "
            "`understudy rollout abort`."
        )
    _take_back(minutes, "an operator took the promotion back", quarantines=True, by=by)


def _take_back(minutes: Minutes, reason: str, *, quarantines: bool, by: str) -> None:
    """Rolls back, if there is something to go back to."""
    rollout = minutes.present()
    if rollout.phase is Phase.WATCHING:
        check_ready(minutes, rollout, rollout.baseline)
    fault = Fault(reason, quarantines, passed_over=rollout.found_at is not None and not quarantines)
    roll_back(minutes, fault, by=by, trigger=Trigger.ABORTED)


def _weigh(minutes: Minutes, command: SetWeights | ClearWeights, by: str) -> None:
    check_configured(minutes)
    rollout = minutes.traffic.rollout
    if rollout is not None:
        raise refused(
            f"Rollout {rollout.id} splits the traffic of {rollout.model}; it is {where(rollout)}. Abort it "
            "first, or let it end."
        )
    if isinstance(command, SetWeights):
        set_weights(minutes, command.weights, by=by)
    elif minutes.traffic.weights is None:
        raise refused(
            f"The traffic of {minutes.situation.model} is not split by hand: there is nothing to clear."
        )
    else:
        clear_weights(minutes, "an operator cleared them: the default version answers everything", by=by)


def _quarantine(minutes: Minutes, command: Quarantine, by: str) -> None:
    rollout, version = minutes.traffic.rollout, command.version
    if rollout is not None and version == rollout.candidate:
        _take_back(minutes, command.reason or "an operator put it in quarantine", quarantines=True, by=by)
        return
    if rollout is not None and version == rollout.baseline:
        raise refused(
            f"Version {version} of {rollout.model} is the baseline of rollout {rollout.id}: promote version "
            f"{rollout.candidate} or abort the rollout first."
        )
    put_in_quarantine(minutes, version, command.reason, by=by)


def _rollout(minutes: Minutes) -> Rollout:
    if minutes.traffic.rollout is None:
        model = minutes.situation.model
        raise refused(
            f"{model} has no rollout. Start one with `understudy rollout start {model} --to VERSION`."
        )
    return minutes.traffic.rollout
