"""`understudy models`: all models, a line each."""

import click

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
    """List all models: who answers, which labels lead where, the version policy, and what is not ready."""
    seen = ask_models(admin_url)
    if as_json:
        print_json(seen)
        return
    console = new_console()
    if not seen.models:
        console.print("No models are configured.")
        return
    table = new_table("MODEL", "DEFAULT", "READY", "LABELS", "POLICY", "NOT READY")
    for model in seen.models:
        table.add_row(
            model.name,
            NOBODY if model.default_version is None else str(model.default_version),
            ", ".join(map(str, model.ready_versions)) or "-",
            ", ".join(f"{label.label}={label.version}{'' if label.ready else '?'}" for label in model.labels),
            str(model.policy) if model.configured else "removed",
            _show_unready(model),
        )
    console.print(table)


def _show_unready(model: ListedView) -> str:
    said = [f"{each.version} {each.state.value}" for each in model.unready[:UNREADY_MAX]]
    more = len(model.unready) - UNREADY_MAX
    if more > 0:
        said.append(f"{more} more")
    if model.source_failure is not None:
        said.append(f"look failed: {model.source_failure.code}")
    return ", ".join(said)
