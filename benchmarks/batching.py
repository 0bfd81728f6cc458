"""Measures what batching is worth on a model where it should pay: four dense layers, 2,048 wide.

    python -m benchmarks.batching
    python -m benchmarks.batching --seconds 2

Three servers are up at once: each request by itself, adaptive batches, batches by parameters. At each number
of requests at once they are measured in turn, so that what else the machine does falls on all three.
"""

import argparse
import datetime as dt
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import msgspec

from benchmarks import half_plus_two_messages as messages
from benchmarks.load import Load, Question, measure
from benchmarks.machine import Machine, describe
from benchmarks.page import RESULTS, head, method, table, write
from benchmarks.server_process import ServerProcess, running

MODEL = "benchmarks.wide_model"
CONCURRENCIES = (1, 2, 4, 8, 16, 32, 64)
ROUNDS = 3
PARAMETERS = """max_batch_size { value: 32 }
batch_timeout_micros { value: 2000 }
max_enqueued_batches { value: 1000 }
allowed_batch_sizes: [8, 16, 32]
"""
ALONE, ADAPTIVE, BY_PARAMETERS = "one by one", "adaptive", "by parameters"
METHOD = """
The model has four dense layers of 2,048 by 2,048 floats with a rectifier after each. A request is one row,
by gRPC. Its weights are 64 MiB, which a run reads once, however many rows it has.

The three servers are processes of their own, all up during the whole run. At each number of requests at
once they are measured one after the other, in {rounds} rounds of {seconds:g} s each. The number is the
median of the rounds; ratios are of medians.

By parameters: {parameters}.

The load is closed: so many requests are under way at any time, each sent when one before it was answered.
"""


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """Answers a second of one server.

    Attributes:
        concurrency: requests at once.
        throughput: by name of the server, the median of the rounds.
        failed: by name of the server, all rounds together.
    """

    concurrency: int
    throughput: Mapping[str, float]
    failed: Mapping[str, int]


class BatchingResults(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured, where and how."""

    date: str
    machine: Machine
    command: str
    seconds: float
    points: tuple[Point, ...]


def arguments_of(folder: Path) -> dict[str, list[str]]:
    """What tells the servers apart."""
    file = folder / "batching.config"
    file.write_text(PARAMETERS, encoding="utf-8")
    return {ALONE: [], ADAPTIVE: ["--batching"], BY_PARAMETERS: ["--batching-parameters-file", str(file)]}


def command(base_path: Path, extra: list[str]) -> list[str]:
    """A server on free ports."""
    ports = [f"--{door}-port=0" for door in ("grpc", "rest", "admin")]
    model = f"--model={messages.MODEL_NAME}={base_path}"
    return [
        str(Path(sys.executable).parent / "understudy"),
        "serve",
        "--host=127.0.0.1",
        *ports,
        model,
        *extra,
    ]


def export(folder: Path) -> Question:
    """Writes the model and the question, in a process that has TensorFlow."""
    subprocess.run([sys.executable, "-m", MODEL, "--directory", str(folder)], check=True)
    return Question(folder=folder)


def measure_point(
    servers: Mapping[str, ServerProcess], question: Question, concurrency: int, seconds: float
) -> Point:
    """All servers at one number of requests at once."""
    load = Load(protocol="grpc", concurrency=concurrency, seconds=seconds)
    rounds = [
        {name: measure(server, load, question) for name, server in servers.items()} for _ in range(ROUNDS)
    ]
    return Point(
        concurrency=concurrency,
        throughput={name: median(each[name].throughput for each in rounds) for name in servers},
        failed={name: sum(each[name].failed for each in rounds) for name in servers},
    )


def run(folder: Path, seconds: float) -> BatchingResults:
    """Exports, starts, warms up, measures."""
    machine = describe()
    question = export(folder)
    with ExitStack() as stack:
        servers = {
            name: stack.enter_context(running(command(folder / "base", extra), folder / f"{name}.log"))
            for name, extra in arguments_of(folder).items()
        }
        measure_point(servers, question, 4, seconds)
        points = tuple(measure_point(servers, question, each, seconds) for each in CONCURRENCIES)
    return BatchingResults(
        date=dt.datetime.now(tz=dt.UTC).date().isoformat(),
        machine=machine,
        command=f"python -m benchmarks.batching --seconds {seconds:g}",
        seconds=seconds,
        points=points,
    )


def render(results: BatchingResults) -> list[str]:
    """The page."""
    names = (ALONE, ADAPTIVE, BY_PARAMETERS)
    columns = (
        "requests at once",
        *(f"{name}, answers/s" for name in names),
        *(f"{name} ÷ {ALONE}" for name in names[1:]),
    )
    rows = [
        (
            str(point.concurrency),
            *(f"{point.throughput[name]:,.0f}" for name in names),
            *(f"{point.throughput[name] / point.throughput[ALONE]:.2f}" for name in names[1:]),
        )
        for point in results.points
    ]
    failed = sum(sum(point.failed.values()) for point in results.points)
    text = METHOD.format(
        rounds=ROUNDS, seconds=results.seconds, parameters=", ".join(PARAMETERS.strip().split("\n"))
    )
    return [
        *head(f"Batches against requests one by one, {results.date}", results.machine, results.command),
        *table(columns, rows),
        f"Requests that failed, in all: {failed}.",
        "",
        *method(text),
    ]


def main() -> int:
    """Parses the command line, measures, writes."""
    parser = argparse.ArgumentParser(description="Measures what batching is worth.")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="understudy-batching-") as folder:
        results = run(Path(folder), arguments.seconds)
    stem = f"batching-{results.date}-{results.machine.slug}"
    print(write(arguments.results, stem, render(results), results))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
