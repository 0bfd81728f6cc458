"""`understudy models`: all models, a line each."""

from collections.abc import Iterable

import click
from rich.table import Table

from understudy.admin.rollout_words import describe_phase, show_percent
from understudy.admin.view import ListedView
from understudy.cli.admin_client import admin_url_option, ask_models, json_option, print_json
from understudy.cli.status_tables import NOBODY
from understudy.cli.tables import new_console, new_table

UNREADY_MAX = 3
"""Versions named on a line; `understudy versions` names all."""


@click.command()
@admin_url_option
@json_option
def models(admin_url: str, *, as_json: bool) -> None:
    """List all models: who answers, labels, version policy, how traffic is split, and what is not ready."""
    seen = ask_models(admin_url)
    if as_json:
        print_json(seen)
        return
    console = new_console()
    if not seen.models:
        console.print("No models are configured.")
        return
    console.print(build_models(seen.models))


def build_models(models: Iterable[ListedView]) -> Table:
    """A line for each model."""
    table = new_table("MODEL", "DEFAULT", "READY", "LABELS", "POLICY", "TRAFFIC", "NOT READY")
    for model in models:
        table.add_row(
            model.name,
            NOBODY if model.default_version is None else str(model.default_version),
            ", ".join(map(str, model.ready_versions)) or "-",
            ", ".join(f"{label.label}={label.version}{'' if label.ready else '?'}" for label in model.labels),
            str(model.policy) if model.configured else "removed",
            _show_traffic(model),
            _show_unready(model),
        )
    return table


def _show_traffic(model: ListedView) -> str:
    """`2: ramping, step 2 of 4, 5 %; 3 held`; empty when the configuration alone decides."""
    said = []
    if model.rollout is not None:
        at = f"{describe_phase(model.rollout)}, {show_percent(model.rollout.weight)}"
        said.append(f"{model.rollout.candidate}: {at}")
    elif model.shares:
        said.append(
            "split " + ", ".join(f"{each.version}={show_percent(each.weight)}" for each in model.shares)
        )
    elif model.managed:
        said.append("managed")
    for versions, what in ((model.held, "held"), (model.quarantined, "quarantined")):
        if versions:
            said.append(f"{_show_versions(versions)} {what}")
    return "; ".join(said)


def _show_versions(versions: tuple[int, ...]) -> str:
    """The highest of them, which are the newest."""
    more = len(versions) - UNREADY_MAX
    shown = ", ".join(map(str, versions[-UNREADY_MAX:]))
    return f"{shown} and {more} more" if more > 0 else shown


def _show_unready(model: ListedView) -> str:
    said = [f"{each.version} {each.state.value}" for each in model.unready[:UNREADY_MAX]]
    more = len(model.unready) - UNREADY_MAX
    if more > 0:
        said.append(f"{more} more")
    if model.source_failure is not None:
        said.append(f"look failed: {model.source_failure.code}")
    return ", ".join(said)
