"""What is looked after between rollouts: what the configuration says anew, the stable version, weights."""

from dataclasses import replace

from understudy.lifecycle.aspire import Overlay, aspired_versions
from understudy.rollout.consequences import held_versions, overlaid_labels
from understudy.rollout.minutes import CONFIGURATION, STRATEGY, Minutes


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


def describe_lost(minutes: Minutes, stable: int) -> str:
    """What can be done when the version that a managed model serves is gone: it serves nothing by itself."""
    return (
        f"version {stable}, which is to serve, does not, and there is nothing to compare with. Bring it "
        f"back, or let the version policy decide what serves: `understudy quarantine add "
        f"{minutes.situation.model} {stable}`"
    )


def _why_waiting(minutes: Minutes, version: int) -> str:
    traffic, strategy = minutes.traffic, minutes.situation.strategy
    if traffic.rollout is not None:
        return f"it is there, and waits for the end of rollout {traffic.rollout.id}"
    if traffic.weights is not None:
        return "it is there, and waits: traffic is split by hand, until `understudy traffic clear`"
    if traffic.stable is not None and minutes.situation.is_lost(traffic.stable):
        return f"it is there, and cannot be rolled out: {describe_lost(minutes, traffic.stable)}"
    if strategy is not None and strategy.starts_itself and version > (traffic.highest or 0):
        return f"it is there, and its rollout begins when version {traffic.stable} is ready"
    return f"it is there, and waits for `understudy rollout start {minutes.situation.model} --to {version}`"
