"""The table of phases as a page for people: docs/reference/rollout-states.md, as a test makes sure."""

from understudy.rollout.phases import TRANSITIONS, Trigger
from understudy.rollout.state import Pause, Phase

MEANINGS: dict[Phase, str] = {
    Phase.WAITING: "the candidate is not ready yet: not published, or loading",
    Phase.VALIDATING: "it is loaded; its signatures and golden examples are looked at",
    Phase.SHADOWING: "it runs a share of the requests, and nobody sees its answers",
    Phase.RAMPING: "it answers a share of the requests: one of the plan's steps",
    Phase.WATCHING: "it answers everything; the old baseline stays loaded, so that undoing is instant",
    Phase.PROMOTED: "the end: the candidate is the stable version",
    Phase.ROLLED_BACK: "the end: the baseline is the stable version",
    Phase.ENDED: "the end without a verdict: whoever answered is the stable version",
}

CANDIDATE: dict[Phase, str] = {
    Phase.WAITING: "nothing",
    Phase.VALIDATING: "nothing",
    Phase.SHADOWING: "nothing; its answers are thrown away",
    Phase.RAMPING: "its step's share",
    Phase.WATCHING: "everything",
    Phase.PROMOTED: "everything",
    Phase.ROLLED_BACK: "nothing",
    Phase.ENDED: "as the configuration says",
}

TRIGGERS: dict[Trigger, str] = {
    Trigger.LOADED: "candidate and baseline are ready",
    Trigger.SHADOW_BEGUN: "it passed validation, and the plan has a shadow stage",
    Trigger.RAMP_BEGUN: "what came before is passed: validation, or the shadow stage's time and requests "
    "without suspicion",
    Trigger.STEP_PASSED: "the step's time and requests are over without suspicion, and it is approved if the "
    "plan wants that",
    Trigger.PASSED: "no harm at the last step; or the plan has no steps, and what came before is passed",
    Trigger.PROMOTED: "an operator said so, or approved it",
    Trigger.WATCHED: "`keep_baseline` is over",
    Trigger.FAILED: "harm, a limit that was passed, a failed load or validation, time that ran out, files "
    "that were deleted, too many crashes",
    Trigger.ABORTED: "an operator aborted it, undid it, or put the candidate in quarantine",
    Trigger.OVERRULED: "the configuration says something else now, or a newer version takes its place",
}

PAUSES: dict[Pause, tuple[str, str]] = {
    Pause.OPERATOR: ("an operator paused it", "`resume`"),
    Pause.APPROVAL: ("the step is passed, and the plan wants an operator's approval", "`approve`, `promote`"),
    Pause.INCONCLUSIVE: (
        "the time is up, and the evidence says neither; it goes on counting",
        "`resume` (as much time again), `promote`",
    ),
    Pause.BROKEN_SPLIT: (
        "more or fewer requests reach the candidate than its weight says: nothing counted can be trusted",
        "`resume` (counting begins anew), `promote`",
    ),
    Pause.BASELINE_GONE: (
        "the baseline does not serve and is not on its way: the candidate gets no traffic meanwhile",
        "by itself, when the baseline serves again; `promote`",
    ),
}


EVERYWHERE = frozenset({Phase.ROLLED_BACK, Phase.ENDED})
"""Ends that every phase leads to, for the same reasons."""
ONWARD = {change: after for change, after in TRANSITIONS.items() if after not in EVERYWHERE}


def mermaid() -> str:
    """The table as a Mermaid state diagram; what leads out of every phase is drawn once."""
    inside = [_arrow(before.name, trigger, after) for (before, trigger), after in ONWARD.items()]
    shared = {trigger: after for (_, trigger), after in TRANSITIONS.items() if after in EVERYWHERE}
    return "\n".join(
        [
            "stateDiagram-v2",
            "    [*] --> UNDER_WAY",
            "    state UNDER_WAY {",
            "        [*] --> WAITING: ordered",
            *(f"    {arrow}" for arrow in inside),
            "    }",
            *(_arrow("UNDER_WAY", trigger, after) for trigger, after in shared.items()),
        ]
    )


def _arrow(before: str, trigger: Trigger, after: Phase) -> str:
    return f"    {before} --> {after.name}: {trigger.value}"


def page() -> str:
    """The whole page, in Markdown."""
    return "\n".join(
        [
            "# States of a rollout",
            "",
            "Generated from the table in `src/understudy/rollout/phases.py`; do not edit.",
            "`pytest tests/unit/test_rollout_diagram.py --rewrite` writes it anew.",
            "",
            "```mermaid",
            mermaid(),
            "```",
            "",
            "| state | means | the candidate answers |",
            "| --- | --- | --- |",
            *(f"| {phase.name} | {MEANINGS[phase]} | {CANDIDATE[phase]} |" for phase in Phase),
            "",
            "| from | when | to |",
            "| --- | --- | --- |",
            *(
                f"| {before.name} | {TRIGGERS[trigger]} | {after.name} |"
                for (before, trigger), after in TRANSITIONS.items()
            ),
            "",
            "A pause keeps a rollout where it is. Harm rolls back all the same, and `abort` ends it.",
            "",
            "| pause | means | goes on by |",
            "| --- | --- | --- |",
            *(f"| {pause.value} | {means} | {by} |" for pause, (means, by) in PAUSES.items()),
            "",
        ]
    )
