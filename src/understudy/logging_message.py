"""The LoggingConfig message and our RequestLogging: what each field may say."""

from collections.abc import Sequence
from typing import Protocol

from understudy.request_logging import COLLECTOR_TYPE, RequestLogging, find_fault


class LoggingError(Exception):
    """What is wrong with a model's logging_config."""


class _Collector(Protocol):
    type: str
    filename_prefix: str


class _Sampling(Protocol):
    sampling_rate: float
    attributes: int

    @property
    def per_task_sampling_configs(self) -> Sequence[object]: ...


class Logging(Protocol):
    """The fields of a LoggingConfig, whose class is made at run time."""

    @property
    def log_collector_config(self) -> _Collector:
        """Where to."""
        ...

    @property
    def sampling_config(self) -> _Sampling:
        """How many."""
        ...

    def HasField(self, field: str) -> bool:
        """Whether a field is there."""
        ...


def parse_logging(model: str, message: Logging) -> RequestLogging:
    """What a model's LoggingConfig asks for.

    Raises:
        LoggingError: it cannot be taken.
    """
    collector, sampling = message.log_collector_config, message.sampling_config
    logging = RequestLogging(collector.filename_prefix or model, sampling.sampling_rate)
    fault = _find_unknown(message) or find_fault(logging)
    if fault is not None:
        raise LoggingError(f"Requests of model {model} cannot be logged: {fault}")
    return logging


def build_logging(logging: RequestLogging, message: Logging) -> None:
    """Fills a LoggingConfig; the inverse of `parse_logging`."""
    message.log_collector_config.type = COLLECTOR_TYPE
    message.log_collector_config.filename_prefix = logging.filename_prefix
    message.sampling_config.sampling_rate = logging.sampling_rate


def _find_unknown(message: Logging) -> str | None:
    """What the message asks for and this server does not know: silence would lose what somebody relies on."""
    collector, sampling = message.log_collector_config, message.sampling_config
    if message.HasField("custom_logging_config"):
        return "custom_logging_config asks for code that this server does not have; use log_collector_config"
    if collector.type not in {"", COLLECTOR_TYPE}:
        return f"log_collector_config's type {collector.type} is not known; known is {COLLECTOR_TYPE}"
    if sampling.attributes:
        return "sampling_config's attributes are not known: requests here carry no origin and no criticality"
    if sampling.per_task_sampling_configs:
        return "per_task_sampling_configs are for the tasks of a cluster; set sampling_rate"
    return None
