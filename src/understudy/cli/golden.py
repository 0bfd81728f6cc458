"""`understudy golden`: golden examples recorded from live traffic, asked of an export, shown."""

import json
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import TypedDict, Unpack
from urllib.parse import quote

import click
import msgspec

from understudy.admin.golden import (
    DURATION_S,
    DURATION_S_MAX,
    EXAMPLES,
    EXAMPLES_MAX,
    NewGolden,
)
from understudy.cli.admin_client import HINT, admin_url_option, read_refusal
from understudy.cli.completing import model_argument
from understudy.cli.connection import TIMEOUT_S, connect, send
from understudy.cli.new_file import write_new
from understudy.cli.outcome import EXIT_NEGATIVE, NegativeAnswer
from understudy.cli.requests import RecordLogs, show_log
from understudy.cli.trial_options import (
    TrialFlags,
    build_tags,
    build_tolerance,
    loading_options,
    tolerance_options,
)
from understudy.errors import PublishError
from understudy.publish.publication import LOAD_TIMEOUT_S
from understudy.publish.trial import Trial, try_load
from understudy.rollout.validation import GoldenReport

RECORDS_FILE = Path("assets.extra", "understudy_golden.tfrecord")
LINES_SUFFIX = ".jsonl"


@click.group()
def golden() -> None:
    """Record, check and show golden examples: requests with the answers that are right.

    A version brings them with it, in assets.extra/understudy_golden.tfrecord or .jsonl, and a rollout asks
    them of it before any user's request does.
    """


class RecordFlags(TypedDict):
    """The command's options, as click hands them over."""

    model: str
    output: Path
    version: int | None
    count: int
    duration: float | None
    wait_s: float
    admin_url: str
    force: bool


@golden.command()
@model_argument
@click.option(
    "--output",
    "-o",
    required=True,
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="A file to write; or the directory of an export, which is to ship them.",
)
@click.option(
    "--version",
    type=click.IntRange(min=0),
    metavar="N",
    help="Answers of this version; default: of the one that answers requests which name none.",
)
@click.option(
    "--count",
    type=click.IntRange(min=1, max=EXAMPLES_MAX),
    default=EXAMPLES,
    show_default=True,
    metavar="N",
    help="How many, at most.",
)
@click.option(
    "--duration",
    type=click.FloatRange(min=0, max=DURATION_S_MAX, min_open=True),
    metavar="SECONDS",
    help="Take them from so long a time, each request with the same chance, instead of the first ones.",
)
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(min=0, max=DURATION_S_MAX, min_open=True),
    default=DURATION_S,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the first ones.",
)
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@admin_url_option
def record(**flags: Unpack[RecordFlags]) -> None:
    """Record requests of MODEL with their answers from a running server.

    \b
    understudy golden record digits --count 100 --duration 60 -o staging/4

    It needs no restart, and takes up to 64 MiB. Requests are other people's data: look at what was recorded
    (understudy golden show) before it is shipped. The exit code is 1 when there was no request.
    """  # noqa: D301 - click's mark for lines that stay as they are
    output, duration_s = flags["output"], flags["duration"]
    target = output / RECORDS_FILE if output.is_dir() else output
    if target.exists() and not flags["force"]:
        raise NegativeAnswer(f"{target} is there already; --force replaces it.")
    wanted = NewGolden(
        count=flags["count"],
        version=flags["version"],
        duration_s=duration_s or flags["wait_s"],
        is_spread=duration_s is not None,
    )
    file = _record(flags["admin_url"], flags["model"], wanted)
    if not file:
        raise NegativeAnswer(
            f"No request of {flags['model']} was answered in {wanted.duration_s:g} s; nothing was written."
        )
    write_new(target, [file])
    click.echo(f"{sum(1 for _ in RecordLogs().read([str(target)]))} examples in {target}")


def _record(admin_url: str, model: str, wanted: NewGolden) -> bytes:
    with connect(admin_url, timeout_s=TIMEOUT_S + wanted.duration_s) as client:
        request = client.build_request(
            "POST",
            f"/v1/models/{quote(model, safe='')}/golden",
            content=msgspec.json.encode(wanted),
            headers={"content-type": "application/json"},
        )
        response = send(client, request, hint=HINT)
    if response.status_code != HTTPStatus.OK:
        raise read_refusal(response)
    return response.content


