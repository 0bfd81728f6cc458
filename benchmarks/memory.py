"""Measures what stays in memory after a model was loaded and unloaded a hundred times.

    python -m benchmarks.memory            four minutes
    python -m benchmarks.memory --quick    to see that it works

Resident memory of one server after each cycle: a version is published, answers, is taken away, has ended.
"""

import argparse
import datetime as dt
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import linear_regression, median

import msgspec

from benchmarks import synthetic_model
from benchmarks.half_plus_two_model import withdraw
from benchmarks.machine import Machine, describe
from benchmarks.one_model import Publish, serving_one
from benchmarks.page import RESULTS, head, method, table, write
from benchmarks.plot import plot
from benchmarks.reload import server_command
from benchmarks.rounds import Say
from benchmarks.run import ask_once
from benchmarks.server_process import ServerFailedError

CYCLES = 100
QUICK_CYCLES = 8
MODEL_MIB = 40
"""Of the model's weights."""
POLL_INTERVAL_S = 0.1
EXPORT_TIMEOUT_S = 120
MIB = 1 << 20
RETURNING = ("env", "TF_ONEDNN_USE_SYSTEM_ALLOCATOR=1")
"""TensorFlow's own allocator for large tensors keeps what it once had, for the next ones; so it does not."""
GROWTH_TARGET = "at most 0.001"
"""Of the model's size for each cycle: a hundred cycles keep no more than a tenth of a model."""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One server's memory. MiB.

    Attributes:
        before: no model was loaded yet.
        loaded: after each cycle's load, its version answering.
        unloaded: after each cycle, nothing loaded.
    """

    before: float
    loaded: tuple[float, ...]
    unloaded: tuple[float, ...]

    @property
    def freed(self) -> float:
        """What an unload gives back to the system."""
        return median(up - down for up, down in zip(self.loaded, self.unloaded, strict=True))

    @property
    def growth_a_cycle(self) -> float:
        """Of the second half of the cycles, by least squares; the first half fills what is filled once."""
        second = self.unloaded[len(self.unloaded) // 2 :]
        return linear_regression(range(len(second)), second).slope


class MemoryResults(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured, where and how; the runs by name of the case."""

    date: str
    machine: Machine
    command: str
    runs: dict[str, Run]


