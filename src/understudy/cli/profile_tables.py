"""What both versions' answers look like, side by side: latencies, codes, outputs. Asks nobody."""

from collections.abc import Iterator
from typing import Final

from rich.table import Table

from understudy.cli.tables import new_table, show_seconds
from understudy.evidence import ArmProfile, OutputProfile, TrialProfile, TruthCounts

OUTPUTS_MAX: Final = 10
CLASSES_MAX: Final = 5
"""Lines of a screen; `--json` has all."""


def build_profile(profile: TrialProfile) -> Table:
    """A line for each thing that both versions can be compared by."""
    table = new_table("SINCE THE START", "CANDIDATE", "BASELINE")
    arms = (profile.candidate, profile.baseline)
    for share in sorted({share for arm in arms for share, _ in arm.latency_s}):
        table.add_row(
            f"latency p{share * 100:g}", *(show_seconds(dict(arm.latency_s).get(share)) for arm in arms)
        )
    table.add_row("answers", *(_show_codes(arm) for arm in arms))
    for name in _name_outputs(profile):
        table.add_row(f"output {name}", *(_show_output(arm, name) for arm in arms))
    truths = profile.truths
    if truths.kept or truths.counted:
        table.add_row("truths", f"{truths.counted:,} told", f"{truths.kept:,} predictions wait")
    return table


def describe_lost(truths: TruthCounts) -> Iterator[str]:
    """Predictions and truths that never meet, and why, a line each."""
    reasons = (
        ("answers lack the output that the plan's `quality` names, or it is too large", truths.unfit),
        ("predictions are forgotten: the window was over before their truth came", truths.forgotten),
        ("truths came after the window", truths.late),
        ("truths are of requests that neither version answered", truths.unknown),
        ("predictions found no room", truths.left_out),
        ("predictions gave way to a later request with the same id", truths.replaced),
    )
    return (f"Without effect: {count:,} {what}." for what, count in reasons if count)


def _name_outputs(profile: TrialProfile) -> list[str]:
    names = {output.name for arm in (profile.candidate, profile.baseline) for output in arm.outputs}
    return sorted(names)[:OUTPUTS_MAX]


def _show_codes(arm: ArmProfile) -> str:
    """`OK 412, INTERNAL 3`: the most frequent first."""
    said = sorted(arm.codes.items(), key=lambda each: -each[1])
    return ", ".join(f"{code} {count:,}" for code, count in said) or "-"


def _show_output(arm: ArmProfile, name: str) -> str:
    output = next((each for each in arm.outputs if each.name == name), None)
    return "-" if output is None else "; ".join(_describe(output)) or "-"


def _describe(output: OutputProfile) -> Iterator[str]:
    if output.mean is not None:
        yield f"mean {output.mean:.4g}"
    median = dict(output.quantiles).get(0.5)
    if median is not None:
        yield f"median {median:.4g}"
    if output.not_finite:
        yield f"{output.not_finite:,} not finite"
    total = sum(count for _, count in output.classes) + output.other_classes
    if total:
        shares = [f"{each} {100 * count / total:.0f} %" for each, count in output.classes[:CLASSES_MAX]]
        yield "classes " + ", ".join(shares)
