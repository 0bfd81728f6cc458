"""What an operator wants of a rollout: its steps, what must hold, how evidence is judged. Data only."""

from dataclasses import dataclass
from enum import Enum

from understudy.analysis.settings import AnalysisSettings
from understudy.routing.traffic import KEY_HEADER, Tolerance

MINUTE_S = 60.0
HOUR_S = 3_600.0
DEFAULT_TOLERANCE = Tolerance()
DEFAULT_ANALYSIS = AnalysisSettings()


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowStage:
    """Before any user sees the candidate, a share of the baseline's requests is run on it too.

    Attributes:
        share: of the requests, in hundredths of a per cent.
        dwell_s: how long at least.
        requests: how many compared requests at least.
        tolerance: of outputs.
    """

    share: int = 1_000
    dwell_s: float = MINUTE_S
    requests: int = 50
    tolerance: Tolerance = DEFAULT_TOLERANCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A share of traffic, and what must be before the next one.

    Attributes:
        weight: the candidate's share, in hundredths of a per cent, 1 to 9,999.
        dwell_s: how long at least.
        requests: how many of the candidate's requests at least.
        needs_approval: an operator has to say `approve` before the next step.
    """

    weight: int
    dwell_s: float = MINUTE_S
    requests: int = 50
    needs_approval: bool = False


class Quality(Enum):
    """What a prediction is worth once the truth is known."""

    ACCURACY = "accuracy"
    """Right or wrong: the class with the highest score, or the answer itself."""
    LOG_LOSS = "log_loss"
    """Minus the logarithm of the probability that the true class was given; also right or wrong."""
    SQUARED_ERROR = "squared_error"
    """Of a number."""
    CUSTOM = "custom"
    """By a function of the operator's; see `QualitySettings.entry_point`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualitySettings:
    """How predictions are compared with the truth that comes later.

    Attributes:
        metric: which comparison.
        output: which output holds the prediction; none: the only one.
        window_s: how long a prediction waits for its truth.
        wrong_above: a squared error or custom score above this counts as a wrong prediction; none: such
            scores are compared by their means.
        entry_point: `module:function` for a custom metric.
    """

    metric: Quality = Quality.ACCURACY
    output: str | None = None
    window_s: float = HOUR_S
    wrong_above: float | None = None
    entry_point: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """What a candidate must be before any request reaches it.

    Attributes:
        signatures: compatible with the baseline's.
        exceptions: beginnings of sentences about incompatibilities that are accepted.
        golden: reproduces the golden examples that it ships, if it does.
        tolerance: of golden outputs.
        latency_budget_s: the longest that its golden examples may take, each, after warm-up; none: any.
    """

    signatures: bool = True
    exceptions: tuple[str, ...] = ()
    golden: bool = True
    tolerance: Tolerance = DEFAULT_TOLERANCE
    latency_budget_s: float | None = None


class Newer(Enum):
    """What a version does that appears while another one is rolled out."""

    QUEUE = "queue"
    """It waits for the rollout's end."""
    SUPERSEDE = "supersede"
    """The rollout ends, and one of the new version begins, against the same baseline."""


class Inconclusive(Enum):
    """What happens when a rollout's time is up and the evidence says neither."""

    HOLD = "hold"
    """The weight stays, and an operator is told."""
    ROLL_BACK = "roll_back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a version is rolled out. As it is by default, it does the right thing for a stateless model.

    Attributes:
        shadow: none: users see the candidate at once, the first step's share of them.
        steps: ascending by weight; none: after shadow and validation it is promoted whole.
        analysis: how evidence is judged.
        quality: none: no truth comes.
        validation: before traffic.
        key_header: lower case; see `Traffic`.
        key_input: see `Traffic`.
        may_override: see `Traffic`.
        slow_after_s: a service objective beside the baseline's own quantiles; none: there is none.
        wait_s: how long the candidate may take to appear, load and pass validation.
        duration_max_s: from the first traffic to promotion.
        keep_baseline_s: after promotion, how long the old baseline stays loaded and the evidence is watched.
        newer: what a version does that appears meanwhile.
        inconclusive: what happens when the time is up.
        crashes_max: the server's sudden ends while the candidate was loaded, before it is rolled back.
        is_automatic: evidence promotes it; otherwise an operator has to.
    """

    shadow: ShadowStage | None = ShadowStage()
    steps: tuple[Step, ...] = (Step(weight=100), Step(weight=500), Step(weight=2_500), Step(weight=5_000))
    analysis: AnalysisSettings = DEFAULT_ANALYSIS
    quality: QualitySettings | None = None
    validation: Validation = Validation()
    key_header: str = KEY_HEADER
    key_input: str | None = None
    may_override: bool = False
    slow_after_s: float | None = None
    wait_s: float = HOUR_S
    duration_max_s: float = 24 * HOUR_S
    keep_baseline_s: float = HOUR_S
    newer: Newer = Newer.QUEUE
    inconclusive: Inconclusive = Inconclusive.HOLD
    crashes_max: int = 2
    is_automatic: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """What an operator wants of every new version of one model.

    A model with a strategy is *managed*: no new version serves unless a rollout promoted it.

    Attributes:
        starts_itself: a new version is rolled out as soon as it is found; otherwise it waits for an operator.
        plan: how.
    """

    starts_itself: bool = True
    plan: Plan = Plan()
