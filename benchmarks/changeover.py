"""Measures how long a new version takes from the rename of its directory to its first answer, and with what.

    python -m benchmarks.changeover            two minutes
    python -m benchmarks.changeover --quick    to see that it works

Nothing in the server is there for this: its log and the operators' API have the times of every step.
"""

import argparse
import datetime as dt
import http.client
import json
import math
import shlex
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TypedDict

import msgspec

from benchmarks import half_plus_two_messages as messages
from benchmarks import half_plus_two_model
from benchmarks.asking import Asking
from benchmarks.machine import Machine, describe
from benchmarks.one_model import OneModel, Publish, seconds, serving_one
from benchmarks.page import RESULTS, head, method, table, write
from benchmarks.platforms import publishers
from benchmarks.reload import server_command
from benchmarks.rounds import Say
from benchmarks.server_process import ServerFailedError, ServerProcess

CHANGES = 40
QUICK_CHANGES = 4
POLL_INTERVAL_S = 1.0
"""The server's default."""
GOLDEN = 0.618_033_988_75
"""Its multiples, without their integers, fall evenly between 0 and 1: renames meet every moment of a poll."""
CHANGE_TIMEOUT_S = 30.0
P90 = 0.9


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """One change, taken apart. Seconds, one part after the other.

    Attributes:
        poll: from the rename until the control loop has the look that saw it.
        decide: the two ticks that order the inspection and the load, until the orders are given.
        inspect: looking at the version's files, until the control loop has the outcome.
        load: opening the model and warming up; on the load thread.
        hand_over: waiting for a load thread before, and for the control loop after.
        publish: the tick that makes the version ready, until the routes with it are in force.
        answer: until a client, which asks all the time, has the first answer of the version.
    """

    poll: float
    decide: float
    inspect: float
    load: float
    hand_over: float
    publish: float
    answer: float

    @property
    def whole(self) -> float:
        """From the rename to the first answer."""
        return math.fsum(getattr(self, name) for name in self.__struct_fields__)


