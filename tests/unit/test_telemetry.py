"""The log: JSON lines for programs, plain lines for people, and no rich in the server's process."""

import io
import json
import logging
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from understudy import telemetry
from understudy.servable import Event, State
from understudy.telemetry import LogStyle

READY = Event(
    at=12.5,
    model="digits",
    version=7,
    kind="state_changed",
    reason="Version 7 loaded in 1.2 s and answers requests.",
    state=State.READY,
)


class Terminal(io.StringIO):
    """A stream that a person reads."""

    def isatty(self) -> bool:
        return True


def test_an_event_is_one_line_of_json_with_what_and_why() -> None:
    stream = io.StringIO()
    telemetry.configure(stream=stream)
    telemetry.log_event(READY)
    line = json.loads(stream.getvalue())
    written_at = datetime.fromisoformat(line.pop("timestamp"))
    assert written_at.tzinfo == UTC
    assert line == {
        "level": "info",
        "event": "state_changed",
        "model": "digits",
        "version": 7,
        "state": "ready",
        "reason": "Version 7 loaded in 1.2 s and answers requests.",
    }


def test_when_how_bad_and_what_come_first() -> None:
    stream = io.StringIO()
    telemetry.configure(stream=stream, style=LogStyle.JSON)
    telemetry.get_logger().info("started", port=8500)
    assert list(json.loads(stream.getvalue())) == ["timestamp", "level", "event", "port"]


@pytest.mark.parametrize(
    ("kind", "state", "level"),
    [
        ("state_changed", State.READY, "info"),
        ("state_changed", State.RETRYING, "warning"),
        ("state_changed", State.ERROR, "error"),
        ("state_changed", State.OVERDUE, "error"),
        ("source_failed", None, "warning"),
        ("files_changed", None, "warning"),
        ("label_left_behind", None, "warning"),
        ("rollout_rolled_back", None, "warning"),
        ("rollout_paused", None, "warning"),
        ("rollout_ramping", None, "info"),
        ("version_quarantined", None, "warning"),
        ("weights_fallback", None, "warning"),
        ("label_moved", None, "info"),
    ],
)
def test_trouble_is_louder(kind: str, state: State | None, level: str) -> None:
    stream = io.StringIO()
    telemetry.configure(stream=stream)
    telemetry.log_event(Event(at=0, model="m", version=None, kind=kind, reason="So.", state=state))
    line = json.loads(stream.getvalue())
    assert line["level"] == level
    assert "version" not in line


@pytest.mark.parametrize(
    ("stream", "style"), [(Terminal(), LogStyle.AUTO), (io.StringIO(), LogStyle.HUMAN)], ids=["tty", "asked"]
)
def test_people_get_plain_lines(stream: io.StringIO, style: LogStyle) -> None:
    telemetry.configure(stream=stream, style=style)
    telemetry.log_event(READY)
    assert "state_changed" in stream.getvalue()
    assert "digits" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_a_library_s_warnings_come_in_the_same_form_and_its_chatter_does_not() -> None:
    stream = io.StringIO()
    telemetry.configure(stream=stream)
    logging.getLogger("uvicorn.error").info("chatter")
    logging.getLogger("uvicorn.error").warning("trouble at %s", "8502")
    line = json.loads(stream.getvalue())
    assert (line["event"], line["level"]) == ("trouble at 8502", "warning")


def test_an_exception_is_written_as_data() -> None:
    stream = io.StringIO()
    telemetry.configure(stream=stream)
    try:
        int("no")
    except ValueError:
        telemetry.get_logger().exception("unexpected")
    line = json.loads(stream.getvalue())
    assert line["exception"][0]["exc_type"] == "ValueError"


def test_the_log_does_not_bring_rich_along_and_rich_still_can_be_imported() -> None:
    script = (
        "import sys, understudy.telemetry as t; t.configure(); t.get_logger().info('x')\n"
        "assert 'rich' not in sys.modules\n"
        "import rich.table\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