class CheckFlags(TrialFlags):
    """The command's options, as click hands them over."""

    export: str
    latency_budget: float | None
    load_timeout: float
    as_json: bool


@golden.command()
@click.argument("export", metavar="VERSION_DIR", type=click.Path(exists=True, file_okay=False))
@loading_options
@tolerance_options
@click.option(
    "--latency-budget",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="The longest that one example may take, once it has been run before.",
)
@click.option(
    "--load-timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=LOAD_TIMEOUT_S,
    show_default=True,
    metavar="SECONDS",
    help="For loading it and asking it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what came of it as JSON.")
@click.pass_context
def check(ctx: click.Context, **flags: Unpack[CheckFlags]) -> None:
    """Ask the version in VERSION_DIR the golden examples that it brings.

    It is loaded in a process of its own; no server is needed. The exit code is 1 when it brings none, does
    not reproduce one, or is slower than the budget.
    """
    trial = Trial(
        flags["export"], flags["platform"], build_tags(flags), flags["load_timeout"], build_tolerance(flags)
    )
    try:
        report = try_load(trial)
    except PublishError as error:
        raise NegativeAnswer(error.message) from error
    if flags["as_json"]:
        click.echo(msgspec.json.format(msgspec.json.encode(report), indent=2))
    else:
        _print(report, flags["latency_budget"])
    ctx.exit(0 if _is_good(report, flags["latency_budget"]) else EXIT_NEGATIVE)


def _is_good(report: GoldenReport, budget_s: float | None) -> bool:
    return report.examples > 0 and not report.mismatched and not _is_slow(report, budget_s)


def _is_slow(report: GoldenReport, budget_s: float | None) -> bool:
    return budget_s is not None and report.slowest_s > budget_s


def _print(report: GoldenReport, budget_s: float | None) -> None:
    if not report.examples:
        click.echo(f"It brings no golden examples: there is no {RECORDS_FILE}, nor one with {LINES_SUFFIX}.")
        return
    reproduced = report.examples - report.mismatched
    click.echo(f"{reproduced} of {report.examples} golden examples are reproduced.")
    for each in report.worst:
        click.echo(f"  {each}")
    if len(report.worst) < report.mismatched:
        click.echo(f"  and {report.mismatched - len(report.worst)} more")
    if report.slowest:
        more = f", more than the budget of {budget_s:g} s" if _is_slow(report, budget_s) else ""
        click.echo(f"The slowest, {report.slowest}, took {report.slowest_s * 1_000:.3g} ms{more}.")


@golden.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.pass_context
def show(ctx: click.Context, file: str) -> None:
    """Print the examples of a golden FILE, in either form.

    The exit code is 1 when the file cannot be read to its end.
    """
    if Path(file).suffix == LINES_SUFFIX:
        ctx.exit(EXIT_NEGATIVE if _show_all(_describe_lines(Path(file))) else 0)
    logs = RecordLogs()
    for log in logs.read([file]):
        click.echo(show_log(log))
    ctx.exit(EXIT_NEGATIVE if logs.is_cut_short else 0)


def _show_all(lines: Iterable[tuple[str, bool]]) -> bool:
    """Prints them; whether one of them is none."""
    is_one_wrong = False
    for text, is_wrong in lines:
        click.echo(text, err=is_wrong)
        is_one_wrong |= is_wrong
    return is_one_wrong


def _describe_lines(file: Path) -> Iterator[tuple[str, bool]]:
    """Each line's text, and whether it is no example at all."""
    with file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                example = json.loads(line)
            except ValueError as error:
                yield f"# line {number} is no JSON: {error}", True
                continue
            if not isinstance(example, dict):
                yield f"# line {number} is no object", True
                continue
            name = example.pop("name", "")
            head = f"# line {number}" + (f" ({name})" if name else "")
            yield f"{head}\n{json.dumps(example)}\n", False
