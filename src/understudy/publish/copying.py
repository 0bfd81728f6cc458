"""Copies an export so that it survives a crash of the machine. Knows nothing of numbers and locks."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from understudy.errors import Code, PublishError
from understudy.publish.export import Export
from understudy.publish.staging import sync_directory

CHUNK_BYTES = 4 << 20
SPARE_BYTES = 1 << 20
"""What must be free besides the files, for directories and the file system's own."""

Progress = Callable[[int], None]
"""Takes how many bytes are copied by now."""


def check_space(export: Export, base_path: Path) -> None:
    """Refuses what will not fit.

    Raises:
        PublishError: RESOURCE_EXHAUSTED, with what is needed and what is free.
    """
    room = os.statvfs(base_path)
    free_bytes = room.f_bavail * room.f_frsize
    needed_bytes = export.size_bytes + SPARE_BYTES
    if needed_bytes > free_bytes:
        raise PublishError(
            Code.RESOURCE_EXHAUSTED,
            f"{base_path} has {free_bytes:,} bytes free, and {needed_bytes:,} are needed; "
            "remove old versions first",
        )


def copy_export(export: Export, target: Path, progress: Progress) -> None:
    """Copies files, directories and their permissions, and waits until the disk has them.

    Raises:
        OSError: something could not be read or written.
    """
    target.mkdir()
    for directory in export.directories:
        (target / directory).mkdir()
    copied = 0
    for file in export.files:
        copied = _copy_file(export.path / file, target / file, copied, progress)
    for directory in reversed((Path(), *export.directories)):
        shutil.copymode(export.path / directory, target / directory)
        sync_directory(target / directory)


def sync_export(export: Export) -> None:
    """Waits until the disk has an export that stays where it is.

    Raises:
        OSError: it cannot be opened or written.
    """
    for file in export.files:
        with (export.path / file).open("rb") as opened:
            os.fsync(opened.fileno())
    for directory in reversed((Path(), *export.directories)):
        sync_directory(export.path / directory)


def _copy_file(source: Path, target: Path, copied: int, progress: Progress) -> int:
    with source.open("rb") as reading, target.open("xb") as writing:
        while chunk := reading.read(CHUNK_BYTES):
            writing.write(chunk)
            copied += len(chunk)
            progress(copied)
        writing.flush()
        shutil.copymode(source, target)
        os.fsync(writing.fileno())
    return copied
