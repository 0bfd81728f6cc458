"""What `understudy rollout` shows: a rollout with its numbers, lists of them, decisions. Asks nobody."""

from collections.abc import Iterable, Iterator
from typing import Final

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from understudy.admin.rollout_words import describe_phase, show_percent
from understudy.admin.rollouts import (
    DecisionView,
    PositionView,
    RolloutHeadView,
    RolloutView,
    StoryView,
)
from understudy.analysis.sentences import describe_ratio
from understudy.analysis.verdict import Finding, Judgement, MetricVerdict
from understudy.cli.profile_tables import build_profile
from understudy.cli.shadow_tables import build_shadow
from understudy.cli.tables import (
    new_table,
    show_elapsed,
    show_rate,
    show_sentence,
    show_time,
    show_zone,
)
from understudy.evidence import ArmCounts, Evidence
from understudy.rollout.state import ENDS, Phase

BAR_WIDTH: Final = 40

_PHASES: Final = {
    Phase.WAITING: "cyan",
    Phase.VALIDATING: "cyan",
    Phase.SHADOWING: "cyan",
    Phase.RAMPING: "cyan",
    Phase.WATCHING: "green",
    Phase.PROMOTED: "green",
    Phase.ROLLED_BACK: "bold red",
    Phase.ENDED: "yellow",
}
_FINDINGS: Final = {
    Finding.HARM: "bold red",
    Finding.SUSPICION: "yellow",
    Finding.UNDECIDED: "cyan",
    Finding.NO_HARM: "green",
}
_IN_WORDS: Final = {
    Finding.HARM: "harm",
    Finding.SUSPICION: "suspicion",
    Finding.UNDECIDED: "not decided",
    Finding.NO_HARM: "no harm",
}


def build_rollout(rollout: RolloutView, *, with_bar: bool) -> RenderableType:
    """One rollout: where it is and what it waits for, then the numbers.

    Args:
        rollout: to show.
        with_bar: draw how far it has come; for terminals.
    """
    parts: list[RenderableType] = [_build_facts(rollout)]
    if with_bar and rollout.phase not in ENDS:
        parts.append(ProgressBar(total=1.0, completed=measure_progress(rollout), width=BAR_WIDTH))
    if rollout.judgement is not None:
        parts += [Text(), *build_judgement(rollout.judgement)]
    if rollout.profile is not None:
        parts += [Text(), build_profile(rollout.profile)]
    if rollout.shadow is not None:
        parts += [Text(), build_shadow(rollout.shadow)]
    return Group(*parts)


def build_judgement(judgement: Judgement) -> Iterator[RenderableType]:
    """What the evidence says: a line for each metric, then the rest in words."""
    table = new_table("METRIC", "UNIT", "CANDIDATE", "BASELINE", "RATIO", "SAYS", "NEEDED")
    for metric in judgement.metrics:
        table.add_row(
            metric.metric,
            metric.unit,
            show_rate(metric.candidate_bad, metric.candidate_total),
            show_rate(metric.baseline_bad, metric.baseline_total),
            show_ratio(metric),
            _show_finding(metric.finding, is_muted=metric.is_muted),
            "-" if metric.needed is None else f"{metric.needed:,}",
        )
    if judgement.metrics:
        yield table
    for metric in judgement.metrics:
        if metric.sentence and metric.finding in {Finding.HARM, Finding.SUSPICION}:
            yield Text(show_sentence(metric.sentence), style=_FINDINGS[metric.finding], overflow="fold")
    for guard in judgement.guards:
        yield Text(show_sentence(guard), style="bold red", overflow="fold")
    if judgement.is_split_broken:
        yield Text("The counts do not fit the weights: none of these numbers can be trusted.", "bold red")
    yield Text.assemble("Together: ", (_IN_WORDS[judgement.finding], _FINDINGS[judgement.finding]), ".")


