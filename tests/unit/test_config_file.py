"""The config file, read again: what counts as a change, what is said of trouble, and how often."""

import json
import os
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest

from understudy import telemetry
from understudy.config_text import read_changed_config
from understudy.control.facts import Applied, ConfigOrder
from understudy.errors import Code, ConfigError
from understudy.metrics.tallies import Tallies
from understudy.model_config import ConfigDiff, ModelConfig, ServerConfig
from understudy.server.config_file import ConfigFileReader
from understudy.server.orders import OrderHandling, OrderReports
from understudy.server.watched_file import SETTLED_AFTER_S, WatchedFile
from understudy.store.revision import Draft, Origin
from understudy.telemetry import LogStyle
from understudy.testing import ManualClock

BROKEN = "model_config_list {\n  config { nam: 1 }\n}"


def config(*names: str) -> ServerConfig:
    return ServerConfig(tuple(ModelConfig(name, f"/{name}", "synthetic") for name in names))


def text(*names: str) -> str:
    models = "".join(
        f'config {{ name: "{name}" base_path: "/{name}" model_platform: "synthetic" }}' for name in names
    )
    return f"model_config_list {{ {models} }}"


class Polling:
    """A file that said model a when the server started, and its reader; orders are collected, not answered."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "models.config"
        self.clock = ManualClock()
        self.orders: list[ConfigOrder] = []
        self.write(text("a"))
        self.file = WatchedFile(str(self.path), read_changed_config, config("a"), self.clock)
        self.reader = ConfigFileReader(
            self.file, self.clock, self, OrderHandling(OrderReports(Tallies()), timeout_s=60.0)
        )

    def order(self, order: ConfigOrder) -> None:
        self.orders.append(order)

    def write(self, said: str, *, age_s: float = 2 * SETTLED_AFTER_S) -> None:
        """Replaces the file as editors do; it was changed so long ago by the reader's clock."""
        beside = self.path.with_suffix(".new")
        beside.write_text(said)
        at = self.clock.wall() - age_s
        os.utime(beside, (at, at))
        beside.rename(self.path)

    def overwrite(self, said: str) -> None:
        """Changes the contents and nothing else: same file, same size, same time stamp."""
        found = self.path.stat()
        assert len(said) == found.st_size
        self.path.write_text(said)
        os.utime(self.path, ns=(found.st_atime_ns, found.st_mtime_ns))

    def poll(self) -> ServerConfig | None:
        """What a poll orders."""
        before = len(self.orders)
        self.reader.poll()
        return self.orders[-1].config if len(self.orders) > before else None

    def accept(self) -> None:
        self.orders[-1].answer.set_result(Applied(2, ConfigDiff()))

    def refuse(self, reason: str) -> None:
        self.orders[-1].answer.set_exception(ConfigError(Code.FAILED_PRECONDITION, reason))


@pytest.fixture
def polling(tmp_path: Path) -> Polling:
    return Polling(tmp_path)


@pytest.fixture(autouse=True)
def log() -> Iterator[StringIO]:
    stream = StringIO()
    telemetry.configure(stream=stream, style=LogStyle.JSON)
    yield stream
    telemetry.configure()


def events(log: StringIO) -> list[str]:
    """What was logged since the last question."""
    lines = log.getvalue().splitlines()
    log.seek(0)
    log.truncate()
    return [json.loads(line)["event"] for line in lines]


@pytest.mark.parametrize(
    ("said", "ordered"),
    [
        (text("a"), None),
        ("# a comment\n" + text("a"), None),
        (text("a", "b"), config("a", "b")),
        (text("b"), config("b")),
        ("model_config_list {}", config()),
        ("# nothing", None),
        ("", None),
        (BROKEN, None),
    ],
)
def test_what_counts_as_a_change(polling: Polling, said: str, ordered: ServerConfig | None) -> None:
    polling.write(said)
    assert polling.poll() == ordered
    assert polling.poll() is None


def test_an_order_says_where_it_comes_from_and_waits_for_so_long(polling: Polling) -> None:
    polling.write(text("b"))
    polling.poll()
    (order,) = polling.orders
    assert isinstance(order.record, Draft)
    assert (order.record.origin, order.record.detail) == (Origin.FILE, f"changed: {polling.path}")
    assert order.deadline == polling.clock.now() + 60.0


def test_a_file_whose_stamp_is_the_same_is_not_read(polling: Polling) -> None:
    polling.poll()
    polling.overwrite(text("b"))
    assert polling.poll() is None


def test_a_file_that_was_changed_just_now_is_read_whatever_its_stamp(polling: Polling) -> None:
    polling.write(text("a"), age_s=SETTLED_AFTER_S / 2)
    polling.poll()
    polling.overwrite(text("b"))
    assert polling.poll() == config("b")


def test_going_back_is_a_change_too(polling: Polling) -> None:
    polling.write(text("b"))
    assert polling.poll() == config("b")
    polling.write(text("a"))
    assert polling.poll() == config("a")


def test_an_order_on_request_is_given_whatever_the_file_said_and_no_poll_repeats_it(polling: Polling) -> None:
    polling.reader.reload("SIGHUP")
    assert polling.orders[-1].config == config("a")
    polling.write(text("b"))
    polling.reader.reload("SIGHUP")
    assert polling.orders[-1].config == config("b")
    assert polling.poll() is None


def test_trouble_is_said_once_until_it_changes(polling: Polling, log: StringIO) -> None:
    said = []
    for step in [BROKEN, BROKEN, "", None, None, BROKEN]:
        if step is None:
            polling.path.unlink(missing_ok=True)
        else:
            polling.write(step)
        polling.poll()
        said.append(events(log))
    assert said == [["reload_refused"], [], ["reload_refused"], ["reload_refused"], [], ["reload_refused"]]
    polling.write(text("b"))
    assert polling.poll() == config("b"), "it is read all the same"


def test_what_was_refused_is_tried_at_each_poll_and_said_once(polling: Polling, log: StringIO) -> None:
    polling.write(text("b"))
    said = []
    for reason in ["not now", "not now", "no space"]:
        assert polling.poll() == config("b")
        polling.refuse(reason)
        said.append(events(log))
    assert said == [["reload_refused"], [], ["reload_refused"]]
    assert polling.poll() == config("b")
    polling.accept()
    assert events(log) == ["reloaded"]
    assert polling.poll() is None


def test_a_refusal_that_comes_late_does_not_undo_what_was_read_since(polling: Polling) -> None:
    polling.write(text("b"))
    polling.poll()
    late = polling.orders[-1]
    polling.write(text("c"))
    assert polling.poll() == config("c")
    late.answer.set_exception(ConfigError(Code.FAILED_PRECONDITION, "no"))
    assert polling.poll() is None
