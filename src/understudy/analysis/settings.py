"""How evidence is judged: error probabilities, and for each metric what is tolerated."""

from dataclasses import dataclass

from understudy.evidence import ERRORS, INVALID_OUTPUTS, WRONG

SLOW_P99 = "slow:p99"
SLOW_OBJECTIVE = "slow:objective"
"""Slower than the operator's own service objective."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricSettings:
    """One kind of bad event.

    Attributes:
        name: of the kind; see evidence.py.
        tolerated: the candidate's rate may be this many times the baseline's before it is harm.
        margin: it is no harm when the rate is surely below this many times the baseline's ...
        floor: ... or surely no further above it than this difference of rates; and harm must exceed it, too.
        is_muted: shown and judged, but decides nothing.
        share: of alpha, relative to the other metrics'.
    """

    name: str
    tolerated: float = 1.0
    margin: float = 1.5
    floor: float = 0.001
    is_muted: bool = False
    share: float = 1.0


DEFAULT_METRICS: tuple[MetricSettings, ...] = (
    MetricSettings(name=ERRORS),
    MetricSettings(name=INVALID_OUTPUTS),
    MetricSettings(name=SLOW_P99, tolerated=1.1, margin=1.25, floor=0.005),
    MetricSettings(name=SLOW_OBJECTIVE, tolerated=1.1, margin=1.25, floor=0.005),
    MetricSettings(name=WRONG, tolerated=1.0, margin=1.25, floor=0.01),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreSettings:
    """One kind of score, of which there is a mean: a loss, or what an operator's own function says.

    Attributes:
        name: of the score, as in `ArmCounts.scores`.
        tolerated: the candidate's mean may be worse by this part of the baseline's mean before it is harm.
        margin: it is no harm when it is surely worse by less than this part.
        bound: scores lie between 0 and this; then they are judged by bets, which estimate no variance; none:
            they may be anything, and are judged as large samples are.
        is_higher_better: a higher score is a better one.
        is_muted: shown and judged, but decides nothing.
        share: of alpha, relative to the other metrics'.
    """

    name: str
    tolerated: float = 0.0
    margin: float = 0.05
    bound: float | None = None
    is_higher_better: bool = False
    is_muted: bool = False
    share: float = 1.0


DEFAULT_SCORES: tuple[ScoreSettings, ...] = (
    ScoreSettings(name="log_loss"),
    ScoreSettings(name="squared_error"),
    ScoreSettings(name="custom"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisSettings:
    """How evidence is judged.

    Attributes:
        alpha: the probability of a false abort, over a rollout's whole life and all metrics together.
        beta: the probability of passing a metric that is harmed, likewise.
        metrics: each kind of bad event once.
        scores: each kind of score once.
        errors_share_max: of the candidate's requests; more, and surely more than the baseline's, is harm ...
        errors_share_requests: ... once there are so many.
        disagreement_max: the share of compared shadow requests that may disagree; none: any.
    """

    alpha: float = 0.01
    beta: float = 0.05
    metrics: tuple[MetricSettings, ...] = DEFAULT_METRICS
    scores: tuple[ScoreSettings, ...] = DEFAULT_SCORES
    errors_share_max: float = 0.2
    errors_share_requests: int = 20
    disagreement_max: float | None = None
