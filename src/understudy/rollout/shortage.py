"""What evidence lacks before it decides, in words. Pure."""

from understudy.analysis.strata import KEYS
from understudy.analysis.verdict import Finding, Judgement, MetricVerdict


def describe_missing(judgement: Judgement | None) -> str:
    """How many requests more would decide, by metric: ` (errors needs about 900 more requests)`; or empty."""
    metrics = judgement.metrics if judgement is not None else ()
    open_ones = [
        f"{each.metric} needs about {each.needed:,} more {each.unit}"
        for each in metrics
        if each.needed and not each.is_muted and each.finding is not Finding.NO_HARM
    ]
    return f" ({', '.join(open_ones)})" if open_ones else ""


def describe_few_users(judgement: Judgement | None) -> str:
    """What to do where there may never be so many users as are needed; empty where that is no question."""
    metrics = judgement.metrics if judgement is not None else ()
    short = [each for each in metrics if each.unit == KEYS and not each.is_muted and _is_far(each)]
    if not short:
        return ""
    most = max(each.candidate_total for each in short)
    return (
        f"keys are users, each of whom counts once, and the candidate has met {most:,}: if there will never "
        "be so many, promote it yourself, or start again by a plan with a higher `floor`, for which fewer "
        "suffice"
    )


def _is_far(metric: MetricVerdict) -> bool:
    """More is missing than there is."""
    is_open = metric.finding is Finding.UNDECIDED
    return is_open and (metric.needed is None or metric.needed > metric.candidate_total)
