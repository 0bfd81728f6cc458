"""The state directory: made when it is not there, and held by one server at a time."""

import fcntl
import os
from pathlib import Path

from understudy.errors import Code, StoreError

_LOCK = "lock"
_MODE = 0o700
"""Paths and names of models concern nobody else on the machine."""
_PID_CHARS_MAX = 20


class StateDirectory:
    """A state directory that this process holds until `release`, or until it ends, however it ends."""

    def __init__(self, path: Path) -> None:
        """Takes the directory.

        Raises:
            StoreError: UNAVAILABLE: it cannot be made, or another server holds it.
        """
        self.path = path
        try:
            path.mkdir(mode=_MODE, parents=True, exist_ok=True)
            self._lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(
                Code.UNAVAILABLE,
                f"The state directory {path} cannot be used: {error.strerror}. "
                "Make it writable for this user, or name another one.",
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.pread(self._lock, _PID_CHARS_MAX, 0).decode(errors="replace").strip()
            os.close(self._lock)
            raise StoreError(
                Code.UNAVAILABLE,
                f"The state directory {path} is in use by another server (process {owner or 'unknown'}). "
                "Stop that one, or give each server a state directory of its own.",
            ) from error
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Lets another server have the directory."""
        os.close(self._lock)
