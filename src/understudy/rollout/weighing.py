"""Traffic split by hand: which weights are taken, and what becomes of a version that has one."""

from dataclasses import replace
from typing import Final

from understudy.errors import Code, ConfigError
from understudy.rollout.consequences import weighted_versions
from understudy.rollout.minutes import Minutes, percent
from understudy.rollout.state import Weights
from understudy.rollout.weights import Split, resplit
from understudy.routing.traffic import BUCKETS

WEIGHTED_MAX: Final = 16
"""Versions that share a model's traffic."""
RANGES_MAX: Final = 64
"""Beyond so many pieces the buckets are laid out anew, and some callers change their version."""


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
    if len(split.ranges) > RANGES_MAX:
        split = resplit(Split(rest), shares, rest)
    minutes.traffic = replace(
        traffic,
        epochs=traffic.epochs + 1,
        weights=Weights(
            salt=f"{situation.model}/weights",
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
