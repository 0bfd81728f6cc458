"""`understudy rollout simulate`: plays a plan many times with made-up traffic, and says what came of it."""

import os
import re
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Final, TypedDict, Unpack

import click
import msgspec
from rich.console import Console
from rich.progress import Progress

from understudy.bounded_file import read_bounded
from understudy.cli.outcome import Unusable
from understudy.cli.tables import new_console, new_table
from understudy.errors import ConfigError
from understudy.evidence import ERRORS, WRONG
from understudy.rehearsal.play import Ending, fix_slow_shares
from understudy.rehearsal.summary import (
    ROLLOUTS_MAX,
    Ended,
    Proportion,
    Summary,
    play_many,
    summarise,
)
from understudy.rehearsal.world import Effect, World
from understudy.rollout.plan import Plan
from understudy.rollout_file import parse_plan, parse_strategies
from understudy.rollout_file.document import TEXT_BYTES_MAX

ROLLOUTS: Final = 400
CHUNK: Final = 10
"""Rollouts that a process plays before it reports."""
WORKERS_MAX: Final = 16
_RATE: Final = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*/\s*(s|min|h)")
_SECONDS: Final = {"s": 1, "min": 60, "h": 3_600}
_SHARE: Final = re.compile(r"(\d{1,3}(?:\.\d{1,12})?)\s*%")


def _read_rate(context: click.Context, parameter: click.Parameter, value: str) -> float:
    """Requests in a second."""
    match = _RATE.fullmatch(value)
    rate = float(match[1]) / _SECONDS[match[2]] if match else 0.0
    if rate <= 0:
        raise click.BadParameter(f"{value!r} is no rate; write `50/s` or `300/min`", context, parameter)
    return rate


def _read_share(context: click.Context, parameter: click.Parameter, value: str) -> float:
    """From 0 to 1."""
    match = _SHARE.fullmatch(value)
    share = float(match[1]) / 100 if match else 2.0
    if share > 1:
        raise click.BadParameter(f"{value!r} is no share; write `0.5%`", context, parameter)
    return share


class SimulateFlags(TypedDict):
    """The command's options, as click hands them over."""

    plan: str | None
    model: str | None
    rate: float
    errors: float
    ratio: float
    slow_ratio: float
    wrong: float
    wrong_ratio: float
    truth: float
    rollouts: int
    seed: int
    as_json: bool


_RATIO = click.FloatRange(0, 1_000)


@click.command()
@click.argument("plan", required=False, type=click.Path(exists=True, dir_okay=False))
@click.option("--model", metavar="NAME", help="PLAN is a file of strategies; play this model's.")
@click.option("--rate", callback=_read_rate, default="50/s", show_default=True, help="Requests of the model.")
@click.option(
    "--errors", callback=_read_share, default="0.5%", show_default=True, help="Of the baseline's requests."
)
@click.option("--ratio", type=_RATIO, default=1.0, show_default=True, help="The candidate's, as a multiple.")
@click.option(
    "--slow-ratio",
    type=_RATIO,
    default=1.0,
    show_default=True,
    help="How many times as many of the candidate's answers are slower than the baseline's quantile.",
)
@click.option(
    "--wrong",
    callback=_read_share,
    default="5%",
    show_default=True,
    help="Wrong predictions, if the plan has `quality`.",
)
@click.option(
    "--wrong-ratio", type=_RATIO, default=1.0, show_default=True, help="The candidate's, as a multiple."
)
@click.option(
    "--truth", callback=_read_share, default="100%", show_default=True, help="Predictions whose truth comes."
)
@click.option(
    "--rollouts", type=click.IntRange(1, ROLLOUTS_MAX), default=ROLLOUTS, show_default=True, help="How many."
)
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed, the same answer.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def simulate(**flags: Unpack[SimulateFlags]) -> None:
    """Say what PLAN would do with such traffic and such a candidate, without any server.

    Without PLAN it is the plan by default. Each rollout is played as a server would decide it: how many are
    promoted, rolled back or held, how soon, and how many requests the candidate answered. With a harmless
    candidate (all multiples 1), what is rolled back is a false alarm. Intervals are 95 % ones. Requests are
    drawn each by itself, and scores (log_loss, squared_error, custom) are not simulated.
    """
    plan = _read_plan(flags["plan"], flags["model"])
    world = _build_world(plan, flags)
    console = Console(stderr=True)
    summary = summarise(_play(plan, world, flags, console))
    if flags["as_json"]:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(summary), indent=2).decode() + "\n")
    else:
        _print(summary)


