"""Measures what a rollout costs the requests of its model: none, split by chance or by a key, shadowed.

    python -m benchmarks.rollouts
    python -m benchmarks.rollouts --quick

One server has two models: one serves a version alone, the other is amid a rollout that holds at half of the
traffic, or in its shadow stage, evidence and all. They are asked in turn, round by round and every other
round in the other order, so that what else the machine does falls on all sides, and so does what makes one
process faster than its twin. The model without a rollout is asked twice in each: what differs then is the
machine's doing.
"""

import argparse
import datetime as dt
import json
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median

import msgspec

from benchmarks import half_plus_two_messages as messages
from benchmarks import synthetic_model
from benchmarks.half_plus_two_model import outputs
from benchmarks.load import Load, Measurement, Question, measure
from benchmarks.machine import Machine, describe
from benchmarks.one_model import OneModel, Publish, serving_one
from benchmarks.page import RESULTS, head, method, table, write
from benchmarks.platforms import SYNTHETIC, TENSORFLOW, publishers
from benchmarks.rollout_orders import (
    BASELINE,
    CANDIDATE,
    ROLLOUT,
    call,
    order_rollout,
    server_command,
    wait_phase,
)
from benchmarks.rounds import Say
from benchmarks.server_process import ServerProcess
from benchmarks.summary import Ratio, compare, merge, quantile

ALONE, AGAIN, BY_CHANCE, BY_KEY = "no split", "no split again", "split by chance", "split by a key"
SHADOWED = "10 % shadow"
CONCURRENCY = 32
IDLE_SHARE = 0.2
"""An idle server is asked so much of what a saturated one answers."""
LOWER, MIDDLE, UPPER = 0.25, 0.5, 0.75
SPIN_US = 200
"""How long a run computes where there is a shadow: its cost is a second run."""
SPLIT = {"shadow": None, "steps": [{"weight": "50 %", "dwell": "1 d"}]}
SHADOW = {"shadow": {"share": "10 %", "dwell": "1 d"}}
LONE = "half_unrolled"
"""The model without a rollout: a name as long as the other's."""
KEY, OTHER = ("x-routing-key", "ada@example.org"), ("x-something-else", "ada@example.org")
METHOD = """
The model is x/2 + b: of TensorFlow, what its smallest model costs; made of Rust, where it does next to
nothing, and all that is measured is the server. Where there is a shadow, a run of the latter computes {spin}
µs besides. Each request has one header, which on one side is the routing key.

Saturated: {concurrency} requests are under way at any time, each sent when one before it was answered. Idle:
as many a second as are {share:.0%} of what the first side answered then.

Both models of a table are on one server, which is up during all of it. A split: {split.rounds} rounds of
{split.seconds:g} s for each side saturated, {split.idle_rounds} idle; a shadow: {shadow.rounds} and
{shadow.idle_rounds} of {shadow.seconds:g} s; each after one that is thrown away. Throughput is the median of
the rounds, p99 that of all answers together; CPU is the server's processor time for one request. Whatever
else the machine does only ever slows a round, so that ratios are those of the better rounds: of the upper
quartiles of throughput and the lower ones of CPU; of p99, which other work is a part of, the medians. In
brackets, what nine of ten draws of as many rounds from these come to. The side without a split, asked again,
shows how far chance goes.

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
        platform: of the model.
        protocol: `grpc` or `rest`.
        load: `saturated` or `idle`.
        side: its name.
        throughput: answers a second.
        p99_us: of all answers.
        failed: requests without a good answer.
        throughput_ratio: to the side without a split.
        p99_ratio: the same.
        cpu_ratio: the same, of the server's processor time for one request.
    """

    platform: str
    protocol: str
    load: str
    side: str
    throughput: float
    p99_us: float
    failed: int
    throughput_ratio: Ratio
    p99_ratio: Ratio
    cpu_ratio: Ratio


