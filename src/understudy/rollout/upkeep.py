"""What is looked after between rollouts: what the configuration says anew, the stable version, weights."""

from dataclasses import replace

from understudy.lifecycle.aspire import Overlay, aspired_versions
from understudy.model_config import Specific
from understudy.rollout.consequences import held_versions, overlaid_labels, weighted_versions
from understudy.rollout.ends import overrule
from understudy.rollout.minutes import CONFIGURATION, STRATEGY, Minutes
from understudy.rollout.state import Declared, Phase, Rollout


def follow_configuration(minutes: Minutes) -> None:
    """Another word of the configuration comes after what is kept here: what contradicts it, gives way."""
    config, before = minutes.situation.config, minutes.traffic.declared
    if config is None:
        forget(minutes, f"the configuration no longer names {minutes.situation.model}")
        return
    if before is None:
        return
    minutes.declare()
    said = minutes.traffic.declared
    if said is None or said == before:
        return
    if said.base_path != before.base_path:
        forget(minutes, f"the configuration moves the model from {before.base_path} to {said.base_path}")
        return
    if said.policy != before.policy:
        _follow_policy(minutes, said)
    if said.labels != before.labels:
        _follow_labels(minutes, before, said)


def forget(minutes: Minutes, reason: str) -> None:
    """Nothing but quarantine is kept: numbers mean other versions now, or none."""
    traffic = minutes.traffic
    if traffic.rollout is not None:
        overrule(minutes, reason)
    if traffic.weights is not None:
        clear_weights(minutes, reason)
    if traffic.declared is None:
        return
    minutes.is_urgent = True
    stable = minutes.traffic.stable
    minutes.traffic = replace(
        minutes.traffic, stable=None, highest=None, declared=None, yielded=(), waiting=None
    )
    reason = f"{reason}: which versions serve, and which are new, is decided anew"
    minutes.note("stable_forgotten", reason, by=CONFIGURATION, version=stable)


def clear_weights(minutes: Minutes, reason: str, *, by: str = CONFIGURATION) -> None:
    """The default version answers everything again."""
    minutes.is_urgent = minutes.is_urgent or by == CONFIGURATION
    minutes.traffic = replace(minutes.traffic, weights=None)
    minutes.note("weights_cleared", reason, by=by)


def _follow_policy(minutes: Minutes, said: Declared) -> None:
    """A policy that names versions, and not those that serve, is an order to serve what it names."""
    config, rollout = minutes.situation.config, minutes.traffic.rollout
    reason = f"the configuration's version policy is `{said.policy}` now"
    if config is None or not isinstance(config.version_policy, Specific):
        if rollout is not None:
            _adapt(minutes, rollout, f"{reason}; the rollout goes on, and what it needs stays loaded")
        return
    named = set(config.version_policy.versions)
    if rollout is not None:
        needed = (
            {rollout.candidate} if rollout.phase is Phase.WATCHING else {rollout.baseline, rollout.candidate}
        )
        if needed <= named:
            _adapt(minutes, rollout, f"{reason}, which names both versions; the rollout goes on")
        else:
            overrule(minutes, f"{reason}, which does not name {_list(needed - named)}")
    weights = minutes.traffic.weights
    if weights is not None and not weighted_versions(weights) <= named:
        clear_weights(minutes, f"{reason}, which does not name {_list(weighted_versions(weights) - named)}")
    stable = minutes.traffic.stable
    if stable is None or stable in named:
        return
    minutes.is_urgent = True
    allowed = named - set(minutes.traffic.quarantined)
    if allowed:
        minutes.settle_on(
            max(allowed), "stable_moved", f"{reason}: it leaves out version {stable}", by=CONFIGURATION
        )
    else:
        minutes.traffic = replace(minutes.traffic, stable=None)
        minutes.note(
            "stable_forgotten", f"{reason}: it leaves nothing to serve", by=CONFIGURATION, version=stable
        )


def _adapt(minutes: Minutes, rollout: Rollout, reason: str) -> None:
    minutes.tell(replace(rollout, reason=reason), "rollout_adapted", reason, by=CONFIGURATION)


def _follow_labels(minutes: Minutes, before: Declared, said: Declared) -> None:
    """A label that the configuration assigns anew is its own, until an operator starts a rollout."""
    were, ours = dict(before.labels), dict(overlaid_labels(minutes.traffic))
    yielded = set(minutes.traffic.yielded) & dict(said.labels).keys()
    for label in sorted(set(minutes.traffic.yielded) - yielded):
        reason = f"the configuration no longer assigns label {label}: it follows rollouts again"
        minutes.note("label_returned", reason, by=CONFIGURATION)
    for label, to in said.labels:
        if were.get(label) == to or ours.get(label) in {None, to}:
            continue
        yielded.add(label)
        reason = (
            f"the configuration assigns label {label} to version {to}: it leads there from now on, and no "
            f"longer to version {ours[label]}"
        )
        minutes.note("label_yielded", reason, by=CONFIGURATION, version=to)
    if yielded != set(minutes.traffic.yielded):
        minutes.is_urgent = True
        minutes.traffic = replace(minutes.traffic, yielded=tuple(sorted(yielded)))


