"""How a rollout begins: ordered by an operator, or by a model's strategy."""

from dataclasses import replace

from understudy.errors import Code, ConfigError
from understudy.evidence import Evidence
from understudy.rollout.commands import Start
from understudy.rollout.consequences import kept_versions
from understudy.rollout.minutes import STRATEGY, Minutes
from understudy.rollout.names import name_rollout, name_salt
from understudy.rollout.plan import Plan
from understudy.rollout.refusals import check_configured, refused, where
from understudy.rollout.state import Phase, Rollout
from understudy.rollout.upkeep import describe_lost, newest_version


def begin(minutes: Minutes, baseline: int, candidate: int, plan: Plan, *, by: str) -> None:
    """A rollout is the present one. It has no traffic yet."""
    situation, number = minutes.situation, minutes.traffic.rollouts + 1
    model = situation.model
    rollout_id = name_rollout(model, candidate, number)
    minutes.traffic = replace(minutes.traffic, rollouts=number)
    minutes.declare()
    minutes.begin(
        Rollout(
            id=rollout_id,
            model=model,
            baseline=baseline,
            candidate=candidate,
            plan=plan,
            salt=name_salt(model, candidate),
            asked_by=by,
            phase=Phase.WAITING,
            started_at=minutes.now,
            entered_at=minutes.now,
            reason=f"version {candidate} is to take the place of version {baseline}",
            evidence=Evidence(trial=rollout_id),
            newest=max(baseline, candidate, *situation.found),
        )
    )


def begin_by_strategy(minutes: Minutes) -> None:
    """The newest version that was never served is rolled out, if the model's strategy says so."""
    traffic, situation = minutes.traffic, minutes.situation
    strategy, stable = situation.strategy, traffic.stable
    if strategy is None or not strategy.starts_itself or not situation.is_recorded:
        return
    if traffic.rollout is not None or traffic.weights is not None or stable is None:
        return
    newest = newest_version(minutes)
    if newest is None or newest <= max(stable, traffic.highest or stable) or not situation.is_ready(stable):
        return
    begin(minutes, stable, newest, strategy.plan, by=STRATEGY)


def order_start(minutes: Minutes, command: Start, *, by: str) -> None:
    """An operator rolls a version out.

    Raises:
        ConfigError: it cannot be.
    """
    traffic, situation, candidate = minutes.traffic, minutes.situation, command.candidate
    check_configured(minutes)
    _check_alone(minutes)
    model = situation.model
    if candidate < 0:
        raise ConfigError(Code.INVALID_ARGUMENT, f"{candidate} is no version")
    if candidate in traffic.quarantined:
        raise refused(
            f"Version {candidate} of {model} is in quarantine: {traffic.quarantined[candidate].reason}. "
            f"Release it first: `understudy quarantine release {model} {candidate}`."
        )
    serving = situation.default_version if traffic.stable is None else traffic.stable
    if traffic.stable is not None and situation.is_lost(traffic.stable):
        raise refused(
            f"Version {candidate} of {model} cannot be rolled out: {describe_lost(minutes, traffic.stable)}."
        )
    if serving is None or not situation.is_ready(serving):
        raise refused(
            f"No version of {model} serves, so there is none to compare version {candidate} with. The first "
            "version needs no rollout; see `understudy why`."
        )
    if serving not in situation.found | kept_versions(traffic, situation):
        raise refused(
            f"The files of version {serving} of {model} are gone, and it serves only until another is "
            "ready: there is nothing to go back to. Bring them back first."
        )
    if candidate == serving:
        raise refused(
            f"Version {candidate} of {model} serves already. Order a rollout before its version is "
            "published, or give the model a strategy, and new versions wait."
        )
    if command.baseline not in {None, serving}:
        raise refused(
            f"Version {serving} of {model} serves, and not {command.baseline}: a rollout begins from "
            "what serves."
        )
    strategy = situation.strategy
    plan = command.plan or (strategy.plan if strategy is not None else Plan())
    minutes.traffic = replace(traffic, yielded=())
    begin(minutes, serving, candidate, plan, by=by)


def _check_alone(minutes: Minutes) -> None:
    rollout, weights, model = minutes.traffic.rollout, minutes.traffic.weights, minutes.situation.model
    if rollout is not None:
        raise ConfigError(
            Code.ALREADY_EXISTS,
            f"{model} has a rollout, {rollout.id}; it is {where(rollout)}. A model has one at a time: "
            "let it end, or abort it.",
        )
    if weights is not None:
        raise refused(
            f"The traffic of {model} is split by hand. Clear that first: `understudy traffic clear {model}`."
        )
