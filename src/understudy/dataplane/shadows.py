"""What came of a trial's shadow traffic: the counts that decisions are made on, and what people look at."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from understudy.dataplane._native import (
    DifferenceSample,
    OutputDifferences,
    ShadowStatistics,
    difference_bounds,
)
from understudy.errors import Code
from understudy.evidence import ShadowCounts

DIFFERENCE_BOUNDS: Final = tuple(difference_bounds())
"""Requests are counted by the size of their largest difference: none, up to each of these, and more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferingRequest:
    """One request whose answers differ.

    Attributes:
        request_id: what it is called.
        key_hash: of its routing key; none: it brought none.
        element: the one that differs most, as if the tensor were flat; none where type or shape differ.
        baseline: it, in the baseline's answer; type and shape where those differ.
        candidate: it, in the candidate's.
        severity: by how much: floats in tolerances, integers as they are, strings by how many differ.
        inputs: a little of what was asked.
    """

    request_id: str
    key_hash: int | None
    element: int | None
    baseline: str
    candidate: str
    severity: float
    inputs: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedRequest:
    """One request that failed on the candidate alone.

    Attributes:
        request_id: what it is called.
        key_hash: of its routing key; none: it brought none.
        code: what the candidate answered ...
        message: ... and in which words, cut.
        inputs: a little of what was asked.
    """

    request_id: str
    key_hash: int | None
    code: Code
    message: str
    inputs: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputReport:
    """What came of one output.

    Attributes:
        signature: its signature.
        output: its name.
        compared: requests for which both versions computed it.
        disagreed: of those, beyond the tolerance, or of another type or shape.
        unlike: of those, of another type or shape.
        top_1_compared: requests in which it was an output of scores ...
        top_1_disagreed: ... and those in which some row's highest score was elsewhere.
        largest_absolute: the largest difference; 0 of what are no numbers.
        largest_relative: the largest beside the baseline's number.
        absolute_counts: requests by the size of their largest difference, as `DIFFERENCE_BOUNDS` says.
        relative_counts: the same, of the difference beside the baseline's number.
        worst: of the requests that disagreed; the worst first.
    """

    signature: str
    output: str
    compared: int
    disagreed: int
    unlike: int
    top_1_compared: int
    top_1_disagreed: int
    largest_absolute: float
    largest_relative: float
    absolute_counts: tuple[int, ...]
    relative_counts: tuple[int, ...]
    worst: tuple[DifferingRequest, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowReport:
    """What came of shadow traffic, for people.

    Attributes:
        trial: which.
        counts: what decisions are made on.
        shed: requests that were dropped, by why (`requests_wait`, `machine_busy`, `queue_full`,
            `too_many_bytes`, `candidate_busy`, `candidate_hangs`, `stopping`).
        incomparable: requests that the candidate could not be asked, by why (`no_signature`, `inputs`,
            `input_types`, `outputs`, `graph`, `unloaded`).
        overdue: runs of the candidate that have been under way for more than 10 s.
        overdue_ever: those that ended since included.
        run_quantiles_s: how long the candidate's runs took: shares, and seconds within which so many ended.
            They yield to all other work, so this is no measure of what it would take if it served.
        outputs: by signature and name.
        failures: the last runs that failed on the candidate alone.
    """

    trial: str
    counts: ShadowCounts
    shed: Mapping[str, int]
    incomparable: Mapping[str, int]
    overdue: int
    overdue_ever: int
    run_quantiles_s: tuple[tuple[float, float], ...]
    outputs: tuple[OutputReport, ...]
    failures: tuple[FailedRequest, ...]


def build_counts(seen: ShadowStatistics) -> ShadowCounts:
    """Take from the data plane's statistics what decisions are made on."""
    return ShadowCounts(
        mirrored=seen.mirrored,
        shed=sum(count for _, count in seen.shed),
        incomparable=sum(count for _, count in seen.incomparable),
        compared=seen.compared,
        disagreed=seen.disagreed,
        only_candidate=dict(seen.only_candidate),
        only_baseline=dict(seen.only_baseline),
    )


def build_report(seen: ShadowStatistics) -> ShadowReport:
    """Take all of it, for people."""
    failures = [
        FailedRequest(
            request_id=failure.request_id,
            key_hash=failure.key_hash,
            code=Code(failure.code),
            message=failure.message,
            inputs=failure.inputs,
        )
        for failure in seen.failures
    ]
    return ShadowReport(
        trial=seen.trial,
        counts=build_counts(seen),
        shed=dict(seen.shed),
        incomparable=dict(seen.incomparable),
        overdue=seen.overdue,
        overdue_ever=seen.overdue_ever,
        run_quantiles_s=tuple(seen.run_quantiles_s),
        outputs=tuple(_build_output(output) for output in seen.outputs),
        failures=tuple(failures),
    )


def _build_output(seen: OutputDifferences) -> OutputReport:
    return OutputReport(
        signature=seen.signature,
        output=seen.output,
        compared=seen.compared,
        disagreed=seen.disagreed,
        unlike=seen.unlike,
        top_1_compared=seen.top_1_compared,
        top_1_disagreed=seen.top_1_disagreed,
        largest_absolute=seen.largest_absolute,
        largest_relative=seen.largest_relative,
        absolute_counts=tuple(seen.absolute_counts),
        relative_counts=tuple(seen.relative_counts),
        worst=tuple(_build_sample(sample) for sample in seen.worst),
    )


def _build_sample(seen: DifferenceSample) -> DifferingRequest:
    return DifferingRequest(
        request_id=seen.request_id,
        key_hash=seen.key_hash,
        element=seen.element,
        baseline=seen.baseline,
        candidate=seen.candidate,
        severity=seen.severity,
        inputs=seen.inputs,
    )
