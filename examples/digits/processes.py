"""The demo's processes: the server and the clients. Each is ended by its own id, whatever happens."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypedDict

import httpx

from examples.digits.answers import DOORS
from examples.digits.doors import MODEL
from examples.digits.folder import Folder

READY_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
CLIENTS_PER_DOOR = 2
POLL_INTERVAL_S = 0.5
LOAD_RETRIES = 1
LOAD_RETRY_INTERVAL_S = 0.5
LOG_LINES_SHOWN = 20
READ_BYTES = 65_536


class ProcessFailedError(Exception):
    """A process did not start, or ended by itself."""


class VersionState(TypedDict):
    """As the operators' API says it; other fields are not read here."""

    version: int
    state: str
    reason: str


def understudy_command() -> str:
    """The installed command, beside this interpreter."""
    command = Path(sys.executable).with_name("understudy")
    if not command.exists():
        raise ProcessFailedError(f"{command} is missing: run `make setup`, or `pip install .`")
    return str(command)


def serve_flags(folder: Folder) -> list[str]:
    """How the demo starts the server: it looks twice a second, and gives a broken version one more try."""
    return [
        *("serve", "--model-config-file", str(folder.config_file), "--host", "127.0.0.1"),
        *("--rollout-config", str(folder.strategies_file), "--state-dir", str(folder.state)),
        *("--poll-interval", str(POLL_INTERVAL_S)),
        *("--load-retries", str(LOAD_RETRIES), "--load-retry-interval", str(LOAD_RETRY_INTERVAL_S)),
    ]


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the server listens: the ready line of its log."""

    grpc: str
    rest: str
    admin: str


class Server:
    """The server as a process, with its log in a file."""

    def __init__(self, folder: Folder) -> None:
        ports = ["--grpc-port", "0", "--rest-port", "0", "--admin-port", "0", "--log-format", "json"]
        command = [understudy_command(), *serve_flags(folder), *ports]
        self._log_file = folder.server_log
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        self._ready: queue.SimpleQueue[Addresses | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def wait_ready(self) -> Addresses:
        """Waits for the ready line."""
        try:
            addresses = self._ready.get(timeout=READY_TIMEOUT_S)
        except queue.Empty:
            addresses = None
        if addresses is None:
            words = self._log_file.read_text(encoding="utf-8").splitlines()[-LOG_LINES_SHOWN:]
            raise ProcessFailedError("the server did not get ready; its last words:\n" + "\n".join(words))
        return addresses

    def reload(self) -> None:
        """Has it read its configuration file again."""
        self._process.send_signal(signal.SIGHUP)

    def stop(self) -> int:
        """Asks it to end, and waits; answers its exit code."""
        return end(self._process)

    def _read_log(self) -> None:
        assert self._process.stderr is not None  # noqa: S101 - it was asked for
        with self._log_file.open("w", encoding="utf-8", buffering=1) as log:
            for line in self._process.stderr:
                log.write(line)
                if (addresses := _parse_ready(line)) is not None:
                    self._ready.put(addresses)
        self._ready.put(None)


def _parse_ready(line: str) -> Addresses | None:
    if '"serving"' not in line:
        return None
    try:
        fields = json.loads(line)
    except ValueError:
        return None
    if fields.get("event") != "serving":
        return None
    return Addresses(grpc=fields["grpc"], rest=fields["rest"], admin=fields["admin"])


def end(process: subprocess.Popen[str]) -> int:
    """SIGTERM, patience, and only then SIGKILL."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        return process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


@contextmanager
def serving(folder: Folder) -> Iterator[Server]:
    """A server that is ended at the end."""
    server = Server(folder)
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def steady_traffic(folder: Folder, addresses: Addresses) -> Iterator[list[Path]]:
    """Clients on both doors, each a process of its own; the files in which they write down answers."""
    clients: list[subprocess.Popen[str]] = []
    records: list[Path] = []
    try:
        for door, address in zip(DOORS, (addresses.grpc, addresses.rest), strict=True):
            for number in range(1, CLIENTS_PER_DOOR + 1):
                records.append(folder.record(door, number))
                arguments = ["--door", door, "--address", address, "--admin", addresses.admin]
                arguments += ["--staging", str(folder.staging), "--record", str(records[-1])]
                arguments += ["--seed", str(len(records))]
                command = [sys.executable, "-m", "examples.digits.traffic", *arguments]
                clients.append(subprocess.Popen(command, stdin=subprocess.PIPE, text=True))
        yield records
    finally:
        for client in clients:
            end(client)


class Operators:
    """What the operators' API says, as `understudy status` and `understudy why` show it."""

    def __init__(self, admin: str, *, columns: int) -> None:
        self._client = httpx.Client(base_url=f"http://{admin}", trust_env=False)
        self._environment = {**os.environ, "UNDERSTUDY_ADMIN_URL": f"http://{admin}", "COLUMNS": str(columns)}

    def version(self, number: int) -> VersionState | None:
        """The state of one version; none when the server knows of none."""
        versions: list[VersionState] = self._get(f"/v1/models/{MODEL}")["versions"]
        return next((each for each in versions if each["version"] == number), None)

    def why(self) -> str:
        """The model's present state in words."""
        return str(self._get(f"/v1/models/{MODEL}/why")["summary"])

    def run(self, *words: str) -> str:
        """What an `understudy` command shows on a terminal."""
        reading, writing = os.openpty()
        with subprocess.Popen(
            [understudy_command(), *words],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=writing,
        ) as process:
            os.close(writing)
            shown = b"".join(iter(partial(_read_terminal, reading), b"")).decode()
        os.close(reading)
        if process.returncode != 0:
            raise ProcessFailedError(f"understudy {' '.join(words)} failed: {shown}")
        return shown

    def _get(self, path: str) -> dict[str, list[VersionState]]:
        answer: dict[str, list[VersionState]] = self._client.get(path).raise_for_status().json()
        return answer


def _read_terminal(reading: int) -> bytes:
    try:
        return os.read(reading, READ_BYTES)
    except OSError:  # how a terminal says that the other end is closed
        return b""
