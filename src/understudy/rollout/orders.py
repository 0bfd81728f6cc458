"""What an operator orders: taken, or refused with what to do."""

from dataclasses import replace
from typing import assert_never

from understudy.errors import Code, ConfigError
from understudy.evidence import Evidence
from understudy.rollout.begin import begin
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
from understudy.rollout.consequences import kept_versions
from understudy.rollout.ends import Fault, promote, roll_back
from understudy.rollout.minutes import Minutes
from understudy.rollout.phases import Trigger
from understudy.rollout.plan import Plan
from understudy.rollout.progress import next_step, unpaused
from understudy.rollout.quarantine import put_in_quarantine, release
from understudy.rollout.state import Pause, Phase, Rollout
from understudy.rollout.upkeep import clear_weights
from understudy.rollout.weighing import set_weights


def take_order(minutes: Minutes, command: Command, *, by: str) -> None:
    """Carries it out.

    Raises:
        ConfigError: it cannot be done, and nothing has changed.
    """
    match command:
        case Start():
            _start(minutes, command, by)
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


def _start(minutes: Minutes, command: Start, by: str) -> None:
    traffic, situation, candidate = minutes.traffic, minutes.situation, command.candidate
    _check_configured(minutes)
    _check_alone(minutes)
    model = situation.model
    if candidate < 0:
        raise ConfigError(Code.INVALID_ARGUMENT, f"{candidate} is no version")
    if candidate in traffic.quarantined:
        raise _refused(
            f"Version {candidate} of {model} is in quarantine: {traffic.quarantined[candidate].reason}. "
            f"Release it first: `understudy quarantine release {model} {candidate}`."
        )
    serving = situation.default_version if traffic.stable is None else traffic.stable
    if serving is None or not situation.is_ready(serving):
        raise _refused(
            f"No version of {model} serves, so there is none to compare version {candidate} with. The first "
            "version needs no rollout; see `understudy why`."
        )
    if serving not in situation.found | kept_versions(traffic, situation):
        raise _refused(
            f"The files of version {serving} of {model} are gone, and it serves only until another is "
            "ready: there is nothing to go back to. Bring them back first."
        )
    if candidate == serving:
        raise _refused(
            f"Version {candidate} of {model} serves already. Order a rollout before its version is "
            "published, or give the model a strategy, and new versions wait."
        )
    if command.baseline not in {None, serving}:
        raise _refused(
            f"Version {serving} of {model} serves, and not {command.baseline}: a rollout begins from "
            "what serves."
        )
    strategy = situation.strategy
    plan = command.plan or (strategy.plan if strategy is not None else Plan())
    minutes.traffic = replace(traffic, yielded=())
    begin(minutes, serving, candidate, plan, by=by)


def _pause(minutes: Minutes, by: str) -> None:
    rollout = _rollout(minutes)
    if rollout.pause is not None:
        raise _refused(f"Rollout {rollout.id} is paused already: {rollout.reason}")
    minutes.pause(Pause.OPERATOR, "an operator paused it; harm still rolls it back", by=by)


def _resume(minutes: Minutes, by: str) -> None:
    rollout = _rollout(minutes)
    match rollout.pause:
        case None:
            raise _refused(f"Rollout {rollout.id} is not paused.")
        case Pause.APPROVAL:
            raise _refused(f"Rollout {rollout.id} waits for approval: `understudy rollout approve`.")
        case Pause.BASELINE_GONE:
            raise _refused(
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
        raise _refused(f"Rollout {rollout.id} waits for no approval; it is {_where(rollout)}.")
    _check_ready(minutes, rollout, rollout.baseline)
    _check_ready(minutes, rollout, rollout.candidate)
    if rollout.phase is Phase.RAMPING and rollout.step < len(rollout.plan.steps) - 1:
        next_step(minutes, rollout.step + 1, Trigger.STEP_PASSED, "an operator approved the step", by=by)
    else:
        promote(minutes, "an operator approved it", by=by, trigger=Trigger.PROMOTED)


def _promote(minutes: Minutes, by: str) -> None:
    rollout = _rollout(minutes)
    _check_ready(minutes, rollout, rollout.candidate)
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
        raise _refused(
            f"Rollout {rollout.id} has promoted nothing yet; it is {_where(rollout)}. To take it back: "
            "`understudy rollout abort`."
        )
    _take_back(minutes, "an operator took the promotion back", quarantines=True, by=by)


def _take_back(minutes: Minutes, reason: str, *, quarantines: bool, by: str) -> None:
    """Rolls back, if there is something to go back to."""
    rollout = minutes.present()
    if rollout.phase is Phase.WATCHING:
        _check_ready(minutes, rollout, rollout.baseline)
    fault = Fault(reason, quarantines, passed_over=rollout.found_at is not None and not quarantines)
    roll_back(minutes, fault, by=by, trigger=Trigger.ABORTED)


def _weigh(minutes: Minutes, command: SetWeights | ClearWeights, by: str) -> None:
    _check_configured(minutes)
    rollout = minutes.traffic.rollout
    if rollout is not None:
        raise _refused(
            f"Rollout {rollout.id} splits the traffic of {rollout.model}; it is {_where(rollout)}. Abort it "
            "first, or let it end."
        )
    if isinstance(command, SetWeights):
        set_weights(minutes, command.weights, by=by)
    elif minutes.traffic.weights is None:
        raise _refused(f"{minutes.situation.model} has no weights.")
    else:
        clear_weights(minutes, "an operator cleared them: the default version answers everything", by=by)


def _quarantine(minutes: Minutes, command: Quarantine, by: str) -> None:
    rollout, version = minutes.traffic.rollout, command.version
    if rollout is not None and version == rollout.candidate:
        _take_back(minutes, command.reason or "an operator put it in quarantine", quarantines=True, by=by)
        return
    if rollout is not None and version == rollout.baseline:
        raise _refused(
            f"Version {version} of {rollout.model} is the baseline of rollout {rollout.id}: promote version "
            f"{rollout.candidate} or abort the rollout first."
        )
    put_in_quarantine(minutes, version, command.reason, by=by)


def _rollout(minutes: Minutes) -> Rollout:
    if minutes.traffic.rollout is None:
        model = minutes.situation.model
        raise _refused(
            f"{model} has no rollout. Start one with `understudy rollout start {model} --to VERSION`."
        )
    return minutes.traffic.rollout


def _check_configured(minutes: Minutes) -> None:
    if minutes.situation.config is None:
        raise ConfigError(Code.NOT_FOUND, f"There is no model {minutes.situation.model}.")


def _check_alone(minutes: Minutes) -> None:
    rollout, weights, model = minutes.traffic.rollout, minutes.traffic.weights, minutes.situation.model
    if rollout is not None:
        raise ConfigError(
            Code.ALREADY_EXISTS,
            f"{model} has a rollout, {rollout.id}; it is {_where(rollout)}. A model has one at a time: "
            "let it end, or abort it.",
        )
    if weights is not None:
        raise _refused(
            f"The traffic of {model} is split by hand. Clear that first: `understudy traffic clear {model}`."
        )


def _check_ready(minutes: Minutes, rollout: Rollout, version: int) -> None:
    if not minutes.situation.is_ready(version):
        raise _refused(
            f"Version {version} of {rollout.model} is not ready, so it cannot answer; see "
            "`understudy versions`."
        )


def _where(rollout: Rollout) -> str:
    return (
        rollout.phase.value
        if rollout.pause is None
        else f"{rollout.phase.value}, paused ({rollout.pause.value})"
    )


def _refused(message: str) -> ConfigError:
    return ConfigError(Code.FAILED_PRECONDITION, message)
