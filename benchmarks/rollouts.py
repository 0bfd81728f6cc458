"""Measures what a rollout costs the requests of its model: none, split by chance or by a key, shadowed.

    python -m benchmarks.rollouts
    python -m benchmarks.rollouts --quick

One server has two models: one serves a version alone, the other is amid a rollout that holds at half of the
traffic, or in its shadow stage, evidence and all. They are asked in turn, round by round, so that what else
the machine does falls on all sides, and so does what makes one process faster than its twin; ratios are of
the measurements of one round.
"""

import argparse
import datetime as dt
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import msgspec

from benchmarks import half_plus_two_messages as messages
from benchmarks.half_plus_two_model import outputs
from benchmarks.load import Load, Measurement, Question, measure
from benchmarks.machine import Machine, describe
from benchmarks.one_model import OneModel, serving_one
from benchmarks.page import RESULTS, head, method, table, write
from benchmarks.rollout_orders import (
    BASELINE,
    CANDIDATE,
    ROLLOUT,
    call,
    order_rollout,
    server_command,
    wait_phase,
)
from benchmarks.server_process import ServerProcess
from benchmarks.summary import merge, pair_ratios, quantile
from benchmarks.synthetic_model import publish

ALONE, BY_CHANCE, BY_KEY, SHADOWED = "no split", "split by chance", "split by a key", "10 % shadow"
CONCURRENCY = 32
IDLE_SHARE = 0.2
"""An idle server is asked so much of what a saturated one answers."""
SPIN_US = 200
"""How long a run computes where there is a shadow: its cost is a second run."""
SPLIT = {"shadow": None, "steps": [{"weight": "50 %", "dwell": "1 d"}]}
SHADOW = {"shadow": {"share": "10 %", "dwell": "1 d"}}
LONE = "lone"
"""The model without a rollout."""
KEY, OTHER = ("x-routing-key", "ada@example.org"), ("x-something-else", "ada@example.org")
METHOD = """
The model is x/2 + b, made of Rust, so that nothing is measured but the server; where there is a shadow, a run
computes {spin} µs besides. Each request has one header, which on one side is the routing key.

Saturated: {concurrency} requests are under way at any time, each sent when one before it was answered. Idle:
as many a second as are {share:.0%} of what the first side answered then.

Both models of a table are on one server, which is up during all of it. {rounds} rounds of {seconds:g} s for
each side, after one that is thrown away. Throughput is the median of the rounds, p99 that of all answers
together; CPU is the server's processor time for one request, which other work on the machine disturbs least.
A ratio is that of two measurements of the same round: the median of the rounds, and in brackets the extremes.

Of the requests that were drawn for the shadow, the candidate ran those that are called compared; the others
were dropped for lack of room.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What is compared.

    Attributes:
        name: for the page.
        question: to one of the models.
        header: sent along.
    """

    name: str
    question: Question
    header: tuple[str, str]

    def ask(self, server: ServerProcess, load: Load) -> Measurement:
        """Measures once."""
        load = replace(load, headers=(self.header,), model=self.question.folder.name)
        return measure(server, load, self.question)


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One side by one protocol.

    Attributes:
        protocol: `grpc` or `rest`.
        load: `saturated` or `idle`.
        side: its name.
        throughput: answers a second.
        p99_us: of all answers.
        failed: requests without a good answer.
        throughput_ratios: to the side without a split, round by round.
        p99_ratios: the same.
        cpu_ratios: the same, of the server's processor time for one request.
    """

    protocol: str
    load: str
    side: str
    throughput: float
    p99_us: float
    failed: int
    throughput_ratios: tuple[float, ...]
    p99_ratios: tuple[float, ...]
    cpu_ratios: tuple[float, ...]


class RolloutResults(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured, where and how.

    Attributes:
        split: rows of sides without a shadow.
        shadow: the others.
        mirrored: requests that were drawn for the shadow, all in all.
        compared: those of them that ran on both.
    """

    date: str
    machine: Machine
    command: str
    rounds: int
    seconds: float
    split: tuple[Row, ...]
    shadow: tuple[Row, ...]
    mirrored: int
    compared: int


