"""Batching, request logs, metrics, TLS, a UNIX socket, LiteRT and moving labels: all of them on one live server."""

import json
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
import requests
from google.protobuf import json_format

from tests.live.asking import predict_message
from tests.live.certificates import Authority, credentials, ssl_config
from tests.live.drop_in import drop_in, here
from tests.live.exports import Exports, config_text
from tests.live.load import Load, wait_asked
from tests.live.prediction_logs import LogReader
from tests.live.process import LiveServer
from tests.wire.test_serving_metrics import PREFIX, Page
from understudy.monitoring_config import DEFAULT_METRICS_PATH
from understudy.wire import message_class

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

CALLERS = 8
REQUESTS = 48
MOVES = 6
"""Of the label."""
PREDICT = "/tensorflow.serving.PredictionService/Predict"
LOGGED = "logging_config { sampling_config { sampling_rate: 1 } }"
SESSION = "batching_session:"


@pytest.fixture(scope="module")
def reader() -> Iterator[LogReader]:
    """TensorFlow Serving's classes, in their own process."""
    with LogReader() as reader:
        yield reader


@dataclass(frozen=True, slots=True)
class World:
    """A folder in which a server's models, logs and configuration lie.

    Attributes:
        folder: the whole.
        m: a SavedModel's versions: y = x + version.
    """

    folder: Path
    m: Exports

    @property
    def config(self) -> Path:
        """The file that the server reads."""
        return self.folder / "models.config"

    @property
    def logs(self) -> Path:
        """Below it requests are logged."""
        return self.folder / "logs"

    def configure(self, *others: str, more: str = "") -> None:
        """Writes the file: `m` with its requests logged, and other models."""
        m = f'name: "m" base_path: "{self.m.base_path}" model_platform: "tensorflow" {LOGGED} {more}'
        self.config.write_text(config_text(f"config {{ {m} }}", *others))

    def serve(self, *flags: str) -> LiveServer:
        """A server that batches, logs and tells TensorFlow Serving's metrics."""
        return LiveServer(
            f"--model-config-file={self.config}",
            "--batching",
            f"--request-log-dir={self.logs}",
            f"--metrics-path={DEFAULT_METRICS_PATH}",
            "--poll-interval=0.1",
            *flags,
        )


@pytest.fixture
def world(tmp_path: Path, saved_models: Path) -> World:
    world = World(tmp_path, Exports(tmp_path / "m"))
    world.m.copy(saved_models / "offset_1", 1)
    return world


