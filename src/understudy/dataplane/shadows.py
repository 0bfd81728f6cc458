"""What came of a trial's shadow traffic, from the data plane: counts for decisions, a report for people."""

import math
from typing import Final

from understudy.dataplane._native import (
    DifferenceSample,
    OutputDifferences,
    ShadowFailure,
    ShadowStatistics,
    difference_bounds,
)
from understudy.errors import Code
from understudy.evidence import ShadowCounts
from understudy.shadow_report import DifferingRequest, FailedRequest, OutputReport, ShadowReport

DIFFERENCE_BOUNDS: Final = tuple(difference_bounds())
"""Requests are counted by the size of their largest difference: none, up to each of these, and more."""


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
    return ShadowReport(
        trial=seen.trial,
        counts=build_counts(seen),
        shed=dict(seen.shed),
        incomparable=dict(seen.incomparable),
        overdue=seen.overdue,
        overdue_ever=seen.overdue_ever,
        run_quantiles_s=tuple(seen.run_quantiles_s),
        bounds=DIFFERENCE_BOUNDS,
        outputs=tuple(_build_output(output) for output in seen.outputs),
        failures=tuple(_build_failure(failure) for failure in seen.failures),
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
        largest_absolute=_finite(seen.largest_absolute),
        largest_relative=_finite(seen.largest_relative),
        absolute_counts=tuple(seen.absolute_counts),
        relative_counts=tuple(seen.relative_counts),
        worst=tuple(_build_sample(sample) for sample in seen.worst),
    )


def _build_sample(seen: DifferenceSample) -> DifferingRequest:
    return DifferingRequest(
        request_id=seen.request_id,
        key_hash=_digits(seen.key_hash),
        element=seen.element,
        baseline=seen.baseline,
        candidate=seen.candidate,
        severity=_finite(seen.severity),
        inputs=seen.inputs,
    )


def _build_failure(seen: ShadowFailure) -> FailedRequest:
    return FailedRequest(
        request_id=seen.request_id,
        key_hash=_digits(seen.key_hash),
        code=Code(seen.code),
        message=seen.message,
        inputs=seen.inputs,
    )


def _digits(key_hash: int | None) -> str | None:
    """As documented vectors have it; numbers of 64 bits are not safe in every reader of JSON."""
    return None if key_hash is None else f"{key_hash:016x}"


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
