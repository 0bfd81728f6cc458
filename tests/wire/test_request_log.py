"""Request logs of a live server: both doors' requests in files that TensorFlow Serving's own classes read."""

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.live.exports import Exports, config_text
from tests.live.prediction_logs import LogReader
from tests.live.process import CONSOLE_SCRIPTS, LiveServer
from tests.live.serving_client import ServingClient

pytestmark = pytest.mark.slow

FLOAT = "dtype: DT_FLOAT tensor_shape { dim { size: 1 } } float_val: 3.5"


@pytest.fixture(scope="module")
def reader() -> Iterator[LogReader]:
    """TensorFlow Serving's classes, in their own process."""
    with LogReader() as reader:
        yield reader


class Logged:
    """One model `m` on a live server, and the directory that it may log to."""

    def __init__(
        self, folder: Path, *flags: str, logging: str = "sampling_config { sampling_rate: 1 }"
    ) -> None:
        self.exports = Exports(folder / "m")
        self.exports.synthetic(3, examples=True)
        self.directory = folder / "logs"
        self.file = folder / "models.config"
        self.configure(logging)
        self.server = LiveServer(
            f"--model-config-file={self.file}",
            f"--request-log-dir={self.directory}",
            "--poll-interval=0.1",
            *flags,
        )

    def config(self, logging: str) -> str:
        """A configuration of the model with this logging_config; none when it is empty."""
        model = f'name: "m" base_path: "{self.exports.base_path}" model_platform: "synthetic"'
        return config_text(f"config {{ {model} {f'logging_config {{ {logging} }}' if logging else ''} }}")

    def configure(self, logging: str) -> None:
        """Writes it into the file that the server reads."""
        self.file.write_text(self.config(logging))

    def files(self) -> list[Path]:
        """What was logged, the oldest first."""
        return sorted(self.directory.rglob("*.tfrecord"))

    def ask(self, x: float = 0.0) -> None:
        """A REST request that is answered."""
        url = f"http://{self.server.rest}/v1/models/m:predict"
        answer = requests.post(url, json={"instances": [{"x": x}]}, timeout=60)
        assert answer.status_code == 200, answer.text

    def reload(self) -> None:
        """Has the server read its file again, and waits for what came of it."""
        self.server.signal(signal.SIGHUP)
        while not self.server.next_log().says("reloaded", origin="file"):
            pass


def test_both_doors_requests_are_logged_with_their_answers_and_who_answered(
    tmp_path: Path, serving_client: ServingClient, reader: LogReader
) -> None:
    logged = Logged(tmp_path)
    with logged.server as server:
        asked = f'model_spec {{ name: "m" }} inputs {{ key: "x" value {{ {FLOAT} }} }}'
        answer = serving_client.call(server.grpc, "Predict", asked)
        assert answer.code == "OK", answer.message
        logged.ask(3.5)
        refused = serving_client.call(server.grpc, "Predict", 'model_spec { name: "m" }')
        assert refused.code == "INVALID_ARGUMENT"
    (file,) = logged.files()
    assert file.name.startswith("m-")
    assert file.stat().st_mode & 0o777 == 0o640
    by_grpc, by_rest = reader.read(logged.files())
    for record in (by_grpc, by_rest):
        metadata, log = record["log_metadata"], record["predict_log"]
        assert isinstance(metadata, dict)
        assert isinstance(log, dict)
        assert metadata["model_spec"] == {"name": "m", "version": "3", "signature_name": "serving_default"}
        assert metadata["sampling_config"] == {"sampling_rate": 1.0}
        assert metadata["saved_model_tags"] == ["serve"]
        assert int(metadata["timestamp_secs"]) > 1_700_000_000
        assert log["request"]["inputs"]["x"]["float_val"] == [3.5]
        assert log["response"]["outputs"]["y"]["float_val"] == [6.5]
        assert log["request"]["model_spec"]["name"] == "m"
    assert by_grpc["predict_log"]["response"] == answer.response


def test_what_is_logged_changes_with_the_configuration_by_file_and_by_rpc(
    tmp_path: Path, serving_client: ServingClient, reader: LogReader
) -> None:
    logged = Logged(tmp_path, logging="")
    with logged.server as server:
        logged.ask(1)
        logged.configure(
            'log_collector_config { filename_prefix: "by/file" } sampling_config { sampling_rate: 1 }'
        )
        logged.reload()
        logged.ask(2)
        other = 'log_collector_config { filename_prefix: "by/rpc" } sampling_config { sampling_rate: 1 }'
        reloaded = serving_client.call(
            server.grpc, "HandleReloadConfigRequest", f"config {{ {logged.config(other)} }}"
        )
        assert reloaded.code == "OK", reloaded.message
        logged.ask(3)
        outside = 'log_collector_config { filename_prefix: "../outside" }'
        refused = serving_client.call(
            server.grpc, "HandleReloadConfigRequest", f"config {{ {logged.config(outside)} }}"
        )
        assert refused.code == "INVALID_ARGUMENT"
        assert "it could leave the directory" in refused.message
        logged.configure("")
        logged.reload()
        logged.ask(4)
    by_file, by_rpc = logged.files()
    assert (by_file.parent, by_rpc.parent) == (logged.directory / "by", logged.directory / "by")
    asked = [
        record["predict_log"]["request"]["inputs"]["x"]["float_val"] for record in reader.read(logged.files())
    ]
    assert asked == [[2.0], [3.0]]


EXAMPLES = "input { example_list { examples { features { feature { key: 'x' value { float_list { value: 1.5 } } } } } } }"


