"""The order of things when an export is published: what is checked, what it is compared with, when it moves.

Each step is another file's: export.py reads it, trial.py loads it, placing.py puts it into place.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from understudy.config_message import PLATFORMS, SYNTHETIC_PLATFORM
from understudy.dataplane.runtimes import LITERT_FILE
from understudy.errors import Code, PublishError
from understudy.model_config import LITERT_PLATFORM, TENSORFLOW_PLATFORM
from understudy.publish.export import (
    GRAPH_FILE,
    Export,
    read_export,
    read_litert_signatures,
    read_signatures,
)
from understudy.publish.placing import Placing, foresee, place
from understudy.publish.trial import Trial, try_load
from understudy.rollout.plan import DEFAULT_TOLERANCE
from understudy.rollout.validation import GoldenReport
from understudy.routing.traffic import Tolerance
from understudy.signatures import Signatures, incompatibilities
from understudy.sources.directory import INT64_MAX, list_versions, version_number

LOAD_TIMEOUT_S = 600.0
REFERENCES_TRIED_MAX = 10
"""Versions that are looked at, from the highest down, for one whose signatures can be read."""


@dataclass(frozen=True, slots=True)
class Reference:
    """The version that an export is compared with.

    Attributes:
        version: its number.
        path: of its directory.
        why: it is this one, for people: "serves now", "is the highest in /models/digits".
    """

    version: int
    path: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishOptions:
    """How to publish.

    Attributes:
        platform: `tensorflow`, `litert`, or `synthetic`.
        tags: of the graph to load.
        reference: the version whose clients must go on working; none: the highest in the base path.
        allow_signature_change: publish although clients of the reference would miss something.
        version: the number; none: the one after the highest that is there.
        move: rename the export where that is possible, instead of copying it; it is gone afterwards.
        dry_run: check everything, change nothing.
        load_timeout_s: for the load on trial, golden examples included.
        golden_tolerance: of what it answers to its golden examples; none: they are left alone.
        progress: takes bytes copied so far, and bytes in all.
    """

    platform: str = TENSORFLOW_PLATFORM
    tags: tuple[str, ...] = ("serve",)
    reference: Reference | None = None
    allow_signature_change: bool = False
    version: int | None = None
    move: bool = False
    dry_run: bool = False
    load_timeout_s: float = LOAD_TIMEOUT_S
    golden_tolerance: Tolerance | None = DEFAULT_TOLERANCE
    progress: Callable[[int, int], None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What was published; with `dry_run`, what would have been.

    Attributes:
        version: the number it got.
        path: of its directory.
        size_bytes: of its files.
        files: how many.
        reference: what its signatures were compared with; none: there was nothing to compare with.
        changes: what clients of the reference miss; allowed, or this would not have been published.
        golden_examples: how many it brings, all of which it reproduces; 0 when they were left alone, too.
        leftovers_removed: directories that killed publishers had left and that are gone now.
        dry_run: nothing was changed.
    """

    version: int
    path: str
    size_bytes: int
    files: int
    reference: Reference | None
    changes: tuple[str, ...]
    golden_examples: int
    leftovers_removed: int
    dry_run: bool


DEFAULTS = PublishOptions()


def publish(
    export: str | os.PathLike[str], *, base_path: str | os.PathLike[str], options: PublishOptions = DEFAULTS
) -> Published:
    """Checks an export and puts it into a base path, whole, under a number that nobody else gets.

    It must be readable, load (in a process of its own), reproduce the golden examples that it brings, and
    have every signature of the reference. It is then copied beside, and renamed in one step: a server that
    looks at the base path sees all of it or nothing.
    The base path is made if only its last part is missing. Any number of publishers may do this at once; a
    killed one leaves nothing under a number that is not whole.

    Raises:
        PublishError: why it is refused, or what failed; nothing is in the base path then.
    """
    source, base = Path(os.path.realpath(export)), Path(base_path).absolute()
    _check_options(source, base, options)
    inspected = read_export(source, options.platform)
    reference, changes = _compare(inspected, base, options)
    if changes and not options.allow_signature_change:
        raise _incompatible(source, reference, changes)
    golden = _try(source, options)
    to = Placing(
        base_path=base,
        platform=options.platform,
        version=options.version,
        move=options.move,
        progress=options.progress,
    )
    try:
        placed = foresee(inspected, to) if options.dry_run else place(inspected, to)
    except OSError as error:
        raise PublishError(Code.UNAVAILABLE, f"{source} could not be published: {error}") from error
    return Published(
        version=placed.version,
        path=str(base / str(placed.version)),
        size_bytes=inspected.size_bytes,
        files=len(inspected.files),
        reference=reference,
        changes=changes,
        golden_examples=golden.examples,
        leftovers_removed=placed.leftovers_removed,
        dry_run=options.dry_run,
    )


