"""What a judgement says, with the numbers it was made on: kept with each decision, shown to operators."""

from dataclasses import dataclass
from enum import Enum


class Finding(Enum):
    """What one metric, or all together, say."""

    HARM = "harm"
    """The candidate is surely worse than is tolerated."""
    SUSPICION = "suspicion"
    """Not sure, but enough that the ramp must not go on."""
    UNDECIDED = "undecided"
    """Too little evidence either way."""
    NO_HARM = "no_harm"
    """Surely within the margin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricVerdict:
    """What one metric says.

    Attributes:
        metric: its name.
        unit: what is counted: `keys`, `requests`, `pairs` (shadow) or `predictions`.
        finding: what it says.
        is_muted: it decides nothing.
        baseline_bad: bad units of the baseline.
        baseline_total: all of them.
        candidate_bad: bad units of the candidate.
        candidate_total: all of them.
        ratio: of the rates, candidate to baseline; none where it cannot be told.
        ratio_low: lower bound of its confidence sequence; none likewise.
        ratio_high: upper bound; none: unbounded.
        log_abort_e: natural logarithm of the evidence for harm.
        log_pass_e: of the evidence for no harm.
        needed: how many more candidate units would decide at the present rates; none: cannot be told.
        sentence: all this in words.
        difference: of the rates, candidate's less baseline's, compared within hours of equal weight.
        log_gap_e: of the evidence that the difference exceeds the floor.
        baseline_mean: of scores; none of what is counted.
        candidate_mean: likewise.
    """

    metric: str
    unit: str
    finding: Finding
    is_muted: bool
    baseline_bad: int
    baseline_total: int
    candidate_bad: int
    candidate_total: int
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    log_abort_e: float
    log_pass_e: float
    needed: int | None
    sentence: str
    difference: float = 0.0
    log_gap_e: float = 0.0
    baseline_mean: float | None = None
    candidate_mean: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What all of the evidence says.

    Attributes:
        finding: HARM when a metric that is not muted finds it or a guard trips; SUSPICION when one suspects;
            NO_HARM when all find none; else UNDECIDED.
        is_split_broken: more or fewer requests reach the candidate than its weight says: nothing else that is
            said here can be trusted.
        metrics: one each.
        guards: sentences: limits without statistics that were passed.
        sentence: the finding in words, with the numbers that matter most.
    """

    finding: Finding
    is_split_broken: bool = False
    metrics: tuple[MetricVerdict, ...] = ()
    guards: tuple[str, ...] = ()
    sentence: str = ""
