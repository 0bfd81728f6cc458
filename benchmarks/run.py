"""`make bench`: measures Understudy beside its peer in one run, and writes the results down.

    python -m benchmarks.run            under four minutes
    python -m benchmarks.run --quick    half a minute, to see that it works

Decides nothing about numbers (summary.py) or their looks (render.py); says in which order things happen.
"""

import argparse
import datetime as dt
import http.client
import json
import shlex
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

from benchmarks import half_plus_two_messages as messages
from benchmarks.half_plus_two_model import outputs, publish
from benchmarks.load import LOADGEN, Load, LoadFailedError, Question, measure
from benchmarks.machine import describe
from benchmarks.render import render
from benchmarks.results import Headline, Results
from benchmarks.rounds import Publisher, Say, Side, alternate
from benchmarks.server_process import ServerFailedError, ServerProcess, running
from benchmarks.summary import Row, Series, merge, pair_ratios, quantile, summarize

UNDERSTUDY = Path(sys.executable).with_name("understudy")
RESULTS = Path(__file__).parent / "results"
CONCURRENCIES = (1, 8, 64)
HEADLINE_CONCURRENCY = 8
PEERS = ("peer in plain Python", "peer that runs the model")
VERSIONS_KNOWN = 2_000
PEER_LIFE_S = 600
EXPORT_TIMEOUT_S = 120
STARTS = 5
PUBLISH_INTERVAL_S = 0.3
POLL_INTERVAL_S = 0.1
OPEN_LOOP_SHARE = 0.2
"""Of the measured capacity: busy, but with room, as servers are run, and room for the generator's pacing."""
OPEN_LOOP_CONCURRENCY = 64
"""More than are ever in flight, so that no request waits for a free worker."""
PACKAGES = ("tensorflow-cpu", "tensorflow", "grpcio", "protobuf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How long and how often."""

    rounds: int
    seconds: float
    change_rounds: int
    change_seconds: float
    starts: int


FULL = Effort(rounds=3, seconds=2.0, change_rounds=4, change_seconds=3.5, starts=STARTS)
QUICK = Effort(rounds=1, seconds=0.5, change_rounds=1, change_seconds=1.5, starts=1)


class Bench:
    """One run: its folder, its effort, and what every part needs."""

    def __init__(self, folder: Path, effort: Effort, say: Say) -> None:
        self.folder = folder
        self.effort = effort
        self.say = say
        self.variants = folder / "variants"
        self.question = Question(folder=folder)

    def prepare(self) -> None:
        """Exports the model and writes the question and its answers."""
        self.say("exporting the model (a TensorFlow process of its own)")
        command = [sys.executable, "-m", "benchmarks.half_plus_two_model", "--directory", str(self.variants)]
        subprocess.run(command, check=True, timeout=EXPORT_TIMEOUT_S, capture_output=True)
        self.question.body("grpc").write_bytes(messages.grpc_body())
        self.question.body("rest").write_bytes(messages.rest_body())
        expected = {str(number): outputs(number) for number in range(1, VERSIONS_KNOWN)}
        self.question.expectations.write_text(json.dumps(expected), encoding="utf-8")

    def understudy(self, name: str, *flags: str) -> list[str]:
        """The command line of a server on a base path of its own."""
        model = f"{messages.MODEL_NAME}={self.base_path(name)}"
        ports = ["--grpc-port", "0", "--rest-port", "0", "--admin-port", "0"]
        command = [str(UNDERSTUDY), "serve", "--model", model]
        return [*command, "--host", "127.0.0.1", *ports, "--log-format", "json", *flags]

    def base_path(self, name: str) -> Path:
        """Where a server finds its versions."""
        path = self.folder / name / messages.MODEL_NAME
        path.mkdir(parents=True, exist_ok=True)
        return path

    def peer(self, *flags: str) -> list[str]:
        """A peer's command line."""
        command = [sys.executable, "-m", "benchmarks.peer_grpcio_server", "--seconds", str(PEER_LIFE_S)]
        return [*command, *flags]

    def model_peer(self) -> list[str]:
        """The command line of the peer that runs the model which Understudy serves."""
        return self.peer("--saved-model", str(self.base_path("steady") / "1"))

    def throughput(self, servers: dict[str, ServerProcess]) -> list[Series]:
        """Over gRPC beside the peers, then over REST, at each concurrency."""
        series: list[Series] = []
        every = [Side(name=name, situation="steady", server=server) for name, server in servers.items()]
        for protocol, sides in (("grpc", every), ("rest", every[:1])):
            for concurrency in CONCURRENCIES:
                load = Load(protocol=protocol, concurrency=concurrency, seconds=self.effort.seconds)
                series += alternate(sides, load, self.question, rounds=self.effort.rounds, say=self.say)
        return series

    def changes(self, server: ServerProcess, publisher: Publisher, rate: float) -> list[Series]:
        """The same load with and without a version every few hundred milliseconds."""
        steady = Side(name="understudy", situation="steady", server=server)
        changing = Side(name="understudy", situation="changing", server=server, around=publisher.publishing)
        series: list[Series] = []
        for protocol, due in (("grpc", None), ("rest", None), ("grpc", rate)):
            load = Load(
                protocol=protocol,
                concurrency=HEADLINE_CONCURRENCY if due is None else OPEN_LOOP_CONCURRENCY,
                seconds=self.effort.change_seconds,
                rate=due,
            )
            rounds = self.effort.change_rounds
            series += alternate([steady, changing], load, self.question, rounds=rounds, say=self.say)
        return series

    def starts(self) -> dict[str, str]:
        """Starts a server several times: until its ready line, and until its first answer over REST."""
        ready, answered = [], []
        for number in range(self.effort.starts):
            with running(self.understudy("steady"), self.folder / "start.log") as server:
                ready.append(server.seconds_to_ready)
                ask_once(str(server.rest))
                answered.append(server.seconds_since_start())
            self.say(f"start {number + 1} of {self.effort.starts}: first answer after {answered[-1]:.2f} s")
        return {
            f"Understudy, from start to ready line (median of {len(ready)})": f"{median(ready):.2f} s",
            "Understudy, from start to first answer": f"{median(answered):.2f} s",
        }


def ask_once(address: str) -> None:
    """One REST request."""
    connection = http.client.HTTPConnection(address, timeout=10)
    connection.request("POST", messages.REST_PATH, messages.rest_body())
    answer = connection.getresponse()
    if answer.status != http.HTTPStatus.OK:
        raise ServerFailedError(f"the first request was answered with {answer.status}: {answer.read()!r}")
    connection.close()


def run(bench: Bench, *, quick: bool) -> Results:
    """Everything, in order."""
    machine = describe()
    bench.prepare()
    publish(bench.variants, bench.base_path("steady"), 1)
    publisher = Publisher(bench.variants, bench.base_path("changing"), interval_s=PUBLISH_INTERVAL_S)
    footprint = bench.starts()
    with ExitStack() as stack:
        us = stack.enter_context(running(bench.understudy("steady"), bench.folder / "understudy.log"))
        plain = stack.enter_context(running(bench.peer(), bench.folder / "peer.log"))
        modelled = stack.enter_context(running(bench.model_peer(), bench.folder / "model-peer.log"))
        servers = {"understudy": us, PEERS[0]: plain, PEERS[1]: modelled}
        for name, server in servers.items():
            footprint[f"{name}, resident after start"] = memory(server)
            warm_up(server, bench.question)
        throughput = bench.throughput(servers)
        for name, server in servers.items():
            footprint[f"{name}, resident after all rounds"] = memory(server)
    capacity = next(each for each in map(summarize, throughput) if is_headline(each))
    command = bench.understudy("changing", "--poll-interval", str(POLL_INTERVAL_S))
    with running(command, bench.folder / "changing.log") as server:
        warm_up(server, bench.question)
        changes = bench.changes(server, publisher, round(capacity.throughput * OPEN_LOOP_SHARE, -2))
        footprint[f"Understudy, resident after {publisher.newest} versions"] = memory(server)
    return Results(
        date=dt.datetime.now(tz=dt.UTC).date().isoformat(),
        machine=machine,
        packages=installed(),
        command="python -m benchmarks.run" + (" --quick" if quick else ""),
        quick=quick,
        headlines=headlines(throughput, changes),
        throughput=tuple(map(summarize, throughput)),
        changes=tuple(map(summarize, changes)),
        versions_published=publisher.newest - 1,
        footprint=footprint,
        method=method(bench),
    )


def warm_up(server: ServerProcess, question: Question) -> None:
    """Until caches, allocators and the server's own measurements have settled."""
    for protocol in ("grpc", "rest") if server.rest else ("grpc",):
        measure(server, Load(protocol=protocol, concurrency=HEADLINE_CONCURRENCY, seconds=1.0), question)


def memory(server: ServerProcess) -> str:
    """Resident memory in words."""
    now = server.memory()
    return f"{now.resident_mib:.0f} MiB ({now.private_mib:.0f} MiB private)"


def is_headline(row: Row) -> bool:
    """Understudy's row at the headline's load."""
    return (row.server, row.protocol, row.concurrency) == ("understudy", "grpc", HEADLINE_CONCURRENCY)


def headlines(throughput: list[Series], changes: list[Series]) -> tuple[Headline, ...]:
    """The ratios that the project has set itself."""
    found = []
    grpc = [each for each in throughput if each.load.protocol == "grpc"]
    for us, *them in zip(*[iter(grpc)] * (1 + len(PEERS)), strict=True):
        target = "at least 10" if us.load.concurrency == HEADLINE_CONCURRENCY else ""
        for peer in them:
            pairs = pair_ratios(
                [each.throughput for each in us.rounds], [each.throughput for each in peer.rounds]
            )
            what = f"gRPC throughput at concurrency {us.load.concurrency}, times that of the {peer.server}"
            value = summarize(us).throughput / summarize(peer).throughput
            found.append(headline(what, value, pairs, target))
    for steady, changing in zip(changes[::2], changes[1::2], strict=True):
        with_changes = [quantile(each.histogram, 0.99) for each in changing.rounds]
        without = [quantile(each.histogram, 0.99) for each in steady.rounds]
        value = merged_p99(changing) / merged_p99(steady)
        loop = "each worker at once" if steady.load.rate is None else f"{steady.load.rate:,.0f}/s due"
        what = f"{steady.load.protocol} p99 while versions change, times p99 without ({loop})"
        found.append(headline(what, value, pair_ratios(with_changes, without), "at most 1.5"))
    return tuple(found)


def headline(what: str, value: float, pairs: list[float], target: str) -> Headline:
    """One ratio with the extremes of its pairs."""
    return Headline(what=what, value=round(value, 2), low=min(pairs), high=max(pairs), target=target)


def merged_p99(series: Series) -> float:
    """Over all answers of a series."""
    return quantile(merge(each.histogram for each in series.rounds), 0.99)


def installed() -> dict[str, str]:
    """Versions of what is measured with."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def method(bench: Bench) -> tuple[str, ...]:
    """How it was done, for a reader who wants to do it again or to object."""
    effort = bench.effort
    understudy = shlex.join(["understudy", *bench.understudy("steady")[1:]]).replace(str(bench.folder), "DIR")
    peer = shlex.join(["python", *bench.peer()[1:]])
    text = f"""
One run, rounds interleaved A, B, A, B: {effort.rounds} rounds of {effort.seconds:g} s for each load,
{effort.change_rounds} of {effort.change_seconds:g} s for each situation of changing versions.

Question: Predict of x/2 + 2 on three floats. Every answer is checked against what its version computes; a
mixed answer is one whose numbers are not those of the version it names.

Understudy: `{understudy}` with a TensorFlow SavedModel.

The {PEERS[0]}: `{peer}`: grpcio's asyncio server in one process, computing in
plain Python with no TensorFlow. It has less to do for each answer than a model server has.

The {PEERS[1]}: the same with `--saved-model DIR`: it runs the SavedModel that Understudy serves through
TensorFlow's Python, as a home-made model server does.

Load: understudy-loadgen, one thread, latencies of good answers, closed loop unless a rate is given.
Concurrency is requests at once: gRPC as up to 8 streams on a connection, REST as so many connections.
With a rate, latency counts from when a request was due.

Changing: a version every {PUBLISH_INTERVAL_S} s, copied beside and renamed into place, the one before the
last removed; the server looks every {POLL_INTERVAL_S} s. Copying and loading run on the same cores.

Quantiles are over the answers of all rounds together; throughput is the median of rounds. CPU is the server's
processor time divided by requests.
"""
    return tuple(" ".join(paragraph.split()) for paragraph in text.strip().split("\n\n"))


def main() -> int:
    """Parses the command line, measures, writes."""
    parser = argparse.ArgumentParser(description="Measures Understudy beside a grpcio server.")
    parser.add_argument("--quick", action="store_true", help="shortest rounds: to see that it works")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to")
    arguments = parser.parse_args()
    if missing := [str(each) for each in (LOADGEN, UNDERSTUDY) if not each.exists()]:
        print(f"{' and '.join(missing)}: missing; run `make setup`", file=sys.stderr)
        return 1
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - started:6.1f} s  {text}", flush=True)

    with tempfile.TemporaryDirectory(prefix="understudy-bench-") as folder:
        bench = Bench(Path(folder), QUICK if arguments.quick else FULL, say)
        try:
            results = run(bench, quick=arguments.quick)
        except (ServerFailedError, LoadFailedError) as error:
            print(f"the benchmark failed: {error}", file=sys.stderr)
            return 1
    page = render(results)
    print(f"\n{page}\nwritten to {results.write(arguments.results, page)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
