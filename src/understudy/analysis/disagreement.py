"""How many shadow answers may differ from the baseline's: a share against the operator's bound."""

from understudy.analysis.bernoulli import bound_share, weigh_above, weigh_below
from understudy.analysis.metric import SUSPICIOUS, Limits
from understudy.analysis.sentences import describe_share
from understudy.analysis.settings import AnalysisSettings
from understudy.analysis.strata import PAIRS
from understudy.analysis.verdict import Finding, MetricVerdict
from understudy.evidence import ShadowCounts

DISAGREEMENTS = "disagreements"


def judge_disagreement(
    shadow: ShadowCounts, settings: AnalysisSettings, limits: Limits
) -> MetricVerdict | None:
    """What shadow answers say of the bound; none when there is no bound, or no shadow traffic."""
    bound = settings.disagreement_max
    if bound is None or shadow.mirrored == 0:
        return None
    log_abort_e = weigh_above(shadow.disagreed, shadow.compared, bound)
    log_pass_e = weigh_below(shadow.disagreed, shadow.compared, bound)
    finding = _find(log_abort_e, log_pass_e, limits)
    return MetricVerdict(
        metric=DISAGREEMENTS,
        unit=PAIRS,
        finding=finding,
        is_muted=False,
        baseline_bad=0,
        baseline_total=shadow.compared,
        candidate_bad=shadow.disagreed,
        candidate_total=shadow.compared,
        ratio=None,
        ratio_low=None,
        ratio_high=None,
        log_abort_e=log_abort_e,
        log_pass_e=log_pass_e,
        needed=None,
        sentence=_describe(shadow, bound, settings.alpha, finding),
    )


def _find(log_abort_e: float, log_pass_e: float, limits: Limits) -> Finding:
    if log_abort_e >= limits.harm:
        return Finding.HARM
    if log_abort_e >= min(SUSPICIOUS, limits.harm):
        return Finding.SUSPICION
    return Finding.NO_HARM if log_pass_e >= limits.safe else Finding.UNDECIDED


def _describe(shadow: ShadowCounts, bound: float, alpha: float, finding: Finding) -> str:
    low, high = bound_share(shadow.disagreed, shadow.compared, alpha)
    meaning = finding.value.replace("_", " ")
    return (
        f"{DISAGREEMENTS}: {shadow.disagreed:,} of {shadow.compared:,} shadow answers, "
        f"surely {describe_share(low)} to {describe_share(high)}; {describe_share(bound)} allowed: {meaning}"
    )
