"""TensorFlow Serving's metrics of a live server: what counts, on which page, under which name; and how much."""

import http.client
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import grpc
import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.live.asking import predict, predict_by_grpc, predict_message
from tests.live.exports import Exports, config_text, model_text
from tests.live.process import LiveServer
from tests.live.serving_client import ServingClient
from understudy.monitoring_config import DEFAULT_METRICS_PATH

pytestmark = pytest.mark.slow

PREFIX = ":tensorflow:serving:"
NAMES_MADE_UP = 10_000
LATENCY_BOUNDS = 33
"""Exp(10, 1.8, 33), and one that is infinite."""

Values = dict[tuple[str, ...], float]


class Page:
    """One scrape of the page on the REST port."""

    def __init__(self, server: LiveServer, path: str = DEFAULT_METRICS_PATH) -> None:
        answer = requests.get(f"http://{server.rest}{path}", timeout=60)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "text/plain"
        self.families = {family.name: family for family in text_string_to_metric_families(answer.text)}

    def values(self, name: str, suffix: str = "", prefix: str = PREFIX) -> Values:
        """A metric's values by its labels' values, in the order of the page."""
        family = self.families[prefix + name]
        assert family.type in {"counter", "histogram", "gauge"}
        names = {prefix + name + suffix, f"{prefix}{name}_total"}  # the parser adds this to counters
        return {
            tuple(sample.labels.values()): sample.value for sample in family.samples if sample.name in names
        }


@pytest.fixture(scope="module")
def base_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    exports = Exports(tmp_path_factory.mktemp("models"))
    exports.synthetic(1)
    return exports.base_path


@pytest.fixture
def live(base_path: Path, tmp_path: Path) -> Iterator[LiveServer]:
    """A server of the synthetic model `m`, with the page."""
    file = tmp_path / "models.config"
    file.write_text(config_text(model_text("m", base_path)))
    arguments = ("--model-config-file", str(file), "--metrics-path", DEFAULT_METRICS_PATH)
    with LiveServer(*arguments) as server:
        yield server


def rest(server: LiveServer, method: str, path: str, **headers: str) -> int:
    return requests.request(method, f"http://{server.rest}{path}", headers=headers, timeout=60).status_code


@pytest.mark.tensorflow
def test_the_page_counts_what_tensorflow_serving_counts_through_either_door(
    live: LiveServer, serving_client: ServingClient
) -> None:
    for name in ("m", "m", "unknown"):
        predict_by_grpc(live, name)
    for rpc, text in [
        ("Predict", ""),
        ("MultiInference", 'tasks { model_spec { name: "m" } method_name: "tensorflow/serving/classify" }'),
        ("GetModelStatus", 'model_spec { name: "m" }'),
        ("GetModelMetadata", 'model_spec { name: "m" } metadata_field: "signature_def"'),
    ]:
        serving_client.call(live.grpc, rpc, text)
    assert [predict(live, "m").status_code for _ in range(3)] == [200] * 3
    assert predict(live, "unknown").status_code == 404
    model = "/v1/models/m"
    assert [rest(live, "GET", path) for path in (model, f"{model}/metadata")] == [200, 200]
    assert rest(live, "GET", f"{model}/versions/9") == 404
    assert [rest(live, "POST", f"{model}:{verb}") for verb in ("predict", "PREDICT", "x")] == [400] * 3
    assert [rest(live, method, model) for method in ("PUT", "DELETE", "PATCH", "HEAD")] == [400] * 4
    assert [rest(live, "OPTIONS", model, Origin=origin) for origin in ("http://a", "null")] == [200, 400]
    assert [rest(live, "GET", path) for path in ("/", "/v1")] == [404, 404]
    page = Page(live)
    assert page.values("request_count") == {
        ("", "FAILED_PRECONDITION"): 1,
        ("", "INVALID_ARGUMENT"): 6,
        ("", "NOT_FOUND"): 2,
        ("", "OK"): 1,
        ("m", "INVALID_ARGUMENT"): 2,
        ("m", "NOT_FOUND"): 1,
        ("m", "OK"): 7,
    }
    assert page.values("request_latency", "_count") == {
        ("", "", "REST"): 1,
        ("m", "", "REST"): 2,
        ("m", "Predict", "GRPC"): 2,
        ("m", "predict", "REST"): 3,
    }
    assert page.values("runtime_latency", "_count") == {("m", "Predict", "TF1"): 5}


EXAMPLE = 'examples { features { feature { key: "x" value { float_list { value: 1 } } } } }'


