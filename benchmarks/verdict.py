"""Measures how long harm lasts: from a candidate's first failure to its verdict, and to its last request.

    python -m benchmarks.verdict
    python -m benchmarks.verdict --quick

A candidate that fails every request gets half of the traffic, on an idle server and on a saturated one. Times
are told in ticks of the control loop and in looks at the counts: what the server is built on.
"""

import argparse
import datetime as dt
import subprocess
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import msgspec

from benchmarks import half_plus_two_messages as messages
from benchmarks.load import Load, Question, command
from benchmarks.machine import Machine, describe
from benchmarks.one_model import OneModel, seconds, serving_one
from benchmarks.page import RESULTS, head, method, table, write
from benchmarks.rollout_orders import BASELINE, POLL_S, READY_S, ROLLOUT, call, order_rollout, server_command
from benchmarks.rollouts import SPLIT, write_question
from benchmarks.server_process import ServerFailedError
from benchmarks.synthetic_model import publish
from understudy.control.loop import TICK_INTERVAL_S
from understudy.server.evidence import INTERVAL_S

BUCKET_MS = 10
SATURATED = Load(protocol="grpc", concurrency=32, seconds=60.0)
IDLE = Load(protocol="grpc", concurrency=32, seconds=60.0, rate=500.0)
METHOD = """
The model is x/2 + b, made of Rust; the candidate fails each request. A plan without shadow gives it half of
the traffic. The load is one question over and over by gRPC: {rate:g} a second, or as fast as {concurrency} at
a time go.

Times: of the first and the last failed request, as the load generator saw their ends, in buckets of {bucket}
ms; of the verdict, as the rollout's record has it, which is the time of the tick that judged. Nothing in the
server is there for this. {rounds} candidates for each load, a server for each; medians, and between brackets
the extremes.

A look is {look:g} s: the counts are taken to the control loop that often. A tick is at most {tick:g} s.
Between verdict and last failure the verdict is recorded, routes are published, and what was under way ends.
"""


class Harm(msgspec.Struct, frozen=True, kw_only=True):
    """One candidate that failed.

    Attributes:
        load: `idle` or `saturated`.
        to_verdict_s: from the first failed request to the tick that judged it.
        to_last_s: from that tick to the last failed request.
        failed: requests.
        answered_per_s: good answers, all along.
    """

    load: str
    to_verdict_s: float
    to_last_s: float
    failed: int
    answered_per_s: float


