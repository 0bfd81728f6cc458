"""Measures reloads of many models with one change, and what live traffic notices of them.

    python -m benchmarks.reload            about seven minutes
    python -m benchmarks.reload --quick    a minute, to see that it works

Says in which order things happen; one reload is fleet.py's.
"""

import argparse
import datetime as dt
import json
import shlex
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from statistics import median

import grpc
import msgspec

from benchmarks import half_plus_two_messages as messages
from benchmarks.fleet import Fleet, Reload, reloading, serving
from benchmarks.half_plus_two_model import outputs
from benchmarks.load import Load, LoadFailedError, Question, measure
from benchmarks.machine import Machine, describe
from benchmarks.page import RESULTS, head, method, table, write
from benchmarks.results import Headline
from benchmarks.rounds import Say, Side, alternate
from benchmarks.run import UNDERSTUDY, headline, merged_p99
from benchmarks.server_process import ServerFailedError
from benchmarks.summary import Row, Series, pair_ratios, quantile, summarize

FEW = 10
"""Models of the server that others are compared with."""
SIZES = (1_000, 10_000)
RATE = 2_000.0
"""Requests a second: a tenth of what a server does on two cores, shared with the generator."""
CONCURRENCY = 64
"""More than are ever in flight, so that no request waits for a free worker."""
PAUSE_S = 1.0
"""Between reloads that do not follow each other at once."""
PACED = f"rpc, every {PAUSE_S:g} s"
P99_TARGET = "at most 1.2"


class Effort(msgspec.Struct, frozen=True, kw_only=True):
    """How long and how often."""

    reloads: int
    rounds: int
    seconds: float


FULL = Effort(reloads=11, rounds=5, seconds=4.0)
QUICK = Effort(reloads=3, rounds=1, seconds=1.0)


class ReloadTimes(msgspec.Struct, frozen=True, kw_only=True):
    """Reloads with one change, one at a time, without other traffic. Seconds, medians.

    Attributes:
        models: how many.
        origin: `rpc`, or `file` with SIGHUP.
        config_bytes: of the configuration as the call carries it.
        reload_s: from the call, or the signal, until it is in force.
        few_s: the same for few models, measured in turn.
    """

    models: int
    origin: str
    config_bytes: int
    reload_s: float
    few_s: float


