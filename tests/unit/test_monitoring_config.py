"""TensorFlow Serving's monitoring configuration: what it asks for, files that cannot be taken, and the flag."""

from pathlib import Path

import pytest

from tests.unit.test_tensorflow_model_server import MODEL, Served
from understudy.errors import Code, ConfigError
from understudy.monitoring_config import DEFAULT_METRICS_PATH, FILE_BYTES_MAX, is_reachable, read_metrics_path


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("prometheus_config { enable: true }", DEFAULT_METRICS_PATH),
        ('prometheus_config { enable: true path: "" }', DEFAULT_METRICS_PATH),
        ('prometheus_config: { enable: true, path: "/metrics" }', "/metrics"),
        ('prometheus_config { enable: true path: "metrics" } # as it stands', "metrics"),
        ('prometheus_config { path: "/metrics" }', None),
        ("prometheus_config { enable: false }", None),
        ("prometheus_config {}", None),
        ("", None),
    ],
)
def test_a_file_says_where_the_page_is(tmp_path: Path, text: str, path: str | None) -> None:
    file = tmp_path / "monitoring.config"
    file.write_text(text)
    assert read_metrics_path(str(file)) == path


@pytest.mark.parametrize(
    "data",
    [
        b"prometheus_config { enable: perhaps }",
        b"prometheus_config {",
        b"prometheus { enable: true }",
        b'prometheus_config { path: "\xff" }',
        b"#" * (FILE_BYTES_MAX + 1),
    ],
)
def test_what_is_no_monitoring_config_is_refused_in_the_known_words(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "monitoring.config"
    file.write_bytes(data)
    with pytest.raises(ConfigError) as refused:
        read_metrics_path(str(file))
    assert str(refused.value).startswith(f"Invalid protobuf file: '{file}': ")
    assert refused.value.code is Code.INVALID_ARGUMENT


def test_a_file_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Cannot read the monitoring config file") as refused:
        read_metrics_path(str(tmp_path / "none"))
    assert refused.value.code is Code.NOT_FOUND


@pytest.mark.parametrize(
    ("path", "reachable"),
    [("/", True), ("/metrics", True), ("metrics", False), ("/m?x", False), ("/m#x", False), ("/a b", False)],
)
def test_a_path_is_one_that_a_request_can_ask_for(path: str, reachable: bool) -> None:  # noqa: FBT001 - a case
    assert is_reachable(path) is reachable


WITH_REST = (MODEL, "--rest_api_port=9001")


def test_a_monitoring_config_file_says_where_the_metrics_page_is(tmp_path: Path) -> None:
    file = tmp_path / "monitoring.config"
    file.write_text('prometheus_config { enable: true path: "/metrics" }')
    flag = f"--monitoring_config_file={file}"
    assert Served(*WITH_REST, flag).only.data_plane.metrics_path == "/metrics"
    assert Served(*WITH_REST).only.data_plane.metrics_path is None


def test_a_monitoring_config_file_that_cannot_be_taken_ends_the_start_after_all_other_checks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "monitoring.config"
    file.write_text("prometheus_config { enable: perhaps }")
    flag = f"--monitoring_config_file={file}"
    served = Served(*WITH_REST, flag)
    assert (served.status, served.options) == (255, [])
    text = f"Failed to start server. Error: INVALID_ARGUMENT: Invalid protobuf file: '{file}'"
    assert capsys.readouterr().out.startswith(text)
    assert Served(*WITH_REST, flag, "--memory_limit_fraction=2").status == 255
    assert "memory_limit_fraction" in capsys.readouterr().out


def test_without_rest_a_monitoring_config_file_is_not_read(capsys: pytest.CaptureFixture[str]) -> None:
    options = Served(MODEL, "--monitoring_config_file=/no/such/file").only
    assert options.data_plane.metrics_path is None
    assert "monitoring_config_ignored" in capsys.readouterr().err


def test_a_page_that_no_request_can_ask_for_is_told_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "monitoring.config"
    file.write_text('prometheus_config { enable: true path: "metrics" }')
    assert Served(*WITH_REST, f"--monitoring_config_file={file}").status == 7
    assert "metrics_page_unreachable" in capsys.readouterr().err
