"""All the evidence of a trial, judged: each metric, the split, the guards, and what follows.

A pure function of the counts, which are cumulative: judged again it says the same, and nothing is kept.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from math import log
from typing import Final

from understudy.analysis.disagreement import judge_disagreement
from understudy.analysis.guards import check_guards
from understudy.analysis.interval import Interval, bound_ratio
from understudy.analysis.metric import Limits, count_needed, weigh
from understudy.analysis.scores import judge_score
from understudy.analysis.sentences import describe_all, describe_arms, describe_counts, describe_finding
from understudy.analysis.settings import AnalysisSettings, MetricSettings, ScoreSettings
from understudy.analysis.split import is_broken
from understudy.analysis.strata import (
    KEYS,
    PAIRS,
    PREDICTIONS,
    REQUESTS,
    Strata,
    build_event_strata,
    build_pairs,
    build_strata,
    pool,
)
from understudy.analysis.verdict import Finding, Judgement, MetricVerdict
from understudy.evidence import ERRORS, INVALID_OUTPUTS, WHOLE, WRONG, Evidence

SHADOWED: Final = (ERRORS, INVALID_OUTPUTS)
"""Kinds of bad events that are counted of shadow requests, too."""
_UNKNOWN: Final = Interval(None, None, None)


def judge(
    evidence: Evidence,
    settings: AnalysisSettings,
    *,
    watched: Collection[str] | None = None,
    is_brief: bool = False,
) -> Judgement:
    """What the evidence says.

    Args:
        evidence: all that was counted of the trial.
        settings: what is tolerated.
        watched: names of the metrics that can occur, as the plan says before the first request: alpha is
            divided among them, and each of them must pass. None: errors, invalid outputs, and what was seen.
        is_brief: findings and e-values alone, without intervals, needed counts and sentences.
    """
    names = _seen(evidence) if watched is None else watched
    questions = _ask(evidence, settings, names)
    scores = tuple(score for score in settings.scores if score.name in names)
    limits = _divide([*(question.settings for question in questions), *scores], evidence, settings)
    verdicts = [_answer(question, limits, is_brief=is_brief) for question in questions]
    verdicts += [
        judge_score(evidence.epochs, score, limits.of(score.share), is_brief=is_brief) for score in scores
    ]
    disagreement = judge_disagreement(evidence.shadow, settings, limits.of(1.0))
    if disagreement is not None:
        verdicts.append(disagreement)
    guards = check_guards(evidence, settings)
    broken = is_broken(evidence.epochs)
    finding = _conclude(tuple(verdicts), evidence, has_guard=bool(guards), is_split_broken=broken)
    told = tuple(verdicts)
    return Judgement(
        finding=finding,
        is_split_broken=broken,
        metrics=told,
        guards=guards,
        sentence="" if is_brief else describe_all(finding, told, guards, is_split_broken=broken),
    )


@dataclass(frozen=True, slots=True)
class _Question:
    """One metric, and the counts that it is judged by.

    Attributes:
        settings: of the metric.
        strata: by unit.
        unit: what that is.
        events: where units are keys, the same by requests; else nothing.
    """

    settings: MetricSettings
    strata: Strata
    unit: str
    events: Strata = ()


@dataclass(frozen=True, slots=True)
class _Division:
    """Alpha, divided by shares."""

    alpha: float
    beta: float
    shares: float

    def of(self, share: float) -> Limits:
        """The limits of a metric with this share."""
        return Limits(harm=log(max(self.shares, share) / (self.alpha * share)), safe=-log(self.beta))


def _ask(evidence: Evidence, settings: AnalysisSettings, names: Collection[str]) -> tuple[_Question, ...]:
    asked = [metric for metric in settings.metrics if metric.name in names]
    questions = [_ask_split(evidence, metric) for metric in asked]
    if evidence.shadow.mirrored:
        questions += [
            _Question(metric, build_pairs(evidence.shadow, metric.name), PAIRS)
            for metric in asked
            if metric.name in SHADOWED
        ]
    return tuple(questions)


def _ask_split(evidence: Evidence, metric: MetricSettings) -> _Question:
    of_truths = metric.name == WRONG
    strata = build_strata(evidence.epochs, metric.name, of_truths=of_truths)
    if any(stratum.is_keyed for stratum in strata):
        events = build_event_strata(evidence.epochs, metric.name, of_truths=of_truths)
        return _Question(metric, strata, KEYS, events)
    return _Question(metric, strata, PREDICTIONS if of_truths else REQUESTS)


def _seen(evidence: Evidence) -> frozenset[str]:
    arms = [arm for epoch in evidence.epochs for arm in (epoch.candidate, epoch.baseline)]
    return frozenset({*SHADOWED, *(name for arm in arms for name in (*arm.bad, *arm.scores))})


def _divide(
    asked: Iterable[MetricSettings | ScoreSettings], evidence: Evidence, settings: AnalysisSettings
) -> _Division:
    """A muted metric decides nothing and takes nothing of alpha."""
    shares = sum(metric.share for metric in asked if not metric.is_muted)
    if settings.disagreement_max is not None and evidence.shadow.mirrored:
        shares += 1.0
    return _Division(settings.alpha, settings.beta, shares)


def _answer(question: _Question, division: _Division, *, is_brief: bool) -> MetricVerdict:
    settings, strata = question.settings, question.strata
    limits = division.of(settings.share)
    weighed = weigh(strata, settings)
    finding = weighed.find(limits)
    if question.events:
        finding = _agree(finding, weigh(question.events, settings).find(limits))
    candidate, baseline = pool(strata)
    interval = _UNKNOWN if is_brief else bound_ratio(strata)
    needed = None if is_brief else count_needed(weighed, limits, candidate.total)
    sentence = ""
    if not is_brief:
        meaning = describe_finding(finding, settings, weighed.evident.harm, needed=needed, unit=question.unit)
        by_request = describe_arms(*pool(question.events)) if question.events else ""
        counts = describe_counts(settings.name, candidate, baseline, interval)
        sentence = f"{counts}{f' (by request: {by_request})' if by_request else ''}: {meaning}"
    return MetricVerdict(
        metric=settings.name,
        unit=question.unit,
        finding=finding,
        is_muted=settings.is_muted,
        baseline_bad=baseline.bad,
        baseline_total=baseline.total,
        candidate_bad=candidate.bad,
        candidate_total=candidate.total,
        ratio=interval.ratio,
        ratio_low=interval.low,
        ratio_high=interval.high,
        log_abort_e=weighed.evident.harm,
        log_pass_e=weighed.evident.safety,
        needed=needed,
        sentence=sentence,
        difference=weighed.difference,
        log_gap_e=weighed.evident.gap,
    )


def _agree(by_key: Finding, by_request: Finding) -> Finding:
    """Keys find harm; for a pass, requests must agree.

    Requests of one key hang together, so that they find harm where there is only bad luck. But once nearly
    every key has had something bad, keys are alike on both sides, however much worse one of them is.
    """
    if by_key is Finding.NO_HARM and by_request is not Finding.NO_HARM:
        by_key = Finding.UNDECIDED
    return Finding.SUSPICION if by_key is Finding.UNDECIDED and by_request is Finding.HARM else by_key


def _conclude(
    verdicts: tuple[MetricVerdict, ...], evidence: Evidence, *, has_guard: bool, is_split_broken: bool
) -> Finding:
    """What all verdicts together say.

    Shadow requests can condemn a candidate. They acquit it only where no request was split: answers that
    nobody waits for say little about how it bears real traffic.
    """
    deciding = [verdict for verdict in verdicts if not verdict.is_muted]
    shadow = [verdict for verdict in deciding if verdict.unit == PAIRS]
    split = [] if is_split_broken else [verdict for verdict in deciding if verdict.unit != PAIRS]
    findings = {verdict.finding for verdict in (*shadow, *split)}
    if has_guard or Finding.HARM in findings:
        return Finding.HARM
    if Finding.SUSPICION in findings:
        return Finding.SUSPICION
    was_split = any(0 < epoch.weight < WHOLE for epoch in evidence.epochs)
    needed = split if was_split else shadow
    if needed and all(verdict.finding is Finding.NO_HARM for verdict in needed):
        return Finding.NO_HARM
    return Finding.UNDECIDED