class VerdictResults(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured, where and how."""

    date: str
    machine: Machine
    command: str
    harms: tuple[Harm, ...]


@dataclass(frozen=True, slots=True)
class Bench:
    """Where candidates come and fail, one server for each.

    Attributes:
        folder: of servers.
        question: asked all the time.
    """

    folder: Path
    question: Question

    def measure(self, name: str, load: Load, number: int) -> Harm:
        """One candidate, from its publication to its end."""
        folder = self.folder / f"{name}-{number}"
        with serving_one(
            server_command(), folder, "synthetic", lambda path: publish(path, BASELINE)
        ) as model:
            generator = subprocess.Popen(
                [
                    *command(str(model.server.grpc), load, self.question),
                    f"--timeline-bucket-ms={BUCKET_MS}",
                    "--until-stdin-closes",
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            judged_at = judge(model)
            report = msgspec.json.decode(generator.communicate()[0], type=Report)
        return build_harm(name, judged_at, report)


def judge(model: OneModel) -> float:
    """Rolls a bad candidate out; when it was judged, in seconds since 1970."""
    order_rollout(model, SPLIT, partial(publish, fail_on=messages.INPUTS[0]))
    until = time.monotonic() + READY_S
    while time.monotonic() < until:
        (rollout,) = msgspec.convert(call(model.server, "GET", f"{ROLLOUT}s"), Told).rollouts
        if rollout.phase == "rolled_back":
            return seconds(rollout.changed_at)
        time.sleep(POLL_S)
    raise ServerFailedError(f"the candidate was not judged within {READY_S:g} s")


class ToldRollout(msgspec.Struct, frozen=True):
    """As the operators' API tells it, as far as it is read here."""

    phase: str
    changed_at: str


class Told(msgspec.Struct, frozen=True):
    """All rollouts of the model."""

    rollouts: tuple[ToldRollout, ...]


class Bucket(msgspec.Struct, frozen=True):
    """A stretch of the load generator's time."""

    at_ms: int
    failed: int


class Report(msgspec.Struct, frozen=True):
    """The load generator's, as far as it is read here."""

    started_at_unix_ms: int
    elapsed_s: float
    ok: int
    failed: int
    timeline: tuple[Bucket, ...]


def build_harm(load: str, judged_at: float, report: Report) -> Harm:
    """From the times of failed requests: the beginning of the first's bucket, the end of the last's."""
    failed_ms = [bucket.at_ms for bucket in report.timeline if bucket.failed > 0]
    if not failed_ms:
        raise ServerFailedError("the candidate failed no request")
    first, last = (
        (report.started_at_unix_ms + at_ms) / 1e3 for at_ms in (failed_ms[0], failed_ms[-1] + BUCKET_MS)
    )
    return Harm(
        load=load,
        to_verdict_s=judged_at - first,
        to_last_s=last - judged_at,
        failed=report.failed,
        answered_per_s=report.ok / report.elapsed_s,
    )


def run(folder: Path, *, rounds: int, quick: bool) -> VerdictResults:
    """Idle and saturated in turn, so that what else the machine does falls on both."""
    machine = describe()
    bench = Bench(folder, write_question(folder))
    harms = [
        bench.measure(name, load, number)
        for number in range(rounds)
        for name, load in (("idle", IDLE), ("saturated", SATURATED))
    ]
    return VerdictResults(
        date=dt.datetime.now(tz=dt.UTC).date().isoformat(),
        machine=machine,
        command="python -m benchmarks.verdict" + (" --quick" if quick else ""),
        harms=tuple(harms),
    )


def render(results: VerdictResults) -> list[str]:
    """The page."""
    columns = (
        "load",
        "first failure to verdict, looks",
        "verdict to last failure, ticks",
        "failed requests",
        "answers ÷ idle",
    )
    idle = [harm for harm in results.harms if harm.load == "idle"]
    rows = []
    for name in ("idle", "saturated"):
        harms = [harm for harm in results.harms if harm.load == name]
        busier = [mine.answered_per_s / other.answered_per_s for mine, other in zip(harms, idle, strict=True)]
        rows.append(
            (
                name,
                spread(harm.to_verdict_s / INTERVAL_S for harm in harms),
                spread(harm.to_last_s / TICK_INTERVAL_S for harm in harms),
                spread(harm.failed for harm in harms),
                spread(busier),
            )
        )
    text = METHOD.format(
        rate=IDLE.rate,
        concurrency=SATURATED.concurrency,
        bucket=BUCKET_MS,
        look=INTERVAL_S,
        tick=TICK_INTERVAL_S,
        rounds=len(idle),
    )
    title = f"How long a candidate that fails is asked, {results.date}"
    return [*head(title, results.machine, results.command), *table(columns, rows), *method(text)]


def spread(numbers: Iterable[float]) -> str:
    """The median, and the extremes."""
    every: Sequence[float] = list(numbers)
    return f"{median(every):.2f} [{min(every):.2f}, {max(every):.2f}]"


def main() -> int:
    """Parses the command line, measures, writes."""
    parser = argparse.ArgumentParser(description="Measures how long a candidate that fails is asked.")
    parser.add_argument("--quick", action="store_true", help="two candidates, to see that it works")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="understudy-verdict-") as folder:
        results = run(Path(folder), rounds=1 if arguments.quick else 7, quick=arguments.quick)
    stem = f"verdict-{results.date}-{results.machine.slug}" + ("-quick" if arguments.quick else "")
    print(write(arguments.results, stem, render(results), results))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
