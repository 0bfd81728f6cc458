"""Measures what formats cost: JSON, typed and packed tensors, compression.

    python -m benchmarks.formats            about two minutes, once compiled
    python -m benchmarks.formats --quick    one call of each, to see that it works

First `cargo bench --bench formats`, which times the parts of a request alone, without a network. Then calls
of live servers with a synthetic model: two over gRPC, one that answers with typed fields and one with
`tensor_content`, and over REST with and without gzip. Calls alternate, so that what disturbs one disturbs the
others.
"""

import argparse
import datetime as dt
import http.client
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import grpc
import msgspec

from benchmarks import half_plus_two_messages as messages
from benchmarks.machine import Machine, describe
from benchmarks.page import RESULTS, head, method, table, write
from benchmarks.server_process import ServerProcess, running
from benchmarks.synthetic_model import publish
from understudy.config_message import SYNTHETIC_PLATFORM
from understudy.config_text import format_config
from understudy.model_config import ModelConfig, ServerConfig

UNDERSTUDY = Path(sys.executable).with_name("understudy")
BENCH = ["cargo", "bench", "--locked", "--package", "understudy-dataplane", "--bench", "formats"]
CALLS = 25
TIMEOUT_S = 60.0
SIZES = {"1 MiB": 1 << 20, "16 MiB": 16 << 20}
SHAPES = {"image": (1, 224 * 224, 3), "rows": (1_000, 30)}
TITLES = {"image": "one image, 1 x 224 x 224 x 3 floats", "rows": "1,000 rows of 30 floats"}
SERVERS: Mapping[str, tuple[str, ...]] = {"typed": (), "content": ("--tensor-content",)}

Call = Callable[[], int]
"""Asks once; the bytes of the answer."""


class Part(msgspec.Struct, frozen=True):
    """One step alone: the fastest of its rounds, and the bytes it went over."""

    micros: float
    bytes: int


class Calls(msgspec.Struct, frozen=True):
    """Calls of a live server: the median time, and the bytes of an answer."""

    millis: float
    answer_bytes: int


