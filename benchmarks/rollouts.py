"""Measures what a rollout costs the requests of its model: none, split by chance, split by a key.

    python -m benchmarks.rollouts
    python -m benchmarks.rollouts --quick

Two servers are up at once: one serves a version alone, the other is amid a rollout that holds at half of the
traffic, evidence and all. They are measured in turn, round by round, so that what else the machine does falls
on all sides; ratios are of the measurements of one round.
"""

import argparse
import datetime as dt
import http.client
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import msgspec

from benchmarks import half_plus_two_messages as messages
from benchmarks.half_plus_two_model import outputs
from benchmarks.load import Load, Measurement, Question, measure
from benchmarks.machine import Machine, describe
from benchmarks.one_model import OneModel, serving_one
from benchmarks.page import RESULTS, head, method, table, write
from benchmarks.server_process import ServerFailedError, ServerProcess
from benchmarks.summary import merge, pair_ratios, quantile
from benchmarks.synthetic_model import publish

BASELINE, CANDIDATE = 1, 2
ALONE, BY_CHANCE, BY_KEY = "no split", "split by chance", "split by a key"
CONCURRENCY = 8
PLAN = {"shadow": "none", "steps": [{"weight": "50 %", "dwell": "1 d"}]}
KEY, OTHER = ("x-routing-key", "ada@example.org"), ("x-something-else", "ada@example.org")
READY_S = 30.0
POLL_S = 0.1
METHOD = """
The model is x/2 + b, made of Rust, so that nothing is measured but the server. Each request has one header,
which on one side is the routing key.

Both servers are up during the whole run; {concurrency} requests are under way at any time, each sent when one
before it was answered. {rounds} rounds of {seconds:g} s for each side, after one that is thrown away.

Throughput is the median of the rounds, p99 that of all answers together. A ratio is that of two measurements
of the same round: the median of the rounds, and between brackets their extremes.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What is compared.

    Attributes:
        name: for the page.
        server: that is asked.
        header: sent along.
    """

    name: str
    server: ServerProcess
    header: tuple[str, str]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One side by one protocol.

    Attributes:
        protocol: `grpc` or `rest`.
        side: its name.
        throughput: answers a second.
        p99_us: of all answers.
        failed: requests without a good answer.
        throughput_ratios: to the side without a split, round by round.
        p99_ratios: the same.
    """

    protocol: str
    side: str
    throughput: float
    p99_us: float
    failed: int
    throughput_ratios: tuple[float, ...]
    p99_ratios: tuple[float, ...]


class RolloutResults(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured, where and how."""

    date: str
    machine: Machine
    command: str
    rounds: int
    seconds: float
    rows: tuple[Row, ...]


def command() -> list[str]:
    """A server without models, on free ports."""
    ports = [f"--{door}-port=0" for door in ("grpc", "rest", "admin")]
    program = str(Path(sys.executable).parent / "understudy")
    return [program, "serve", "--host=127.0.0.1", *ports, "--log-format=json"]


def publish_baseline(base_path: Path) -> None:
    """What is there when the server starts."""
    publish(base_path, BASELINE)


def write_question(folder: Path) -> Question:
    """The request, and what each version answers."""
    question = Question(folder=folder)
    question.body("grpc").write_bytes(messages.grpc_body())
    question.body("rest").write_bytes(messages.rest_body())
    expected = {str(number): outputs(number) for number in (BASELINE, CANDIDATE)}
    question.expectations.write_text(json.dumps(expected), encoding="utf-8")
    return question


