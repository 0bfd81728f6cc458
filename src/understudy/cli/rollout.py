"""`understudy rollout`: a version rolled out step by step: begun, watched, turned, remembered."""

from importlib import import_module
from typing import BinaryIO, Final

import click
import msgspec

from understudy.admin.rollouts import NewRollout, RolloutView
from understudy.cli.admin_client import admin_url_option, json_option, print_json
from understudy.cli.completing import complete_models, complete_rollouts, complete_versions, model_argument
from understudy.cli.outcome import EXIT_HELD, Unusable
from understudy.cli.rollout_client import (
    ask_rollout,
    ask_rollout_history,
    ask_rollouts,
    ask_story,
    by_option,
    limit_option,
    name_asker,
    start_rollout,
)
from understudy.cli.rollout_follow import Following, follow
from understudy.cli.rollout_outcome import describe_outcome, exit_code, is_settled
from understudy.cli.rollout_report import report_rollout
from understudy.cli.rollout_tables import build_heads, build_rollout, build_story
from understudy.cli.tables import new_console
from understudy.rollout.state import ENDS

VERSION_MAX = 2**63 - 1
WAIT_S_DEFAULT = 86_400.0
WAIT_S_MAX = 30 * 86_400.0

_ELSEWHERE: Final = {
    **dict.fromkeys(
        ("pause", "resume", "approve", "promote", "abort", "undo"), "understudy.cli.rollout_turns"
    ),
    "check": "understudy.cli.rollout_check",
    "simulate": "understudy.cli.rollout_simulate",
}
"""Commands that live in files of their own under their names, read when they are called."""

_VERSION = click.IntRange(min=0, max=VERSION_MAX)
_wait_option = click.option(
    "--wait",
    "wait_s",
    is_flag=False,
    flag_value=WAIT_S_DEFAULT,
    type=click.FloatRange(min=0, max=WAIT_S_MAX),
    metavar="[SECONDS]",
    help="Follow it until it is promoted, is rolled back, or waits for an operator; for so many seconds at "
    "most (a day when no number follows).",
)