def build_heads(rollouts: Iterable[RolloutHeadView | RolloutView]) -> Table:
    """A line for each rollout."""
    table = new_table(
        *("ROLLOUT", "MODEL", "FROM", "TO", "PHASE", "WEIGHT"),
        *(f"STARTED ({show_zone()})", f"CHANGED ({show_zone()})", "BY", "WHY"),
    )
    for each in rollouts:
        changed_at = each.changed_at if isinstance(each, RolloutHeadView) else each.entered_at
        table.add_row(
            each.id,
            each.model,
            str(each.baseline),
            str(each.candidate),
            show_phase(each),
            show_percent(each.weight),
            show_time(each.started_at),
            show_time(changed_at),
            each.asked_by,
            show_sentence(each.reason),
        )
    return table


def build_story(story: StoryView, *, with_numbers: bool) -> RenderableType:
    """All decisions of a rollout, the oldest first.

    With the numbers, if asked: those that each was made on, and what shadow traffic has shown.
    """
    if not with_numbers:
        table = new_table(f"WHEN ({show_zone()})", "WHAT", "PHASE", "WEIGHT", "BY", "WHY")
        for decision in story.decisions:
            phase, weight = _show_position(decision.after)
            table.add_row(
                show_time(decision.at),
                decision.kind,
                phase,
                weight,
                decision.by,
                show_sentence(decision.reason),
            )
        return table
    decided = [part for decision in story.decisions for part in _build_decision(decision)]
    shadow = story.rollout.shadow
    return Group(*decided) if shadow is None else Group(*decided, build_shadow(shadow))


def describe_decision(decision: DecisionView) -> str:
    """A decision on one line: `12:00:05  step_passed  ramping step 2, 5 %  ...`."""
    phase, weight = _show_position(decision.after)
    place = phase if weight == "-" else f"{phase}, {weight}"
    if decision.after is not None and decision.after.pause is not None:
        place += ", held"
    by = "" if decision.by == "rollout" else f" ({decision.by})"
    return f"{decision.at.astimezone():%H:%M:%S}  {place}: {show_sentence(decision.reason)}{by}"


def show_phase(rollout: RolloutView | RolloutHeadView) -> Text:
    """Where it is, in its colour: `ramping, step 2 of 4`; and why it does not go on."""
    style = _PHASES[rollout.phase] if rollout.pause is None else "yellow"
    return Text(describe_phase(rollout), style=style)


def show_ratio(metric: MetricVerdict) -> str:
    """The ratio of the rates within its bounds: `2.3 (1.1 to 4.6)`; a dash when it cannot be told."""
    if metric.ratio is None and metric.ratio_low is None and metric.ratio_high is None:
        return "-"
    ratio = "?" if metric.ratio is None else describe_ratio(metric.ratio)
    low = "0" if metric.ratio_low is None else describe_ratio(metric.ratio_low)
    high = "any" if metric.ratio_high is None else describe_ratio(metric.ratio_high)
    return f"{ratio} ({low} to {high})"


def measure_progress(rollout: RolloutView) -> float:
    """How far it has come, from 0 to 1: the stages that are behind it, and the time spent in this one."""
    stages = [
        *([rollout.plan.shadow.dwell_s] if rollout.plan.shadow else []),
        *(step.dwell_s for step in rollout.plan.steps),
    ]
    steps_from = 1 if rollout.plan.shadow else 0
    match rollout.phase:
        case Phase.WAITING | Phase.VALIDATING:
            return 0.0
        case Phase.SHADOWING:
            stage = 0
        case Phase.RAMPING:
            stage = steps_from + rollout.step - 1
        case _:
            return 1.0
    if stage >= len(stages):
        return 1.0
    within = min(1.0, rollout.in_phase_s / stages[stage]) if stages[stage] > 0 else 1.0
    return (stage + within) / len(stages)