@dataclass(frozen=True, slots=True)
class Length:
    """How long it is measured.

    Attributes:
        rounds: that count.
        seconds: of one side in one round.
    """

    rounds: int
    seconds: float


def publisher(**members: float) -> Callable[[Path], None]:
    """Of what is there when the server starts."""
    return lambda base_path: publish(base_path, BASELINE, **members)


def write_question(folder: Path, model: str = messages.MODEL_NAME) -> Question:
    """The request to a model, and what each version answers, in a folder of the model's name."""
    question = Question(folder=folder / "questions" / model)
    question.folder.mkdir(parents=True)
    question.body("grpc").write_bytes(messages.grpc_body(model=model))
    question.body("rest").write_bytes(messages.rest_body())
    expected = {str(number): outputs(number) for number in (BASELINE, CANDIDATE)}
    question.expectations.write_text(json.dumps(expected), encoding="utf-8")
    return question


def measure_loads(
    server: ServerProcess, sides: Sequence[Side], protocol: str, length: Length
) -> tuple[Row, ...]:
    """All sides saturated, then idle."""
    saturated = Load(protocol=protocol, concurrency=CONCURRENCY, seconds=length.seconds)
    rows = measure_rounds(server, sides, ("saturated", saturated), length.rounds)
    idle = replace(saturated, rate=IDLE_SHARE * rows[0].throughput)
    return rows + measure_rounds(server, sides, ("idle", idle), length.rounds)


def measure_rounds(
    server: ServerProcess, sides: Sequence[Side], load: tuple[str, Load], rounds: int
) -> tuple[Row, ...]:
    """All sides in turn, round by round; the first is what the others are compared with."""
    measured: list[list[Measurement]] = [[] for _ in sides]
    for number in range(rounds + 1):
        for side, results in zip(sides, measured, strict=True):
            result = side.ask(server, load[1])
            if number > 0:
                results.append(result)
    names = (load[1].protocol, load[0])
    return tuple(
        build_row((*names, side.name), results, measured[0])
        for side, results in zip(sides, measured, strict=True)
    )


def build_row(names: tuple[str, str, str], own: Sequence[Measurement], alone: Sequence[Measurement]) -> Row:
    """The numbers of one side; `names` are its protocol, its load and its own."""

    def p99(measurements: Sequence[Measurement]) -> list[float]:
        return [quantile(each.histogram, 0.99) for each in measurements]

    def cpu_us(measurements: Sequence[Measurement]) -> list[float]:
        return [each.server_cpu_us for each in measurements]

    def throughput(measurements: Sequence[Measurement]) -> list[float]:
        return [each.throughput for each in measurements]

    protocol, load, side = names
    return Row(
        protocol=protocol,
        load=load,
        side=side,
        throughput=median(throughput(own)),
        p99_us=quantile(merge(each.histogram for each in own), 0.99),
        failed=sum(each.failed for each in own),
        throughput_ratios=tuple(pair_ratios(throughput(own), throughput(alone), digits=3)),
        p99_ratios=tuple(pair_ratios(p99(own), p99(alone), digits=3)),
        cpu_ratios=tuple(pair_ratios(cpu_us(own), cpu_us(alone), digits=3)),
    )


def run(folder: Path, length: Length, *, quick: bool) -> RolloutResults:
    """What a split costs, then what a shadow costs."""
    machine = describe()
    lone, rolled = (write_question(folder, model) for model in (LONE, messages.MODEL_NAME))
    alone = Side(name=ALONE, question=lone, header=OTHER)
    by_chance, by_key, shadowed = (
        Side(name=name, question=rolled, header=header)
        for name, header in ((BY_CHANCE, OTHER), (BY_KEY, KEY), (SHADOWED, OTHER))
    )
    split = measure_split(folder, (alone, by_chance, by_key), length)
    shadow, counts = measure_shadow(folder, (alone, shadowed), length)
    return RolloutResults(
        date=dt.datetime.now(tz=dt.UTC).date().isoformat(),
        machine=machine,
        command="python -m benchmarks.rollouts" + (" --quick" if quick else ""),
        rounds=length.rounds,
        seconds=length.seconds,
        split=split,
        shadow=shadow,
        mirrored=counts["mirrored"],
        compared=counts["compared"],
    )


