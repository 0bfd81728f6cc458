"""A server with one model whose versions come and go, and what its log told of them."""

import datetime as dt
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import half_plus_two_messages as messages
from benchmarks.server_process import Fields, ServerFailedError, ServerProcess, running

STATE_TIMEOUT_S = 60.0

Publish = Callable[[Path, int], None]
"""Puts a version into a base path by one rename."""


class StateLog:
    """When the log told of each state of each version: a tick's line is written when its work is done."""

    def __init__(self) -> None:
        self._told: dict[tuple[int, str], float] = {}
        self._changed = threading.Condition()

    def hear(self, fields: Fields) -> None:
        """Takes a line."""
        if fields.get("event") == "state_changed":
            with self._changed:
                at = seconds(fields["timestamp"])
                self._told.setdefault((int(fields["version"]), fields["state"]), at)
                self._changed.notify()

    def wait(self, version: int, state: str) -> float:
        """When it was told, in seconds since 1970; waited for if need be."""
        key = (version, state)
        with self._changed:
            if not self._changed.wait_for(lambda: key in self._told, STATE_TIMEOUT_S):
                raise ServerFailedError(f"version {version} was not {state} within {STATE_TIMEOUT_S:g} s")
            return self._told[key]


@dataclass(frozen=True, slots=True)
class OneModel:
    """The server, where its versions go, and its log."""

    server: ServerProcess
    base_path: Path
    log: StateLog


@contextmanager
def serving_one(
    command: list[str], folder: Path, platform: str, first: Callable[[Path], None], beside: Sequence[str] = ()
) -> Iterator[OneModel]:
    """A server of one model, or of several alike of which nobody else takes care.

    Args:
        command: of a server without models.
        folder: for base path, config file and log.
        platform: of the model.
        first: is given each base path before the start.
        beside: names of further models.
    """
    configs = []
    for name in (messages.MODEL_NAME, *beside):
        base_path = folder / name
        base_path.mkdir(parents=True)
        first(base_path)
        configs.append(f'config {{ name: "{name}" base_path: "{base_path}" model_platform: "{platform}" }}')
    config_file = folder / "models.config"
    config_file.write_text(f"model_config_list {{ {' '.join(configs)} }}", encoding="utf-8")
    log = StateLog()
    whole = [*command, "--model-config-file", str(config_file)]
    with running(whole, folder / "server.log", log.hear) as server:
        yield OneModel(server, folder / messages.MODEL_NAME, log)


def seconds(date: str) -> float:
    """Since 1970, of a date as log and API write it."""
    return dt.datetime.fromisoformat(date).timestamp()