class Length(msgspec.Struct, frozen=True, kw_only=True):
    """How long it is measured.

    Attributes:
        rounds: that count, saturated.
        idle_rounds: that count, idle.
        seconds: of one side in one round.
    """

    rounds: int
    idle_rounds: int
    seconds: float


SPLIT_LENGTH = Length(rounds=40, idle_rounds=10, seconds=0.5)
"""A small difference: many rounds, so short that the machine is the same in each."""
SHADOW_LENGTH = Length(rounds=10, idle_rounds=10, seconds=2.0)
"""A late answer: long enough for a p99."""
QUICK_LENGTH = Length(rounds=1, idle_rounds=1, seconds=0.5)


class RolloutResults(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured, where and how.

    Attributes:
        split_length: how long each side of a split was measured.
        shadow_length: the same of a shadow.
        split: rows of sides without a shadow.
        shadow: the others.
        mirrored: requests that were drawn for the shadow, all in all.
        compared: those of them that ran on both.
    """

    date: str
    machine: Machine
    command: str
    split_length: Length
    shadow_length: Length
    split: tuple[Row, ...]
    shadow: tuple[Row, ...]
    mirrored: int
    compared: int


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
    server: ServerProcess, sides: Sequence[Side], names: tuple[str, str], length: Length
) -> tuple[Row, ...]:
    """All sides saturated, then idle; `names` are those of the platform and the protocol."""
    saturated = Load(protocol=names[1], concurrency=CONCURRENCY, seconds=length.seconds)
    rows = measure_rounds(server, sides, (*names, "saturated"), saturated, length.rounds)
    idle = replace(saturated, rate=IDLE_SHARE * rows[0].throughput)
    return rows + measure_rounds(server, sides, (*names, "idle"), idle, length.idle_rounds)


def measure_rounds(
    server: ServerProcess, sides: Sequence[Side], names: tuple[str, str, str], load: Load, rounds: int
) -> tuple[Row, ...]:
    """All sides in turn, round by round; the first is what the others are compared with."""
    measured: dict[str, list[Measurement]] = {side.name: [] for side in sides}
    for number in range(rounds + 1):
        for side in sides if number % 2 else sides[::-1]:
            result = side.ask(server, load)
            if number > 0:
                measured[side.name].append(result)
    alone = measured[sides[0].name]
    return tuple(build_row(names, side, results, alone) for side, results in measured.items())


def build_row(
    names: tuple[str, str, str], side: str, own: Sequence[Measurement], alone: Sequence[Measurement]
) -> Row:
    """The numbers of one side; `names` are those of its platform, its protocol and its load."""

    def p99(measurements: Sequence[Measurement]) -> list[float]:
        return [quantile(each.histogram, 0.99) for each in measurements]

    def cpu_us(measurements: Sequence[Measurement]) -> list[float]:
        return [each.server_cpu_us for each in measurements]

    def throughput(measurements: Sequence[Measurement]) -> list[float]:
        return [each.throughput for each in measurements]

    platform, protocol, load = names
    return Row(
        platform=platform,
        protocol=protocol,
        load=load,
        side=side,
        throughput=median(throughput(own)),
        p99_us=quantile(merge(each.histogram for each in own), 0.99),
        failed=sum(each.failed for each in own),
        throughput_ratio=compare(throughput(own), throughput(alone), UPPER),
        p99_ratio=compare(p99(own), p99(alone), MIDDLE),
        cpu_ratio=compare(cpu_us(own), cpu_us(alone), LOWER),
    )


def run(folder: Path, command: str, lengths: tuple[Length, Length], say: Say) -> RolloutResults:
    """What a split costs, then what a shadow costs; the lengths are theirs."""
    machine = describe()
    lone, rolled = (write_question(folder, model) for model in (LONE, messages.MODEL_NAME))
    alone, again, by_chance, by_key, shadowed = (
        Side(name=name, question=question, header=header)
        for name, question, header in (
            (ALONE, lone, OTHER),
            (AGAIN, lone, OTHER),
            (BY_CHANCE, rolled, OTHER),
            (BY_KEY, rolled, KEY),
            (SHADOWED, rolled, OTHER),
        )
    )
    split: list[Row] = []
    for platform, publish in publishers(folder, say).items():
        say(f"a split, {platform}")
        with serving(folder / platform, platform, publish) as model:
            order_rollout(model, SPLIT, publish)
            wait_phase(model, "ramping")
            for protocol in ("grpc", "rest"):
                sides = (alone, again, by_chance, by_key)
                split.extend(measure_loads(model.server, sides, (platform, protocol), lengths[0]))
    say("a shadow")
    shadow, counts = measure_shadow(folder, (alone, again, shadowed), lengths[1])
    return RolloutResults(
        date=dt.datetime.now(tz=dt.UTC).date().isoformat(),
        machine=machine,
        command=command,
        split_length=lengths[0],
        shadow_length=lengths[1],
        split=tuple(split),
        shadow=shadow,
        mirrored=counts["mirrored"],
        compared=counts["compared"],
    )


def measure_shadow(
    folder: Path, sides: Sequence[Side], length: Length
) -> tuple[tuple[Row, ...], Mapping[str, int]]:
    """With a rollout in its shadow stage; and what is counted of the shadow."""
    publish = partial(synthetic_model.publish, spin_us=SPIN_US)
    with serving(folder / "shadow", SYNTHETIC, publish) as model:
        order_rollout(model, SHADOW, publish)
        wait_phase(model, "shadowing")
        rows = measure_loads(model.server, sides, (SYNTHETIC, "grpc"), length)
        seen = call(model.server, "GET", ROLLOUT)
    evidence = msgspec.convert(seen["evidence"], dict[str, object])
    counts = msgspec.convert(evidence["shadow"], dict[str, object])
    return rows, {name: msgspec.convert(counts[name], int) for name in ("mirrored", "compared")}


def serving(folder: Path, platform: str, publish: Publish) -> AbstractContextManager[OneModel]:
    """A server of two models, of which one is rolled out."""
    return serving_one(
        server_command(), folder, platform, lambda path: publish(path, BASELINE), beside=(LONE,)
    )


def render(results: RolloutResults) -> list[str]:
    """The page."""
    text = METHOD.format(
        spin=SPIN_US,
        share=IDLE_SHARE,
        concurrency=CONCURRENCY,
        split=results.split_length,
        shadow=results.shadow_length,
    )
    title = f"What a rollout costs the requests of its model, {results.date}"
    return [
        *head(title, results.machine, results.command),
        *("## A split: TensorFlow's x/2 + b", ""),
        *render_rows([row for row in results.split if row.platform == TENSORFLOW]),
        *("## A split: a model that does next to nothing", ""),
        *render_rows([row for row in results.split if row.platform == SYNTHETIC]),
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
            told(row.throughput_ratio),
            told(row.p99_ratio),
            told(row.cpu_ratio),
            str(row.failed),
        )
        for row in rows
    ]
    return table(columns, cells)


def told(ratio: Ratio) -> str:
    """The ratio, and its bounds."""
    return f"{ratio.ratio:.3f} [{ratio.low:.3f}, {ratio.high:.3f}]"


def main() -> int:
    """Parses the command line, measures, writes."""
    parser = argparse.ArgumentParser(description="Measures what a rollout costs requests.")
    parser.add_argument("--quick", action="store_true", help="half a minute, to see that it works")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to")
    arguments = parser.parse_args()
    lengths = (QUICK_LENGTH, QUICK_LENGTH) if arguments.quick else (SPLIT_LENGTH, SHADOW_LENGTH)
    command = "python -m benchmarks.rollouts" + (" --quick" if arguments.quick else "")
    with tempfile.TemporaryDirectory(prefix="understudy-rollouts-") as folder:
        results = run(Path(folder), command, lengths, lambda text: print(text, flush=True))
    stem = f"rollouts-{results.date}-{results.machine.slug}" + ("-quick" if arguments.quick else "")
    print(write(arguments.results, stem, render(results), results))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