def _try(source: Path, options: PublishOptions) -> GoldenReport:
    golden = try_load(
        Trial(str(source), options.platform, options.tags, options.load_timeout_s, options.golden_tolerance)
    )
    if golden.mismatched:
        listed = "".join(f"\n  {each}" for each in golden.worst)
        raise _refused(
            f"{source} does not reproduce {golden.mismatched} of its {golden.examples} golden examples:"
            f"{listed}\n"
            "export what they are right for, ship others, or leave them alone (--skip-golden)"
        )
    return golden


def _check_options(source: Path, base: Path, options: PublishOptions) -> None:
    real_base = Path(os.path.realpath(base))
    if options.platform not in PLATFORMS:
        raise _refused(
            f"there is no platform {options.platform!r}; it is one of {', '.join(sorted(PLATFORMS))}"
        )
    if options.version is not None and not 0 <= options.version <= INT64_MAX:
        raise _refused(f"version {options.version} is no number from 0 to {INT64_MAX}")
    if real_base == source or real_base.is_relative_to(source):
        raise _refused(f"the base path {base} is inside the export {source}; name the export itself")
    if options.move and source.parent == real_base and version_number(source.name) is not None:
        raise _refused(
            f"{source} is a version of this base path: moving it would take it away; copy it instead"
        )
    if not base.is_dir() and not base.parent.is_dir():
        raise _refused(f"{base.parent} is not there: make it, if the base path {base} is really meant")


def _compare(export: Export, base: Path, options: PublishOptions) -> tuple[Reference | None, tuple[str, ...]]:
    """With what it was compared, and what clients of that would miss."""
    if options.platform == SYNTHETIC_PLATFORM:
        return None, ()  # it does not say its signatures in a file
    signatures = _signatures(export.path, options)
    if options.reference is not None:
        return options.reference, _losses(options.reference, signatures, options)
    for reference in _references(base):
        try:
            before = _signatures(Path(reference.path), options)
        except PublishError:
            continue  # a broken version is no measure, and may be what this one is to replace
        return reference, incompatibilities(before, signatures)
    return None, ()


def _signatures(path: Path, options: PublishOptions) -> Signatures:
    """What is there can be asked; a base path may have versions of both kinds."""
    has_file, has_graph = (path / LITERT_FILE).exists(), (path / GRAPH_FILE).exists()
    if has_file and (options.platform == LITERT_PLATFORM or not has_graph):
        return read_litert_signatures(path)
    return read_signatures(path, options.tags)


def _losses(reference: Reference, signatures: Signatures, options: PublishOptions) -> tuple[str, ...]:
    try:
        before = _signatures(Path(reference.path), options)
    except PublishError as error:
        return (f"nobody knows what: version {reference.version} cannot be compared with ({error.message})",)
    return incompatibilities(before, signatures)


def _references(base: Path) -> list[Reference]:
    if not base.is_dir():
        return []
    paths = list_versions(str(base)).paths
    highest = sorted(paths, reverse=True)[:REFERENCES_TRIED_MAX]
    return [Reference(number, paths[number], f"is the highest readable in {base}") for number in highest]


def _incompatible(source: Path, reference: Reference | None, changes: tuple[str, ...]) -> PublishError:
    version = reference.version if reference is not None else ""
    why = f", which {reference.why}" if reference is not None else ""
    listed = "".join(f"\n  {change}" for change in changes)
    return _refused(
        f"{source} cannot take the place of version {version}{why}; clients would miss:{listed}\n"
        "allow the signature change (--allow-signature-change) if no client needs that"
    )


def _refused(message: str) -> PublishError:
    return PublishError(Code.FAILED_PRECONDITION, message)
