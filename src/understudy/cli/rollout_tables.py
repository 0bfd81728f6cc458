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
from understudy.cli.judgement_tables import build_judgement
from understudy.cli.profile_tables import build_profile, describe_lost
from understudy.cli.shadow_tables import build_shadow
from understudy.cli.tables import (
    Fitting,
    indent,
    new_table,
    show_elapsed,
    show_rate,
    show_sentence,
    show_time,
    show_zone,
)
from understudy.evidence import ArmCounts, Evidence
from understudy.rollout.minutes import duration
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
        parts += [Text(line, overflow="fold") for line in describe_lost(rollout.profile.truths)]
    if rollout.shadow is not None:
        parts += [Text(), build_shadow(rollout.shadow)]
    return Group(*parts)


def build_heads(rollouts: Iterable[RolloutHeadView | RolloutView]) -> RenderableType:
    """A line for each rollout."""
    listed = list(rollouts)
    return Fitting(_build_heads(listed), Group(*(line for each in listed for line in _describe_head(each))))


def _describe_head(rollout: RolloutHeadView | RolloutView) -> Iterator[RenderableType]:
    changed_at = rollout.changed_at if isinstance(rollout, RolloutHeadView) else rollout.entered_at
    versions = f" of {rollout.model}, version {rollout.candidate} in place of {rollout.baseline}: "
    weight = f", {show_percent(rollout.weight)}"
    yield Text.assemble((rollout.id, "bold"), versions, show_phase(rollout), weight, overflow="fold")
    times = f"started {show_time(rollout.started_at)} by {rollout.asked_by}, changed {show_time(changed_at)}"
    yield indent(times)
    yield indent(rollout.reason)


def _build_heads(rollouts: Iterable[RolloutHeadView | RolloutView]) -> Table:
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
        lines = (line for decision in story.decisions for line in _describe_decision(decision))
        return Fitting(_build_decisions(story.decisions), Group(*lines))
    decided = [part for decision in story.decisions for part in _build_decision(decision)]
    shadow = story.rollout.shadow
    return Group(*decided) if shadow is None else Group(*decided, build_shadow(shadow))


def _build_decisions(decisions: Iterable[DecisionView]) -> Table:
    table = new_table(f"WHEN ({show_zone()})", "WHAT", "PHASE", "WEIGHT", "BY", "WHY")
    for decision in decisions:
        phase, weight = _show_position(decision.after)
        when, why = show_time(decision.at), show_sentence(decision.reason)
        table.add_row(when, decision.kind, phase, weight, decision.by, why)
    return table


def _describe_decision(decision: DecisionView) -> Iterator[RenderableType]:
    """A decision where there is no room for a table: when, what and who, then why."""
    phase, weight = _show_position(decision.after)
    place = "" if decision.after is None else f": {phase}, {weight}"
    yield Text(f"{show_time(decision.at)} {decision.kind}{place} (by {decision.by})", "bold", overflow="fold")
    yield indent(decision.reason)


def describe_decision(decision: DecisionView) -> str:
    """A decision on one line: `12:00:05  step_passed  ramping step 2, 5 %  ...`."""
    phase, weight = _show_position(decision.after)
    place = decision.kind.replace("_", " ") if decision.after is None else f"{phase}, {weight}"
    if decision.after is not None and decision.after.pause is not None:
        place += ", held"
    by = "" if decision.by == "rollout" else f" ({decision.by})"
    return f"{decision.at.astimezone():%H:%M:%S}  {place}: {show_sentence(decision.reason)}{by}"


def show_phase(rollout: RolloutView | RolloutHeadView) -> Text:
    """Where it is, in its colour: `ramping, step 2 of 4`; and why it does not go on."""
    style = _PHASES[rollout.phase] if rollout.pause is None else "yellow"
    return Text(describe_phase(rollout), style=style)


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
    if rollout.thresholds_s:
        slow = (f"{name} beyond {duration(after_s)}" for name, after_s in rollout.thresholds_s.items())
        facts.add_row("slow", ", ".join(slow))
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
