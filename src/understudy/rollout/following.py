"""What the configuration says anew comes after what is kept here: what contradicts it, gives way."""

from dataclasses import replace

from understudy.model_config import Specific
from understudy.rollout.consequences import overlaid_labels, weighted_versions
from understudy.rollout.ends import overrule
from understudy.rollout.minutes import CONFIGURATION, Minutes
from understudy.rollout.state import Declared, Phase, Rollout
from understudy.rollout.weighing import clear_weights


def follow_configuration(minutes: Minutes) -> None:
    """Another word of the configuration comes after what is kept here: what contradicts it, gives way."""
    config, before = minutes.situation.config, minutes.traffic.declared
    if config is None:
        _end(minutes, f"the configuration no longer names {minutes.situation.model}")
        return
    if before is None:
        return
    minutes.declare()
    said = minutes.traffic.declared
    if said is None or said == before:
        return
    if said.base_path != before.base_path:
        _forget(minutes, f"the configuration moves the model from {before.base_path} to {said.base_path}")
        return
    if said.policy != before.policy:
        _follow_policy(minutes, said)
    if said.labels != before.labels:
        _follow_labels(minutes, before, said)


def _end(minutes: Minutes, reason: str) -> None:
    """Nothing of the model is served. Which version was, is kept.

    A model that is back at the same place must not serve what no rollout promoted, were it taken out by
    mistake and for a minute.
    """
    if minutes.traffic.rollout is not None:
        overrule(minutes, reason)
    if minutes.traffic.weights is not None:
        clear_weights(minutes, reason)


def _forget(minutes: Minutes, reason: str) -> None:
    """Nothing but quarantine is kept: numbers mean other versions now."""
    _end(minutes, reason)
    minutes.is_urgent = True
    stable = minutes.traffic.stable
    minutes.traffic = replace(
        minutes.traffic, stable=None, highest=None, declared=None, yielded=(), waiting=None
    )
    reason = f"{reason}: which versions serve, and which are new, is decided anew"
    minutes.note("stable_forgotten", reason, by=CONFIGURATION, version=stable)


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


def _list(versions: set[int] | frozenset[int]) -> str:
    return " and ".join(str(each) for each in sorted(versions))
