"""What the data plane counts of trials, in the words of `understudy.evidence`."""

from understudy.dataplane._native import (
    ArmStatistics,
    CountStatistics,
    OutputStatistics,
    ProfileStatistics,
    TrialStatistics,
)
from understudy.dataplane.shadows import build_counts
from understudy.errors import Code
from understudy.evidence import (
    ERRORS,
    INVALID_OUTPUTS,
    SLOW_PREFIX,
    WRONG,
    ArmCounts,
    ArmProfile,
    Bad,
    EpochCounts,
    Evidence,
    Moments,
    OutputProfile,
    TrialProfile,
    TruthCounts,
)

BEYOND_MIN = 5
"""A quantile of latencies is known when so many answers at least were slower."""
SLACK_S = 0.002
"""What an answer may take beyond the baseline's quantile before it is slow.

A model that answers in a tenth of a millisecond is slower where fewer requests keep it warm, by what the
machine's scheduling takes, and no user can tell.
"""


def build_evidence(trial: TrialStatistics) -> Evidence:
    """What was counted of a trial since this process began it."""
    epochs = tuple(
        EpochCounts(
            epoch=epoch.epoch,
            weight=epoch.weight,
            is_sticky=epoch.baseline.requests.keys + epoch.candidate.requests.keys > 0,
            baseline=_build_arm(epoch.baseline),
            candidate=_build_arm(epoch.candidate),
        )
        for epoch in trial.epochs
    )
    return Evidence(trial=trial.trial, epochs=epochs, shadow=build_counts(trial.shadow))


def build_thresholds(trial: TrialStatistics) -> tuple[tuple[str, float], ...]:
    """From how many seconds on an answer is slow, by metric: the baseline's quantile, and a slack.

    None of a quantile beyond which there are too few answers.
    """
    baseline = trial.baseline
    return tuple(
        (f"{SLOW_PREFIX}p{quantile * 100:g}", latency_s + SLACK_S)
        for quantile, latency_s in baseline.latency_quantiles_s
        if baseline.requests * (1 - quantile) >= BEYOND_MIN
    )


def build_profile(trial: TrialStatistics) -> TrialProfile:
    """What people see of a trial beside its evidence."""
    kept, told = trial.predictions, trial.truths
    return TrialProfile(
        trial=trial.trial,
        baseline=_build_arm_profile(trial.baseline),
        candidate=_build_arm_profile(trial.candidate),
        truths=TruthCounts(
            kept=kept.kept,
            bytes=kept.bytes,
            forgotten=kept.forgotten,
            replaced=kept.replaced,
            left_out=kept.left_out,
            unfit=kept.unfit,
            counted=told.counted,
            again=told.again,
            late=told.late,
            told_left_out=told.left_out,
            unknown=told.unknown,
        ),
        key_share=trial.key_share,
    )


def _build_arm(arm: ArmStatistics) -> ArmCounts:
    bad = {
        ERRORS: _build_bad(arm.errors),
        INVALID_OUTPUTS: _build_bad(arm.invalid_outputs),
        WRONG: _build_bad(arm.wrong),
    }
    for name, count in arm.slow:
        bad[name if name.startswith(SLOW_PREFIX) else f"{SLOW_PREFIX}{name}"] = _build_bad(count)
    return ArmCounts(
        requests=arm.requests.events,
        keys=arm.requests.keys,
        keyless=arm.requests.keyless,
        assigned=arm.assigned.events,
        assigned_keys=arm.assigned.keys,
        assigned_keyless=arm.assigned.keyless,
        callers_mistakes=arm.callers_mistakes,
        refused=arm.refused,
        fallbacks=arm.fallbacks,
        bad=bad,
        truths=_build_bad(arm.truths),
        scores={
            measure: Moments(count=count, total=total, total_of_squares=total_of_squares)
            for measure, (count, total, total_of_squares) in arm.scores.items()
        },
    )


def _build_bad(count: CountStatistics) -> Bad:
    return Bad(events=count.events, keys=count.keys, keyless=count.keyless)


def _build_arm_profile(profile: ProfileStatistics) -> ArmProfile:
    codes = {Code(number).name: count for number, count in enumerate(profile.counts_by_code) if count}
    return ArmProfile(
        requests=profile.requests,
        latency_s=tuple(profile.latency_quantiles_s),
        codes=codes,
        outputs=tuple(_build_output(output) for output in profile.outputs),
    )


def _build_output(output: OutputStatistics) -> OutputProfile:
    classes = ((_name_class(known), count) for known, count in output.classes)
    return OutputProfile(
        name=output.name,
        count=output.count,
        not_finite=output.not_finite,
        mean=output.mean,
        quantiles=tuple(output.quantiles),
        classes=tuple(sorted(classes, key=lambda each: -each[1])),
        other_classes=output.other_classes,
    )


def _name_class(known: int | bytes) -> int | str:
    return known.decode(errors="replace") if isinstance(known, bytes) else known
