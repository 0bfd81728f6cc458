"""`understudy config`: what the server is configured to serve, what it was before, and changes of it."""

import difflib
from pathlib import Path

import click
import msgspec

from understudy.admin.operator import ChangeView, ConfigView, NewConfig, RevisionView, Rollback
from understudy.cli.admin_client import (
    admin_url_option,
    apply_config,
    ask_config,
    ask_history,
    ask_revision,
    json_option,
    print_json,
    roll_back,
    wait_option,
)
from understudy.cli.outcome import EXIT_NEGATIVE, Unusable
from understudy.cli.tables import new_console, new_table, show_sentence, show_time
from understudy.config_text import format_config, read_changed_config
from understudy.errors import ConfigError

HISTORY_LIMIT = 20
HISTORY_LIMIT_MAX = 1_000
NUMBER_MAX = 2**31 - 1
CONTEXT_LINES = 3
"""Of a difference, as diff and git have it."""

_NUMBER = click.IntRange(min=1, max=NUMBER_MAX)
_dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Let the server judge it and say what it would change; change nothing."
)
_if_revision_option = click.option(
    "--if-revision",
    type=_NUMBER,
    default=None,
    metavar="N",
    help="Refuse it when another revision than N is in force by now.",
)


@click.group()
def config() -> None:
    """Show, compare and change what the server is configured to serve.

    Each configuration that was in force is a numbered revision, whoever gave it: the file, an RPC, a command.
    """


@config.command()
@click.argument("revision", type=_NUMBER, required=False)
@admin_url_option
@json_option
def show(revision: int | None, admin_url: str, *, as_json: bool) -> None:
    """Print the configuration in force, or a REVISION of it, as text that `apply` takes."""
    found = _ask(admin_url, revision)
    if as_json:
        print_json(found)
        return
    click.echo(f"# {_title(found.revision)}")
    click.echo(found.text, nl=False)


@config.command()
@click.option(
    "--limit",
    type=click.IntRange(min=1, max=HISTORY_LIMIT_MAX),
    default=HISTORY_LIMIT,
    show_default=True,
    help="How many revisions.",
)
@admin_url_option
@json_option
def history(limit: int, admin_url: str, *, as_json: bool) -> None:
    """List the newest revisions, the newest first: when, and who asked."""
    found = ask_history(admin_url, limit)
    if as_json:
        print_json(found)
        return
    table = new_table("REVISION", "WHEN", "ORIGIN", "IN FORCE", "WHAT")
    for revision in found.revisions:
        table.add_row(
            str(revision.number),
            show_time(revision.at),
            revision.origin,
            "yes" if revision.in_force else "",
            show_sentence(revision.detail),
        )
    new_console().print(table)


@config.command()
@click.argument("what", metavar="FILE|N")
@click.argument("other", metavar="[M]", type=_NUMBER, required=False)
@admin_url_option
@json_option
@click.pass_context
def diff(ctx: click.Context, what: str, other: int | None, admin_url: str, *, as_json: bool) -> None:
    """Compare what is in force with FILE or with revision N, or revision N with revision M.

    The result is a unified diff of canonical texts: what leads from what is in force to FILE; from revision
    N to what is in force; from N to M. The exit code is 1 when they differ. A file whose name is a number is
    written ./7.
    """
    if not what.isdecimal():
        if other is not None:
            raise Unusable("A file is compared with what is in force; leave the second argument out.")
        before, after, name = ask_config(admin_url), _read_file(what), what
    else:
        found = _ask(admin_url, other)
        before, after, name = ask_revision(admin_url, int(what)), found.text, _title(found.revision)
    lines = _compare(_title(before.revision), before.text, name, after)
    if as_json:
        click.echo(msgspec.json.encode({"differs": bool(lines), "diff": lines}))
    else:
        for line in lines:
            click.echo(_colour(line))
    ctx.exit(EXIT_NEGATIVE if lines else 0)


