"""Verdicts in words, for people: the numbers first, then what they mean."""

from math import exp
from typing import Final, assert_never

from understudy.analysis.interval import Interval
from understudy.analysis.settings import MetricSettings
from understudy.analysis.strata import Arm
from understudy.analysis.verdict import Finding, MetricVerdict

_LOG_E_MAX: Final = 600.0
"""Beyond it an e-value has no name."""


def describe_counts(metric: str, candidate: Arm, baseline: Arm, interval: Interval) -> str:
    """`errors: candidate 12 of 4,031 (0.30 %), baseline 98 of 76,210 (0.13 %), ratio 2.3 (1.1 to 4.6)`."""
    ratio = describe_interval(interval)
    return f"{metric}: {describe_arms(candidate, baseline)}{f', ratio {ratio}' if ratio else ''}"


def describe_arms(candidate: Arm, baseline: Arm) -> str:
    """What was counted of both."""
    return f"candidate {_describe_arm(candidate)}, baseline {_describe_arm(baseline)}"


def describe_finding(
    finding: Finding, settings: MetricSettings, log_abort_e: float, *, needed: int | None, unit: str
) -> str:
    """What the numbers mean."""
    match finding:
        case Finding.HARM:
            return f"harm; {_describe_chance(log_abort_e)}"
        case Finding.SUSPICION:
            return f"suspicious; {_describe_chance(log_abort_e)}"
        case Finding.NO_HARM:
            return (
                f"no harm: surely below {settings.margin:g} times the baseline's rate, "
                f"or less than {describe_share(settings.floor)} above it"
            )
        case Finding.UNDECIDED:
            more = "" if not needed else f"; at these rates about {needed:,} more {unit} would decide"
            return f"undecided{more}"
        case _:
            assert_never(finding)


def describe_all(
    finding: Finding, verdicts: tuple[MetricVerdict, ...], guards: tuple[str, ...], *, is_split_broken: bool
) -> str:
    """The finding in words, with the metrics that made it."""
    if guards:
        return f"harm: {guards[0]}"
    deciding = [verdict for verdict in verdicts if verdict.finding is finding and not verdict.is_muted]
    told = ". ".join(verdict.sentence for verdict in deciding)
    if is_split_broken and finding is not Finding.HARM:
        return (
            "the split is broken: the candidate got more or fewer requests than its weight says, "
            "so that the versions cannot be compared"
        )
    return told or "nothing has been counted yet"


def describe_interval(interval: Interval) -> str:
    """`2.3 (1.1 to 4.6)`; empty when nothing is known."""
    if interval.low is None:
        return ""
    high = "any" if interval.high is None else describe_ratio(interval.high)
    ratio = "unbounded" if interval.ratio is None else describe_ratio(interval.ratio)
    return f"{ratio} ({describe_ratio(interval.low)} to {high})"


def describe_ratio(ratio: float) -> str:
    """`2.3`, `0.04`, `1,200`: two digits at least, and never an exponent where it is large."""
    return f"{ratio:.2g}" if ratio < 99.5 else f"{ratio:,.0f}"


def _describe_arm(arm: Arm) -> str:
    share = f" ({describe_share(arm.bad / arm.total)})" if arm.total else ""
    return f"{arm.bad:,} of {arm.total:,}{share}"


def describe_share(share: float) -> str:
    """`0.30 %`; more digits where it is small."""
    percent = share * 100
    return f"{percent:.2f} %" if percent >= 0.1 or percent == 0 else f"{percent:.2g} %"


def _describe_chance(log_e: float) -> str:
    """The inequality of Ville in words."""
    if log_e > _LOG_E_MAX:
        return "chance alone never gets this far"
    e_value = exp(log_e)
    return f"chance alone gets this far in one of {e_value:,.0f} rollouts at most"
