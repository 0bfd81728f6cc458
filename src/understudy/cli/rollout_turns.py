"""`understudy rollout pause`, `resume`, `approve`, `promote`, `abort`, `undo`: a rollout goes another way."""

import sys

import click

from understudy.admin.rollouts import NewAbort, Turn
from understudy.cli.admin_client import admin_url_option, json_option
from understudy.cli.completing import model_argument
from understudy.cli.rollout_client import abort_rollout, by_option, name_asker, turn_rollout
from understudy.cli.rollout_report import report_rollout

_yes_option = click.option("--yes", is_flag=True, help="Do not ask whether it is meant.")


@click.command()
@model_argument
@by_option
@admin_url_option
@json_option
def pause(model: str, *, by: str, admin_url: str, as_json: bool) -> None:
    """Let the rollout of MODEL stay at its present weight. Harm still rolls it back."""
    report_rollout(turn_rollout(admin_url, model, Turn.PAUSE, name_asker(by)), as_json=as_json)


@click.command()
@model_argument
@by_option
@admin_url_option
@json_option
def resume(model: str, *, by: str, admin_url: str, as_json: bool) -> None:
    """Let a paused rollout of MODEL go on; one whose time was up gets as much again."""
    report_rollout(turn_rollout(admin_url, model, Turn.RESUME, name_asker(by)), as_json=as_json)


@click.command()
@model_argument
@by_option
@admin_url_option
@json_option
def approve(model: str, *, by: str, admin_url: str, as_json: bool) -> None:
    """Let the rollout of MODEL go on from a step that its plan wants approved."""
    report_rollout(turn_rollout(admin_url, model, Turn.APPROVE, name_asker(by)), as_json=as_json)


@click.command()
@model_argument
@_yes_option
@by_option
@admin_url_option
@json_option
def promote(model: str, *, yes: bool, by: str, admin_url: str, as_json: bool) -> None:
    """Promote the candidate of MODEL's rollout now, whatever the evidence says so far."""
    if not yes:
        _confirm(f"Let the candidate answer all requests of {model} now, whatever the evidence says so far?")
    report_rollout(turn_rollout(admin_url, model, Turn.PROMOTE, name_asker(by)), as_json=as_json)


@click.command()
@model_argument
@click.option("--reason", default="", metavar="TEXT", help="Why, for the history.")
@click.option(
    "--no-quarantine", is_flag=True, help="Do not quarantine the candidate: the policy may pick it up again."
)
@_yes_option
@by_option
@admin_url_option
@json_option
def abort(  # noqa: PLR0913 - a command has as many parameters as options
    model: str, *, reason: str, no_quarantine: bool, yes: bool, by: str, admin_url: str, as_json: bool
) -> None:
    """Roll MODEL back to its baseline now, and quarantine the candidate."""
    if not yes:
        _confirm(f"Take the candidate of {model} out of traffic now?")
    wanted = NewAbort(reason=reason, quarantine=not no_quarantine, by=name_asker(by))
    report_rollout(abort_rollout(admin_url, model, wanted), as_json=as_json)


@click.command()
@model_argument
@by_option
@admin_url_option
@json_option
def undo(model: str, *, by: str, admin_url: str, as_json: bool) -> None:
    """Take a promotion of MODEL back, at once, while its old baseline is still kept loaded."""
    report_rollout(turn_rollout(admin_url, model, Turn.UNDO, name_asker(by)), as_json=as_json)


def _confirm(question: str) -> None:
    """Asks, where somebody sits who can answer."""
    if sys.stdin.isatty() and sys.stdout.isatty():
        click.confirm(question, abort=True)