def _build_facts(rollout: RolloutView) -> Table:
    facts = new_table("ROLLOUT", "")
    facts.columns[1].header = rollout.id
    facts.add_row("model", rollout.model)
    facts.add_row("versions", f"{rollout.candidate} in place of {rollout.baseline}")
    facts.add_row("phase", show_phase(rollout))
    facts.add_row("weight", show_percent(rollout.weight))
    facts.add_row("ramp", _show_ramp(rollout))
    facts.add_row("since", f"{show_time(rollout.entered_at)} ({show_elapsed(rollout.in_phase_s)})")
    facts.add_row("asked by", f"{rollout.asked_by}, {show_time(rollout.started_at)}")
    facts.add_row("why", show_sentence(rollout.reason))
    for place, wait in enumerate(rollout.waits_for):
        facts.add_row("" if place else "waits for", wait)
    for name, said in _describe_evidence(rollout.evidence):
        facts.add_row(name, said)
    if not rollout.is_recorded:
        facts.add_row("on record", Text("not yet: the state directory cannot be written", "bold red"))
    if rollout.crashes:
        facts.add_row("crashes", f"{rollout.crashes} of at most {rollout.plan.crashes_max}")
    return facts


def _show_ramp(rollout: RolloutView) -> Text:
    """The stages in order; the present one in brackets, so that it stands out without colours, too."""
    ramp = Text()
    stages = [*(["shadow"] if rollout.plan.shadow else [])]
    stages += [show_percent(step.weight) for step in rollout.plan.steps]
    stages.append("100 %")
    at = _find_stage(rollout, len(stages))
    for place, stage in enumerate(stages):
        if place == at:
            ramp.append(f"[{stage}]", style="bold reverse")
        else:
            ramp.append(stage, style="green" if at is not None and place < at else "dim")
        if place < len(stages) - 1:
            ramp.append(" > ", style="dim")
    return ramp


def _find_stage(rollout: RolloutView, stages: int) -> int | None:
    match rollout.phase:
        case Phase.SHADOWING:
            return 0
        case Phase.RAMPING:
            return rollout.step - (0 if rollout.plan.shadow else 1)
        case Phase.WATCHING | Phase.PROMOTED:
            return stages - 1
        case _:
            return None


def _describe_evidence(evidence: Evidence) -> Iterator[tuple[str, str]]:
    if evidence.epochs:
        yield "candidate", _describe_arm([epoch.candidate for epoch in evidence.epochs])
        yield "baseline", _describe_arm([epoch.baseline for epoch in evidence.epochs])
    shadow = evidence.shadow
    if shadow.mirrored:
        said = f"{shadow.compared:,} compared, {show_rate(shadow.disagreed, shadow.compared)} disagreed"
        others = ((shadow.shed, "shed"), (shadow.incomparable, "not comparable"))
        yield "shadow", "; ".join([said, *(f"{count:,} {what}" for count, what in others if count)])


def _describe_arm(arms: list[ArmCounts]) -> str:
    said = [f"{sum(arm.requests for arm in arms):,} requests"]
    counts = (
        (sum(arm.callers_mistakes for arm in arms), "callers' mistakes"),
        (sum(arm.refused for arm in arms), "refused"),
        (sum(arm.fallbacks for arm in arms), "answered by the baseline instead"),
    )
    return "; ".join([*said, *(f"{count:,} {what}" for count, what in counts if count)])


def _build_decision(decision: DecisionView) -> Iterator[RenderableType]:
    yield Text(describe_decision(decision), style="bold", overflow="fold")
    if decision.judgement is not None:
        yield from build_judgement(decision.judgement)
    yield Text()


def _show_position(position: PositionView | None) -> tuple[str, str]:
    if position is None:
        return "-", "-"
    phase = position.phase.value.replace("_", " ")
    return (f"{phase} step {position.step}" if position.step else phase), show_percent(position.weight)


def _show_finding(finding: Finding, *, is_muted: bool) -> Text:
    said = f"{_IN_WORDS[finding]} (muted)" if is_muted else _IN_WORDS[finding]
    return Text(said, style="dim" if is_muted else _FINDINGS[finding])
