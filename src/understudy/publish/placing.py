"""Puts an export into a base path: by a copy beside it or by one rename, whole or not at all. Checks nothing.

What others can see is changed by one call, a rename onto a free number; whoever is killed before it has
published nothing, and after it everything.
"""

import errno
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from understudy.errors import Code, PublishError
from understudy.publish import copying, staging
from understudy.publish.export import Export, read_export


@dataclass(frozen=True, slots=True, kw_only=True)
class Placing:
    """Where an export goes.

    Attributes:
        base_path: made if only its last part is missing.
        platform: of the export.
        version: the number; none: the next one.
        move: rename it where that is possible; it is gone afterwards.
        progress: takes bytes copied so far, and bytes in all.
    """

    base_path: Path
    platform: str
    version: int | None = None
    move: bool = False
    progress: Callable[[int, int], None] | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """What came of it.

    Attributes:
        version: the number it got.
        leftovers_removed: directories that killed publishers had left.
    """

    version: int
    leftovers_removed: int = 0


def foresee(export: Export, to: Placing) -> Placed:
    """What `place` would do; changes nothing.

    Raises:
        PublishError: it would be refused.
        OSError: it would fail.
    """
    base = to.base_path
    copying.check_space(export, base if base.is_dir() else base.parent)
    if base.is_dir():
        return Placed(staging.choose_number(base, to.version))
    return Placed(1 if to.version is None else to.version)


def place(export: Export, to: Placing) -> Placed:
    """Does it.

    Raises:
        PublishError: the number is taken, it does not fit, or somebody still writes the export.
        OSError: something could not be read or written.
    """
    base = to.base_path
    base.mkdir(exist_ok=True)
    with staging.locked(base):
        staging.choose_number(base, to.version)  # before the work, not only after it
        leftovers = staging.claim_leftovers(base)
    for leftover in leftovers:
        leftover.remove()
    number = _move(export, to) if to.move else None
    if number is None:
        number = _copy(export, to)
        if to.move:
            shutil.rmtree(export.path)
    return Placed(number, len(leftovers))


def _move(export: Export, to: Placing) -> int | None:
    """By one rename: never through a directory that somebody may clean up. None: not on one file system."""
    copying.sync_export(export)
    _check_unchanged(export, to)
    try:
        with staging.locked(to.base_path):
            return staging.take_number(export.path, to.base_path, to.version)
    except OSError as error:
        if error.errno == errno.EXDEV:
            return None
        raise


def _copy(export: Export, to: Placing) -> int:
    copying.check_space(export, to.base_path)
    with staging.locked(to.base_path):
        own = staging.open_staging(to.base_path)
    try:
        copying.copy_export(export, own.version, _progress(export, to))
        _check_unchanged(export, to)
        with staging.locked(to.base_path):
            return staging.take_number(own.version, to.base_path, to.version)
    finally:
        own.remove()


def _progress(export: Export, to: Placing) -> copying.Progress:
    total, told = export.size_bytes, to.progress
    return lambda copied: None if told is None else told(copied, total)


def _check_unchanged(export: Export, to: Placing) -> None:
    if read_export(export.path, to.platform).fingerprint != export.fingerprint:
        raise PublishError(
            Code.ABORTED, f"{export.path} changed while it was published: wait until its export is finished"
        )