def call(server: ServerProcess, verb: str, path: str, body: object = None) -> Mapping[str, object]:
    """One question of the operators' API."""
    connection = http.client.HTTPConnection(str(server.admin), timeout=READY_S)
    text = None if body is None else json.dumps(body)
    connection.request(verb, path, text, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    payload: Mapping[str, object] = json.loads(answer.read())
    connection.close()
    if answer.status != http.HTTPStatus.OK:
        raise ServerFailedError(f"{verb} {path} was answered with {answer.status}: {payload}")
    return payload


def begin_rollout(model: OneModel, plan: Mapping[str, object], phase: str) -> None:
    """Orders a rollout, publishes its candidate, and waits until it is in this phase."""
    path = f"/v1/models/{messages.MODEL_NAME}/rollout"
    call(model.server, "POST", path, {"candidate": CANDIDATE, "plan": json.dumps(plan), "by": "benchmark"})
    publish(model.base_path, CANDIDATE)
    until = time.monotonic() + READY_S
    while (now := call(model.server, "GET", path))["phase"] != phase:
        if time.monotonic() > until:
            raise ServerFailedError(f"the rollout is not {phase}: {now}")
        time.sleep(POLL_S)


def measure_rounds(
    sides: Sequence[Side], question: Question, protocol: str, *, rounds: int, seconds: float
) -> tuple[Row, ...]:
    """All sides in turn, round by round; the first is what the others are compared with."""
    measured: list[list[Measurement]] = [[] for _ in sides]
    for number in range(rounds + 1):
        for side, results in zip(sides, measured, strict=True):
            load = Load(protocol=protocol, concurrency=CONCURRENCY, seconds=seconds, headers=(side.header,))
            result = measure(side.server, load, question)
            if number > 0:
                results.append(result)
    return tuple(
        build_row(protocol, side.name, results, measured[0])
        for side, results in zip(sides, measured, strict=True)
    )


def build_row(protocol: str, side: str, own: Sequence[Measurement], alone: Sequence[Measurement]) -> Row:
    """The numbers of one side."""

    def p99(measurements: Sequence[Measurement]) -> list[float]:
        return [quantile(each.histogram, 0.99) for each in measurements]

    def throughput(measurements: Sequence[Measurement]) -> list[float]:
        return [each.throughput for each in measurements]

    return Row(
        protocol=protocol,
        side=side,
        throughput=median(throughput(own)),
        p99_us=quantile(merge(each.histogram for each in own), 0.99),
        failed=sum(each.failed for each in own),
        throughput_ratios=tuple(pair_ratios(throughput(own), throughput(alone), digits=3)),
        p99_ratios=tuple(pair_ratios(p99(own), p99(alone), digits=3)),
    )


def run(folder: Path, *, rounds: int, seconds: float, quick: bool) -> RolloutResults:
    """Starts, begins the rollout, measures."""
    machine = describe()
    question = write_question(folder)
    with ExitStack() as stack:
        alone, split = (
            stack.enter_context(serving_one(command(), folder / name, "synthetic", publish_baseline))
            for name in ("alone", "split")
        )
        begin_rollout(split, PLAN, "ramping")
        sides = (
            Side(name=ALONE, server=alone.server, header=OTHER),
            Side(name=BY_CHANCE, server=split.server, header=OTHER),
            Side(name=BY_KEY, server=split.server, header=KEY),
        )
        rows = [
            measure_rounds(sides, question, protocol, rounds=rounds, seconds=seconds)
            for protocol in ("grpc", "rest")
        ]
    return RolloutResults(
        date=dt.datetime.now(tz=dt.UTC).date().isoformat(),
        machine=machine,
        command="python -m benchmarks.rollouts" + (" --quick" if quick else ""),
        rounds=rounds,
        seconds=seconds,
        rows=tuple(row for each in rows for row in each),
    )


def render(results: RolloutResults) -> list[str]:
    """The page."""
    columns = ("side", "answers/s", "p99, µs", "answers ÷ no split", "p99 ÷ no split", "failed")
    rows = [
        (
            f"{row.protocol}, {row.side}",
            f"{row.throughput:,.0f}",
            f"{row.p99_us:,.0f}",
            spread(row.throughput_ratios),
            spread(row.p99_ratios),
            str(row.failed),
        )
        for row in results.rows
    ]
    text = METHOD.format(concurrency=CONCURRENCY, rounds=results.rounds, seconds=results.seconds)
    title = f"What a rollout costs the requests of its model, {results.date}"
    return [*head(title, results.machine, results.command), *table(columns, rows), *method(text)]


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
    rounds, seconds = (1, 0.5) if arguments.quick else (10, 2.0)
    with tempfile.TemporaryDirectory(prefix="understudy-rollouts-") as folder:
        results = run(Path(folder), rounds=rounds, seconds=seconds, quick=arguments.quick)
    stem = f"rollouts-{results.date}-{results.machine.slug}" + ("-quick" if arguments.quick else "")
    print(write(arguments.results, stem, render(results), results))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