class FormatResults(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured, where and how.

    Attributes:
        date: of the run.
        machine: it was made on.
        command: that makes it again.
        parts: by name, as the bench in Rust tells them.
        calls: by name, of live servers.
    """

    date: str
    machine: Machine
    command: str
    parts: dict[str, Part]
    calls: dict[str, Calls]


def measure_parts() -> dict[str, Part]:
    """What `cargo bench` says."""
    done = subprocess.run(BENCH, check=True, capture_output=True, text=True)
    rows = (line.split("\t") for line in done.stdout.splitlines() if line.count("\t") > 1)
    return {what: Part(float(micros), int(size)) for what, micros, size, *_ in rows}


def measure_calls(calls: Mapping[str, Call], times: int) -> dict[str, Calls]:
    """Each call so many times, in turn; once more before, so that both sides have their memory."""
    answers = {name: call() for name, call in calls.items()}
    took: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(times):
        for name, call in calls.items():
            begun_at = time.perf_counter()
            call()
            took[name].append((time.perf_counter() - begun_at) * 1e3)
    return {name: Calls(median(took[name]), answers[name]) for name in calls}


def grpc_calls(servers: Mapping[str, ServerProcess], stack: ExitStack) -> dict[str, Call]:
    """Requests of each size and form to each server; messages are sent and received as bytes."""
    calls: dict[str, Call] = {}
    unlimited = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    for answers, server in servers.items():
        channel = stack.enter_context(grpc.insecure_channel(server.grpc, options=unlimited))
        for size, count in SIZES.items():
            for asks in SERVERS:
                body = grpc_body(count // 4, packed=asks == "content")
                calls[f"{size}, {asks} to {answers}"] = _grpc_call(channel, body)
    return calls


def _grpc_call(channel: grpc.Channel, body: bytes) -> Call:
    predict = channel.unary_unary(messages.GRPC_PATH, bytes, bytes)
    return lambda: len(predict(body, timeout=TIMEOUT_S))


def grpc_body(count: int, *, packed: bool) -> bytes:
    """A request of so many floats."""
    request = messages.request_class()()
    request.model_spec.name = messages.MODEL_NAME
    tensor = request.inputs[messages.INPUT_NAME]
    tensor.dtype = messages.DT_FLOAT
    tensor.tensor_shape.dim.add(size=count)
    values = array("f", [index / 7 for index in range(count)])
    if packed:
        tensor.tensor_content = values.tobytes()
    else:
        tensor.float_val.extend(values)
    return request.SerializeToString()


def rest_calls(server: ServerProcess, stack: ExitStack) -> dict[str, Call]:
    """The image and the rows, for a client that takes gzip and for one that does not say so."""
    connection = http.client.HTTPConnection(str(server.rest), timeout=TIMEOUT_S)
    stack.callback(connection.close)
    calls: dict[str, Call] = {}
    for name, shape in SHAPES.items():
        body = rest_body(shape)
        for wish in ("identity", "gzip"):
            calls[f"{name}, {wish}"] = _rest_call(connection, body, {"Accept-Encoding": wish})
    return calls


def _rest_call(connection: http.client.HTTPConnection, body: bytes, headers: Mapping[str, str]) -> Call:
    def ask() -> int:
        connection.request("POST", messages.REST_PATH, body, headers)
        return len(connection.getresponse().read())

    return ask


def rest_body(shape: Sequence[int]) -> bytes:
    """Rows of random floats, written as clients in Python write them."""
    draw = random.Random(7)  # noqa: S311 - a fixed sequence, not a secret

    def level(sizes: Sequence[int]) -> object:
        return [level(sizes[1:]) for _ in range(sizes[0])] if sizes else round(draw.random(), 6)

    return json.dumps({"instances": level(shape)}).encode()


def run(folder: Path, *, times: int, command: str) -> FormatResults:
    """Everything, in order."""
    machine = describe()
    parts = measure_parts()
    base_path = folder / messages.MODEL_NAME
    publish(base_path, 1)
    config = folder / "models.config"
    model = ModelConfig(messages.MODEL_NAME, str(base_path), SYNTHETIC_PLATFORM)
    config.write_text(format_config(ServerConfig((model,))), encoding="utf-8")
    ports = ["--host", "127.0.0.1", "--grpc-port", "0", "--rest-port", "0", "--admin-port", "off"]
    serve = [str(UNDERSTUDY), "serve", "--model-config-file", str(config), *ports, "--log-format", "json"]
    with ExitStack() as stack:
        servers = {
            answers: stack.enter_context(running([*serve, *flags], folder / f"{answers}.log"))
            for answers, flags in SERVERS.items()
        }
        calls = measure_calls(grpc_calls(servers, stack), times)
        calls |= measure_calls(rest_calls(servers["typed"], stack), times)
    date = dt.datetime.now(tz=dt.UTC).date().isoformat()
    return FormatResults(date=date, machine=machine, command=command, parts=parts, calls=calls)


def render(results: FormatResults) -> list[str]:
    """The page."""
    return [
        *head(f"Formats, {results.date}", results.machine, results.command),
        *_rest_parts(results.parts),
        *_rest_calls(results),
        *_grpc_parts(results.parts),
        *_grpc_calls(results.calls),
        *method(METHOD),
    ]


def _rest_parts(parts: Mapping[str, Part]) -> list[str]:
    rows = []
    for name, title in TITLES.items():
        steps = {step: parts[f"{name} {step}"] for step in ("parse", "run", "format")}
        whole = sum(step.micros for step in steps.values())
        for step, part in steps.items():
            serde = parts.get(f"{name} {step} by serde_json")
            times = f"{_rate(part) / _rate(serde):.2f}" if serde else ""
            cells = (f"{part.micros / 1e3:.2f}", f"{part.micros / whole:.0%}", f"{_rate(part):,.0f}", times)
            rows.append((f"{title}: {step}", *cells))
        rows.append((f"{title}: a copy of the body", "", "", f"{_rate(parts[f'{name} copy']):,.0f}", ""))
    columns = ("REST, in one thread, without a network", "ms", "share", "MB/s", "times serde_json's MB/s")
    return ["## JSON", "", *table(columns, rows)]


def _rest_calls(results: FormatResults) -> list[str]:
    rows = []
    for name, title in TITLES.items():
        plain, folded = (results.calls[f"{name}, {wish}"] for wish in ("identity", "gzip"))
        alone = results.parts[f"{name} compress"].micros / 1e3
        size = f"{folded.answer_bytes / plain.answer_bytes:.2f}"
        times = f"{folded.millis / plain.millis:.2f}"
        rows.append((title, f"{plain.millis:.2f}", f"{folded.millis:.2f}", times, f"{alone:.2f}", size))
    columns = ("REST, a whole call", "ms", "ms with gzip", "times", "ms to compress, alone", "bytes, times")
    return ["## Compression", "", *table(columns, rows)]


def _grpc_parts(parts: Mapping[str, Part]) -> list[str]:
    rows = []
    for size in SIZES:
        copy = parts[f"{size} copy"].micros
        for form in SERVERS:
            for step in ("read", "write"):
                ours, before = (parts[f"{size} {step} {form}{way}"].micros for way in ("", " as generated"))
                times = (f"{ours / copy:.2f}", f"{before / copy:.2f}")
                rows.append((f"{size}, {form}: {step}", f"{ours:,.1f}", *times))
        rows.append((f"{size}: a copy of the elements", f"{copy:,.1f}", "1", "1"))
    columns = ("a float tensor's message", "microseconds", "times a copy", "the generated way, times a copy")
    return ["## Tensors over gRPC", "", *table(columns, rows)]


def _grpc_calls(calls: Mapping[str, Calls]) -> list[str]:
    rows = []
    for size in SIZES:
        typed = calls[f"{size}, typed to typed"].millis
        for asks in SERVERS:
            for answers in SERVERS:
                took = calls[f"{size}, {asks} to {answers}"].millis
                rows.append(
                    (f"{size}: {asks} asked, {answers} answered", f"{took:.2f}", f"{took / typed:.2f}")
                )
    return table(("gRPC, a whole call", "ms", "times typed, typed"), rows)


def _rate(part: Part) -> float:
    """MB/s."""
    return part.bytes / part.micros


METHOD = f"""
Parts: the fastest of 15 rounds in one thread. `parse` is from the body to tensors, `run` the synthetic model
(x/2 + 2), `format` from tensors to the answer's body; a share is of these three. serde_json parses to its
Value, and writes from it what our answer says.

"The generated way" decodes a message into the class that was made from its definition and encodes it from
there: what this server did before, and what it still does for element types that are not packed at a fixed
width. A packed request is not copied at all until TensorFlow takes it, and only lent to it when its memory
begins at a multiple of 64 bytes.

Calls: the median of {CALLS}, in turn, one at a time, over the loopback interface; a client in Python that
sends and receives messages as bytes. The times hold two copies through the kernel each way.
"""


def main() -> int:
    """Parses the command line, measures, writes."""
    parser = argparse.ArgumentParser(description="Measures what formats cost.")
    parser.add_argument("--quick", action="store_true", help="one call of each: to see that it works")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder to write to")
    arguments = parser.parse_args()
    profile = [f"{name}={value} " for name, value in os.environ.items() if name.startswith("CARGO_PROFILE_")]
    command = "".join(profile) + "python -m benchmarks.formats" + (" --quick" if arguments.quick else "")
    with tempfile.TemporaryDirectory(prefix="understudy-formats-") as folder:
        results = run(Path(folder), times=1 if arguments.quick else CALLS, command=command)
    stem = f"formats-{results.date}-{results.machine.slug}" + ("-quick" if arguments.quick else "")
    page = write(arguments.results, stem, render(results), results)
    print(page.read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
