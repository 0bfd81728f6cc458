"""A server as a real process: started, watched through its log, ended by its id."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self, TypedDict

import requests

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 60
CONSOLE_SCRIPTS = Path(sys.executable).parent


class MethodStatus(TypedDict):
    """What tests read of a version's requests of one kind."""

    method: str
    requests: int


class VersionStatus(TypedDict):
    """What tests read of a version."""

    version: int
    state: str
    reason: str
    in_flight: int
    methods: list[MethodStatus]
    requests_left: int
    estimate_bytes: int | None
    growth_bytes: int | None
    files_changed_at: str | None


class ModelStatus(TypedDict):
    """What tests read of a model."""

    default_version: int | None
    versions: list[VersionStatus]


@dataclass(frozen=True, slots=True)
class LogLine:
    """One structured log line; `text` alone when it was not JSON."""

    text: str
    fields: dict[str, object] = field(default_factory=dict)

    def says(self, event: str, **fields: object) -> bool:
        """Whether it is this event with these fields."""
        return ("event", event) in self.fields.items() and fields.items() <= self.fields.items()


class LiveServer:
    """`understudy serve` (or the drop-in command) with free ports; a context manager."""

    def __init__(self, *arguments: str, command: str = "understudy", waits_for_start: bool = True) -> None:
        """Prepares a server.

        Args:
            arguments: of the command.
            command: a console script.
            waits_for_start: the context begins when the server serves; else at once, see `wait_serving`.
        """
        self._waits_for_start = waits_for_start
        words = [str(CONSOLE_SCRIPTS / command)]
        if command == "understudy":
            words += [
                "serve",
                "--host",
                "127.0.0.1",
                "--grpc-port",
                "0",
                "--rest-port",
                "0",
                "--admin-port",
                "0",
            ]
        self._words = [*words, *arguments]
        self._lines: queue.SimpleQueue[LogLine | None] = queue.SimpleQueue()
        self.log: list[LogLine] = []
        self.grpc = ""
        self.rest = ""
        self.admin = ""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._words,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"},
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if self._waits_for_start:
            self.wait_serving()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
                raise
        self._reader.join(STOP_TIMEOUT_S)
        if self._process.stderr is not None:
            self._process.stderr.close()

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the server."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """Ends the server with no chance to say a word, as a crash does."""
        self._process.kill()
        self._process.wait()

    def wait_exit(self, timeout_s: float = STOP_TIMEOUT_S) -> int:
        """The exit status, once the process has ended."""
        return self._process.wait(timeout_s)

    def wait_serving(self) -> None:
        """Waits until the doors are open; from then on the addresses are known."""
        ready = self.wait_log("serving", timeout_s=START_TIMEOUT_S)
        self.grpc = str(ready.fields.get("grpc") or "")
        self.rest = str(ready.fields.get("rest") or "")
        self.admin = str(ready.fields.get("admin") or "")

    def next_log(self, *, timeout_s: float = 30) -> LogLine:
        """The next log line; everything read is kept in `log`."""
        line = self.next_log_within(timeout_s)
        if line is None:
            raise AssertionError("the log says no more; its last lines:\n" + self.tail())
        return line

    def next_log_within(self, timeout_s: float) -> LogLine | None:
        """The same, or none when the server says nothing for so long."""
        try:
            line = self._lines.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if line is None:
            raise AssertionError("the server ended; its last lines:\n" + self.tail())
        self.log.append(line)
        return line

    def wait_log(self, event: str, *, timeout_s: float = 30, **fields: object) -> LogLine:
        """The next log line with this event and these fields; everything read is kept in `log`."""
        while True:
            line = self.next_log(timeout_s=timeout_s)
            if line.says(event, **fields):
                return line

    def wait_said(self, event: str, **fields: object) -> LogLine:
        """The last such line that was read already, or else the next one."""
        places = self.logged(event, **fields)
        if places:
            return self.log[places[-1]]
        while not (line := self.next_log()).says(event, **fields):
            pass
        return line

    def wait_log_of_each(self, event: str, models: Iterable[str], *, version: int, state: str) -> None:
        """Reads on until there was such a line for each of these models, in whatever order."""
        missing = set(models)
        while missing:
            try:
                missing.discard(str(self.wait_log(event, version=version, state=state).fields.get("model")))
            except AssertionError as error:
                error.add_note(f"still missing: {sorted(missing)}")
                raise

    def logged(self, event: str, **fields: object) -> list[int]:
        """Where in what was read so far there are such lines."""
        return [place for place, line in enumerate(self.log) if line.says(event, **fields)]

    def status(self, model: str) -> ModelStatus:
        """What the operators' API says of a model."""
        answer = requests.get(f"http://{self.admin}/v1/models/{model}", timeout=30)
        answer.raise_for_status()
        status: ModelStatus = answer.json()
        return status

    def tail(self) -> str:
        """The last lines of the log, for a failure's message."""
        return "\n".join(line.text for line in self.log[-30:])

    def _read(self) -> None:
        assert self._process.stderr is not None
        for text in self._process.stderr:
            self._lines.put(_parse(text.rstrip("\n")))
        self._lines.put(None)


def _parse(text: str) -> LogLine:
    try:
        fields = json.loads(text)
    except ValueError:
        return LogLine(text)
    return LogLine(text, fields) if isinstance(fields, dict) else LogLine(text)
