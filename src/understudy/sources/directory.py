"""One look at one model's base path: which version directories are there. No memory, no thread."""

import errno
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from understudy.errors import Code
from understudy.servable import Failure

INT64_MAX = 2**63 - 1
INT64_MIN = -(2**63)
FINGERPRINT_FILES_MAX = 100_000
"""Files of one version that a fingerprint looks at; a SavedModel has a handful."""
NAMED_VERSIONS_MAX = 1_000
"""Versions asked for by name, each with a call of its own; for more of them one listing is cheaper."""

# What TensorFlow Serving takes for a number: ASCII white space around, one sign, digits.
_VERSION_NAME = re.compile(r"[ \t\n\v\f\r]*([+-]?[0-9]+)[ \t\n\v\f\r]*", re.ASCII)

_CODES = {
    errno.ENOENT: Code.NOT_FOUND,
    errno.ENOTDIR: Code.FAILED_PRECONDITION,
    errno.EACCES: Code.PERMISSION_DENIED,
    errno.EPERM: Code.PERMISSION_DENIED,
}


@dataclass(frozen=True, slots=True)
class Listing:
    """What one look at a base path saw.

    Attributes:
        paths: path by version number, ascending.
        ignored: sentences about children that are named like versions and are none.
        follows_links: a child is a symbolic link, so what is there can change
            without the base path changing.
        only: nothing but these versions was looked for; none: all that are there.
    """

    paths: dict[int, str]
    ignored: tuple[str, ...] = ()
    follows_links: bool = False
    only: tuple[int, ...] | None = None


def version_number(name: str) -> int | None:
    """The version that a directory of this name holds, or none.

    Any decimal 64-bit number counts, with leading zeros or a sign, as in TensorFlow Serving; `1.0`, `v1`,
    `5.denied` do not.
    """
    match = _VERSION_NAME.fullmatch(name)
    if match is None or len(name) > 64:
        return None
    number = int(match[1])
    return number if INT64_MIN <= number <= INT64_MAX else None


def list_versions(base_path: str) -> Listing:
    """Looks once at `base_path`.

    Of several names for one number the byte-wise greatest counts, which is the plain decimal one where it
    exists (`1` over `001`). A child that is not a directory is no version, whatever its name.

    Raises:
        OSError: the base path cannot be listed.
    """
    names: dict[int, str] = {}
    ignored: list[str] = []
    follows_links = False
    with os.scandir(base_path) as entries:
        for entry in sorted(entries, key=lambda entry: os.fsencode(entry.name)):
            number = version_number(entry.name)
            if number is None:
                continue
            follows_links = follows_links or entry.is_symlink()
            if not entry.is_dir():
                ignored.append(f"{entry.path} is named like a version but is not a directory")
                continue
            if number in names:
                ignored.append(f"{base_path}/{names[number]} is ignored: {entry.path} is the same version")
            names[number] = entry.name
    paths = {number: os.path.join(base_path, names[number]) for number in sorted(names)}  # noqa: PTH118 (a str crosses)
    return Listing(paths, tuple(ignored), follows_links)


def find_named(base_path: str, versions: tuple[int, ...]) -> Listing | None:
    """Looks for these versions under their plain decimal names, without listing `base_path`.

    None when one of them is not there as a directory: it may be there under another name (`007`), which only
    a listing shows.
    """
    if len(versions) > NAMED_VERSIONS_MAX:
        return None
    paths: dict[int, str] = {}
    follows_links = False
    for number in versions:
        path = os.path.join(base_path, str(number))  # noqa: PTH118 (a str crosses)
        try:
            mode = os.lstat(path).st_mode
            if stat.S_ISLNK(mode):
                follows_links = True
                mode = os.stat(path).st_mode  # noqa: PTH116 (a str crosses)
        except OSError:
            return None
        if not stat.S_ISDIR(mode):
            return None
        paths[number] = path
    return Listing(paths, follows_links=follows_links, only=versions)


def describe_failure(base_path: str, error: OSError | ValueError) -> Failure:
    """Why a base path could not be looked at, and what to do."""
    if isinstance(error, ValueError):
        return Failure(Code.INVALID_ARGUMENT, f"{base_path!r} is no path: {error}; change it")
    code = _CODES.get(error.errno or 0, Code.UNAVAILABLE)
    if code is Code.NOT_FOUND:
        return Failure(
            code, f"Could not find base path {base_path}: create it; versions are its numbered subdirectories"
        )
    return Failure(code, f"Could not list base path {base_path}: {error.strerror or error}")


@dataclass(frozen=True, slots=True)
class Files:
    """What a version's files look like from outside.

    Attributes:
        fingerprint: a digest of names, sizes, times and inodes; changes when their contents change.
        size_bytes: of all of them together.
    """

    fingerprint: str
    size_bytes: int


def look_at_files(path: str) -> Files:
    """Walks all files under `path`, without reading them.

    A tree that cannot be walked looks like what could be seen of it.
    """
    digest = hashlib.blake2b(digest_size=16)
    size_bytes = 0
    for count, (line, file_bytes) in enumerate(_walk(path)):
        if count == FINGERPRINT_FILES_MAX:
            break
        digest.update(line)
        size_bytes += file_bytes
    return Files(digest.hexdigest(), size_bytes)


def fingerprint(path: str) -> str:
    """The fingerprint of all files under `path`."""
    return look_at_files(path).fingerprint


def _walk(path: str) -> Iterator[tuple[bytes, int]]:
    """What is digested of each file, and its size."""
    pending = [path]
    while pending:
        folder = pending.pop()
        try:
            with os.scandir(folder) as entries:
                children = sorted(entries, key=lambda entry: os.fsencode(entry.name))
        except OSError as error:
            yield b"\0".join((os.fsencode(folder), b"unreadable", str(error.errno).encode())), 0
            continue
        for child in children:
            if child.is_dir(follow_symlinks=False):
                pending.append(child.path)
            try:
                seen = child.stat()
            except OSError as error:
                yield b"\0".join((os.fsencode(child.path), b"unreadable", str(error.errno).encode())), 0
                continue
            facts = f"{seen.st_size} {seen.st_mtime_ns} {seen.st_ctime_ns} {seen.st_ino}"
            yield b"\0".join((os.fsencode(child.path), facts.encode())), _file_bytes(seen)


def _file_bytes(seen: os.stat_result) -> int:
    return seen.st_size if stat.S_ISREG(seen.st_mode) else 0
