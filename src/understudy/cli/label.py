"""`understudy label`: names for versions, moved and taken away."""

import click

from understudy.admin.operator import ChangeView
from understudy.admin.view import ModelView
from understudy.cli.admin_client import admin_url_option, json_option, print_json, set_label, wait_option
from understudy.cli.completing import complete_versions, model_argument
from understudy.cli.outcome import EXIT_NEGATIVE
from understudy.cli.watching import wait_until

VERSION_MAX = 2**63 - 1


@click.group()
def label() -> None:
    """Let a label lead to a version, or take it away. Each is a revision of the configuration."""


@label.command(name="set")
@model_argument
@click.argument("name", metavar="LABEL")
@click.argument("version", type=click.IntRange(min=0, max=VERSION_MAX), shell_complete=complete_versions)
@wait_option
@admin_url_option
@json_option
@click.pass_context
def set_(  # noqa: PLR0913 - a command has as many parameters as options
    ctx: click.Context, model: str, name: str, version: int, *, wait_s: float, admin_url: str, as_json: bool
) -> None:
    """Let LABEL of MODEL lead to VERSION, and wait until requests by it reach that version.

    Until VERSION is ready the label stays where it was. The exit code is 1 when it has not moved in time.
    """
    change = set_label(admin_url, model, name, version)
    if not as_json:
        click.echo(f"{_describe(change)} Waiting until version {version} is ready and {name} leads to it.")
    found = wait_until(admin_url, model, lambda view: _leads_to(view, name, version), wait_s=wait_s)
    moved = _leads_to(found, name, version)
    if as_json:
        print_json(found)
    elif moved:
        click.echo(f"Requests for {name} of {model} reach version {version}.")
    else:
        click.echo(f"{name} has not moved: {_state_of(found, version)}", err=True)
    ctx.exit(0 if moved else EXIT_NEGATIVE)


@label.command()
@model_argument
@click.argument("name", metavar="LABEL")
@admin_url_option
@json_option
def remove(model: str, name: str, *, admin_url: str, as_json: bool) -> None:
    """Take LABEL of MODEL away: requests by it are refused from then on."""
    change = set_label(admin_url, model, name, None)
    if as_json:
        print_json(change)
    else:
        click.echo(_describe(change))


def _describe(change: ChangeView) -> str:
    if change.is_change:
        return f"In force as revision {change.revision}."
    return f"Nothing to change: revision {change.revision} says the same."


def _leads_to(model: ModelView, name: str, version: int) -> bool:
    return any((each.label, each.version, each.ready) == (name, version, True) for each in model.labels)


def _state_of(model: ModelView, version: int) -> str:
    for each in model.versions:
        if each.version == version:
            return f"version {version} is {each.state.value}: {each.reason}"
    return f"{model.name} has no version {version}; it moves when there is one and it is ready."
