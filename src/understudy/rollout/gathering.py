"""Evidence across the server's lives: what the data plane counts now, and what was kept before.

The data plane counts from nothing when the process starts, in a new epoch; so counts of one epoch never
come from two processes. Shadow traffic's counts know no epochs: those of former processes are kept apart. A
routing key that is seen before and after a restart counts in both lives.
"""

from collections.abc import Mapping
from dataclasses import fields, replace
from itertools import groupby
from typing import Any, TypeVar, cast

from understudy.evidence import ArmCounts, Bad, EpochCounts, Evidence, Moments, ShadowCounts
from understudy.rollout.state import Rollout

_Counts = TypeVar("_Counts", bound=ArmCounts | Bad | Moments | ShadowCounts)


def gather(rollout: Rollout, seen: Evidence | None) -> Evidence:
    """All evidence of a rollout: what was kept, and what the data plane counts now.

    Args:
        rollout: as it is.
        seen: by the data plane; of another trial, or none: only what was kept counts.
    """
    if seen is None or seen.trial != rollout.id:
        return rollout.evidence
    epochs = {each.epoch: each for each in rollout.evidence.epochs}
    epochs.update((each.epoch, each) for each in seen.epochs)
    return Evidence(
        trial=rollout.id,
        epochs=tuple(epochs[number] for number in sorted(epochs) if number >= rollout.evidence_from),
        shadow=add_counts(rollout.shadow_before, seen.shadow),
    )


def candidate_requests(rollout: Rollout) -> int:
    """Those that the candidate answered at the present weight."""
    return sum(each.candidate.requests for each in rollout.evidence.epochs if each.weight == rollout.weight)


def compact(evidence: Evidence) -> Evidence:
    """The same evidence in one epoch for each weight, so that restarts do not make it grow for ever.

    Tests weigh each bad event by the weight at which it happened; in which order makes no difference.
    """
    ordered = sorted(evidence.epochs, key=_alike)
    merged = (_merge(tuple(group)) for _, group in groupby(ordered, key=_alike))
    return replace(evidence, epochs=tuple(sorted(merged, key=lambda each: each.epoch)))


def _alike(epoch: EpochCounts) -> tuple[int, bool]:
    return epoch.weight, epoch.is_sticky


def _merge(epochs: tuple[EpochCounts, ...]) -> EpochCounts:
    last = epochs[-1]
    for each in epochs[:-1]:
        last = replace(
            last,
            baseline=add_counts(each.baseline, last.baseline),
            candidate=add_counts(each.candidate, last.candidate),
        )
    return last


def add_counts(one: _Counts, other: _Counts) -> _Counts:
    """The sum of two counts of the same kind, field by field: whatever is counted is added."""
    sums = {each.name: _add(getattr(one, each.name), getattr(other, each.name)) for each in fields(one)}
    return cast("_Counts", replace(cast("Any", one), **sums))


def _add(one: object, other: object) -> object:
    match one, other:
        case int() | float(), int() | float():
            return one + other
        case Mapping(), Mapping():
            return {
                **one,
                **{name: _add(one[name], each) if name in one else each for name, each in other.items()},
            }
        case ((Moments() | Bad() | ArmCounts() | ShadowCounts()), _) if type(one) is type(other):
            return add_counts(one, other)
        case _:
            raise AssertionError(f"{one!r} and {other!r} cannot be added")