def _read_plan(path: str | None, model: str | None) -> Plan:
    if path is None:
        return Plan()
    try:
        text = read_bounded(path, TEXT_BYTES_MAX, refusal=f"Cannot read the plan '{path}'").decode(
            errors="replace"
        )
        if model is None:
            return parse_plan(text, path)
        strategies = parse_strategies(text, path)
    except ConfigError as error:
        raise Unusable(str(error)) from error
    if model not in strategies:
        raise Unusable(f"'{path}' has no model {model}; it has {', '.join(sorted(strategies)) or 'none'}")
    return strategies[model].plan


def _build_world(plan: Plan, flags: SimulateFlags) -> World:
    effects = {ERRORS: Effect(flags["errors"], flags["ratio"]), **fix_slow_shares(plan, flags["slow_ratio"])}
    if plan.quality is not None:
        effects[WRONG] = Effect(flags["wrong"], flags["wrong_ratio"])
    return World(rate=flags["rate"], effects=effects, truth_share=flags["truth"])


def _play(plan: Plan, world: World, flags: SimulateFlags, console: Console) -> Sequence[Ending]:
    """All rollouts, by as many processes as there are CPUs; the order makes no difference."""
    total = flags["rollouts"]
    chunks = [range(start, min(start + CHUNK, total)) for start in range(0, total, CHUNK)]
    endings: list[Ending] = []
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("rollouts", total=total)
        for played in _share_out(plan, world, flags["seed"], chunks):
            endings += played
            progress.advance(task, len(played))
    return endings


def _share_out(plan: Plan, world: World, seed: int, chunks: Sequence[range]) -> Iterator[list[Ending]]:
    workers = min(os.cpu_count() or 1, len(chunks), WORKERS_MAX)
    if workers == 1:
        for numbers in chunks:
            yield _play_chunk(plan, world, seed, numbers)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        waiting = [pool.submit(_play_chunk, plan, world, seed, numbers) for numbers in chunks]
        for done in as_completed(waiting):
            yield done.result()


def _play_chunk(plan: Plan, world: World, seed: int, numbers: range) -> list[Ending]:
    return list(play_many(plan, world, seed=seed, numbers=numbers))


def _print(summary: Summary) -> None:
    console = new_console()
    table = new_table(
        "ENDED", "SHARE", "AFTER", "CANDIDATE'S REQUESTS", "BAD ONES", "LARGEST SHARE OF TRAFFIC"
    )
    for outcome, ended in summary.ended.items():
        table.add_row(outcome.value, _show_proportion(ended.proportion), *_show_spreads(ended))
    console.print(table)
    console.print(f"{summary.rollouts:,} rollouts; medians, and in brackets what nine of ten stay below")


def _show_proportion(measured: Proportion) -> str:
    return " ".join(
        (f"{100 * measured.share:.1f} %", f"({100 * measured.low:.1f} % to {100 * measured.high:.1f} %)")
    )


def _show_spreads(ended: Ended) -> tuple[str, ...]:
    return (
        f"{_show_span(ended.after_s.median)} ({_show_span(ended.after_s.p90)})",
        f"{ended.requests.median:,.0f} ({ended.requests.p90:,.0f})",
        f"{ended.bad.median:,.0f} ({ended.bad.p90:,.0f})",
        f"{100 * ended.exposed.median:g} %",
    )


def _show_span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7_200 else f"{seconds / 3_600:.1f} h"