@pytest.mark.tensorflow
def test_multi_inference_counts_examples_and_no_request(
    base_paths: dict[str, Path], serving_client: ServingClient
) -> None:
    name = "sums_examples"

    def task(method: str) -> str:
        spec = f'model_spec {{ name: "{name}" signature_name: "{method}" }}'
        return f'tasks {{ {spec} method_name: "tensorflow/serving/{method}" }}'

    def input_of(examples: int) -> str:
        return f"input {{ example_list {{ {EXAMPLE * examples} }} }}"

    classify = f'model_spec {{ name: "{name}" signature_name: "classify" }}'
    with LiveServer(f"--model={name}={base_paths[name]}", f"--metrics-path={DEFAULT_METRICS_PATH}") as server:
        for rpc, text in [
            ("MultiInference", f"{task('classify')} {task('regress')} {input_of(3)}"),
            ("MultiInference", f"{task('regress')} {input_of(5)}"),
            ("MultiInference", f"{task('regress')}"),
            ("Classify", f"{classify} {input_of(2)}"),
        ]:
            serving_client.call(server.grpc, rpc, text)
        page = Page(server)
    assert page.values("request_example_counts", "_count") == {(name,): 2}
    assert page.values("request_example_counts", "_sum") == {(name,): 8}
    assert [sample.value for sample in page.families[f"{PREFIX}request_example_count"].samples] == [8]
    assert page.values("request_count") == {(name, "OK"): 1}
    assert page.values("request_latency", "_count") == {(name, "Classify", "GRPC"): 1}
    assert page.values("runtime_latency", "_count") == {(name, "Classify", "TF1"): 1}


def test_latencies_are_in_microseconds_by_tensorflow_servings_bounds(live: LiveServer) -> None:
    assert predict(live, "m").status_code == 200
    buckets = Page(live).values("request_latency", "_bucket")
    bounds = [labels[-1] for labels in buckets]
    assert bounds[:4] == ["10", "18", "32.4", "58.32"]
    assert bounds[-2:] == ["1.47476e+09", "+Inf"]
    assert len(bounds) == LATENCY_BOUNDS + 1
    counts = list(buckets.values())
    assert counts == sorted(counts)
    assert (counts[0], counts[-1]) == (0, 1)  # no request takes less than 10 microseconds


def test_the_page_tells_understudys_own_metrics_too(live: LiveServer) -> None:
    page = Page(live)
    assert page.values("ready_versions", prefix="understudy_") == {("m",): 1}
    operators = requests.get(f"http://{live.admin}/metrics", timeout=60).text
    own = {name for name in page.families if not name.startswith(PREFIX)}
    assert own == {family.name for family in text_string_to_metric_families(operators)}


def test_ten_thousand_names_that_clients_make_up_make_one_series(live: LiveServer) -> None:
    with grpc.insecure_channel(live.grpc) as channel:
        call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict", bytes, bytes)
        calls = [call.future(predict_message(f"no-{n}", 0.0)) for n in range(NAMES_MADE_UP // 2)]
        assert {each.code() for each in calls} == {grpc.StatusCode.NOT_FOUND}
    with closing(http.client.HTTPConnection(live.rest)) as connection:
        for number in range(NAMES_MADE_UP // 2):
            connection.request("GET", f"/v1/models/none-{number}")
            with connection.getresponse() as answer:
                assert answer.read()
    page = Page(live)
    assert page.values("request_count") == {("", "NOT_FOUND"): NAMES_MADE_UP}
    assert page.values("request_latency", "_count") == {}


def test_many_scrapes_at_once_under_load_are_all_whole_and_never_count_back(live: LiveServer) -> None:
    def scrape_and_predict(_: int) -> list[float]:
        counts = []
        for _ in range(5):
            assert predict(live, "m").status_code == 200
            counts.append(Page(live).values("request_count")["m", "OK"])
        return counts

    with ThreadPoolExecutor(8) as pool:
        for number, counts in enumerate(pool.map(scrape_and_predict, range(8))):
            assert counts == sorted(counts), number
            assert counts[0] >= 1
    assert Page(live).values("request_count") == {("m", "OK"): 40}


@pytest.mark.tensorflow
def test_a_reload_tells_by_how_much_any_of_these_counters_grew(
    live: LiveServer, base_path: Path, serving_client: ServingClient
) -> None:
    names = [
        "/tensorflow/serving/request_count",
        "/tensorflow/serving/model_warmup_records_read",
        "/tensorflow/serving/batching_session/wrapped_run_count",
        "/tensorflow/serving/request_latency",
    ]
    asked = " ".join(f'metric_names: "{name}"' for name in names)
    exports = Exports(base_path.parent / "slow")
    exports.synthetic(1, load_ms=3000)
    config = config_text(model_text("m", base_path), model_text("slow", exports.base_path))
    with ThreadPoolExecutor(1) as pool:
        reload = pool.submit(
            serving_client.call, live.grpc, "HandleReloadConfigRequest", f"config {{ {config} }} {asked}"
        )
        live.wait_log("state_changed", model="slow", version=1, state="loading")
        assert predict(live, "m").status_code == 200
        answer = reload.result()
        assert (answer.code, answer.message) == ("OK", "")
        assert answer.response == {
            "status": {},
            "metric": [
                {"name": name, "int64_value_increase": str(grown)}
                for name, grown in zip(names, (1, 0, 0, 0), strict=True)
            ],
        }
