"""What was counted of the versions of a trial: the words in which the data plane's counts reach decisions.

A *trial* compares a candidate version with a baseline: a rollout, or weights that an operator set. Whenever
the traffic's split changes, a new *epoch* of the trial begins, so that every count belongs to one weight.
Counts only grow while an epoch lasts. How they are judged is the analysis' business.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

WHOLE: Final = 10_000
"""All of a model's traffic, as weights are counted: in hundredths of a per cent."""

ERRORS = "errors"
"""Runs of the model that failed, and answers that came too late. Not what is the caller's mistake, and not
what the server refused because it was full."""
INVALID_OUTPUTS = "invalid_outputs"
"""Answers with an output that is not a number, or infinite."""
WRONG = "wrong"
"""Predictions that turned out wrong when the truth became known."""
SLOW_PREFIX = "slow:"
"""Answers slower than a threshold; after the colon, its quantile of the baseline (`slow:p99`)."""


@dataclass(frozen=True, slots=True)
class Bad:
    """Bad events of one kind.

    Attributes:
        events: how many.
        keys: how many distinct routing keys had one, each counted in the epoch of its first one in the trial;
            0 where requests bring no key.
        keyless: of the events, those of requests that brought no key; counted in sticky epochs only.
    """

    events: int = 0
    keys: int = 0
    keyless: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Sums of a number observed for each request or prediction, enough for mean and variance."""

    count: int = 0
    total: float = 0.0
    total_of_squares: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmCounts:
    """One version's part of an epoch.

    Attributes:
        requests: that it answered, however; refusals for lack of room and callers' mistakes apart.
        keys: distinct routing keys seen in this epoch.
        keyless: of the requests, those that brought no key; counted in sticky epochs only.
        assigned: requests that the split gave this arm, counted as they come; 0 where that is not counted.
            Slow answers are missing in `requests` until they are there; here they are not.
        assigned_keys: routing keys of those, each counted once in the trial, as it first comes.
        assigned_keyless: of those requests, which brought no key.
        callers_mistakes: requests that could not be asked of any version as they were.
        refused: requests that the server had no room for, and those whose caller went away.
        fallbacks: requests of this arm that the baseline answered, because this version could not.
        bad: by the name of their kind.
        truths: predictions whose truth became known, in the same three units as bad events: all of them, the
            keys that have one (each counted in the epoch of its first), and those without a key.
        scores: what predictions were worth once the truth was known, by metric (`log_loss`).
    """

    requests: int = 0
    keys: int = 0
    keyless: int = 0
    assigned: int = 0
    assigned_keys: int = 0
    assigned_keyless: int = 0
    callers_mistakes: int = 0
    refused: int = 0
    fallbacks: int = 0
    bad: Mapping[str, Bad] = field(default_factory=dict)
    truths: Bad = Bad()
    scores: Mapping[str, Moments] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochCounts:
    """What was counted while the split stayed as it was.

    Attributes:
        epoch: its number within the trial.
        weight: the candidate's share of traffic, in hundredths of a per cent.
        is_sticky: requests went by their key; otherwise each was drawn by itself. Requests without a key
            among sticky ones are drawn each by itself, and counted apart (`keyless`).
        baseline: the baseline's part.
        candidate: the candidate's part.
    """

    epoch: int
    weight: int
    is_sticky: bool
    baseline: ArmCounts = ArmCounts()
    candidate: ArmCounts = ArmCounts()


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowCounts:
    """What came of requests that were run on the candidate too, without anybody seeing its answer.

    Attributes:
        mirrored: requests drawn for it.
        shed: of those, dropped because the server was busy.
        incomparable: of those, which the candidate could not be asked.
        compared: of those, run on both.
        disagreed: of those, whose outputs differ beyond the tolerance.
        only_candidate: bad on the candidate alone, by kind (`errors`, `invalid_outputs`).
        only_baseline: bad on the baseline alone, by kind.
    """

    mirrored: int = 0
    shed: int = 0
    incomparable: int = 0
    compared: int = 0
    disagreed: int = 0
    only_candidate: Mapping[str, int] = field(default_factory=dict)
    only_baseline: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that was counted of one trial.

    Attributes:
        trial: which.
        epochs: in order, each number once.
        shadow: of shadow traffic.
    """

    trial: str
    epochs: tuple[EpochCounts, ...] = ()
    shadow: ShadowCounts = ShadowCounts()


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputProfile:
    """What one output of a version looks like, from a sample of its answers.

    Attributes:
        name: the output's; one of another signature than the default one has that before it, with a slash.
        count: numbers counted.
        not_finite: values that were infinite or no number.
        mean: of the numbers; none: there is none.
        quantiles: shares, and the number below which that share is, to within 3 %.
        classes: how often each was seen: the place of the highest score, or an integer or string itself.
        other_classes: how often one was seen that came when there was no more room.
    """

    name: str
    count: int = 0
    not_finite: int = 0
    mean: float | None = None
    quantiles: tuple[tuple[float, float], ...] = ()
    classes: tuple[tuple[int | str, int], ...] = ()
    other_classes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmProfile:
    """What a version's answers in a trial look like, for people. Nothing is decided by it.

    Attributes:
        requests: that it answered.
        latency_s: shares, and the seconds that this share of its answers took at most, to within 3 %.
        codes: answers by the name of their canonical code, those there were.
        outputs: by name.
    """

    requests: int = 0
    latency_s: tuple[tuple[float, float], ...] = ()
    codes: Mapping[str, int] = field(default_factory=dict)
    outputs: tuple[OutputProfile, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthCounts:
    """Predictions that wait for their truth, and what became of truths that were told.

    Attributes:
        kept: predictions that wait.
        bytes: what they take.
        forgotten: nobody told their truth within the window.
        replaced: another request came with the same id, and counts in their place.
        left_out: there was no room; a sample is kept that favours no version.
        unfit: the answer lacked the output, or it was too large.
        counted: truths that count.
        again: told before.
        late: told when the window was over.
        told_left_out: of predictions that were left out.
        unknown: of requests that no version of the trial answered.
    """

    kept: int = 0
    bytes: int = 0
    forgotten: int = 0
    replaced: int = 0
    left_out: int = 0
    unfit: int = 0
    counted: int = 0
    again: int = 0
    late: int = 0
    told_left_out: int = 0
    unknown: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialProfile:
    """What there is to see of a trial beside its evidence, since the server started.

    Attributes:
        trial: which.
        baseline: the default version's answers.
        candidate: those of the version that is compared with it.
        truths: see `TruthCounts`.
        key_share: which share of routing keys is counted; below 1 once there were too many.
    """

    trial: str
    baseline: ArmProfile = ArmProfile()
    candidate: ArmProfile = ArmProfile()
    truths: TruthCounts = TruthCounts()
    key_share: float = 1.0