def measure_split(folder: Path, sides: Sequence[Side], length: Length) -> tuple[Row, ...]:
    """With a rollout that has begun to expose its candidate."""
    with serving(folder / "split", publisher()) as model:
        order_rollout(model, SPLIT)
        wait_phase(model, "ramping")
        rows = [measure_loads(model.server, sides, protocol, length) for protocol in ("grpc", "rest")]
    return tuple(row for each in rows for row in each)


def measure_shadow(
    folder: Path, sides: Sequence[Side], length: Length
) -> tuple[tuple[Row, ...], Mapping[str, int]]:
    """With a rollout in its shadow stage; and what is counted of the shadow."""
    with serving(folder / "shadow", publisher(spin_us=SPIN_US)) as model:
        order_rollout(model, SHADOW, spin_us=SPIN_US)
        wait_phase(model, "shadowing")
        rows = measure_loads(model.server, sides, "grpc", length)
        seen = call(model.server, "GET", ROLLOUT)
    evidence = msgspec.convert(seen["evidence"], dict[str, object])
    counts = msgspec.convert(evidence["shadow"], dict[str, object])
    return rows, {name: msgspec.convert(counts[name], int) for name in ("mirrored", "compared")}


def serving(folder: Path, first: Callable[[Path], None]) -> AbstractContextManager[OneModel]:
    """A server of two synthetic models, of which one is rolled out."""
    return serving_one(server_command(), folder, "synthetic", first, beside=(LONE,))


def render(results: RolloutResults) -> list[str]:
    """The page."""
    text = METHOD.format(
        spin=SPIN_US,
        share=IDLE_SHARE,
        concurrency=CONCURRENCY,
        rounds=results.rounds,
        seconds=results.seconds,
    )
    title = f"What a rollout costs the requests of its model, {results.date}"
    return [
        *head(title, results.machine, results.command),
        *("## A split", ""),
        *render_rows(results.split),
        *("## A shadow", ""),
        *render_rows(results.shadow),
        f"Of {results.mirrored:,} requests that were drawn, {results.compared:,} were compared.",
        "",
        *method(text),
    ]


def render_rows(rows: Sequence[Row]) -> list[str]:
    """A table."""
    columns = (
        "side",
        "answers/s",
        "p99, µs",
        "answers ÷ no split",
        "p99 ÷ no split",
        "CPU ÷ no split",
        "failed",
    )
    cells = [
        (
            f"{row.protocol}, {row.load}, {row.side}",
            f"{row.throughput:,.0f}",
            f"{row.p99_us:,.0f}",
            spread(row.throughput_ratios),
            spread(row.p99_ratios),
            spread(row.cpu_ratios),
            str(row.failed),
        )
        for row in rows
    ]
    return table(columns, cells)


def spread(ratios: Sequence[float]) -> str:
    """The median, and the extremes."""
    if not ratios:
        return "-"
    return f"{median(ratios):.3f} [{min(ratios):.3f}, {max(ratios):.3f}]"


def main() -> int:
    """Parses the command line, measures, writes."""
    parser = argparse.ArgumentParser(description="Measures what a rollout costs requests.")
    parser.add_argument("--quick", action="store_true", help="half a minute, to see that it works")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to")
    arguments = parser.parse_args()
    length = Length(1, 0.5) if arguments.quick else Length(10, 2.0)
    with tempfile.TemporaryDirectory(prefix="understudy-rollouts-") as folder:
        results = run(Path(folder), length, quick=arguments.quick)
    stem = f"rollouts-{results.date}-{results.machine.slug}" + ("-quick" if arguments.quick else "")
    print(write(arguments.results, stem, render(results), results))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
