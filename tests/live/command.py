"""A command as a process of its own: on a pipe or on a terminal, its output read as it comes."""

import os
import pty
import queue
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from tests.live.process import CONSOLE_SCRIPTS, LiveServer

PATIENCE_S = 20


def plain(text: str) -> str:
    """What a terminal was sent, without its commands."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


class Command:
    """`understudy` under way, asking a server, and everything that it wrote so far."""

    def __init__(self, server: LiveServer, *arguments: str, on_terminal: bool = False) -> None:
        self._words = [str(CONSOLE_SCRIPTS / "understudy"), *arguments]
        self._admin_url = f"http://{server.admin}"
        self._on_terminal = on_terminal
        self._pieces: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.text = ""

    def __enter__(self) -> Self:
        reading, writing = pty.openpty() if self._on_terminal else os.pipe()
        environment = {
            **os.environ,
            "COLUMNS": "120",
            "LINES": "40",
            "TERM": "xterm",
            "UNDERSTUDY_ADMIN_URL": self._admin_url,
        }
        self._process = subprocess.Popen(
            self._words,
            stdin=writing if self._on_terminal else subprocess.DEVNULL,
            stdout=writing,
            stderr=writing,
            env=environment,
            start_new_session=True,
        )
        os.close(writing)
        self._terminal = reading
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        os.close(self._terminal)

    def wait(self, is_there: Callable[[str], object]) -> None:
        """Reads on until the text holds something; not for ever, because a terminal is always redrawn."""
        deadline = time.monotonic() + PATIENCE_S
        while not is_there(self.text):
            assert time.monotonic() < deadline, self.text[-2_000:]
            self.text += self._pieces.get(timeout=PATIENCE_S).decode()

    def type(self, text: str) -> None:
        """As if somebody typed it on the terminal."""
        os.write(self._terminal, text.encode())

    def wait_exit(self) -> int:
        """The exit status, once it has ended by itself and everything is read."""
        status = self._process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        while not self._pieces.empty():
            self.text += self._pieces.get().decode()
        return status

    def end(self) -> int:
        """Ctrl-C; the exit status."""
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(PATIENCE_S)

    def _read(self) -> None:
        while True:
            try:
                piece = os.read(self._terminal, 65_536)
            except OSError:  # how a terminal says that the other end is closed
                return
            if not piece:
                return
            self._pieces.put(piece)
