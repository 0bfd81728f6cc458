"""What came of a trial's shadow traffic, for people who look at it. Data only; nothing is decided by it.

In JSON there is no infinity: a number beyond all bounds is none.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from understudy.errors import Code
from understudy.evidence import ShadowCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferingRequest:
    """One request whose answers differ.

    Attributes:
        request_id: what it is called.
        key_hash: of its routing key, 16 hexadecimal digits; none: it brought none.
        element: the one that differs most, as if the tensor were flat; none where type or shape differ.
        baseline: it, in the baseline's answer; type and shape where those differ.
        candidate: it, in the candidate's.
        severity: by how much: floats in tolerances, integers as they are, strings by how many differ; none:
            beyond all bounds, as where type or shape differ.
        inputs: a little of what was asked.
    """

    request_id: str
    key_hash: str | None
    element: int | None
    baseline: str
    candidate: str
    severity: float | None
    inputs: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedRequest:
    """One request that failed on the candidate alone.

    Attributes:
        request_id: what it is called.
        key_hash: of its routing key, 16 hexadecimal digits; none: it brought none.
        code: what the candidate answered ...
        message: ... and in which words, cut.
        inputs: a little of what was asked.
    """

    request_id: str
    key_hash: str | None
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
        largest_absolute: the largest difference; 0 of what are no numbers; none: infinite.
        largest_relative: the largest beside the baseline's number; none: infinite.
        absolute_counts: requests by the size of their largest difference: none, up to each of the report's
            `bounds`, and more.
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
    largest_absolute: float | None
    largest_relative: float | None
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
        bounds: by which outputs' differences are counted.
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
    bounds: tuple[float, ...]
    outputs: tuple[OutputReport, ...]
    failures: tuple[FailedRequest, ...]
