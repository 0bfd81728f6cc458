"""Traffic split by hand: which weights are taken, and what becomes of a version that has one."""

from dataclasses import replace
from typing import Final

from understudy.errors import Code, ConfigError
from understudy.rollout.consequences import weighted_versions
from understudy.rollout.minutes import CONFIGURATION, Minutes, percent
from understudy.rollout.names import name_weights_salt
from understudy.rollout.state import Weights
from understudy.rollout.weights import Split, resplit
from understudy.routing.traffic import BUCKETS

WEIGHTED_MAX: Final = 16
"""Versions that share a model's traffic."""


def set_weights(minutes: Minutes, weights: tuple[tuple[int, int], ...], *, by: str) -> None:
    """Splits the traffic, or goes on from the split there is.

    Raises:
        ConfigError: these weights cannot be.
    """
    traffic, situation = minutes.traffic, minutes.situation
    _check(minutes, weights)
    shares = {version: weight for version, weight in weights if weight}
    present = traffic.weights
    serving = situation.default_version if present is None else present.default
    rest = serving if serving in shares else max(shares, key=lambda version: (shares[version], version))
    before = Split(rest if serving is None else serving, present.ranges if present is not None else ())
    split = resplit(before, shares, rest)
    minutes.traffic = replace(
        traffic,
        epochs=traffic.epochs + 1,
        weights=Weights(
            salt=name_weights_salt(situation.model),
            epoch=traffic.epochs + 1,
            ranges=split.ranges,
            default=rest,
            by=by,
            at=minutes.now,
        ),
    )
    minutes.declare()
    shares_told = ", ".join(f"version {each} {percent(shares[each])}" for each in sorted(shares))
    minutes.note("weights_set", f"requests are split by hand: {shares_told}", by=by)


def drop_weight(minutes: Minutes, version: int) -> None:
    """A version that has a weight loses it to the default one."""
    weights = minutes.traffic.weights
    if weights is None or version not in weighted_versions(weights):
        return
    epoch = minutes.traffic.epochs + 1
    ranges = tuple(each for each in weights.ranges if each.version != version)
    lost = tuple(each for each in weights.lost if each != version)
    dropped = replace(weights, ranges=ranges, epoch=epoch, lost=lost)
    minutes.traffic = replace(minutes.traffic, weights=dropped, epochs=epoch)


def clear_weights(minutes: Minutes, reason: str, *, by: str = CONFIGURATION) -> None:
    """The default version answers everything again."""
    minutes.is_urgent = minutes.is_urgent or by == CONFIGURATION
    minutes.traffic = replace(minutes.traffic, weights=None)
    minutes.note("weights_cleared", reason, by=by)


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


def _check(minutes: Minutes, weights: tuple[tuple[int, int], ...]) -> None:
    versions = [version for version, _ in weights]
    if len(set(versions)) < len(versions):
        raise ConfigError(Code.INVALID_ARGUMENT, f"each version has one weight; given are {versions}")
    if len(versions) > WEIGHTED_MAX:
        raise ConfigError(Code.INVALID_ARGUMENT, f"at most {WEIGHTED_MAX} versions can share traffic")
    total = sum(weight for _, weight in weights)
    if total != BUCKETS or any(weight < 0 for _, weight in weights):
        raise ConfigError(
            Code.INVALID_ARGUMENT,
            f"the weights are {percent(total)} together; they have to be 100 %, none below 0",
        )
    for version, weight in weights:
        if weight and version in minutes.traffic.quarantined:
            raise ConfigError(
                Code.FAILED_PRECONDITION,
                f"Version {version} of {minutes.situation.model} is in quarantine: "
                f"{minutes.traffic.quarantined[version].reason}. Release it first.",
            )
        if weight and not minutes.situation.is_ready(version):
            raise ConfigError(
                Code.FAILED_PRECONDITION,
                f"Version {version} of {minutes.situation.model} is not ready, so it cannot have a weight. "
                "See `understudy versions`; a new version gets traffic by `understudy rollout start`.",
            )