def post(server: LiveServer, model: str, x: list[float]) -> object:
    """What a model answers to a column."""
    url = f"http://{server.rest}/v1/models/{model}:predict"
    answer = requests.post(url, json={"inputs": x}, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.json()["outputs"]


def ask(channel: grpc.Channel, x: float) -> list[float]:
    """What `m` answers over gRPC."""
    call = channel.unary_unary(PREDICT, bytes, bytes)
    response = message_class("tensorflow.serving.PredictResponse")()
    response.MergeFromString(call(predict_message("m", x), timeout=60))
    values: list[float] = json_format.MessageToDict(response)["outputs"]["y"]["floatVal"]
    return values


def test_requests_of_batches_are_counted_and_logged_one_by_one_and_warm_up_the_next_version(
    world: World, saved_models: Path, reader: LogReader
) -> None:
    world.configure()
    asked = [number / 4 for number in range(REQUESTS)]
    with world.serve() as server:
        with grpc.insecure_channel(server.grpc) as channel, ThreadPoolExecutor(CALLERS) as callers:
            by_grpc = list(callers.map(lambda x: ask(channel, x), asked))
            by_rest = list(callers.map(lambda x: post(server, "m", [x, -x]), asked))
            assert by_grpc == [[x + 1] for x in asked]
            assert by_rest == [[x + 1, -x + 1] for x in asked]
        page = Page(server)
        assert one(page, "processed_batch_size", "_sum") == 3 * REQUESTS
        assert one(page, "input_batch_size", "_sum") == 3 * REQUESTS
        assert one(page, "queuing_latency", "_count") == 2 * REQUESTS
        runs = one(page, "wrapped_run_count")
        assert 0 < runs <= 2 * REQUESTS
        assert one(page, "processed_batch_size", "_count") == runs
        assert page.values("request_count") == {("m", "OK"): 2 * REQUESTS}
        assert page.values("request_log_count") == {("m", "OK"): 2 * REQUESTS}

        world.config.write_text(world.config.read_text().replace(LOGGED, ""))
        server.signal(signal.SIGHUP)
        server.wait_log("reloaded", origin="file")
        (log,) = world.logs.rglob("*.tfrecord")
        records = [record["predict_log"] for record in reader.read([log])]
        pairs = [
            (record["request"]["inputs"]["x"]["float_val"], record["response"]["outputs"]["y"]["float_val"])
            for record in records
        ]
        assert sorted(pairs) == sorted(
            [([x], [x + 1]) for x in asked] + [([x, -x], [x + 1, -x + 1]) for x in asked]
        )
        export = world.folder / "next"
        world.folder.joinpath("copies").mkdir()
        Exports(world.folder / "copies" / "of").copy(saved_models / "offset_2", 2).rename(export)
        (export / "assets.extra").mkdir()
        (export / "assets.extra" / "tf_serving_warmup_requests").write_bytes(log.read_bytes())
        world.m.copy(export, 2)
        ready = server.wait_log("state_changed", model="m", version=2, state="ready")
        assert f"for {2 * REQUESTS} warm-up records" in str(ready.fields["reason"])
        assert post(server, "m", [1.0]) == [3.0]


def one(page: Page, name: str, suffix: str = "") -> float:
    """The value of a metric of batching that has one series."""
    (value,) = page.values(SESSION + name, suffix, PREFIX).values()
    return value


def test_a_litert_model_answers_unbatched_beside_a_saved_model_that_is_batched(
    world: World, litert_models: dict[str, Path]
) -> None:
    lite = Exports(world.folder / "lite")
    export = world.folder / "export"
    export.mkdir()
    (export / "model.tflite").write_bytes(litert_models["half_plus_two"].read_bytes())
    lite.copy(export, 1)
    world.configure(f'config {{ name: "lite" base_path: "{lite.base_path}" model_platform: "litert" }}')
    rows = [float(number) for number in range(REQUESTS)]
    with world.serve() as server, ThreadPoolExecutor(CALLERS) as callers:
        halved = callers.map(lambda x: post(server, "lite", [x]), rows)
        added = callers.map(lambda x: post(server, "m", [x]), rows)
        assert list(halved) == [[0.5 * x + 2] for x in rows]
        assert list(added) == [[x + 1] for x in rows]
        page = Page(server)
        assert one(page, "processed_batch_size", "_sum") == REQUESTS
        assert page.values("request_count") == {("lite", "OK"): REQUESTS, ("m", "OK"): REQUESTS}


def test_tls_a_unix_socket_batches_and_the_metrics_page_go_together_in_the_drop_in(world: World) -> None:
    world.configure()
    authority = Authority(world.folder, "servers")
    ssl, socket = world.folder / "ssl.config", world.folder / "grpc.sock"
    ssl.write_text(ssl_config(authority.sign("server")))
    batching, monitoring = world.folder / "batching.config", world.folder / "monitoring.config"
    batching.write_text("max_batch_size { value: 4 } batch_timeout_micros { value: 1000 }")
    monitoring.write_text("prometheus_config { enable: true }")
    trusted = credentials(authority)
    named = [("grpc.ssl_target_name_override", "localhost")]
    with drop_in(
        f"--model_config_file={world.config}",
        f"--request_log_dir={world.logs}",
        f"--grpc_socket_path={socket}",
        f"--ssl_config_file={ssl}",
        f"--rest_api_ssl_config_file={ssl}",
        "--enable_batching",
        f"--batching_parameters_file={batching}",
        f"--monitoring_config_file={monitoring}",
    ) as server:
        for target in (here(server.grpc), f"unix:{socket}"):
            with (
                grpc.secure_channel(target, trusted, named) as channel,
                ThreadPoolExecutor(CALLERS) as callers,
            ):
                assert list(callers.map(lambda x: ask(channel, x), range(CALLERS))) == [
                    [x + 1.0] for x in range(CALLERS)
                ]
        rest = f"https://localhost:{server.rest.rpartition(':')[2]}"
        verify = str(authority.certificate)
        answer = requests.post(
            f"{rest}/v1/models/m:predict", json={"inputs": [1.0, 2.0]}, timeout=60, verify=verify
        )
        assert answer.json() == {"outputs": [2.0, 3.0]}
        page = requests.get(rest + DEFAULT_METRICS_PATH, timeout=60, verify=verify).text
    lines = dict(line.rsplit(" ", 1) for line in page.splitlines() if not line.startswith("#"))
    assert float(lines[f"{PREFIX}{SESSION}input_batch_size_sum{{}}"]) == 2 * CALLERS + 2
    assert float(lines['understudy_connections{door="rest"}']) >= 1


def labelled(world: World, version: int) -> None:
    """Configures both versions, with the label on one."""
    world.configure(
        more=f'model_version_policy {{ all {{}} }} version_labels {{ key: "live" value: {version} }}'
    )


def test_a_label_that_moves_under_batches_logs_and_load_fails_no_request(
    world: World, saved_models: Path
) -> None:
    world.m.copy(saved_models / "offset_2", 2)
    labelled(world, 1)
    outputs = {1: [1.5], 2: [2.5]}
    with world.serve() as server:
        body = json.dumps({"inputs": [0.5]}).encode()
        path = "/v1/models/m/labels/live:predict"
        by_grpc = Load(
            world.folder,
            protocol="grpc",
            address=server.grpc,
            path=PREDICT,
            body=predict_message("m", 0.5, versionLabel="live"),
        ).expecting(outputs)
        by_rest = Load(world.folder, protocol="rest", address=server.rest, path=path, body=body).expecting(
            outputs
        )
        with by_grpc, by_rest:
            wait_asked(server, "m", 1)
            for move in range(MOVES):
                to = 2 - move % 2
                labelled(world, to)
                server.signal(signal.SIGHUP)
                server.wait_log("reloaded", origin="file")
                wait_asked(server, "m", to)
        assert one(Page(server), "processed_batch_size", "_sum") > 0
    for load in (by_grpc, by_rest):
        assert load.report is not None
        assert (load.report.failures, load.report.mixed) == ({}, 0)
        assert load.report.ok > MOVES
    assert by_grpc.report is not None
    assert set(by_grpc.report.versions) == {"1", "2"}
