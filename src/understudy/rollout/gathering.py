"""Evidence across the server's lives: what the data plane counts now, and what was kept before.

The data plane counts from nothing when the process starts, in a new epoch; so counts of one epoch never
come from two processes. Shadow traffic's counts know no epochs: those of former processes are kept apart.
Routing keys of former processes are known by their number alone. Most of them come again, and a user who has
trouble has it in each life of the server: counts of keys at one weight are not added up over lives.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from functools import partial
from itertools import groupby
from typing import Any, Final, TypeVar, cast

from understudy.evidence import ArmCounts, Bad, EpochCounts, Evidence, Moments, ShadowCounts
from understudy.rollout.state import Rollout

_NONE: Final = Bad()
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

    Tests weigh each bad event by the weight at which it happened; in which order makes no difference. Of
    keys, the life that saw the most of them speaks for all: the same ones again are no new evidence.
    """
    ordered = sorted(evidence.epochs, key=_alike)
    merged = (_merge(tuple(group)) for _, group in groupby(ordered, key=_alike))
    return replace(evidence, epochs=tuple(sorted(merged, key=lambda each: each.epoch)))


def _alike(epoch: EpochCounts) -> tuple[int, bool]:
    return epoch.weight, epoch.is_sticky


def _merge(epochs: tuple[EpochCounts, ...]) -> EpochCounts:
    last = epochs[-1]
    for each in epochs[:-1]:
        summed = replace(
            last,
            baseline=add_counts(each.baseline, last.baseline),
            candidate=add_counts(each.candidate, last.candidate),
        )
        last = _without_keys_twice(summed, each, last) if last.is_sticky else summed
    return last


def _without_keys_twice(summed: EpochCounts, one: EpochCounts, other: EpochCounts) -> EpochCounts:
    """The sum, with each count of keys from the one of the two that has more of them, both arms together.

    From one for both arms: so whoever had more trouble by chance is not chosen for it.
    """

    def spokesman(count: Callable[[ArmCounts], int]) -> EpochCounts:
        return max(other, one, key=lambda epoch: count(epoch.baseline) + count(epoch.candidate))

    def build(arm_of: Callable[[EpochCounts], ArmCounts]) -> ArmCounts:
        def of(count: Callable[[ArmCounts], int]) -> int:
            return count(arm_of(spokesman(count)))

        arm = arm_of(summed)
        return replace(
            arm,
            keys=of(lambda each: each.keys),
            assigned_keys=of(lambda each: each.assigned_keys),
            truths=replace(arm.truths, keys=of(lambda each: each.truths.keys)),
            bad={kind: replace(bad, keys=of(partial(_bad_keys, kind=kind))) for kind, bad in arm.bad.items()},
        )

    return replace(
        summed, baseline=build(lambda epoch: epoch.baseline), candidate=build(lambda epoch: epoch.candidate)
    )


def _bad_keys(arm: ArmCounts, *, kind: str) -> int:
    return arm.bad.get(kind, _NONE).keys


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
