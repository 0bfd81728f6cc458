"""The file of strategies, read at the start and again: what is in force, what is refused, how often it is told."""

import json
import os
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest

from understudy import telemetry
from understudy.control.facts import StrategiesOrder
from understudy.errors import Code, ConfigError
from understudy.rollout_file import read_strategies
from understudy.server.strategies_file import StrategiesFileReader
from understudy.server.watched_file import SETTLED_AFTER_S, WatchedFile
from understudy.telemetry import LogStyle
from understudy.testing import ManualClock

DIGITS = "models:\n  digits:\n    steps: [5 %, 50 %]\n"
BROKEN = "models:\n  digits:\n    stepps: [5 %]\n"


class Reading:
    """A file that named model digits when the server started, and its reader; orders are collected."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "rollouts.yaml"
        self.clock = ManualClock()
        self.orders: list[StrategiesOrder] = []
        self.write(DIGITS)
        said = read_strategies(str(self.path))
        self.reader = StrategiesFileReader(
            WatchedFile(str(self.path), read_strategies, said, self.clock), self
        )

    def order(self, order: StrategiesOrder) -> None:
        self.orders.append(order)
        order.answer.set_result(None)

    def write(self, text: str) -> None:
        self.path.write_text(text)
        self.clock.advance(60)
        at = self.clock.wall() - 2 * SETTLED_AFTER_S
        os.utime(self.path, (at, at))

    @property
    def models(self) -> list[list[str]]:
        return [sorted(order.strategies) for order in self.orders]


@pytest.fixture
def log() -> Iterator[StringIO]:
    stream = StringIO()
    telemetry.configure(stream=stream, style=LogStyle.JSON)
    yield stream
    telemetry.configure()


@pytest.fixture
def reading(tmp_path: Path, log: StringIO) -> Reading:
    del log
    return Reading(tmp_path)


def told(log: StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def test_a_file_that_says_what_it_said_orders_nothing(reading: Reading) -> None:
    reading.reader.poll()
    reading.write("# the same, said at more length\n" + DIGITS)
    reading.reader.poll()
    assert reading.models == []


def test_what_has_changed_is_ordered_once(reading: Reading, log: StringIO) -> None:
    reading.write("models: {digits: , ads: }\n")
    reading.reader.poll()
    reading.reader.poll()
    assert reading.models == [["ads", "digits"]]
    (line,) = told(log)
    assert (line["event"], line["models"], line["detail"]) == ("rollout_config_taken", 2, "changed")


def test_what_cannot_be_taken_is_told_once_for_each_reason_and_changes_nothing(
    reading: Reading, log: StringIO
) -> None:
    reading.write(BROKEN)
    for _ in range(3):
        reading.clock.advance(1)
        reading.reader.poll()
    reading.path.unlink()
    reading.reader.poll()
    reading.write(DIGITS.replace("5 %,", "10 %,"))
    reading.reader.poll()
    assert len(reading.orders) == 1
    refused, missing, taken = told(log)
    assert refused["event"] == "rollout_config_refused"
    assert "rollouts.yaml:3:5" in str(refused["reason"])
    assert "stays in force" in str(refused["reason"])
    assert missing["code"] == "NOT_FOUND"
    assert taken["event"] == "rollout_config_taken"


def test_on_request_it_is_read_whatever_it_said_before(reading: Reading) -> None:
    reading.reader.reload("SIGHUP")
    assert reading.models == [["digits"]]
    reading.write(BROKEN)
    reading.reader.reload("SIGHUP")
    assert reading.models == [["digits"]]


@pytest.mark.parametrize("text", ["", "# soon\n"])
def test_a_file_that_says_nothing_is_refused_with_what_to_write(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rollouts.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"for no strategies write `models: \{\}`") as refused:
        read_strategies(str(path))
    assert refused.value.code is Code.FAILED_PRECONDITION
    path.write_text("models: {}\n")
    assert read_strategies(str(path)) == {}


def test_a_file_that_is_no_text_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "rollouts.yaml"
    path.write_bytes(b"models:\n  \xff: \n")
    with pytest.raises(ConfigError, match=r"UTF-8 \(.*rollouts.yaml:2:3\)"):
        read_strategies(str(path))
