"""What is in an export: its files, its size, its signatures. Reads it and changes nothing."""

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from google.protobuf.message import DecodeError

from understudy.config_message import SYNTHETIC_PLATFORM
from understudy.dataplane.native import litert_signatures
from understudy.dataplane.runtimes import LITERT_FILE
from understudy.errors import Code, DataPlaneError, PublishError
from understudy.model_config import LITERT_PLATFORM, TENSORFLOW_PLATFORM
from understudy.signature_message import SignatureDef, build_signatures, parse_signatures
from understudy.signatures import Signatures
from understudy.sources.directory import fingerprint
from understudy.wire import message_class

GRAPH_FILE = "saved_model.pb"
SYNTHETIC_FILE = "synthetic.json"
NEEDED_FILES: Mapping[str, str] = {
    TENSORFLOW_PLATFORM: GRAPH_FILE,
    LITERT_PLATFORM: LITERT_FILE,
    SYNTHETIC_PLATFORM: SYNTHETIC_FILE,
}
"""What an export of a platform cannot be without."""
GRAPH_BYTES_MAX = (1 << 31) - 1
"""Protobuf's own limit of a message."""
ENTRIES_MAX = 100_000
"""Files and directories of one export; a SavedModel has a handful."""


@dataclass(frozen=True, slots=True)
class Export:
    """One exported model on disk.

    Attributes:
        path: of its directory.
        directories: below it, relative, each before what is in it.
        files: below it, relative, and their sizes.
        fingerprint: of all of that, to notice that somebody still writes.
    """

    path: Path
    directories: tuple[Path, ...]
    files: Mapping[Path, int]
    fingerprint: str

    @property
    def size_bytes(self) -> int:
        """Of all files together."""
        return sum(self.files.values())


def read_export(path: Path, platform: str) -> Export:
    """What is there.

    Raises:
        PublishError: it is no export of this platform, or holds what cannot be copied as it is.
    """
    needed = NEEDED_FILES[platform]
    try:
        if not path.is_dir():
            raise _refused(f"{path} is not a directory: name the directory that the export was written to")
        taken = fingerprint(str(path))
        directories: list[Path] = []
        files: dict[Path, int] = {}
        for entry in _walk(path):
            relative = Path(entry.path).relative_to(path)
            if entry.is_dir(follow_symlinks=False):
                directories.append(relative)
            else:
                files[relative] = entry.stat(follow_symlinks=False).st_size
    except OSError as error:
        raise _refused(f"{path} cannot be read: {error}") from error
    if Path(needed) not in files:
        raise _refused(f"{path} is no export for platform {platform}: it has no {needed}")
    return Export(path, tuple(directories), files, taken)


def _walk(path: Path) -> Iterator[os.DirEntry[str]]:
    pending = [str(path)]
    count = 0
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                count += 1
                if count > ENTRIES_MAX:
                    raise _refused(f"{path} has more than {ENTRIES_MAX:,} files: is it one export?")
                _check_kind(entry)
                yield entry
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)


def _check_kind(entry: os.DirEntry[str]) -> None:
    """A link would let what is served change or vanish with its target; the rest is no part of a model."""
    if entry.is_symlink():
        raise _refused(
            f"{entry.path} is a symbolic link: a version must be whole by itself; "
            "put there what it leads to (cp -rL copies like that)"
        )
    if not (entry.is_dir(follow_symlinks=False) or entry.is_file(follow_symlinks=False)):
        kind = stat.filemode(entry.stat(follow_symlinks=False).st_mode)[0]
        raise _refused(f"{entry.path} is neither a file nor a directory (type {kind}); remove it")


class _MetaInfo(Protocol):
    tags: Iterable[str]


class _MetaGraph(Protocol):
    meta_info_def: _MetaInfo
    signature_def: Mapping[str, SignatureDef]


class _SavedModel(Protocol):
    meta_graphs: Iterable[_MetaGraph]


def read_signatures(path: Path, tags: tuple[str, ...]) -> Signatures:
    """What a SavedModel can be asked, by the MetaGraphDef with exactly these tags.

    Raises:
        PublishError: there is no such SavedModel, or none with these tags.
    """
    file = path / GRAPH_FILE
    message = message_class("tensorflow.SavedModel")()
    try:
        size_bytes = file.stat().st_size
        if size_bytes > GRAPH_BYTES_MAX:
            raise _refused(f"{file} has {size_bytes:,} bytes; no graph has more than {GRAPH_BYTES_MAX:,}")
        message.ParseFromString(file.read_bytes())
    except OSError as error:
        raise _refused(f"{file} cannot be read: {error}") from error
    except DecodeError as error:
        raise _refused(f"{file} is damaged: it is no SavedModel message; export it again") from error
    graphs = list(cast("_SavedModel", message).meta_graphs)
    for graph in graphs:
        if set(graph.meta_info_def.tags) == set(tags):
            return build_signatures(graph.signature_def)
    there = "; ".join(", ".join(graph.meta_info_def.tags) or "none" for graph in graphs) or "no graph"
    raise _refused(f"{file} has no graph with the tags {', '.join(tags)}; there is: {there}")


def read_litert_signatures(path: Path) -> Signatures:
    """What a model.tflite can be asked.

    Raises:
        PublishError: there is none, or it is damaged.
    """
    try:
        return parse_signatures(litert_signatures(str(path)))
    except DataPlaneError as error:
        raise _refused(error.message) from error


def _refused(message: str) -> PublishError:
    return PublishError(Code.FAILED_PRECONDITION, message)
