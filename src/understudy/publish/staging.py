"""A base path as publishers share it: one lock, a hidden directory for each copy, the next number.

What a publisher that was killed left behind is told by its lock, which the kernel let go of. No checks here.
"""

import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from understudy.errors import Code, PublishError
from understudy.publish.rename import rename_exclusively
from understudy.sources.directory import INT64_MAX, version_number

PREFIX = ".understudy-publish-"
LOCK_FILE = ".understudy-publish.lock"
"""Stays in the base path, empty: to remove it would let two publishers hold two locks."""
OWNER_FILE = "owner"
VERSION_DIRECTORY = "version"
LOCK_TIMEOUT_S = 60.0
"""The lock is held for a few system calls; one that is held longer belongs to a process that is stuck."""
LOCK_RETRY_S = 0.02
NUMBERS_TRIED_MAX = 100
"""Numbers taken by others, who do not lock, between the look and the rename."""


@contextmanager
def locked(base_path: Path) -> Iterator[None]:
    """Holds the lock that all publishers into this base path take for a few system calls.

    Raises:
        PublishError: somebody else holds it for too long, or the file system has no locks.
    """
    descriptor = _open_lock(base_path / LOCK_FILE)
    try:
        deadline = time.monotonic() + LOCK_TIMEOUT_S
        while not _try_lock(descriptor):
            if time.monotonic() > deadline:
                raise PublishError(
                    Code.UNAVAILABLE,
                    f"{base_path / LOCK_FILE} is held by another publisher for over {LOCK_TIMEOUT_S:g} s; "
                    "find who holds it (fuser shows that) and try again",
                )
            time.sleep(LOCK_RETRY_S)
        yield
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Staging:
    """A hidden directory in a base path that belongs to one publisher while it lives.

    Attributes:
        path: of the directory.
        owner: the open and locked file that says that its publisher lives; none: there is no such file.
    """

    path: Path
    owner: int | None

    @property
    def version(self) -> Path:
        """Where the copy is made."""
        return self.path / VERSION_DIRECTORY

    def remove(self) -> None:
        """Deletes what is there, as far as that is possible; the next publisher tries again."""
        shutil.rmtree(self.path / VERSION_DIRECTORY, ignore_errors=True)
        shutil.rmtree(self.path, ignore_errors=True)
        if self.owner is not None:
            os.close(self.owner)


def open_staging(base_path: Path) -> Staging:
    """A directory of one's own. The base path must be locked."""
    path = base_path / f"{PREFIX}{secrets.token_hex(8)}"
    path.mkdir(mode=0o700)
    owner = os.open(path / OWNER_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(owner, fcntl.LOCK_EX)
    return Staging(path, owner)


def claim_leftovers(base_path: Path) -> list[Staging]:
    """Directories whose publishers are gone, to be removed. The base path must be locked."""
    found = []
    for path in sorted(base_path.glob(f"{PREFIX}*")):
        with suppress(OSError):  # another user's, for example: left to whoever may remove it
            claimed = _claim(path) if path.is_dir() else None
            if claimed is not None:
                found.append(claimed)
    return found


def _claim(path: Path) -> Staging | None:
    try:
        owner = os.open(path / OWNER_FILE, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:  # killed between two system calls, or half removed
        return Staging(path, None)
    if _try_lock(owner):
        return Staging(path, owner)
    os.close(owner)
    return None


def take_number(source: Path, base_path: Path, wanted: int | None) -> int:
    """Renames a directory to the number that is wanted, or to the next one. The base path must be locked.

    Raises:
        PublishError: the number that is wanted is taken, or there is none left.
        OSError: the rename failed.
    """
    for _ in range(NUMBERS_TRIED_MAX):
        number = choose_number(base_path, wanted)
        try:
            rename_exclusively(source, base_path / str(number))
        except FileExistsError:
            continue
        sync_directory(base_path)
        return number
    raise PublishError(Code.ABORTED, f"in {base_path}, others take every number first; try again")


def choose_number(base_path: Path, wanted: int | None) -> int:
    """The number that is wanted, if it is free; or the one after the highest that anything is named by.

    Raises:
        PublishError: the number is taken, or there is none left.
    """
    taken = {number: name for name in os.listdir(base_path) if (number := version_number(name)) is not None}  # noqa: PTH208 (names are asked for)
    if wanted is not None:
        if wanted in taken:
            raise PublishError(
                Code.ALREADY_EXISTS,
                f"version {wanted} is there: {base_path / taken[wanted]}; a number is never used twice",
            )
        return wanted
    number = max(taken, default=0) + 1
    if number > INT64_MAX:
        raise PublishError(Code.OUT_OF_RANGE, f"{base_path} has version {INT64_MAX}; no number is higher")
    return max(1, number)


def sync_directory(path: Path) -> None:
    """Makes the names in a directory survive a crash of the machine."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _open_lock(path: Path) -> int:
    """Network file systems lock only what is open for writing; elsewhere another user's file will do."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except PermissionError:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
