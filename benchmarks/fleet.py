"""A server with many small models, reloaded with one change. The order of measuring is reload.py's."""

import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from os import kill
from pathlib import Path
from typing import Protocol, cast

import grpc
from google.protobuf.message import Message

from benchmarks import half_plus_two_messages as messages
from benchmarks.server_process import Fields, ServerFailedError, ServerProcess, running
from benchmarks.synthetic_model import write
from understudy.config_message import SYNTHETIC_PLATFORM, build_message
from understudy.config_text import format_config
from understudy.model_config import ModelConfig, ServerConfig
from understudy.wire import message_class

RELOAD_TIMEOUT_S = 60.0
RELOAD_PATH = "/tensorflow.serving.ModelService/HandleReloadConfigRequest"
LABEL = ("canary", 1)
REPORTED = frozenset({"reloaded", "reload_refused"})

Reload = Callable[[], float]
"""Goes over to the other configuration; the seconds until the server said that it is in force."""


class _ReloadRequest(Protocol):
    @property
    def config(self) -> Message: ...


class Fleet:
    """One server with `models` models of one version each; the first is the one that traffic asks.

    The two configurations differ in one label of the last model.
    """

    def __init__(self, server: ServerProcess, config_file: Path, configs: tuple[ServerConfig, ...]) -> None:
        self.server = server
        self.models = len(configs[0].models)
        self._config_file = config_file
        self._texts = [format_config(config) for config in configs]
        self._payloads = [_payload(config) for config in configs]
        self._turn = 0
        self._lines: queue.SimpleQueue[Fields] = queue.SimpleQueue()

    @property
    def config_bytes(self) -> int:
        """Of the configuration as the call carries it."""
        return len(self._payloads[0])

    def hear(self, fields: Fields) -> None:
        """Takes the server's log."""
        if fields.get("event") in REPORTED and fields.get("origin") == "file":
            self._lines.put(fields)

    def reload_by_file(self) -> float:
        """Writes the other configuration to the file and sends SIGHUP."""
        incoming = self._config_file.with_suffix(".incoming")
        incoming.write_text(self._texts[self._next()], encoding="utf-8")
        incoming.replace(self._config_file)
        begun_at = time.monotonic()
        kill(self.server.pid, signal.SIGHUP)
        fields = self._lines.get(timeout=RELOAD_TIMEOUT_S)
        if fields["event"] != "reloaded":
            raise ServerFailedError(f"the reload was refused: {fields}")
        return time.monotonic() - begun_at

    def reload_by_rpc(self, channel: grpc.Channel) -> float:
        """Sends the whole other configuration."""
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(RELOAD_PATH)
        begun_at = time.monotonic()
        call(self._payloads[self._next()], timeout=RELOAD_TIMEOUT_S)
        return time.monotonic() - begun_at

    def _next(self) -> int:
        self._turn = 1 - self._turn
        return self._turn


@contextmanager
def serving(command: list[str], folder: Path, models: int) -> Iterator[Fleet]:
    """A server of so many models, in a folder of its own.

    Args:
        command: of a server without models.
        folder: for base paths, config file and log.
        models: how many.
    """
    configs = lay_out(folder / "models", models)
    config_file = folder / "models.config"
    config_file.write_text(format_config(configs[0]), encoding="utf-8")
    fleet: Fleet | None = None

    def hear(fields: Fields) -> None:
        if fleet is not None:
            fleet.hear(fields)

    flags = ["--model-config-file", str(config_file), "--state-dir", str(folder / "state")]
    with running([*command, *flags], folder / "server.log", hear) as server:
        fleet = Fleet(server, config_file, configs)
        yield fleet


def lay_out(folder: Path, models: int) -> tuple[ServerConfig, ServerConfig]:
    """Models of one version each; two configurations of them that differ in one label."""
    names = [messages.MODEL_NAME, *(f"model-{number:05}" for number in range(1, models))]
    for name in names:
        write(folder / name / "1", 1)
    plain = [ModelConfig(name, str(folder / name), SYNTHETIC_PLATFORM) for name in names]
    labelled = [*plain[:-1], replace(plain[-1], labels=(LABEL,))]
    return ServerConfig(tuple(plain)), ServerConfig(tuple(labelled))


@contextmanager
def reloading(reload: Reload, taken_s: list[float], *, pause_s: float = 0.0) -> Iterator[None]:
    """Reloads one after another for as long as the context lasts.

    Args:
        reload: does it once.
        taken_s: what each took is added here.
        pause_s: between the end of one and the next.
    """
    stopped = threading.Event()
    failed: list[Exception] = []

    def go_on() -> None:
        try:
            while not stopped.is_set():
                taken_s.append(reload())
                stopped.wait(pause_s)
        except Exception as error:  # noqa: BLE001 - raised again on the thread that measures
            failed.append(error)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
    if failed:
        raise failed[0]


def _payload(config: ServerConfig) -> bytes:
    message = message_class("tensorflow.serving.ReloadConfigRequest")()
    cast(_ReloadRequest, message).config.CopyFrom(build_message(config))  # made at run time
    return message.SerializeToString()
