"""Measures what a shadow costs requests: 10 % of them are mirrored, on an idle and on a saturated server.

    python -m benchmarks.shadow
    python -m benchmarks.shadow --seconds 2 --rounds 3

One data plane serves two versions that compute for as long. Its routes change between rounds: no split, a
trial without a shadow, the same with one; so what else the machine does falls on all three. Prints a table.
"""

import argparse
import json
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks import half_plus_two_messages as messages
from benchmarks.load import Load, Question, command
from benchmarks.page import table
from understudy.dataplane.native import NativeDataPlane
from understudy.dataplane.options import DataPlaneOptions, LoadRequest
from understudy.routing import ModelRoute, ReadyVersion, RouteUpdate
from understudy.routing.traffic import ShadowRoute, Traffic
from understudy.server.evidence import read_shown

SPIN_US: Final = 200
"""How long a run computes."""
SHARE: Final = 1_000
"""10 %, in hundredths of a per cent."""
SATURATED: Final = Load(protocol="grpc", concurrency=32, seconds=0)
IDLE_SHARE: Final = 0.2
"""An idle server is asked so much of what a saturated one answers."""
SLACK_S: Final = 30.0

TRIAL: Final = Traffic(trial="bench", epoch=0, candidate=2, salt="bench")
SITUATIONS: Final[Mapping[str, Traffic | None]] = {
    "no split": None,
    "trial": TRIAL,
    "trial and shadow": Traffic(
        trial="bench", epoch=0, candidate=2, salt="bench", shadow=ShadowRoute(version=2, share=SHARE)
    ),
}


@dataclass(frozen=True, slots=True)
class Point:
    """One measurement.

    Attributes:
        throughput: good answers a second.
        p99_us: of their latencies, in microseconds.
    """

    throughput: float
    p99_us: float


class Bench:
    """One data plane, its routes and the question."""

    def __init__(self, folder: Path) -> None:
        self._plane = NativeDataPlane(DataPlaneOptions(grpc_address="127.0.0.1:0", rest_address=None))
        self._generation = 0
        for version in (1, 2):
            path = folder / str(version)
            path.mkdir()
            (path / "synthetic.json").write_text(json.dumps({"spin_us": SPIN_US}))
            load = LoadRequest(
                name=messages.MODEL_NAME, version=version, path=str(path), platform="synthetic"
            )
            self._plane.load(load)
        self._question = Question(folder=folder)
        self._question.body("grpc").write_bytes(messages.grpc_body())
        self._question.expectations.write_text(json.dumps({"1": [0.5 * x + 2 for x in messages.INPUTS]}))
        self._address = str(self._plane.serve().grpc)

    def publish(self, traffic: Traffic | None) -> None:
        """Routes the model so."""
        self._generation += 1
        route = ModelRoute(
            name=messages.MODEL_NAME,
            ready=(ReadyVersion(1), ReadyVersion(2)),
            default_version=1,
            labels=(),
            statuses=(),
            traffic=traffic,
        )
        self._plane.publish(RouteUpdate(generation=self._generation, changed=(route,), removed=()))

    def measure(self, load: Load) -> Point:
        """Runs the load generator once."""
        answer = subprocess.run(
            command(self._address, load, self._question),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            timeout=load.seconds + SLACK_S,
        )
        report = json.loads(answer.stdout)
        return Point(report["throughput_per_s"], report["latency_us"]["p99"])

    def mirrored(self) -> str:
        """What came of the shadow in the round before."""
        shown = read_shown(self._plane, messages.MODEL_NAME)
        if shown is None or shown.shadow is None:
            return ""
        report = shown.shadow
        shed = ", ".join(f"{why} {count}" for why, count in report.shed.items())
        return f"{report.counts.mirrored} mirrored, {report.counts.compared} compared; shed: {shed or 'none'}"

    def stop(self) -> None:
        """Closes the door."""
        self._plane.stop(drain_timeout_s=10)


def compare(bench: Bench, load: Load, rounds: int) -> dict[str, list[Point]]:
    """Measures the situations in turn."""
    points: dict[str, list[Point]] = {name: [] for name in SITUATIONS}
    for _ in range(rounds):
        for name, traffic in SITUATIONS.items():
            bench.publish(traffic)
            points[name].append(bench.measure(load))
            if traffic and traffic.shadow:
                print(f"  {bench.mirrored()}", flush=True)
            bench.publish(None)
    return points


def rows(points: Mapping[str, list[Point]]) -> list[tuple[str, ...]]:
    """Medians, and the medians of ratios to the first situation in the same round."""
    first = next(iter(points.values()))

    def ratio(mine: list[Point], member: str) -> str:
        ratios = (getattr(a, member) / getattr(b, member) for a, b in zip(mine, first, strict=True))
        return f"{median(ratios):.3f}"

    return [
        (
            name,
            f"{median(each.throughput for each in mine):,.0f}",
            ratio(mine, "throughput"),
            f"{median(each.p99_us for each in mine):,.0f}",
            ratio(mine, "p99_us"),
        )
        for name, mine in points.items()
    ]


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    columns = ("", "answers/s", "ratio", "p99, us", "ratio")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        bench.publish(None)
        saturated = Load(protocol="grpc", concurrency=SATURATED.concurrency, seconds=arguments.seconds)
        rate = IDLE_SHARE * bench.measure(saturated).throughput
        idle = Load(protocol="grpc", concurrency=SATURATED.concurrency, seconds=arguments.seconds, rate=rate)
        for title, load in (("saturated", saturated), (f"idle, {rate:,.0f}/s", idle)):
            print(f"\n{title}", flush=True)
            points = compare(bench, load, arguments.rounds)
            print("\n".join(table(columns, rows(points))))
        bench.stop()


if __name__ == "__main__":
    main()
