"""`understudy feedback`: what predictions should have been, told once it is known."""

import sys
from collections.abc import Iterator
from itertools import islice
from typing import Final, TextIO

import click
import msgspec
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from understudy.admin.rollouts import NewFeedback
from understudy.cli.admin_client import admin_url_option, json_option, print_json
from understudy.cli.completing import model_argument
from understudy.cli.outcome import EXIT_NEGATIVE, Unusable
from understudy.cli.rollout_client import tell_truths
from understudy.quality.desk import FeedbackItem, FeedbackView

BATCH: Final = 1_000
"""Truths in one request: so many are judged in a moment, and a failure loses no more."""
LINE_CHARS_MAX: Final = 64 * 1024
_COUNTS: Final = {
    "counted": "counted",
    "again": "told before",
    "late": "too late",
    "left_out": "of predictions that were not kept",
    "unknown": "of unknown requests",
    "refused": "refused",
}


@click.command()
@model_argument
@click.argument("file", required=False, type=click.File("r"))
@click.option("--id", "request_id", metavar="ID", help="The x-request-id of one answer, for --truth.")
@click.option("--truth", metavar="VALUE", help="What it should have been: JSON, or text as it is.")
@admin_url_option
@json_option
@click.pass_context
def feedback(  # noqa: PLR0913 - a command has as many parameters as options
    ctx: click.Context,
    model: str,
    file: TextIO | None,
    *,
    request_id: str | None,
    truth: str | None,
    admin_url: str,
    as_json: bool,
) -> None:
    """Tell what predictions of MODEL should have been: one by --id and --truth, or many from FILE.

    FILE has a line of JSON for each, like {"request_id": "...", "truth": 7}; - is standard input. They count
    for the rollout under way, whose plan says how predictions are compared with truths (`quality`). Telling
    a truth again does no harm. The exit code is 1 when some could not count.
    """
    if (file is None) == (request_id is None) or (request_id is None) != (truth is None):
        raise Unusable("Give --id and --truth, or a file with a line of JSON for each truth.")
    if file is None:
        items: Iterator[FeedbackItem] = iter([_build_item(request_id or "", truth or "")])
    else:
        items = _read_items(file)
    total = _tell_all(admin_url, model, items)
    if as_json:
        print_json(total)
    else:
        _describe(total)
    ctx.exit(0 if not (total.late or total.left_out or total.unknown or total.refused) else EXIT_NEGATIVE)


def _build_item(request_id: str, text: str) -> FeedbackItem:
    try:
        return msgspec.convert({"request_id": request_id, "truth": msgspec.json.decode(text)}, FeedbackItem)
    except msgspec.MsgspecError:
        return FeedbackItem(request_id, text)


def _read_items(file: TextIO) -> Iterator[FeedbackItem]:
    number = 0
    while line := file.readline(LINE_CHARS_MAX + 1):
        number += 1
        if len(line) > LINE_CHARS_MAX:
            raise Unusable(f"{file.name}:{number}: the line is longer than {LINE_CHARS_MAX} characters.")
        if not line.strip():
            continue
        try:
            yield msgspec.json.decode(line, type=FeedbackItem)
        except msgspec.MsgspecError as error:
            raise Unusable(
                f'{file.name}:{number}: {error}; a line is like {{"request_id": "...", "truth": 7}}.'
            ) from error


def _tell_all(admin_url: str, model: str, items: Iterator[FeedbackItem]) -> FeedbackView:
    """Tells them in batches, and adds up what came of them; on a terminal with a count that grows."""
    total = FeedbackView(model=model)
    columns = TextColumn("truths"), MofNCompleteColumn(), TimeElapsedColumn()
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("truths", total=None)
        while batch := tuple(islice(items, BATCH)):
            total = _add(total, tell_truths(admin_url, model, NewFeedback(items=batch)))
            progress.advance(task, len(batch))
    return total


def _add(one: FeedbackView, other: FeedbackView) -> FeedbackView:
    return FeedbackView(
        model=one.model,
        counted=one.counted + other.counted,
        again=one.again + other.again,
        late=one.late + other.late,
        left_out=one.left_out + other.left_out,
        unknown=one.unknown + other.unknown,
        refused=one.refused + other.refused,
        reasons=one.reasons or other.reasons,
    )


def _describe(total: FeedbackView) -> None:
    counts = [f"{count:,} {words}" for name, words in _COUNTS.items() if (count := getattr(total, name))]
    click.echo(f"Truths: {', '.join(counts) or 'none'}.")
    for refused in total.reasons:
        click.echo(f"{refused.request_id}: {refused.reason}", err=True)
