"""`understudy status`: what the server serves, and what it does not."""

import click

from understudy.admin.view import ModelView, ServerView
from understudy.cli.admin_client import admin_url_option, ask_model, ask_server, json_option, print_json
from understudy.cli.outcome import EXIT_NEGATIVE
from understudy.cli.tables import new_console, new_table, show_seconds, show_sentence, show_state, show_time


@click.command()
@click.argument("model", required=False)
@admin_url_option
@json_option
@click.pass_context
def status(ctx: click.Context, model: str | None, admin_url: str, *, as_json: bool) -> None:
    """Show what the server serves: all models, or one MODEL in detail.

    With MODEL the exit code is 1 when no version of it answers requests.
    """
    if model is None:
        _show_all(ask_server(admin_url), as_json=as_json)
        return
    found = ask_model(admin_url, model)
    _show_one(found, as_json=as_json)
    if found.default_version is None:
        ctx.exit(EXIT_NEGATIVE)


def _show_all(server: ServerView, *, as_json: bool) -> None:
    if as_json:
        print_json(server)
        return
    console = new_console()
    console.print(
        f"{server.software}  {server.phase.value} since {show_time(server.started_at)}  "
        f"gRPC {server.grpc_address or 'off'}  REST {server.rest_address or 'off'}  "
        f"routes generation {server.generation}"
    )
    table = new_table(
        "MODEL", "DEFAULT", "VERSION", "STATE", "SINCE", "IN FLIGHT", "REQUESTS", "FAILED", "LABELS"
    )
    for model in server.models:
        default = "-" if model.default_version is None else str(model.default_version)
        if not model.versions:
            table.add_row(model.name, default, "-", "none", "", "", "", "", "")
        for position, version in enumerate(model.versions):
            table.add_row(
                model.name if position == 0 else "",
                default if position == 0 else "",
                str(version.version),
                show_state(version.state),
                show_time(version.since),
                str(version.in_flight),
                str(version.requests),
                str(version.failures),
                ", ".join(label.label for label in model.labels if label.version == version.version),
            )
    console.print(table)
    for model in server.models:
        if model.source_failure:
            console.print(f"{model.name}: {model.source_failure.code}: {model.source_failure.message}")
    if not server.models:
        console.print("No models are configured.")


def _show_one(model: ModelView, *, as_json: bool) -> None:
    if as_json:
        print_json(model)
        return
    console = new_console()
    facts = new_table("MODEL", model.name)
    facts.add_row("base path", model.base_path)
    facts.add_row("platform", model.platform)
    facts.add_row("policy", str(model.policy))
    facts.add_row("default version", "-" if model.default_version is None else str(model.default_version))
    for label in model.labels:
        facts.add_row(f"label {label.label}", f"{label.version}{'' if label.ready else ' (not ready)'}")
    facts.add_row("found", ", ".join(map(str, model.found_versions)) or "-")
    if model.source_failure:
        facts.add_row("last look failed", f"{model.source_failure.code}: {model.source_failure.message}")
    console.print(facts)
    table = new_table("VERSION", "STATE", "SINCE", "LOADED IN", "IN FLIGHT", "REQUESTS", "FAILED", "WHY")
    for version in model.versions:
        table.add_row(
            str(version.version),
            show_state(version.state),
            show_time(version.since),
            show_seconds(version.load_duration_s),
            str(version.in_flight),
            str(version.requests),
            str(version.failures),
            show_sentence(version.reason),
        )
    console.print(table)
