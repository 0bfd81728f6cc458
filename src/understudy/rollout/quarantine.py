"""Versions that must not be served: by an operator's word, and back."""

from dataclasses import replace
from typing import Final

from understudy.errors import Code, ConfigError
from understudy.rollout.consequences import weighted_versions
from understudy.rollout.minutes import Minutes
from understudy.rollout.upkeep import lower_version
from understudy.rollout.weighing import drop_weight

QUARANTINED_MAX: Final = 1_000
"""Versions of one model that operators can put there. What rollouts put there is not refused."""


def put_in_quarantine(minutes: Minutes, version: int, reason: str, *, by: str) -> None:
    """A version that takes part in no rollout must not be served.

    Raises:
        ConfigError: it is there already; or it is what others fall back to.
    """
    traffic, model = minutes.traffic, minutes.situation.model
    if version in traffic.quarantined:
        entry = traffic.quarantined[version]
        raise ConfigError(
            Code.ALREADY_EXISTS, f"Version {version} of {model} is in quarantine already: {entry.reason}"
        )
    if len(traffic.quarantined) >= QUARANTINED_MAX:
        raise ConfigError(
            Code.RESOURCE_EXHAUSTED,
            f"{QUARANTINED_MAX} versions of {model} are in quarantine. Release some first.",
        )
    weights = traffic.weights
    if weights is not None and version == weights.default and weighted_versions(weights) != {version}:
        raise ConfigError(
            Code.FAILED_PRECONDITION,
            f"Version {version} of {model} is the one that others' requests fall back to. Set weights "
            "without it first (`understudy traffic set`), or clear them.",
        )
    if weights is not None and version == weights.default:
        minutes.traffic = replace(minutes.traffic, weights=None)
        minutes.note("weights_cleared", f"version {version} goes into quarantine", by=by)
    drop_weight(minutes, version)
    minutes.quarantine(version, reason or "an operator said so", by=by)
    if traffic.stable == version:
        _replace_stable(minutes, version, by=by)


def release(minutes: Minutes, version: int, *, by: str) -> None:
    """A version may be served again.

    Of a model without a strategy, one that a rollout put there waits for another rollout: its version policy
    would serve it to everybody at once, with nothing found since but that an operator would try it again.

    Raises:
        ConfigError: it is not in quarantine.
    """
    entry = minutes.traffic.quarantined.get(version)
    if entry is None:
        raise ConfigError(
            Code.NOT_FOUND, f"Version {version} of {minutes.situation.model} is not in quarantine."
        )
    rest = {number: each for number, each in minutes.traffic.quarantined.items() if number != version}
    minutes.traffic = replace(minutes.traffic, quarantined=rest)
    stable, waits = minutes.traffic.stable, ""
    if entry.rollout is not None and stable is not None and minutes.situation.strategy is None:
        minutes.serve(stable, known=version)
        waits = f", and waits for `understudy rollout start {minutes.situation.model} --to {version}`"
    minutes.note(
        "version_released",
        f"it may be served again{waits}; it was in quarantine: {entry.reason}",
        by=by,
        version=version,
    )


def _replace_stable(minutes: Minutes, version: int, *, by: str) -> None:
    """The next lower version serves; where there is none, the version policy decides."""
    lower = lower_version(minutes, version)
    if lower is not None:
        reason = f"version {version} is in quarantine: the next lower one takes its place"
        minutes.settle_on(lower, "stable_moved", reason, by=by)
        return
    minutes.traffic = replace(minutes.traffic, stable=None, highest=None)
    reason = "it is in quarantine, and no lower version is there: the version policy decides what serves"
    minutes.note("stable_forgotten", reason, by=by, version=version)
