"""The server's memory at its start: which store it opens, and the first configuration that comes of it."""

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest

from understudy import telemetry
from understudy.clock import SystemClock
from understudy.config_text import format_config
from understudy.control.facts import Recorded
from understudy.dataplane.options import DataPlaneOptions
from understudy.errors import Code, StartupError
from understudy.model_config import ModelConfig, ServerConfig
from understudy.server.state import build_first_order, open_store
from understudy.server_options import ServeOptions
from understudy.store.revision import Draft, Origin
from understudy.store.store import Store
from understudy.telemetry import LogStyle

CLOCK = SystemClock()
DAMAGED = b"no database " * 1000


def config(*names: str) -> ServerConfig:
    return ServerConfig(tuple(ModelConfig(name, f"/{name}", "synthetic") for name in names))


def options(state_dir: Path | None, *names: str, required: bool = True) -> ServeOptions:
    return ServeOptions(
        models=config(*names),
        data_plane=DataPlaneOptions(grpc_address=None, rest_address=None),
        state_dir=None if state_dir is None else str(state_dir),
        state_dir_is_required=required,
    )


@pytest.fixture(autouse=True)
def log() -> Iterator[StringIO]:
    stream = StringIO()
    telemetry.configure(stream=stream, style=LogStyle.JSON)
    yield stream
    telemetry.configure()


def test_what_is_in_the_directory_is_there_at_the_next_start(tmp_path: Path) -> None:
    with open_store(options(tmp_path), CLOCK) as opened:
        store = opened.revisions
        store.record(Draft(Origin.RPC, "", "kept"))
    with open_store(options(tmp_path), CLOCK) as opened:
        store = opened.revisions
        assert len(store.history(10)) == 1
    with open_store(options(None), CLOCK) as opened:
        store = opened.revisions
        assert store.history(10) == ()


@pytest.mark.parametrize("hindrance", ["held by another", "cannot be made"])
def test_a_directory_of_no_use_ends_the_start_only_if_somebody_asked_for_it(
    tmp_path: Path, log: StringIO, hindrance: str
) -> None:
    with Store(CLOCK, tmp_path / "held"):
        place = tmp_path / "held" if hindrance == "held by another" else tmp_path / "held" / "lock" / "state"
        with pytest.raises(StartupError) as refused:
            open_store(options(place), CLOCK)
        assert refused.value.code is Code.UNAVAILABLE
        with open_store(options(place, required=False), CLOCK) as opened:
            store = opened.revisions
            assert store.record(Draft(Origin.RPC, "", "for this process")) == 1
    line = json.loads(log.getvalue())
    assert (line["event"], line["level"]) == ("state_is_in_memory", "warning")
    assert "end with it" in line["reason"]


@pytest.mark.parametrize("required", [False, True])
def test_a_damaged_store_ends_the_start_in_any_case(tmp_path: Path, required: bool) -> None:  # noqa: FBT001
    (tmp_path / "state.sqlite").write_bytes(DAMAGED)
    with pytest.raises(StartupError, match="damaged") as refused:
        open_store(options(tmp_path, required=required), CLOCK)
    assert refused.value.code is Code.DATA_LOSS
    assert (tmp_path / "state.sqlite").read_bytes() == DAMAGED


def test_a_first_start_takes_what_is_declared() -> None:
    with open_store(options(None), CLOCK) as opened:
        store = opened.revisions
        order = build_first_order(options(None, "a"), store, waits_for_retries=True)
    assert order.config == config("a")
    assert order.record == Draft(Origin.STARTUP, "flags", format_config(config("a")))
    assert order.waits_for_retries


def test_a_later_start_resumes_what_was_acknowledged_last(log: StringIO) -> None:
    with Store(CLOCK) as opened:
        store = opened.revisions
        store.record(Draft(Origin.STARTUP, "", format_config(config("a"))))
        store.record(Draft(Origin.RPC, "", format_config(config("b"))))
        order = build_first_order(options(None, "a"), store, waits_for_retries=False)
    assert (order.config, order.record) == (config("b"), Recorded(2))
    line = json.loads(log.getvalue())
    assert (line["event"], line["revision"], line["origin"]) == ("config_resumed", 2, "rpc")


def test_a_start_with_what_an_rpc_had_brought_notes_that_the_file_says_so_now() -> None:
    with Store(CLOCK) as opened:
        store = opened.revisions
        store.record(Draft(Origin.STARTUP, "", format_config(config("a"))))
        store.record(Draft(Origin.RPC, "", format_config(config("b"))))
        order = build_first_order(options(None, "b"), store, waits_for_retries=False)
        assert order.record == Recorded(2)
        store.record(Draft(Origin.RPC, "", format_config(config("c"))))
        again = build_first_order(options(None, "b"), store, waits_for_retries=False)
        assert again.config == config("c")


@pytest.mark.parametrize(
    "text",
    [
        "model_config_list { config { name: 'b' tomorrow: 1 } }",
        "model_config_list { config { name: 'b' base_path: '/b' model_platform: 'tomorrow' } }",
        "model_config_list { config { name: 'b' base_path: 'b' model_platform: 'synthetic' } }",
    ],
)
def test_a_revision_that_this_program_cannot_take_ends_the_start(text: str) -> None:
    with Store(CLOCK) as opened:
        store = opened.revisions
        store.record(Draft(Origin.STARTUP, "", format_config(config("a"))))
        store.record(Draft(Origin.RPC, "", text))
        with pytest.raises(StartupError, match="Revision 2 of the configuration is to be resumed"):
            build_first_order(options(None, "a"), store, waits_for_retries=False)
        assert build_first_order(options(None, "b"), store, waits_for_retries=False).config == config("b")
