"""A server as a process: started, waited for, watched, ended. The same for Understudy and for its peer."""

import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

READY_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0
LOG_LINES_KEPT = 40
CLOCK_TICKS_PER_S = os.sysconf("SC_CLK_TCK")

Fields = dict[str, str]
"""Of a structured log line; numbers come as they are and are rarely asked for."""
Hear = Callable[[Fields], None]
"""Takes each structured line as it comes, on the thread that reads the log."""


def _ignore(_fields: Fields) -> None:
    pass


class ServerFailedError(Exception):
    """The server did not start, or ended by itself; the text has its last words."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory in MiB: now, and the part that no other process shares."""

    resident_mib: float
    private_mib: float


class ServerProcess:
    """One running server. `grpc`, `rest`, `admin`: addresses of its ready line; a peer has only the first."""

    def __init__(self, command: list[str], log_file: Path, hear: Hear = _ignore) -> None:
        self._started_s = time.monotonic()
        self._hear = hear
        self._log_file = log_file
        with log_file.open("w", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.PIPE, text=True
            )
        self._ready: queue.SimpleQueue[Fields | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        self.grpc, self.rest, self.admin = self._wait_ready()
        self.seconds_to_ready = time.monotonic() - self._started_s

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def seconds_since_start(self) -> float:
        """Since the process was made."""
        return time.monotonic() - self._started_s

    def cpu_s(self) -> float:
        """Processor time that the process has used, all threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS_PER_S

    def memory(self) -> Memory:
        """What it holds now."""
        rollup = Path(f"/proc/{self.pid}/smaps_rollup").read_text(encoding="utf-8")
        kib: dict[str, int] = {}
        for line in rollup.splitlines()[1:]:
            name, value, *_ = line.split()
            kib[name.rstrip(":")] = int(value)
        private = kib.get("Private_Clean", 0) + kib.get("Private_Dirty", 0)
        return Memory(round(kib["Rss"] / 1024, 1), round(private / 1024, 1))

    def check_alive(self) -> None:
        """Raises ServerFailedError when the process has ended."""
        if self._process.poll() is not None:
            raise ServerFailedError(
                f"the server ended with {self._process.returncode}:\n{self._last_words()}"
            )

    def stop(self) -> int:
        """Asks it to end, by its own id; kills it when it does not. Answers its exit code."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._reader.join(STOP_TIMEOUT_S)
        return code

    def _read_log(self) -> None:
        assert self._process.stderr is not None  # noqa: S101 - it was asked for
        with self._log_file.open("a", encoding="utf-8") as log:
            for line in self._process.stderr:
                log.write(line)
                log.flush()
                if (fields := _fields(line)) is not None:
                    if fields.get("event") == "serving":
                        self._ready.put(fields)
                    self._hear(fields)
        self._ready.put(None)

    def _wait_ready(self) -> tuple[str, str | None, str | None]:
        try:
            addresses = self._ready.get(timeout=READY_TIMEOUT_S)
        except queue.Empty:
            addresses = None
        if addresses is None:
            self.stop()
            raise ServerFailedError(
                f"the server ended, or was not ready in {READY_TIMEOUT_S:.0f} s:\n{self._last_words()}"
            )
        return addresses["grpc"], addresses.get("rest"), addresses.get("admin")

    def _last_words(self) -> str:
        lines = self._log_file.read_text(encoding="utf-8").splitlines()
        return "\n".join(lines[-LOG_LINES_KEPT:])


@contextmanager
def running(command: list[str], log_file: Path, hear: Hear = _ignore) -> Iterator[ServerProcess]:
    """A server that is stopped at the end, whatever happens."""
    server = ServerProcess(command, log_file, hear)
    try:
        yield server
    finally:
        server.stop()


def _fields(line: str) -> Fields | None:
    try:
        fields = json.loads(line)
    except ValueError:
        return None
    return fields if isinstance(fields, dict) else None
