"""What scores say: the candidate's mean against the baseline's, and the verdict of it."""

from collections.abc import Iterable
from typing import Final

from understudy.analysis.means import Measured, ScoreStratum, bound_mean, measure, weigh_bounded, weigh_mean
from understudy.analysis.metric import SUSPICIOUS, Limits
from understudy.analysis.settings import ScoreSettings
from understudy.analysis.strata import PREDICTIONS
from understudy.analysis.verdict import Finding, MetricVerdict
from understudy.evidence import WHOLE, EpochCounts, Moments

ALPHA_SHOWN: Final = 0.05
"""Of the bounds that are shown."""
_NONE: Final = Moments()


def judge_score(
    epochs: tuple[EpochCounts, ...], settings: ScoreSettings, limits: Limits, *, is_brief: bool
) -> MetricVerdict:
    """What one kind of score says.

    Scores are counted by prediction. Where requests go by their key, one user's predictions are one draw, so
    that harm found in them is no more than a suspicion: the ramp stops, and an operator decides.
    """
    strata = _build(epochs, settings.name)
    candidate, baseline = _pool(stratum.candidate for stratum in strata), _pool(s.baseline for s in strata)
    log_abort_e, log_pass_e = _weigh(strata, settings, baseline)
    finding = _find(log_abort_e, log_pass_e, limits, is_keyed=any(epoch.is_sticky for epoch in epochs))
    means = [of.total / of.count if of.count else None for of in (candidate, baseline)]
    measured = measure(strata, 1.0)
    return MetricVerdict(
        metric=settings.name,
        unit=PREDICTIONS,
        finding=finding,
        is_muted=settings.is_muted,
        baseline_bad=0,
        baseline_total=baseline.count,
        candidate_bad=0,
        candidate_total=candidate.count,
        ratio=means[0] / means[1] if means[0] is not None and means[1] else None,
        ratio_low=None,
        ratio_high=None,
        log_abort_e=log_abort_e,
        log_pass_e=log_pass_e,
        needed=None,
        sentence="" if is_brief else _describe(settings, candidate, baseline, measured, finding),
        difference=measured.difference,
        candidate_mean=means[0],
        baseline_mean=means[1],
    )


def _weigh(
    strata: tuple[ScoreStratum, ...], settings: ScoreSettings, baseline: Moments
) -> tuple[float, float]:
    """Evidence for harm, and for no harm. Worse is more, or less where a higher score is better."""
    worse = -1.0 if settings.is_higher_better else 1.0
    tolerated, margin = 1 + worse * settings.tolerated, 1 + worse * settings.margin
    if settings.bound is not None:
        higher = settings.is_higher_better
        return (
            weigh_bounded(strata, tolerated, settings.bound, is_above=not higher),
            weigh_bounded(strata, margin, settings.bound, is_above=higher),
        )
    effect = _effect(settings, baseline)
    harm, safety = measure(strata, tolerated), measure(strata, margin)
    return (
        weigh_mean(Measured(worse * harm.difference, harm.variance), effect),
        weigh_mean(Measured(-worse * safety.difference, safety.variance), effect),
    )


def _effect(settings: ScoreSettings, baseline: Moments) -> float:
    """The smallest difference that matters: what lies between tolerated and margin."""
    return (
        (settings.margin - settings.tolerated) * abs(baseline.total / baseline.count)
        if baseline.count
        else 0.0
    )


def _find(log_abort_e: float, log_pass_e: float, limits: Limits, *, is_keyed: bool) -> Finding:
    if log_abort_e >= limits.harm and not is_keyed:
        return Finding.HARM
    if log_abort_e >= min(SUSPICIOUS, limits.harm):
        return Finding.SUSPICION
    return Finding.NO_HARM if log_pass_e >= limits.safe else Finding.UNDECIDED


def _build(epochs: Iterable[EpochCounts], name: str) -> tuple[ScoreStratum, ...]:
    merged: dict[int, tuple[Moments, Moments]] = {}
    for epoch in epochs:
        if 0 < epoch.weight < WHOLE:
            candidate, baseline = merged.get(epoch.weight, (_NONE, _NONE))
            merged[epoch.weight] = (
                _pool((candidate, epoch.candidate.scores.get(name, _NONE))),
                _pool((baseline, epoch.baseline.scores.get(name, _NONE))),
            )
    return tuple(ScoreStratum(weight / WHOLE, *merged[weight]) for weight in sorted(merged))


def _pool(parts: Iterable[Moments]) -> Moments:
    count, total, squares = 0, 0.0, 0.0
    for part in parts:
        count, total, squares = count + part.count, total + part.total, squares + part.total_of_squares
    return Moments(count=count, total=total, total_of_squares=squares)


def _describe(
    settings: ScoreSettings, candidate: Moments, baseline: Moments, measured: Measured, finding: Finding
) -> str:
    """`log_loss: candidate 0.412 of 1,200 predictions, baseline 0.398 of 22,800; difference ...`."""
    arms = [
        f"{name} {of.total / of.count:.4g} of {of.count:,} predictions" if of.count else f"{name} none"
        for name, of in (("candidate", candidate), ("baseline", baseline))
    ]
    low, high = bound_mean(measured, _effect(settings, baseline), ALPHA_SHOWN)
    shown = (
        f", difference {measured.difference:.3g} ({low:.3g} to {high:.3g})"
        if measured.variance < float("inf")
        else ""
    )
    return f"{settings.name}: {arms[0]}, {arms[1]}{shown}: {finding.value.replace('_', ' ')}"