def test_every_method_is_logged_alike_through_both_doors_and_warms_up_the_next_version(
    tmp_path: Path, serving_client: ServingClient, reader: LogReader
) -> None:
    logged = Logged(tmp_path)
    with logged.server as server:
        answers = [
            serving_client.call(
                server.grpc, rpc, f"model_spec {{ name: 'm' signature_name: '{signature}' }} {EXAMPLES}"
            )
            for rpc, signature in (("Classify", "classify"), ("Regress", "regress"))
        ]
        tasks = "".join(
            f"tasks {{ model_spec {{ name: 'm' signature_name: '{name}' }} "
            f"method_name: 'tensorflow/serving/{name}' }} "
            for name in ("classify", "regress")
        )
        answers.append(serving_client.call(server.grpc, "MultiInference", tasks + EXAMPLES))
        assert [answer.code for answer in answers] == ["OK"] * 3, answers
        for verb in ("classify", "regress"):
            url = f"http://{server.rest}/v1/models/m:{verb}"
            body = {"signature_name": verb, "examples": [{"x": 1.5}]}
            answer = requests.post(url, json=body, timeout=60)
            assert answer.status_code == 200, answer.text
        logged.configure("")
        logged.reload()
        (log,) = logged.files()
        classify, regress, multi, rest_classify, rest_regress = reader.read([log])
        for record, asked in zip((classify, regress, multi), answers, strict=True):
            (kind,) = record.keys() - {"log_metadata"}
            assert record[kind]["response"] == asked.response
        assert rest_classify["classify_log"] == classify["classify_log"]
        assert rest_regress["regress_log"] == regress["regress_log"]
        assert (
            multi["multi_inference_log"]["request"]["input"] == classify["classify_log"]["request"]["input"]
        )
        assert multi["log_metadata"]["model_spec"]["signature_name"] == "classify"

        staged = tmp_path / "staged"
        (staged / "assets.extra").mkdir(parents=True)
        (staged / "synthetic.json").write_text(json.dumps({"b": 4, "version": 4, "examples": True}))
        (staged / "assets.extra" / "tf_serving_warmup_requests").write_bytes(log.read_bytes())
        logged.exports.copy(staged, 4)
        ready = server.wait_log("state_changed", version=4, state="ready")
        assert "for 5 warm-up records" in str(ready.fields["reason"])


def test_a_log_of_a_server_that_was_killed_is_read_as_far_as_it_is_whole(
    tmp_path: Path, reader: LogReader
) -> None:
    logged = Logged(tmp_path)
    with logged.server as server:
        for x in range(20):
            logged.ask(x)
        wait_for_size(logged)
        server.kill()
    (file,) = logged.files()
    whole = len(reader.read(logged.files()))
    assert whole > 0
    file.write_bytes(file.read_bytes()[:-5])
    assert len(reader.read(logged.files())) == whole - 1
    shown = command("show", "--json", str(file))
    assert shown.returncode == 1
    assert len(shown.stdout.splitlines()) == whole - 1
    assert "truncated record at" in shown.stderr
    export = tmp_path / "export"
    export.mkdir()
    made = command("make-warmup", str(file), "--to", str(export), "--limit", "7")
    assert (made.returncode, made.stdout.split()[0]) == (0, "7")
    assert command("make-warmup", str(file), "--to", str(export)).returncode == 1


def test_a_log_that_cannot_be_written_is_told_once_and_fails_no_request(tmp_path: Path) -> None:
    collector = 'log_collector_config { filename_prefix: "blocked/m" }'
    logged = Logged(tmp_path, logging=f"{collector} sampling_config {{ sampling_rate: 1 }}")
    logged.directory.mkdir()
    (logged.directory / "blocked").write_text("a file where a directory is needed")
    with logged.server as server:
        logged.ask()
        failed = server.wait_log("request_log_failed", model="m")
        assert "blocked" in str(failed.fields["reason"])
        (logged.directory / "blocked").unlink()
        while not server.logged("request_log_recovered", model="m"):
            logged.ask()
            try:
                server.next_log(timeout_s=0.2)
            except AssertionError:
                continue
        page = requests.get(f"http://{server.admin}/metrics", timeout=30).text
        why = requests.get(f"http://{server.admin}/v1/models/m/why", timeout=30).text
    assert len(server.logged("request_log_failed")) == 1
    assert "request_log_failed" in why
    assert "request_log_recovered" in why
    outcomes = {
        line.split('outcome="')[1].split('"')[0]: float(line.rsplit(" ", 1)[1])
        for line in page.splitlines()
        if line.startswith("understudy_request_log_records_total{")
    }
    assert outcomes["failed"] > 0
    assert outcomes["written"] > 0
    assert outcomes["dropped"] == 0


def test_without_a_directory_a_logging_config_ends_the_start_in_known_words(tmp_path: Path) -> None:
    exports = Exports(tmp_path / "m")
    exports.synthetic(1)
    file = tmp_path / "models.config"
    model = f'name: "m" base_path: "{exports.base_path}" model_platform: "synthetic" logging_config {{}}'
    file.write_text(config_text(f"config {{ {model} }}"))
    done = subprocess.run(
        [CONSOLE_SCRIPTS / "tensorflow_model_server", f"--model_config_file={file}", "--admin_port=0"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 255
    assert (
        "Failed to start server. Error: INVALID_ARGUMENT: No request-logger-creator provided." in done.stdout
    )


def wait_for_size(logged: Logged) -> None:
    """Until something is in the file: the writer is a thread of its own."""
    while not any(file.stat().st_size for file in logged.files()):
        logged.ask()


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [CONSOLE_SCRIPTS / "understudy", "requests", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