@config.command()
@click.argument("file")
@_dry_run_option
@_if_revision_option
@click.option("--detail", default="", metavar="TEXT", help="Why, for the history.")
@wait_option
@admin_url_option
@json_option
@click.pass_context
def apply(  # noqa: PLR0913 - a command has as many parameters as options
    ctx: click.Context,
    file: str,
    *,
    dry_run: bool,
    if_revision: int | None,
    detail: str,
    wait_s: float,
    admin_url: str,
    as_json: bool,
) -> None:
    """Put the configuration in FILE in force, whole or not at all, and wait for models that are new.

    The exit code is 1 when it is refused, and when it is in force but a new model does not serve or a label
    has not moved.
    """
    wanted = NewConfig(
        text=_read_file(file),
        dry_run=dry_run,
        expected_revision=if_revision,
        detail=detail or f"understudy config apply {file}",
        wait_s=wait_s,
    )
    ctx.exit(_report(apply_config(admin_url, wanted), as_json=as_json))


@config.command()
@click.argument("revision", type=_NUMBER)
@_dry_run_option
@_if_revision_option
@wait_option
@admin_url_option
@json_option
@click.pass_context
def rollback(  # noqa: PLR0913 - a command has as many parameters as options
    ctx: click.Context,
    revision: int,
    *,
    dry_run: bool,
    if_revision: int | None,
    wait_s: float,
    admin_url: str,
    as_json: bool,
) -> None:
    """Put an earlier REVISION in force again, as a new revision, and wait for models that are new."""
    wanted = Rollback(revision=revision, dry_run=dry_run, expected_revision=if_revision, wait_s=wait_s)
    ctx.exit(_report(roll_back(admin_url, wanted), as_json=as_json))


def _ask(admin_url: str, revision: int | None) -> ConfigView:
    return ask_config(admin_url) if revision is None else ask_revision(admin_url, revision)


def _read_file(file: str) -> str:
    """The file's configuration in canonical form; what is wrong with it is said with line and column."""
    try:
        return format_config(read_changed_config(str(Path(file).absolute())))
    except ConfigError as error:
        raise Unusable(str(error)) from error


def _title(revision: RevisionView) -> str:
    state = ", in force" if revision.in_force else ""
    return f"revision {revision.number} of {show_time(revision.at)} ({revision.origin}{state})"


def _compare(old_name: str, old: str, new_name: str, new: str) -> list[str]:
    """The lines of a unified diff; none when the texts are equal."""
    return list(
        difflib.unified_diff(
            old.splitlines(), new.splitlines(), old_name, new_name, lineterm="", n=CONTEXT_LINES
        )
    )


def _colour(line: str) -> str:
    """For a terminal; click takes the colours out again elsewhere."""
    if line.startswith(("---", "+++")):
        return click.style(line, bold=True)
    if line.startswith("@@"):
        return click.style(line, fg="cyan")
    colours = {"+": "green", "-": "red"}
    return click.style(line, fg=colours[line[0]]) if line[:1] in colours else line


def _report(change: ChangeView, *, as_json: bool) -> int:
    """Says what a change did; the exit status."""
    if as_json:
        print_json(change)
    else:
        _describe(change)
    return EXIT_NEGATIVE if change.failed or change.labels_left or change.loading else 0


def _describe(change: ChangeView) -> None:
    if not change.is_change:
        click.echo(f"Nothing to change: revision {change.revision} says the same.")
    elif change.dry_run:
        click.echo(f"It would be taken. Revision {change.revision} stays in force; this would change:")
    else:
        click.echo(f"In force as revision {change.revision}.")
    for word, names in (("added", change.added), ("removed", change.removed), ("changed", change.changed)):
        if names:
            click.echo(f"  {word}: {', '.join(names)}")
    for failed in change.failed:
        click.echo(
            f"Model {failed.model} does not serve: version {failed.version}: {failed.code}: {failed.message}",
            err=True,
        )
    for left in change.labels_left:
        click.echo(
            f"Label {left.label} of {left.model} does not lead to version {left.version}: {left.reason}",
            err=True,
        )
    if change.loading:
        click.echo(
            f"The time to wait is over; still under way: {', '.join(change.loading)}. "
            "`understudy status` shows how they get on.",
            err=True,
        )
