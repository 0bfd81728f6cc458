"""The table of states as a page for people: docs/reference/version-states.md, as a test makes sure."""

from understudy.lifecycle.harness import RESIDENT, TRANSITIONS, Trigger
from understudy.servable import WIRE_STATES, State

MEANINGS: dict[State, str] = {
    State.NEW: "known, not yet begun: waits for its turn, for memory, or for another version to go",
    State.LOADING: "a load attempt is under way",
    State.OVERDUE: "its load has passed its deadline and has not come back; should it, it counts",
    State.RETRYING: "the last attempt failed; the next one waits for its time",
    State.READY: "requests may reach it",
    State.UNLOADING: "out of the routes; its last requests finish, then it is freed",
    State.END: "unloaded as asked, or cancelled before it was ready",
    State.ERROR: "given up, until its files change, memory is freed, or somebody asks",
}

TRIGGERS: dict[Trigger, str] = {
    Trigger.LOAD_STARTED: "the transition policy lets it load, and there is memory",
    Trigger.OVERRAN: "the attempt has taken longer than the load deadline; another thread takes its place",
    Trigger.WITHDRAWN: "no longer aspired, and its load had not begun, or was thrown away",
    Trigger.LOADED: "the attempt succeeded and the version is aspired",
    Trigger.LOADED_UNWANTED: "the attempt succeeded, but the version is no longer aspired; it never serves",
    Trigger.ATTEMPT_FAILED: "the attempt failed; another follows after the retry interval",
    Trigger.GAVE_UP: "the attempt failed; it was the last, or the version is no longer aspired",
    Trigger.REFUSED: "there is no memory for it, and none is being freed",
    Trigger.CANCELLED: "no longer aspired, and no load is under way",
    Trigger.UNLOAD_STARTED: "the transition policy lets it go",
    Trigger.UNLOADED: "its requests have ended, or the drain has, and it is freed",
    Trigger.RENEWED: "aspired again; or, failed, its files changed, there is memory now, or somebody asked",
}


def mermaid() -> str:
    """The table as a Mermaid state diagram."""
    arrows = [
        f"    {before.name} --> {after.name}: {trigger.value}"
        for (before, trigger), after in TRANSITIONS.items()
    ]
    return "\n".join(["stateDiagram-v2", "    [*] --> NEW: aspired", *arrows])


def page() -> str:
    """The whole page, in Markdown."""
    return "\n".join(
        [
            "# States of a version",
            "",
            "Generated from the table in `src/understudy/lifecycle/harness.py`; do not edit.",
            "`pytest tests/unit/test_diagram.py --rewrite` writes it anew.",
            "",
            "```mermaid",
            mermaid(),
            "```",
            "",
            "| state | clients are told | holds memory | means |",
            "| --- | --- | --- | --- |",
            *(_state_row(state) for state in State),
            "",
            "| from | when | to |",
            "| --- | --- | --- |",
            *(_change_row(before, trigger, after) for (before, trigger), after in TRANSITIONS.items()),
            "",
        ]
    )


def _state_row(state: State) -> str:
    told = WIRE_STATES[state].name + (" (with the error)" if state in {State.ERROR, State.OVERDUE} else "")
    holds = "yes" if state in RESIDENT else "no"
    return f"| {state.name} | {told} | {holds} | {MEANINGS[state]} |"


def _change_row(before: State, trigger: Trigger, after: State) -> str:
    return f"| {before.name} | {TRIGGERS[trigger]} | {after.name} |"
