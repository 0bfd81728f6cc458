"""What follows from a model's recorded traffic: which versions live, who answers, labels, the split.

A function of what is recorded and of what is known, so that no effect can be seen that is not on record.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from understudy.lifecycle.aspire import NO_OVERLAY, Overlay
from understudy.model_config import Latest
from understudy.rollout.minutes import CANARY_LABEL, STABLE_LABEL
from understudy.rollout.names import name_weights
from understudy.rollout.plan import Plan, Strategy
from understudy.rollout.situation import Situation
from understudy.rollout.state import ModelTraffic, Pause, Phase, Rollout, Weights
from understudy.routing.traffic import BucketRange, Remembering, ShadowRoute, Traffic

NONE: frozenset[int] = frozenset()
DEFAULT_STRATEGY = Strategy()


@dataclass(frozen=True, slots=True, kw_only=True)
class Consequences:
    """What is to be of one model.

    Attributes:
        overlay: on its version policy.
        default_version: who answers requests that name neither version nor label, once it is ready; none: as
            without rollouts.
        barred: versions that must not be the default, ready or not, even if nobody else is there.
        labels: beside the configured ones, and before them.
        traffic: how requests are split; none: they are not.
    """

    overlay: Overlay = NO_OVERLAY
    default_version: int | None = None
    barred: frozenset[int] = NONE
    labels: tuple[tuple[str, int], ...] = ()
    traffic: Traffic | None = None


def consequences(traffic: ModelTraffic, situation: Situation) -> Consequences:
    """What follows from `traffic`, which is recorded, or takes a version out."""
    rollout, weights = traffic.rollout, traffic.weights
    overlay = Overlay(
        pinned=frozenset(_pinned(traffic)),
        kept=kept_versions(traffic, situation),
        held=held_versions(traffic, situation),
        quarantined=frozenset(traffic.quarantined),
    )
    if rollout is not None:
        default: int | None = rollout.candidate if rollout.phase is Phase.WATCHING else rollout.baseline
        split: Traffic | None = _split_by_rollout(rollout)
    elif weights is not None:
        default, split = weights.default, _split_by_weights(weights, situation)
    else:
        default, split = traffic.stable, None
    unfit = overlay.quarantined | _not_promoted(rollout)
    return Consequences(
        overlay=overlay,
        default_version=default,
        barred=(newer_versions(traffic, situation) - _bridging(default, situation)) | unfit,
        labels=overlaid_labels(traffic),
        traffic=split,
    )


def held_versions(traffic: ModelTraffic, situation: Situation) -> frozenset[int]:
    """Versions that are there and have to wait.

    A policy that asks for all versions, or names them, means also those that served before and do not now;
    one that asks for the latest would prefer them to what a rollout went back to.
    """
    newer, highest, config = newer_versions(traffic, situation), traffic.highest, situation.config
    if highest is None or config is None or isinstance(config.version_policy, Latest):
        return newer
    return frozenset(each for each in newer if each > highest)


def newer_versions(traffic: ModelTraffic, situation: Situation) -> frozenset[int]:
    """Versions that must not be the default.

    While a rollout lasts, whatever is newer than its baseline; of a managed model, whatever is newer than
    what serves; else only what was taken back by a rollout to a lower version.
    """
    rollout, stable = traffic.rollout, traffic.stable
    if rollout is not None:
        newer = frozenset(each for each in situation.known if each > rollout.baseline)
        return newer - {rollout.candidate}
    if stable is None:
        return NONE
    newer = frozenset(each for each in situation.known if each > stable)
    if situation.strategy is None:
        newer = frozenset(each for each in newer if each <= (traffic.highest or stable))
    return newer - (weighted_versions(traffic.weights) if traffic.weights else NONE)


def kept_versions(traffic: ModelTraffic, situation: Situation) -> frozenset[int]:
    """Versions that go on serving from memory when their files go: without them nobody would answer."""
    rollout, kept = traffic.rollout, set[int]()
    if rollout is not None:
        kept.add(rollout.baseline)
        if rollout.phase is Phase.WATCHING:
            kept.add(rollout.candidate)
    if traffic.stable is not None and situation.strategy is not None:
        kept.add(traffic.stable)
    return frozenset(kept)


def weighted_versions(weights: Weights) -> frozenset[int]:
    """The versions that answer, the default one among them."""
    return frozenset({weights.default, *(each.version for each in weights.ranges)})


def overlaid_labels(traffic: ModelTraffic) -> tuple[tuple[str, int], ...]:
    """The labels that rollouts set, sorted, but for those that the configuration has set anew."""
    rollout = traffic.rollout
    labels: dict[str, int] = {}
    if rollout is not None:
        is_promoted = rollout.phase is Phase.WATCHING
        labels[STABLE_LABEL] = rollout.candidate if is_promoted else rollout.baseline
        if rollout.phase is Phase.RAMPING:
            labels[CANARY_LABEL] = rollout.candidate
    elif traffic.stable is not None:
        labels[STABLE_LABEL] = traffic.stable
    return tuple(sorted((label, to) for label, to in labels.items() if label not in traffic.yielded))


def _pinned(traffic: ModelTraffic) -> Iterator[int]:
    if traffic.stable is not None:
        yield traffic.stable
    if traffic.rollout is not None:
        yield from (traffic.rollout.baseline, traffic.rollout.candidate)
    if traffic.weights is not None:
        yield from weighted_versions(traffic.weights)


def _not_promoted(rollout: Rollout | None) -> frozenset[int]:
    if rollout is None or rollout.phase is Phase.WATCHING:
        return NONE
    return frozenset({rollout.candidate})


def _bridging(default: int | None, situation: Situation) -> frozenset[int]:
    """Who answers now goes on until the version that is to is ready: otherwise nobody would, meanwhile."""
    serving = situation.default_version
    is_bridge = serving is not None and default is not None and not situation.is_ready(default)
    return frozenset({serving}) if serving is not None and is_bridge else NONE


def _split_by_rollout(rollout: Rollout) -> Traffic | None:
    """No split before there is traffic; no share for the candidate while it has nobody beside it.

    Only what is on record says so, and with an epoch of its own: counts of one epoch belong to one split, and
    the data plane refuses another one.
    """
    if rollout.traffic_at is None:
        return None
    plan = rollout.plan
    is_comparable = rollout.phase is Phase.WATCHING or rollout.pause is not Pause.BASELINE_GONE
    return Traffic(
        trial=rollout.id,
        epoch=rollout.epoch,
        candidate=rollout.candidate,
        salt=rollout.salt,
        key_header=plan.key_header,
        key_input=plan.key_input,
        ranges=rollout.ranges if is_comparable else (),
        may_override=plan.may_override,
        shadow=_shadow(rollout) if is_comparable else None,
        slow_after_s=rollout.thresholds_s,
        remembering=_remembering(plan),
    )


def _shadow(rollout: Rollout) -> ShadowRoute | None:
    shadow = rollout.plan.shadow
    if shadow is None or rollout.phase is not Phase.SHADOWING:
        return None
    return ShadowRoute(version=rollout.candidate, share=shadow.share, tolerance=shadow.tolerance)


def _remembering(plan: Plan) -> Remembering | None:
    if plan.quality is None:
        return None
    return Remembering(output=plan.quality.output, window_s=plan.quality.window_s)


def _split_by_weights(weights: Weights, situation: Situation) -> Traffic:
    """Requests are assigned by the same keys as in the model's rollouts."""
    plan = (situation.strategy or DEFAULT_STRATEGY).plan
    ranges: tuple[BucketRange, ...] = weights.ranges
    return Traffic(
        trial=name_weights(situation.model),
        epoch=weights.epoch,
        candidate=None,
        salt=weights.salt,
        key_header=plan.key_header,
        key_input=plan.key_input,
        ranges=ranges,
        may_override=plan.may_override,
    )