class ReloadResults(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured, where and how.

    Attributes:
        headlines: the ratios.
        times: of single reloads.
        traffic: by number of models: a row for each situation.
        reloads: by number of models and origin, how many fell into the rounds.
    """

    date: str
    machine: Machine
    command: str
    effort: Effort
    headlines: tuple[Headline, ...]
    times: tuple[ReloadTimes, ...]
    traffic: dict[int, tuple[Row, ...]]
    reloads: dict[int, dict[str, int]]


class Bench:
    """One run."""

    def __init__(self, folder: Path, effort: Effort, say: Say) -> None:
        self._folder = folder
        self._effort = effort
        self._say = say
        self._question = Question(folder=folder)
        self.headlines: list[Headline] = []
        self.times: list[ReloadTimes] = []
        self.traffic: dict[int, tuple[Row, ...]] = {}
        self.reloads: dict[int, dict[str, int]] = {}

    def prepare(self) -> None:
        """Writes the question and its answer."""
        self._question.body("grpc").write_bytes(messages.grpc_body())
        self._question.body("rest").write_bytes(messages.rest_body())
        self._question.expectations.write_text(json.dumps({"1": outputs(1)}), encoding="utf-8")

    def measure(self, models: int) -> None:
        """A server of so many models beside one of few; then traffic on the larger one."""
        folder = self._folder / str(models)
        with (
            serving(server_command(), folder / "few", FEW) as few,
            serving(server_command(), folder / "many", models) as many,
            grpc.insecure_channel(few.server.grpc) as to_few,
            grpc.insecure_channel(many.server.grpc) as to_many,
        ):
            self._say(f"{models:,} models: ready in {many.server.seconds_to_ready:.1f} s")
            origins: dict[str, tuple[Reload, Reload]] = {
                "rpc": (partial(many.reload_by_rpc, to_many), partial(few.reload_by_rpc, to_few)),
                "file": (many.reload_by_file, few.reload_by_file),
            }
            for origin, (reload, reload_few) in origins.items():
                self._time(many, origin, reload, reload_few)
            reloads = {origin: reload for origin, (reload, _) in origins.items()}
            self._disturb(models, many, {**reloads, PACED: reloads["rpc"]})

    def _time(self, fleet: Fleet, origin: str, reload: Reload, reload_few: Reload) -> None:
        reload()  # the first one finds nothing to compare with
        reload_few()
        pairs = [(reload(), reload_few()) for _ in range(self._effort.reloads)]
        many, few = zip(*pairs, strict=True)
        models = fleet.models
        self._say(f"{models:,} models by {origin}: {median(many):.3f} s, {FEW} models: {median(few):.4f} s")
        what = f"reload of {models:,} models by {origin}, times that of {FEW}"
        ratio = median(many) / median(few)
        self.headlines.append(headline(what, ratio, pair_ratios(many, few), f"below {models / FEW:,.0f}"))
        times = ReloadTimes(
            models=models,
            origin=origin,
            config_bytes=fleet.config_bytes,
            reload_s=median(many),
            few_s=median(few),
        )
        self.times.append(times)

    def _disturb(self, models: int, fleet: Fleet, reloads: dict[str, Reload]) -> None:
        taken: dict[str, list[float]] = {origin: [] for origin in reloads}
        server = fleet.server
        sides = [Side(name=f"{models:,} models", situation="undisturbed", server=server)]
        for origin, reload in reloads.items():
            pause_s = PAUSE_S if origin == PACED else 0.0
            around = partial(reloading, reload, taken[origin], pause_s=pause_s)
            sides.append(Side(name=f"{models:,} models", situation=origin, server=server, around=around))
        rows: list[Row] = []
        for protocol in ("grpc", "rest"):
            load = Load(protocol=protocol, concurrency=CONCURRENCY, seconds=self._effort.seconds, rate=RATE)
            measure(server, load, self._question)  # until caches and the server's own estimates have settled
            rounds = self._effort.rounds
            undisturbed, *disturbed = alternate(sides, load, self._question, rounds=rounds, say=self._say)
            rows += map(summarize, (undisturbed, *disturbed))
            self.headlines += [_p99_headline(models, undisturbed, each) for each in disturbed]
        self.traffic[models] = tuple(rows)
        self.reloads[models] = {origin: len(each) for origin, each in taken.items()}


def _p99_headline(models: int, undisturbed: Series, disturbed: Series) -> Headline:
    p99s = [[quantile(each.histogram, 0.99) for each in series.rounds] for series in (disturbed, undisturbed)]
    protocol = "gRPC" if disturbed.load.protocol == "grpc" else "REST"
    what = f"{protocol} p99 while {models:,} models are reloaded by {disturbed.situation}, times undisturbed"
    ratio = merged_p99(disturbed) / merged_p99(undisturbed)
    return headline(what, ratio, pair_ratios(*p99s), P99_TARGET)


def server_command() -> list[str]:
    """Of a server without models."""
    ports = ["--grpc-port", "0", "--rest-port", "0", "--admin-port", "0"]
    return [str(UNDERSTUDY), "serve", "--host", "127.0.0.1", *ports, "--log-format", "json"]


def render(results: ReloadResults) -> list[str]:
    """The page."""
    date, machine, command = results.date, results.machine, results.command
    lines = head(f"Reloads of many models with one change, {date}", machine, command)
    lines += ["## In short", ""]
    lines += table(
        ("what", "measured", "to reach"),
        (
            (each.what, f"{each.value:.2f} ({each.low:.2f} to {each.high:.2f})", each.target)
            for each in results.headlines
        ),
    )
    lines += ["In brackets: the extremes of single pairs, measured one after the other.", ""]
    lines += ["## One reload", ""]
    lines += table(
        ("models", "by", "ms", f"ms for {FEW} models"),
        (
            (f"{each.models:,}", each.origin, *_milliseconds(each.reload_s, each.few_s))
            for each in results.times
        ),
    )
    lines += ["## Traffic meanwhile", ""]
    lines += table(
        ("models", "reloads by", "door", "p50 µs", "p99 µs", "p99.9 µs", "max µs", "failed", "unsent"),
        (_traffic_cells(models, row) for models, rows in results.traffic.items() for row in rows),
    )
    counts = [
        f"{sum(by_origin.values()):,} of {models:,} models" for models, by_origin in results.reloads.items()
    ]
    lines += [f"Reloads during the rounds: {', '.join(counts)}.", ""]
    return [*lines, *method(_METHOD.format(effort=results.effort, server=shlex.join(server_command()[1:])))]


def _milliseconds(*seconds: float) -> tuple[str, ...]:
    return tuple(f"{each * 1e3:.1f}" for each in seconds)


def _traffic_cells(models: int, row: Row) -> tuple[str, ...]:
    latencies = (row.p50, row.p99, row.p999, row.max)
    door = "gRPC" if row.protocol == "grpc" else "REST"
    cells = (f"{models:,}", row.situation, door, *(f"{latency:,.0f}" for latency in latencies))
    return (*cells, f"{row.failed} of {row.ok + row.failed:,}", f"{row.unsent:,}")


_METHOD = f"""
Every model is synthetic and has one version, at a base path of its own, which the server looks at once a
second as always. The change: one label of one model is set, or taken away again, so each reload publishes a
route.

`understudy {{server}} --model-config-file FILE --state-dir DIR`: each reload is recorded durably first.

By rpc: HandleReloadConfigRequest with the whole list of models, until it is answered. By file: SIGHUP after
the file was replaced, until the log says `reloaded`. One at a time: {{effort.reloads}} pairs of many and of
{FEW} models, in turn, on two servers.

Traffic: {RATE:,.0f} requests a second in an open loop by understudy-loadgen, to one model; latency counts
from when a request was due. {{effort.rounds}} rounds of {{effort.seconds:g}} s for each situation,
interleaved: undisturbed; reloads by rpc and by file, each right after the one before; reloads by rpc with
{PAUSE_S:g} s between them. Quantiles are over the answers of all rounds together.

Server, generator and who reloads share the machine's cores: a part of what traffic notices is that they do.
"""


def run(folder: Path, effort: Effort, command: str, say: Say, sizes: tuple[int, ...]) -> ReloadResults:
    """Everything, in order."""
    machine = describe()
    bench = Bench(folder, effort, say)
    bench.prepare()
    for models in sizes:
        bench.measure(models)
    return ReloadResults(
        date=dt.datetime.now(tz=dt.UTC).date().isoformat(),
        machine=machine,
        command=command,
        effort=effort,
        headlines=tuple(bench.headlines),
        times=tuple(bench.times),
        traffic=bench.traffic,
        reloads=bench.reloads,
    )


def main() -> int:
    """Parses the command line, measures, writes."""
    parser = argparse.ArgumentParser(description="Measures reloads of many models with one change.")
    parser.add_argument("--quick", action="store_true", help="shortest rounds: to see that it works")
    parser.add_argument("--models", type=int, nargs="*", default=SIZES, help="how many")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to")
    arguments = parser.parse_args()
    started = time.monotonic()
    command = "python -m benchmarks.reload" + (" --quick" if arguments.quick else "")

    def say(text: str) -> None:
        print(f"{time.monotonic() - started:6.1f} s  {text}", flush=True)

    with tempfile.TemporaryDirectory(prefix="understudy-reload-") as folder:
        effort = QUICK if arguments.quick else FULL
        try:
            results = run(Path(folder), effort, command, say, tuple(arguments.models))
        except (ServerFailedError, LoadFailedError, grpc.RpcError) as error:
            print(f"the benchmark failed: {error}", file=sys.stderr)
            return 1
    stem = f"reload-{results.date}-{results.machine.slug}" + ("-quick" if arguments.quick else "")
    lines = render(results)
    print("\n".join(lines), f"\nwritten to {write(arguments.results, stem, lines, results)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