class _Rollout(click.Group):
    """A group, some of whose commands are read when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *_ELSEWHERE})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _ELSEWHERE:
            return super().get_command(ctx, cmd_name)
        command = getattr(import_module(_ELSEWHERE[cmd_name]), cmd_name)
        assert isinstance(command, click.Command)  # noqa: S101 - the table above is ours
        return command


@click.group(cls=_Rollout)
def rollout() -> None:
    """Roll a version out step by step, judged at each step by what it does; and see what was decided and why.

    \b
    understudy rollout start digits --to 2
    understudy rollout status digits --watch

    \b
    Exit codes, beside the usual ones, of start --wait and of status with a MODEL:
      0  it goes on, or it has promoted its version
      4  it was rolled back
      5  it waits for an operator; or it still goes on, and the time to wait is over
      6  it ended without a verdict: the configuration or a newer version took its place
    """  # noqa: D301 - click's mark for lines that stay as they are


@rollout.command()
@model_argument
@click.option(
    "--to",
    "candidate",
    type=_VERSION,
    required=True,
    metavar="VERSION",
    shell_complete=complete_versions,
    help="The version to roll out; it need not be there yet.",
)
@click.option(
    "--from",
    "baseline",
    type=_VERSION,
    metavar="VERSION",
    shell_complete=complete_versions,
    help="The version to compare with; the one that serves when it is not given.",
)
@click.option(
    "--plan",
    "file",
    metavar="FILE",
    help="How, as YAML. Otherwise as the model's strategy says, or as plans are by default.",
)
@click.option(
    "--steps", metavar="LIST", help="Shares of traffic in per cent, like 1,5,25,50, for the plan's."
)
@click.option("--no-shadow", is_flag=True, help="Without the plan's shadow stage.")
@_wait_option
@by_option
@admin_url_option
@json_option
@click.pass_context
def start(  # noqa: PLR0913 - a command has as many parameters as options
    ctx: click.Context,
    model: str,
    *,
    candidate: int,
    baseline: int | None,
    file: str | None,
    steps: str | None,
    no_shadow: bool,
    wait_s: float | None,
    by: str,
    admin_url: str,
    as_json: bool,
) -> None:
    """Roll a version of MODEL out: shadow traffic first, then a growing share of the requests.

    At each step the candidate's errors, latency, outputs and, where the truth is known, predictions are
    compared with those of the version that serves. Harm rolls it back at once; enough evidence of no harm
    promotes it.
    """
    wanted = NewRollout(
        candidate=candidate,
        baseline=baseline,
        plan=_read_plan(file) if file else "",
        steps=None if steps is None else _parse_steps(steps),
        shadow=not no_shadow,
        by=name_asker(by),
    )
    begun = start_rollout(admin_url, model, wanted)
    if wait_s is None:
        report_rollout(begun, as_json=as_json)
        return
    if not as_json:
        click.echo(f"Rollout {begun.id} has begun: version {candidate} in place of {begun.baseline}.")
    _follow_to_the_end(ctx, admin_url, begun, wait_s=wait_s, as_json=as_json)


@rollout.command()
@click.argument("model", required=False, shell_complete=complete_models)
@click.option(
    "--watch",
    "is_watched",
    is_flag=True,
    help="Follow it to its end, or until Ctrl-C: on a terminal redrawn in place, elsewhere a line for each "
    "decision; with --json a document a line.",
)
@limit_option
@admin_url_option
@json_option
@click.pass_context
def status(  # noqa: PLR0913 - a command has as many parameters as options
    ctx: click.Context, model: str | None, *, is_watched: bool, limit: int, admin_url: str, as_json: bool
) -> None:
    """Show the rollouts under way and the last that ended; or that of MODEL, with its numbers.

    Of MODEL the rollout under way is shown, or its last one.
    """
    if model is None:
        if is_watched:
            raise Unusable("Name the model whose rollout is to be watched.")
        _list(admin_url, limit, as_json=as_json)
        return
    found = ask_rollout(admin_url, model)
    if is_watched:
        _watch(ctx, admin_url, found, as_json=as_json)
        return
    if as_json:
        print_json(found)
    else:
        console = new_console()
        console.print(build_rollout(found, with_bar=console.is_terminal))
    ctx.exit(exit_code(found))


@rollout.command()
@model_argument
@limit_option
@admin_url_option
@json_option
def history(model: str, *, limit: int, admin_url: str, as_json: bool) -> None:
    """List the rollouts of MODEL, the newest first."""
    found = ask_rollout_history(admin_url, model, limit)
    if as_json:
        print_json(found)
    elif found.rollouts:
        new_console().print(build_heads(found.rollouts))
    else:
        click.echo(
            f"There was no rollout of {model}; `understudy rollout start {model} --to VERSION` begins one."
        )


@rollout.command()
@click.argument("rollout_id", metavar="ROLLOUT", shell_complete=complete_rollouts)
@click.option("--numbers", is_flag=True, help="With the numbers that each decision was made on.")
@admin_url_option
@json_option
def show(rollout_id: str, *, numbers: bool, admin_url: str, as_json: bool) -> None:
    """Show every decision of a ROLLOUT, the oldest first: when, what, who, why."""
    story = ask_story(admin_url, rollout_id)
    if as_json:
        print_json(story)
    else:
        new_console().print(build_story(story, with_numbers=numbers))


@rollout.command()
@click.argument("rollout_id", metavar="ROLLOUT", shell_complete=complete_rollouts)
@click.option(
    "--to",
    "target",
    type=click.File("wb", lazy=True),
    default="-",
    metavar="FILE",
    help="Where to; standard output when it is not given.",
)
@admin_url_option
def export(rollout_id: str, target: BinaryIO, admin_url: str) -> None:
    """Write a ROLLOUT whole, as JSON: plan, state, and all decisions with the numbers they were made on."""
    story = ask_story(admin_url, rollout_id)
    target.write(msgspec.json.format(msgspec.json.encode(story), indent=2) + b"\n")


def _list(admin_url: str, limit: int, *, as_json: bool) -> None:
    found = ask_rollouts(admin_url, limit)
    if as_json:
        print_json(found)
    elif found.present or found.ended:
        new_console().print(build_heads([*found.present, *found.ended]))
    else:
        click.echo("There was no rollout; `understudy rollout start MODEL --to VERSION` begins one.")


def _watch(ctx: click.Context, admin_url: str, found: RolloutView, *, as_json: bool) -> None:
    watched = Following(
        admin_url=admin_url,
        rollout=found.id,
        is_over=lambda seen: seen.phase in ENDS,
        wait_s=WAIT_S_MAX,
        as_json=as_json,
    )
    try:
        found = follow(watched)
    except KeyboardInterrupt:
        return
    if not as_json:
        click.echo(describe_outcome(found))
    ctx.exit(exit_code(found))


def _follow_to_the_end(
    ctx: click.Context, admin_url: str, begun: RolloutView, *, wait_s: float, as_json: bool
) -> None:
    followed = Following(
        admin_url=admin_url, rollout=begun.id, is_over=is_settled, wait_s=wait_s, as_json=as_json
    )
    ended = follow(followed)
    if not as_json:
        click.echo(describe_outcome(ended))
    ctx.exit(exit_code(ended) if is_settled(ended) else EXIT_HELD)


def _read_plan(file: str) -> str:
    from understudy.cli.plan_file import read_plan  # noqa: PLC0415 - who names no file need not pay for YAML

    return read_plan(file)[0]


def _parse_steps(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(each.strip().removesuffix("%")) for each in text.split(","))
    except ValueError:
        raise Unusable(
            f"--steps {text!r} is no list of shares in per cent; give one like 1,5,25,50."
        ) from None
