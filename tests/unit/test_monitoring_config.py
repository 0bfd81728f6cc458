"""TensorFlow Serving's monitoring configuration: what it asks for, and files that cannot be taken."""

from pathlib import Path

import pytest

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
