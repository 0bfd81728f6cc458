"""What the server says of itself: structured logs, for people on a terminal, as JSON lines otherwise.

The only file that knows structlog. What is worth saying is decided where it happens.
"""

import logging
import sys
from enum import Enum
from typing import Final, TextIO

from understudy.servable import Event, State

_hides_rich: Final = "rich" not in sys.modules
if _hides_rich:
    # structlog imports rich, when it is installed, to draw tracebacks: 0.3 s of a server's start for
    # something that a server's log does not want. A None in sys.modules makes that import fail, for once.
    sys.modules["rich"] = None  # type: ignore[assignment]
import structlog  # noqa: E402 - see above

if _hides_rich:
    del sys.modules["rich"]


class LogStyle(Enum):
    """How log lines look."""

    AUTO = "auto"
    """For people when the stream is a terminal, JSON otherwise."""
    HUMAN = "human"
    JSON = "json"


_WARNINGS: Final = {
    "source_failed",
    "files_changed",
    "label_left_behind",
    "request_log_failed",
    "traffic_unrecorded",
    "rollout_paused",
    "rollout_rolled_back",
    "version_quarantined",
    "weights_fallback",
}
"""Kinds of events that somebody should look at, although nothing stopped."""

Logger = structlog.typing.FilteringBoundLogger


def configure(*, stream: TextIO | None = None, style: LogStyle = LogStyle.AUTO) -> None:
    """Sends all logs, also those of libraries (from warnings up), to one stream in one style.

    Args:
        stream: where to; none: standard error.
        style: how lines look.
    """
    stream = stream or sys.stderr
    human = style is LogStyle.HUMAN or (style is LogStyle.AUTO and stream.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    rendering = _human_rendering(stream) if human else _json_rendering()
    structlog.configure(
        processors=[*shared, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
            foreign_pre_chain=shared,
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def get_logger() -> Logger:
    """A logger: `get_logger().info("load_started", model="digits", version=7)`."""
    logger: Logger = structlog.get_logger()
    return logger


def log_event(event: Event) -> None:
    """Writes down something that happened to a model."""
    fields = {
        "model": event.model,
        "version": event.version,
        "state": event.state.value if event.state else None,
        "reason": event.reason,
    }
    present = {name: value for name, value in fields.items() if value is not None}
    get_logger().log(_level(event), event.kind, **present)


def _level(event: Event) -> int:
    if event.state in {State.ERROR, State.OVERDUE}:
        return logging.ERROR
    if event.state is State.RETRYING or event.kind in _WARNINGS:
        return logging.WARNING
    return logging.INFO


def _human_rendering(stream: TextIO) -> list[structlog.typing.Processor]:
    return [
        structlog.dev.ConsoleRenderer(
            colors=stream.isatty(),
            pad_event_to=0,
            exception_formatter=structlog.dev.plain_traceback,
        )
    ]


def _json_rendering() -> list[structlog.typing.Processor]:
    return [
        structlog.processors.dict_tracebacks,
        _put_first,
        structlog.processors.JSONRenderer(ensure_ascii=False),
    ]


def _put_first(
    _logger: structlog.typing.WrappedLogger, _method: str, fields: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """When, how bad and what come first in a line: it is read by people too."""
    first = {name: fields[name] for name in ("timestamp", "level", "event") if name in fields}
    return first | dict(fields)
