"""What `understudy status` shows, as tables: all models, or one in detail. Asks nobody."""

from collections.abc import Iterable, Iterator
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from understudy.admin.rollout_words import describe_phase, describe_shares, show_percent
from understudy.admin.rollouts import RolloutHeadView, TrafficView
from understudy.admin.view import LabelView, ModelView, ServerView, VersionView, is_of_concern
from understudy.cli.tables import (
    new_table,
    show_elapsed,
    show_seconds,
    show_sentence,
    show_state,
)
from understudy.servable import State

NOBODY: Final = Text("nobody", style="bold red")
FRESH_STYLE: Final = "reverse"
"""Of what changed a moment ago."""
NOTES_MAX: Final = 10
"""Lines about what is wrong on a screen that must hold the table, too."""

_FAILED: Final = {State.ERROR, State.RETRYING, State.OVERDUE}

VersionKey = tuple[str, int, int]
"""Model, version, incarnation."""
NONE: Final[frozenset[VersionKey]] = frozenset()


def build_server(server: ServerView, fresh: frozenset[VersionKey] = NONE) -> RenderableType:
    """The whole server: a line for each version that is of concern, then what is wrong.

    Args:
        server: to show.
        fresh: versions that changed a moment ago.
    """
    return Group(_build_heading(server), _build_versions(server.models, fresh), *_build_notes(server))


def build_watched_server(server: ServerView, fresh: frozenset[VersionKey]) -> RenderableType:
    """The same for a screen that cuts what does not fit: what is wrong comes first, briefly."""
    notes = list(_build_notes(server))
    if len(notes) > NOTES_MAX:
        more = len(notes) - NOTES_MAX
        notes[NOTES_MAX:] = [Text(f"... and {more} more: `understudy models` lists all", style="bold")]
    brief = [_build_heading(server), *notes]
    for line in brief:
        line.no_wrap, line.overflow = True, "ellipsis"
    return Group(*brief, _build_versions(server.models, fresh))


def build_model(model: ModelView, fresh: frozenset[VersionKey] = NONE) -> RenderableType:
    """One model: how it is configured, then a line for each version that the server remembers."""
    table = new_table("VERSION", "STATE", "FOR", "LOADED IN", "IN FLIGHT", "REQUESTS", "FAILED", "WHY")
    for version in model.versions:
        table.add_row(
            str(version.version),
            show_state(version.state),
            show_elapsed(version.in_state_s),
            show_seconds(version.load_duration_s),
            str(version.in_flight),
            str(version.requests),
            str(version.failures),
            show_sentence(version.reason),
            style=_style(model, version, fresh),
        )
    return Group(_build_facts(model), table)


def show_label(label: LabelView) -> str:
    """A label where its version is named already: `stable`, and what is not as it should be."""
    if label.target is not None:
        return f"{label.label} (to move to {label.target})"
    return label.label if label.ready else f"{label.label} (not ready)"


def explain_label(label: LabelView) -> str:
    """Which version a label names, and what is not as it should be."""
    if label.missing:
        text = f"{label.version} (is not there)"
    else:
        text = f"{label.version}{'' if label.ready else ' (not ready)'}"
    if label.target is None:
        return text
    state = "not there yet" if label.target_state is None else label.target_state.value
    return f"{text}, to move to {label.target} ({state})"


def _build_heading(server: ServerView) -> Text:
    up_s = (server.at - server.started_at).total_seconds()
    return Text(
        f"{server.software}  {server.phase.value}, up {show_elapsed(up_s)}  "
        f"gRPC {server.grpc_address or 'off'}  REST {server.rest_address or 'off'}  "
        f"generation {server.generation}",
    )