def newest_version(minutes: Minutes) -> int | None:
    """The newest that the policy chooses of what is there and not in quarantine; none: none."""
    config, look = minutes.situation.config, minutes.situation.look
    if config is None or look is None:
        return None
    overlay = Overlay(quarantined=frozenset(minutes.traffic.quarantined))
    chosen = aspired_versions(config.version_policy, look.versions, overlay)
    return max((each.version for each in chosen), default=None)


def keep_stable(minutes: Minutes) -> None:
    """Between rollouts: which version is the stable one."""
    if minutes.traffic.rollout is not None:
        return
    stable, situation = minutes.traffic.stable, minutes.situation
    if stable is None:
        default = situation.default_version
        if situation.strategy is not None and default in situation.found and situation.is_ready(default):
            reason = (
                "the model is managed, and this version serves: newer ones serve when a rollout promotes them"
            )
            minutes.settle_on(default, "stable_set", reason, by=STRATEGY)
            _respect_labels(minutes)
        return
    newest = newest_version(minutes)
    is_newer = newest is not None and newest > (minutes.traffic.highest or stable)
    if situation.strategy is None and newest is not None and is_newer:
        if situation.is_ready(newest) and minutes.traffic.weights is None:
            reason = f"the version policy chose it in place of version {stable}: the model is not managed"
            minutes.settle_on(newest, "stable_moved", reason, by=CONFIGURATION)
    elif situation.is_missing(stable):
        _replace_missing(minutes, stable)


def _respect_labels(minutes: Minutes) -> None:
    """Labels that the configuration has set otherwise before there was any rollout are its own."""
    declared, ours = minutes.traffic.declared, dict(overlaid_labels(minutes.traffic))
    labels = declared.labels if declared is not None else ()
    own = tuple(label for label, to in labels if ours.get(label) not in {None, to})
    minutes.traffic = replace(minutes.traffic, yielded=own)


def _replace_missing(minutes: Minutes, stable: int) -> None:
    """Its files were deleted: a lower version takes its place, or else, if managed, it stays in memory."""
    lower = lower_version(minutes, stable)
    if lower is not None:
        reason = f"version {stable} is no longer there: the next lower one takes its place"
        minutes.settle_on(lower, "stable_moved", reason, by=CONFIGURATION)
    elif minutes.situation.strategy is None:
        minutes.traffic = replace(minutes.traffic, stable=None)
        reason = "it is no longer there, and no lower version is: the version policy decides what serves"
        minutes.note("stable_forgotten", reason, by=CONFIGURATION, version=stable)


def lower_version(minutes: Minutes, version: int) -> int | None:
    """The highest below it that is there and not in quarantine; none: none."""
    lower = (each for each in minutes.situation.found if each < version)
    return max((each for each in lower if each not in minutes.traffic.quarantined), default=None)


def look_after_weights(minutes: Minutes) -> None:
    """Tells when a version with a weight does not answer, and when it does again."""
    weights, situation = minutes.traffic.weights, minutes.situation
    if weights is None:
        return
    versions = weighted_versions(weights)
    was = set(weights.lost)
    back = {each for each in was if situation.is_ready(each)}
    gone = {each for each in versions - was if situation.is_lost(each)}
    for version in sorted(gone):
        instead = (
            "the highest ready version answers"
            if version == weights.default
            else f"version {weights.default} answers"
        )
        reason = f"it has a weight and does not serve: {instead} its requests meanwhile"
        minutes.note("weights_fallback", reason, by=CONFIGURATION, version=version)
    for version in sorted(back):
        minutes.note(
            "weights_restored", "it serves again, and has its weight", by=CONFIGURATION, version=version
        )
    if gone or back:
        lost = tuple(sorted((was | gone) - back))
        minutes.traffic = replace(minutes.traffic, weights=replace(weights, lost=lost))


def tell_waiting(minutes: Minutes) -> None:
    """Tells, once, that the newest version has to wait, and for what."""
    newest = newest_version(minutes)
    is_held = newest is not None and newest in held_versions(minutes.traffic, minutes.situation)
    waiting = newest if is_held else None
    if waiting == minutes.traffic.waiting:
        return
    if waiting is not None:
        minutes.note("version_waiting", _why_waiting(minutes, waiting), by=STRATEGY, version=waiting)
    minutes.traffic = replace(minutes.traffic, waiting=waiting)


def _why_waiting(minutes: Minutes, version: int) -> str:
    traffic, strategy = minutes.traffic, minutes.situation.strategy
    if traffic.rollout is not None:
        return f"it is there, and waits for the end of rollout {traffic.rollout.id}"
    if traffic.weights is not None:
        return "it is there, and waits: traffic is split by hand, until `understudy traffic clear`"
    if strategy is not None and strategy.starts_itself and version > (traffic.highest or 0):
        return f"it is there, and its rollout begins when version {traffic.stable} is ready"
    return f"it is there, and waits for `understudy rollout start {minutes.situation.model} --to {version}`"


def _list(versions: set[int] | frozenset[int]) -> str:
    return " and ".join(str(each) for each in sorted(versions))
