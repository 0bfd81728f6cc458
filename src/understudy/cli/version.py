"""`understudy version`: orders about one version."""

import click

from understudy.admin.view import ModelView, VersionView
from understudy.cli.admin_client import (
    admin_url_option,
    json_option,
    print_json,
    retry_version,
    wait_option,
)
from understudy.cli.completing import complete_versions, model_argument
from understudy.cli.outcome import EXIT_NEGATIVE
from understudy.cli.watching import wait_until
from understudy.servable import State

VERSION_MAX = 2**63 - 1
_UNDER_WAY = {State.NEW, State.LOADING}


@click.group()
def version() -> None:
    """Give orders about one version."""


@version.command()
@model_argument
@click.argument(
    "number",
    metavar="VERSION",
    type=click.IntRange(min=0, max=VERSION_MAX),
    shell_complete=complete_versions,
)
@wait_option
@admin_url_option
@json_option
@click.pass_context
def retry(  # noqa: PLR0913 - a command has as many parameters as options
    ctx: click.Context, model: str, number: int, *, wait_s: float, admin_url: str, as_json: bool
) -> None:
    """Try to load VERSION of MODEL again now, and wait for the outcome.

    For a version that has failed, or that waits for its next attempt. The exit code is 1 when it does not
    become ready.
    """
    begun = retry_version(admin_url, model, number)
    if not as_json:
        click.echo(f"{begun.reason}. Waiting for the outcome.")
    found = wait_until(admin_url, model, lambda view: not _is_under_way(view, number), wait_s=wait_s)
    ended = _find(found, number)
    if as_json:
        print_json(found)
    elif ended is None:
        click.echo(f"{model} has no version {number} any more.", err=True)
    else:
        ready = ended.state is State.READY
        click.echo(f"Version {number} is {ended.state.value}: {ended.reason}", err=not ready)
    ctx.exit(0 if ended is not None and ended.state is State.READY else EXIT_NEGATIVE)


def _find(model: ModelView, number: int) -> VersionView | None:
    return next((each for each in model.versions if each.version == number), None)


def _is_under_way(model: ModelView, number: int) -> bool:
    found = _find(model, number)
    return found is not None and found.state in _UNDER_WAY