def _build_versions(models: Iterable[ModelView], fresh: frozenset[VersionKey]) -> Table:
    table = new_table(
        "MODEL", "DEFAULT", "VERSION", "STATE", "FOR", "IN FLIGHT", "REQUESTS", "FAILED", "LABELS"
    )
    for model in models:
        default = NOBODY if model.default_version is None else str(model.default_version)
        shown = [version for version in model.versions if is_of_concern(version)]
        if not shown:
            table.add_row(model.name, default, "-", "none")
        for position, version in enumerate(shown):
            table.add_row(
                model.name if position == 0 else "",
                default if position == 0 else "",
                str(version.version),
                show_state(version.state),
                show_elapsed(version.in_state_s),
                str(version.in_flight),
                str(version.requests),
                str(version.failures),
                ", ".join(show_label(each) for each in model.labels if each.version == version.version),
                style=_style(model, version, fresh),
            )
    return table


def _style(model: ModelView, version: VersionView, fresh: frozenset[VersionKey]) -> str | None:
    return FRESH_STYLE if (model.name, version.version, version.incarnation) in fresh else None


def _build_notes(server: ServerView) -> Iterator[Text]:
    """What a person must know at once, a line each."""
    if not server.models:
        yield Text("No models are configured.")
    for model in server.models:
        for note in _note(model):
            yield Text.assemble((model.name, "bold"), f": {note}", overflow="fold")


def _note(model: ModelView) -> Iterator[str]:
    if model.source_failure:
        yield f"{model.source_failure.code}: {model.source_failure.message}"
    for version in model.versions:
        if version.state in _FAILED and version.aspired:
            due_at = version.next_attempt_at
            again = "" if due_at is None else f"; next attempt at {due_at.astimezone():%H:%M:%S}"
            yield f"version {version.version}: {show_sentence(version.reason)}{again}"
        if version.state is State.UNLOADING and version.in_flight:
            waits = show_elapsed(version.in_state_s)
            yield f"version {version.version} drains: {version.in_flight} requests hold it for {waits}"
        if version.files_changed_at is not None and version.state is State.READY:
            yield f"version {version.version} serves on, but its files were changed in place"
    yield from _note_traffic(model)
    for label in model.labels:
        if not label.ready or label.target is not None:
            yield f"label {label.label} leads to {explain_label(label)}"


def _note_traffic(model: ModelView) -> Iterator[str]:
    if model.rollout is not None:
        yield f"rollout {_explain_rollout(model.rollout)}"
    traffic = model.traffic
    if traffic is None:
        return
    if len(traffic.shares) > 1:
        yield describe_shares(traffic)
    if traffic.held:
        yield f"held back until a rollout takes it up: version {', '.join(map(str, traffic.held))}"
    if traffic.quarantined:
        yield f"quarantined: version {', '.join(str(each.version) for each in traffic.quarantined)}"


def _explain_rollout(rollout: RolloutHeadView) -> str:
    versions = f"version {rollout.candidate} in place of {rollout.baseline}"
    return f"{rollout.id}, {versions}: {describe_phase(rollout)}, {show_percent(rollout.weight)}"


def _build_facts(model: ModelView) -> Table:
    facts = new_table("MODEL", "")
    facts.columns[1].header = model.name
    facts.add_row("base path", model.base_path)
    facts.add_row("platform", model.platform)
    facts.add_row("policy", str(model.policy))
    facts.add_row("transition", model.transition.replace("_", " ") or "-")
    facts.add_row("default version", NOBODY if model.default_version is None else str(model.default_version))
    for label in model.labels:
        facts.add_row(f"label {label.label}", explain_label(label))
    if model.rollout is not None:
        facts.add_row("rollout", _explain_rollout(model.rollout))
    if model.traffic is not None:
        _add_traffic(facts, model.traffic)
    facts.add_row("found", ", ".join(map(str, model.found_versions)) or "-")
    if model.source_failure:
        facts.add_row("last look failed", f"{model.source_failure.code}: {model.source_failure.message}")
    return facts


def _add_traffic(facts: Table, traffic: TrafficView) -> None:
    if len(traffic.shares) > 1:
        facts.add_row("split", describe_shares(traffic))
    if traffic.weights_by is not None:
        facts.add_row("split by", traffic.weights_by)
    for overlay in traffic.overlays:
        facts.add_row(f"version {overlay.version}", show_sentence(overlay.reason))
