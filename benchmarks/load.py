"""One measurement by the load generator: what is asked of it, what it reports."""

import json
import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from benchmarks.half_plus_two_messages import GRPC_PATH, MODEL_NAME, rest_path
from benchmarks.server_process import ServerProcess

LOADGEN = Path("target/release/understudy-loadgen")
SLACK_S = 30.0
"""Past a measurement's own duration, before it is given up."""
MICROSECONDS = 1e6


class LoadFailedError(Exception):
    """The load generator could not measure; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What to send.

    Attributes:
        protocol: `grpc` or `rest`.
        concurrency: requests at once.
        seconds: how long.
        rate: requests a second, each with its due time; none: each worker sends when its last answer came.
        headers: sent along, or as metadata.
        model: that is asked; the question's.
    """

    protocol: str
    concurrency: int
    seconds: float
    rate: float | None = None
    headers: tuple[tuple[str, str], ...] = ()
    model: str = MODEL_NAME

    @property
    def connections(self) -> int:
        """HTTP/1.1 needs one each; gRPC clients hold few connections with many streams."""
        return self.concurrency if self.protocol == "rest" else max(1, self.concurrency // 8)

    @property
    def streams(self) -> int:
        """Requests at once on each connection."""
        return self.concurrency // self.connections


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What came back from one run of the generator.

    Attributes:
        throughput: good answers a second.
        ok: good answers.
        failed: all others.
        mixed: answers whose numbers are not those of the version they name.
        unsent: requests that were due in an open loop and found no free worker.
        server_cpu_us: processor time of the server for one request, in microseconds.
        generator_cpu_us: the generator's own.
        histogram: good answers by latency, at the upper bounds of buckets in microseconds.
    """

    throughput: float
    ok: int
    failed: int
    mixed: int
    unsent: int
    server_cpu_us: float
    generator_cpu_us: float
    histogram: Counter[float] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The files that the generator reads."""

    folder: Path

    def body(self, protocol: str) -> Path:
        """The request."""
        return self.folder / f"request.{protocol}"

    @property
    def expectations(self) -> Path:
        """Version -> what it answers."""
        return self.folder / "expected.json"


def measure(server: ServerProcess, load: Load, question: Question) -> Measurement:
    """Runs the generator once against the server."""
    address = server.grpc if load.protocol == "grpc" else server.rest
    cpu_before = server.cpu_s()
    report = drive(server, load, command(str(address), load, question))
    return _parse(json.loads(report), server.cpu_s() - cpu_before)


def drive(server: ServerProcess, load: Load, command_line: Sequence[str]) -> str:
    """Runs the generator once against the server; its report.

    Raises:
        LoadFailedError: the load generator says why.
    """
    answer = subprocess.run(
        command_line,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=load.seconds + SLACK_S,
    )
    if answer.returncode != 0:
        raise LoadFailedError(f"the load generator failed: {answer.stderr.strip()}")
    server.check_alive()
    return answer.stdout


def command(address: str, load: Load, question: Question) -> list[str]:
    """The generator's command line."""
    rate = [] if load.rate is None else ["--rate", f"{load.rate:.0f}"]
    return [
        *(str(LOADGEN), "--protocol", load.protocol, "--address", address),
        *("--path", GRPC_PATH if load.protocol == "grpc" else rest_path(load.model)),
        *("--body", str(question.body(load.protocol)), "--duration", f"{load.seconds:g}", *rate),
        *("--connections", str(load.connections), "--streams-per-connection", str(load.streams)),
        *(f"--header={name}={value}" for name, value in load.headers),
        *("--expect-output-by-version", str(question.expectations), "--histogram"),
    ]


# The generator's report, as far as it is read here. Functional syntax, because of the quantiles' names.
_Latency = TypedDict(
    "_Latency", {"mean": float, "p50": float, "p90": float, "p99": float, "p99.9": float, "max": float}
)


class _Generator(TypedDict):
    cpu_us_per_request: float


class _Report(TypedDict):
    requests: int
    ok: int
    failed: int
    mixed: int
    unsent: int
    throughput_per_s: float
    latency_us: _Latency
    latency_histogram_us: list[tuple[float, int]]
    versions: dict[str, object]
    generator: _Generator | None


def _parse(report: _Report, server_cpu_s: float) -> Measurement:
    generator = report["generator"]
    return Measurement(
        throughput=report["throughput_per_s"],
        ok=report["ok"],
        failed=report["failed"],
        mixed=report["mixed"],
        unsent=report["unsent"],
        server_cpu_us=round(server_cpu_s * MICROSECONDS / max(1, report["requests"]), 1),
        generator_cpu_us=generator["cpu_us_per_request"] if generator else 0.0,
        histogram=Counter(dict(report["latency_histogram_us"])),
    )
