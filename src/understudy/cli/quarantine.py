"""`understudy quarantine`: versions that must not be served: listed, added, released."""

import click

from understudy.admin.rollouts import NewQuarantine, TrafficView
from understudy.cli.admin_client import admin_url_option, ask_server, json_option, print_json
from understudy.cli.completing import complete_models, complete_versions, model_argument
from understudy.cli.rollout_client import (
    ask_quarantine,
    by_option,
    name_asker,
    quarantine_version,
    release_version,
)
from understudy.cli.rollout_outcome import NOT_RECORDED
from understudy.cli.tables import new_console
from understudy.cli.traffic_tables import build_quarantine

VERSION_MAX = 2**63 - 1

_version_argument = click.argument(
    "version", type=click.IntRange(min=0, max=VERSION_MAX), shell_complete=complete_versions
)


@click.group()
def quarantine() -> None:
    """List versions that must not be served, add some, release them.

    A version whose rollout failed is quarantined: no policy picks it up again until it is released.
    """


@quarantine.command(name="list")
@click.argument("model", required=False, shell_complete=complete_models)
@admin_url_option
@json_option
def list_(model: str | None, *, admin_url: str, as_json: bool) -> None:
    """List the quarantined versions of MODEL, or of all models: since when, by whom, why."""
    if model is not None:
        found = [ask_quarantine(admin_url, model)]
    else:
        models = ask_server(admin_url).models
        found = [each.traffic.quarantine for each in models if each.traffic and each.traffic.quarantined]
    if as_json:
        print_json(found)
        return
    rows = [(each.model, version) for each in found for version in each.versions]
    if rows:
        new_console().print(build_quarantine(rows))
    else:
        click.echo("No version is quarantined.")


@quarantine.command()
@model_argument
@_version_argument
@click.option("--reason", default="", metavar="TEXT", help="Why, for whoever finds it.")
@by_option
@admin_url_option
@json_option
def add(  # noqa: PLR0913 - a command has as many parameters as options
    model: str, version: int, *, reason: str, by: str, admin_url: str, as_json: bool
) -> None:
    """Keep VERSION of MODEL from being served, from now on and across restarts; if it serves, it is unloaded.

    The policy then chooses among the others.
    """
    wanted = NewQuarantine(reason=reason, by=name_asker(by))
    found = quarantine_version(admin_url, model, version, wanted)
    _report(found, f"Version {version} of {model} is quarantined.", as_json=as_json)


@quarantine.command()
@model_argument
@_version_argument
@by_option
@admin_url_option
@json_option
def release(model: str, version: int, *, by: str, admin_url: str, as_json: bool) -> None:
    """Let VERSION of MODEL be served again, if its policy or a rollout wants it."""
    found = release_version(admin_url, model, version, name_asker(by))
    _report(found, f"Version {version} of {model} may be served again.", as_json=as_json)


def _report(found: TrafficView, said: str, *, as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        click.echo(said if found.is_recorded else f"{said} {NOT_RECORDED}")