def export(directory: Path) -> None:
    """Writes a SavedModel: x/2 + 2, and a variable of the model's size, which is read in each run."""
    import tensorflow as tf  # noqa: PLC0415 - five seconds that only this process pays

    module = tf.Module()
    module.weights = tf.Variable(tf.zeros([MODEL_MIB * MIB // 4]))
    signature = [tf.TensorSpec([None], tf.float32, name="x")]

    @tf.function(input_signature=signature)  # type: ignore[untyped-decorator] # TensorFlow ships no types
    def half_plus_two(x: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"y": x * 0.5 + 2.0 + tf.reduce_sum(module.weights)}

    tf.saved_model.save(module, str(directory), signatures={"serving_default": half_plus_two})


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What is measured on a server of its own.

    Attributes:
        name: for people.
        platform: of the model.
        publish: puts a version into place.
        before: words before the server's command.
    """

    name: str
    platform: str
    publish: Publish
    before: tuple[str, ...] = ()


def build_cases(folder: Path, say: Say) -> tuple[Case, ...]:
    """The model of TensorFlow, with its allocators as they are and without the one; the synthetic model."""
    exported = folder / "exported"
    say("exporting the model (a TensorFlow process of its own)")
    command = [sys.executable, "-m", "benchmarks.memory", "--export", str(exported)]
    subprocess.run(command, check=True, timeout=EXPORT_TIMEOUT_S, capture_output=True)

    def publish_saved_model(base_path: Path, version: int) -> None:
        incoming = base_path.parent / f"incoming-{version}"
        shutil.copytree(exported, incoming)
        incoming.rename(base_path / str(version))

    def publish_synthetic(base_path: Path, version: int) -> None:
        synthetic_model.publish(base_path, version, memory_bytes=MODEL_MIB * MIB)

    return (
        Case(name="TensorFlow", platform="tensorflow", publish=publish_saved_model),
        Case(
            name="TensorFlow returning",
            platform="tensorflow",
            publish=publish_saved_model,
            before=RETURNING,
        ),
        Case(name="synthetic", platform="synthetic", publish=publish_synthetic),
    )


def measure(folder: Path, case: Case, cycles: int) -> Run:
    """So many cycles on a server of its own."""
    loaded, unloaded = [], []
    command = [*case.before, *server_command(), "--poll-interval", str(POLL_INTERVAL_S)]
    with serving_one(command, folder / case.name, case.platform, lambda _: None) as model:
        before = model.server.memory().resident_mib
        for version in range(1, cycles + 1):
            case.publish(model.base_path, version)
            model.log.wait(version, "ready")
            ask_once(str(model.server.rest))
            loaded.append(model.server.memory().resident_mib)
            withdraw(model.base_path, version)
            model.log.wait(version, "end")
            unloaded.append(model.server.memory().resident_mib)
    return Run(before=before, loaded=tuple(loaded), unloaded=tuple(unloaded))


def render(results: MemoryResults, picture: str) -> list[str]:
    """The page."""
    runs = tuple(results.runs.values())
    cycles = len(runs[0].unloaded)
    title = f"Memory over {cycles} loads and unloads of one model, {results.date}"
    lines = head(title, results.machine, results.command)
    lines += ["## In short", ""]
    lines += table(
        ("what", *results.runs, "to reach"),
        [
            ("growth a cycle, times the model's size", *_each(results, _growth), GROWTH_TARGET),
            ("left after the last cycle, times that after the tenth part", *_each(results, _kept), ""),
        ],
    )
    lines += [f"![Resident memory after each load and each unload]({picture})", "", "## In MiB", ""]
    lines += table(
        ("resident", *results.runs),
        [
            ("before the first load", *_each(results, _before)),
            ("given back by an unload, median", *_each(results, _freed)),
            *(
                (f"after unload {number:,}", *(f"{run.unloaded[number - 1]:,.1f}" for run in runs))
                for number in _samples(cycles)
            ),
        ],
    )
    return [*lines, *method(_METHOD.format(server=shlex.join(server_command()[1:])))]


def draw(results: MemoryResults) -> str:
    """The plot."""
    lines = {}
    for name, run in results.runs.items():
        lines[f"{name}, loaded"] = run.loaded
        lines[f"{name}, unloaded"] = run.unloaded
    return plot("Resident memory of one server", "load and unload", "MiB", lines)


def _each(results: MemoryResults, text: Callable[[Run], str]) -> tuple[str, ...]:
    return tuple(text(run) for run in results.runs.values())


def _growth(run: Run) -> str:
    return f"{run.growth_a_cycle / MODEL_MIB:.5f}"


def _kept(run: Run) -> str:
    return f"{run.unloaded[-1] / run.unloaded[len(run.unloaded) // 10]:.3f}"


def _before(run: Run) -> str:
    return f"{run.before:,.1f}"


def _freed(run: Run) -> str:
    return f"{run.freed:,.1f}"


def _samples(cycles: int) -> list[int]:
    return sorted({1, *(max(1, cycles * tenth // 10) for tenth in range(1, 11))})


_METHOD = f"""
`understudy {{server}} --model-config-file FILE --poll-interval {POLL_INTERVAL_S:g}`: one model, one
version at a time. A cycle: a version is copied beside and renamed into place; when the log says that it is
ready, it answers one request; its directory is renamed away; when the log says that it has ended, the
cycle is over. Each version has a number of its own.

The models: a SavedModel with {MODEL_MIB} MiB of variables, which each request reads, and a synthetic one
that takes {MODEL_MIB} MiB.

TensorFlow's wheel has large tensors in an allocator of oneDNN's making, which keeps its regions for the
next tensors: an unload gives nothing back to the system, and the next load takes nothing. `TensorFlow
returning` is the same server with `TF_ONEDNN_USE_SYSTEM_ALLOCATOR=1` in its environment.

Resident memory as the system tells it (`Rss` of /proc/PID/smaps_rollup), of the whole process. What an
unload gives back is the median difference between loaded and unloaded. Growth a cycle is the slope of a
line through the second half of the cycles, by least squares: the first half fills what is filled once
(code, pools, the records of versions that ended, of which only so many are kept).
"""


def run(folder: Path, cycles: int, command: str, say: Say) -> MemoryResults:
    """Everything, in order."""
    machine = describe()
    runs = {}
    for case in build_cases(folder, say):
        say(f"{case.name}: {cycles} cycles")
        runs[case.name] = measure(folder, case, cycles)
    date = dt.datetime.now(tz=dt.UTC).date().isoformat()
    return MemoryResults(date=date, machine=machine, command=command, runs=runs)


def main() -> int:
    """Parses the command line, measures, writes."""
    parser = argparse.ArgumentParser(description="Measures memory over loads and unloads.")
    parser.add_argument("--quick", action="store_true", help="few cycles: to see that it works")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to")
    parser.add_argument("--export", type=Path, help="only write the model to this folder")
    arguments = parser.parse_args()
    if arguments.export is not None:
        export(arguments.export)
        return 0
    quick = " --quick" if arguments.quick else ""
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - started:6.1f} s  {text}", flush=True)

    with tempfile.TemporaryDirectory(prefix="understudy-memory-") as folder:
        cycles = QUICK_CYCLES if quick else CYCLES
        try:
            results = run(Path(folder), cycles, f"python -m benchmarks.memory{quick}", say)
        except ServerFailedError as error:
            print(f"the benchmark failed: {error}", file=sys.stderr)
            return 1
    stem = f"memory-{results.date}-{results.machine.slug}" + quick.replace(" -", "")
    lines = render(results, f"{stem}.svg")
    print("\n".join(lines), f"\nwritten to {write(arguments.results, stem, lines, results)}")
    (arguments.results / f"{stem}.svg").write_text(draw(results), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
