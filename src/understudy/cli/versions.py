"""`understudy versions`: every version of one model, and how long each step of its life took."""

import click
from rich.table import Table

from understudy.admin.view import ModelView, VersionView
from understudy.cli.admin_client import admin_url_option, ask_model, json_option, print_json
from understudy.cli.completing import model_argument
from understudy.cli.status_tables import show_label
from understudy.cli.tables import (
    new_console,
    new_table,
    show_bytes,
    show_elapsed,
    show_seconds,
    show_sentence,
    show_state,
)
from understudy.servable import State


@click.command()
@model_argument
@admin_url_option
@json_option
def versions(model: str, admin_url: str, *, as_json: bool) -> None:
    """List the versions of MODEL, also those that ended: states, steps, attempts, memory, reasons.

    WAITED is for its turn to load, LOADED the last attempt, SERVED the time it was ready, DRAINED from the
    last new request to freed memory; dots: it is at that now. MEMORY is what is reserved for it, and by how
    much the process grew when it was loaded. REQUESTS are answered ones, and those that hold it now. ARM,
    where there is such a column, is what it is in a rollout under way, or that it is quarantined.
    """
    found = ask_model(admin_url, model)
    if as_json:
        print_json(found)
        return
    console = new_console()
    if not found.versions:
        console.print(f"{found.name} has no versions. `understudy why {found.name}` says why.")
        return
    console.print(_build_table(found))
    console.print()
    for version in found.versions:
        console.print(f"{version.version}: {_explain(found, version)}", soft_wrap=True)


def _build_table(model: ModelView) -> Table:
    """A line for each version; what it is in a rollout only where it is something."""
    has_arms = any(version.arm or version.quarantined for version in model.versions)
    table = new_table(
        *("VERSION", "STATE", "FOR", "ASPIRED"),
        *(("ARM",) if has_arms else ()),
        *("WAITED", "LOADED", "SERVED", "DRAINED", "TRIES", "MEMORY", "REQUESTS"),
    )
    for version in model.versions:
        arm = "quarantined" if version.quarantined else version.arm or "-"
        table.add_row(
            str(version.version),
            show_state(version.state),
            show_elapsed(version.in_state_s),
            "yes" if version.aspired else "no",
            *((arm,) if has_arms else ()),
            show_seconds(version.waiting_s),
            _show_loaded(version),
            show_seconds(version.serving_s),
            _show_drained(version),
            str(version.attempts),
            _show_memory(version),
            _show_requests(version),
        )
    return table


def _show_loaded(version: VersionView) -> str:
    if version.state in {State.LOADING, State.OVERDUE}:
        began_at = next((each.at for each in version.entered if each.state is State.LOADING), version.since)
        return f"{show_elapsed(version.in_state_s + (version.since - began_at).total_seconds())}..."
    return show_seconds(version.load_duration_s)


def _show_drained(version: VersionView) -> str:
    if version.state is State.UNLOADING:
        return f"{show_elapsed(version.in_state_s)}..."
    return show_seconds(version.unload_duration_s)


def _show_memory(version: VersionView) -> str:
    if version.estimate_bytes is None and version.growth_bytes is None:
        return "-"
    return f"{show_bytes(version.estimate_bytes)}/{show_bytes(version.growth_bytes)}"


def _show_requests(version: VersionView) -> str:
    return f"{version.requests}, {version.in_flight} now" if version.in_flight else str(version.requests)


def _explain(model: ModelView, version: VersionView) -> str:
    """Why it is where it is, and whatever else is worth a word."""
    said = [show_sentence(version.reason)]
    if version.next_attempt_at is not None:
        said.append(f"next attempt at {version.next_attempt_at.astimezone():%H:%M:%S}")
    if version.requests_left:
        said.append(f"{version.requests_left} requests outlived its drain")
    if version.files_changed_at is not None:
        changed_at = f"{version.files_changed_at.astimezone():%b %d %H:%M:%S}"
        said.append(f"its files were seen at {changed_at} to be changed in place")
    overlays = model.traffic.overlays if model.traffic else ()
    said += [show_sentence(each.reason) for each in overlays if each.version == version.version]
    for label in model.labels:
        if label.version == version.version:
            said.append(f"label {show_label(label)} leads here")
        if label.target == version.version:
            said.append(f"label {label.label} moves here when it is ready")
    return "; ".join(said)