class ChangeoverResults(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured, where and how.

    Attributes:
        changes: by platform, in order.
        clocks_differ_s: by platform, the most that the server's two clocks were seen to have drifted apart.
    """

    date: str
    machine: Machine
    command: str
    changes: dict[str, tuple[Parts, ...]]
    clocks_differ_s: dict[str, float]


class _Version(TypedDict):
    version: int
    load_duration_s: float
    entered: list[dict[str, str]]


class Changes:
    """Changes on one server, one at a time."""

    def __init__(self, model: OneModel, publish: Publish) -> None:
        self._server = model.server
        self._log = model.log
        self._base_path = model.base_path
        self._publish = publish
        self._asking = Asking(half_plus_two_model.outputs)

    def run(self, count: int) -> tuple[Parts, ...]:
        """So many changes, while a client asks."""
        parts = []
        with self._asking.going_on(str(self._server.rest)):
            for version in range(2, count + 2):
                time.sleep(POLL_INTERVAL_S + POLL_INTERVAL_S * (version * GOLDEN % 1.0))
                parts.append(self._change_to(version))
                self._log.wait(version - 1, "end")
                half_plus_two_model.withdraw(self._base_path, version - 1)
        return tuple(parts)

    def _change_to(self, version: int) -> Parts:
        self._asking.expect(version)
        self._publish(self._base_path, version)
        renamed_at = (self._base_path / str(version)).stat().st_ctime
        answered_at = self._asking.wait(CHANGE_TIMEOUT_S)
        told = {state: self._log.wait(version, state) for state in ("new", "loading", "ready")}
        seen = self._ask_version(version)
        entered = {each["state"]: seconds(each["at"]) for each in seen["entered"]}
        return Parts(
            poll=entered["new"] - renamed_at,
            decide=told["new"] - entered["new"] + told["loading"] - entered["loading"],
            inspect=entered["loading"] - told["new"],
            load=seen["load_duration_s"],
            hand_over=entered["ready"] - told["loading"] - seen["load_duration_s"],
            publish=told["ready"] - entered["ready"],
            answer=answered_at - told["ready"],
        )

    def _ask_version(self, number: int) -> _Version:
        connection = http.client.HTTPConnection(str(self._server.admin), timeout=CHANGE_TIMEOUT_S)
        connection.request("GET", f"/v1/models/{messages.MODEL_NAME}")
        versions: list[_Version] = json.loads(connection.getresponse().read())["versions"]
        connection.close()
        return next(each for each in versions if each["version"] == number)


def drift_s(server: ServerProcess) -> float:
    """How far the server's calendar, which counts from its start, is from the clock that its log shows."""
    connection = http.client.HTTPConnection(str(server.admin), timeout=CHANGE_TIMEOUT_S)
    before = time.time()
    connection.request("GET", "/v1/status")
    at = seconds(json.loads(connection.getresponse().read())["at"])
    after = time.time()
    connection.close()
    return max(0.0, before - at, at - after)


def measure(folder: Path, platform: str, publish: Publish, count: int) -> tuple[tuple[Parts, ...], float]:
    """Changes on a server of its own; and by how much its clocks differed."""
    command = [*server_command(), "--poll-interval", str(POLL_INTERVAL_S)]
    with serving_one(command, folder / platform, platform, lambda path: publish(path, 1)) as model:
        before = drift_s(model.server)
        changes = Changes(model, publish).run(count)
        return changes, max(before, drift_s(model.server))


def render(results: ChangeoverResults) -> list[str]:
    """The page."""
    title = f"From the rename of a version to its first answer, {results.date}"
    lines = head(title, results.machine, results.command)
    lines += ["## In short", ""]
    lines += table(("what", *results.changes), [_headline(results), _without_poll(results)])
    for platform, changes in results.changes.items():
        lines += [f"## {platform}: {len(changes)} changes", ""]
        lines += table(("part", "median ms", "p90 ms", "share of the whole"), _rows(changes))
    drifts = ", ".join(
        f"{platform} {each * 1e3:.2f} ms" for platform, each in results.clocks_differ_s.items()
    )
    return [*lines, *method(_METHOD.format(server=shlex.join(server_command()[1:]), drifts=drifts))]


def _headline(results: ChangeoverResults) -> tuple[str, ...]:
    shares = [median(each.poll / each.whole for each in changes) for changes in results.changes.values()]
    return ("share of the whole that is waiting for the poll", *(f"{share:.2f}" for share in shares))


def _without_poll(results: ChangeoverResults) -> tuple[str, ...]:
    ratios = [
        median((each.whole - each.poll) / each.load for each in changes)
        for changes in results.changes.values()
    ]
    return ("from seen to answered, times the load alone", *(f"{ratio:.2f}" for ratio in ratios))


def _rows(changes: tuple[Parts, ...]) -> list[tuple[str, ...]]:
    wholes = [each.whole for each in changes]
    rows = []
    for name in Parts.__struct_fields__:
        values = [getattr(each, name) for each in changes]
        share = sum(values) / sum(wholes)
        rows.append((name.replace("_", " "), *_milliseconds(values), f"{share:.3f}"))
    return [*rows, ("whole", *_milliseconds(wholes), "1")]


def _milliseconds(values: list[float]) -> tuple[str, str]:
    p90 = sorted(values)[int(P90 * (len(values) - 1))]
    return f"{median(values) * 1e3:.2f}", f"{p90 * 1e3:.2f}"


_METHOD = f"""
`understudy {{server}} --model-config-file FILE --poll-interval {POLL_INTERVAL_S:g}`: one model, version
policy `latest`, one change after the other, each when the version before the last has ended. The models:
x/2 + b as a SavedModel, and the same as a synthetic one, which has nothing to load.

Renames meet the poll at every moment of its interval, evenly: waiting for it takes half an interval on
average.

**poll**: from the directory's change time to the tick that took the look in. **decide**: the ticks that
ordered the inspection and the load, until their orders were given. **inspect**: the look at the files,
until its outcome was taken in. **load**: `load_duration_s`, the load thread's own time, warm-up and second
inspection included. **hand over**: before it, until a load thread began; after it, until the control loop
took the outcome in. **publish**: the tick that made the version ready, until its routes were in force.
**answer**: until a client that asks over REST, half a millisecond after each answer, had the new version's
first.

Times are the server's own: `entered` of the operators' API says when each tick began; the log's line of a
state is written when that tick has done its work. The one comes from the monotonic clock, the other from
the wall clock; seen from outside they differed by at most: {{drifts}}. The client and the server share the
machine.

Shares are of all changes together.
"""


def run(folder: Path, count: int, command: str, say: Say) -> ChangeoverResults:
    """Everything, in order."""
    machine = describe()
    measured = {}
    for platform, publish in publishers(folder, say).items():
        say(f"{platform}: {count} changes")
        measured[platform] = measure(folder, platform, publish, count)
    return ChangeoverResults(
        date=dt.datetime.now(tz=dt.UTC).date().isoformat(),
        machine=machine,
        command=command,
        changes={platform: changes for platform, (changes, _) in measured.items()},
        clocks_differ_s={platform: drift for platform, (_, drift) in measured.items()},
    )


def main() -> int:
    """Parses the command line, measures, writes."""
    parser = argparse.ArgumentParser(description="Measures changeovers, part by part.")
    parser.add_argument("--quick", action="store_true", help="few changes: to see that it works")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to")
    arguments = parser.parse_args()
    quick = " --quick" if arguments.quick else ""
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - started:6.1f} s  {text}", flush=True)

    with tempfile.TemporaryDirectory(prefix="understudy-changeover-") as folder:
        count = QUICK_CHANGES if quick else CHANGES
        try:
            results = run(Path(folder), count, f"python -m benchmarks.changeover{quick}", say)
        except ServerFailedError as error:
            print(f"the benchmark failed: {error}", file=sys.stderr)
            return 1
    stem = f"changeover-{results.date}-{results.machine.slug}" + quick.replace(" -", "")
    lines = render(results)
    print("\n".join(lines), f"\nwritten to {write(arguments.results, stem, lines, results)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
