"""TensorFlow Serving's monitoring configuration, in its text form: where the metrics page is, if anywhere."""

from typing import Final, Protocol, cast

from google.protobuf import text_format

from understudy.bounded_file import read_bounded
from understudy.errors import Code, ConfigError
from understudy.wire import descriptor_pool, message_class

DEFAULT_METRICS_PATH: Final = "/monitoring/prometheus/metrics"
"""Where TensorFlow Serving has its page, and those who scrape it look for it."""

FILE_BYTES_MAX: Final = 64 * 1024
"""Of a file that says two things."""

REASON_CHARS_MAX: Final = 400
"""Of a parser's reason; it may quote a whole line."""


class _PrometheusConfig(Protocol):
    enable: bool
    path: str


class _MonitoringConfig(Protocol):
    @property
    def prometheus_config(self) -> _PrometheusConfig: ...


def read_metrics_path(file: str) -> str | None:
    """Where a monitoring configuration file wants the metrics page; none when it wants none.

    Raises:
        ConfigError: NOT_FOUND or PERMISSION_DENIED when the file cannot be read; INVALID_ARGUMENT when it is
            no MonitoringConfig in protobuf's text format.
    """
    message = message_class("tensorflow.serving.MonitoringConfig")()
    try:
        text_format.Parse(_read(file), message, descriptor_pool=descriptor_pool())
    except (text_format.ParseError, UnicodeDecodeError, RecursionError) as error:
        raise _invalid(file, str(error)) from error
    # The class is made at run time; the protocol restates the fields that are read.
    prometheus = cast(_MonitoringConfig, message).prometheus_config
    return (prometheus.path or DEFAULT_METRICS_PATH) if prometheus.enable else None


def is_reachable(path: str) -> bool:
    """Whether a request can ask for this path: it begins with a slash and has no query and no fragment."""
    return path.startswith("/") and not any(mark in path for mark in "?# ")


def _read(file: str) -> str:
    data = read_bounded(file, FILE_BYTES_MAX, refusal=f"Cannot read the monitoring config file '{file}'")
    if len(data) > FILE_BYTES_MAX:
        raise _invalid(file, f"it is larger than {FILE_BYTES_MAX} bytes")
    return data.decode()


def _invalid(file: str, reason: str) -> ConfigError:
    return ConfigError(
        Code.INVALID_ARGUMENT, f"Invalid protobuf file: '{file}': {reason[:REASON_CHARS_MAX]}", path=file
    )
