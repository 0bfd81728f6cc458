"""`understudy publish`: asks the server what serves, publishes, and waits until that serves."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Unpack

import click
import msgspec
from rich.console import Console
from rich.progress import Progress

from understudy.admin.view import ModelView, VersionView
from understudy.cli.admin_client import admin_url_option, ask_model
from understudy.cli.outcome import NegativeAnswer, Unreachable
from understudy.cli.trial_options import (
    TrialFlags,
    build_tags,
    build_tolerance,
    loading_options,
    tolerance_options,
)
from understudy.errors import PublishError
from understudy.publish import Published, PublishOptions, Reference
from understudy.publish import publish as publish_export
from understudy.publish.publication import LOAD_TIMEOUT_S
from understudy.servable import State

ASK_INTERVAL_S = 0.2
"""Between two questions to the server while waiting; it looks once a second."""
_Lives = dict[int, datetime]
"""When each version that the server knows entered its state: tells an old life of a number from a new one."""


class PublishFlags(TrialFlags):
    """The command's options, as click hands them over."""

    export: str
    model: str
    base_path: str
    version: int | None
    allow_signature_change: bool
    move: bool
    dry_run: bool
    load_timeout: float
    skip_golden: bool
    wait: float | None
    admin_url: str
    as_json: bool


@click.command()
@click.argument("export", type=click.Path(exists=True, file_okay=False))
@click.option("--model", required=True, metavar="NAME", help="The model, as the server knows it.")
@click.option(
    "--base-path",
    required=True,
    type=click.Path(),
    metavar="DIR",
    help="The directory of the model's versions.",
)
@click.option(
    "--version",
    type=click.IntRange(min=0),
    metavar="N",
    help="The number to publish under, which must be free; default: the one after the highest.",
)
@loading_options
@click.option(
    "--allow-signature-change",
    is_flag=True,
    help="Publish although clients of the present version would miss something.",
)
@click.option("--move", is_flag=True, help="Rename the export where that is possible, instead of copying it.")
@click.option("--dry-run", is_flag=True, help="Check everything and change nothing.")
@click.option(
    "--load-timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=LOAD_TIMEOUT_S,
    show_default=True,
    metavar="SECONDS",
    help="For loading the export on trial.",
)
@click.option("--skip-golden", is_flag=True, help="Leave alone the golden examples that it brings.")
@tolerance_options
@click.option(
    "--wait",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Wait so long until the server says that the version is ready.",
)
@admin_url_option
@click.option("--json", "as_json", is_flag=True, help="Print what was published as JSON.")
def publish(**flags: Unpack[PublishFlags]) -> None:
    """Check EXPORT, and put it into place whole under the next number.

    It must load, reproduce the golden examples that it brings, and clients of the version that serves now
    must miss nothing. Then it is copied beside and renamed: a server sees all of it or nothing. Any number
    of publishers may do this at once.
    """
    base_path = flags["base_path"]
    found = _ask_server(flags)
    reference = _serving(found, base_path, flags["admin_url"]) if found is not None else None
    with _shown_progress(flags["export"]) as progress:
        options = PublishOptions(
            platform=flags["platform"],
            tags=build_tags(flags),
            reference=reference,
            allow_signature_change=flags["allow_signature_change"],
            version=flags["version"],
            move=flags["move"],
            dry_run=flags["dry_run"],
            load_timeout_s=flags["load_timeout"],
            golden_tolerance=None if flags["skip_golden"] else build_tolerance(flags),
            progress=progress,
        )
        try:
            published = publish_export(flags["export"], base_path=base_path, options=options)
        except PublishError as error:
            raise NegativeAnswer(error.message) from error
    _print(published, as_json=flags["as_json"])
    if flags["wait"] is not None and found is not None and not published.dry_run:
        lives = {version.version: version.since for version in found.versions}
        _wait_ready(flags, published.version, lives, flags["wait"])


def _ask_server(flags: PublishFlags) -> ModelView | None:
    """The model as the server has it; nothing is waited for that nobody could tell."""
    try:
        found = ask_model(flags["admin_url"], flags["model"])
    except (Unreachable, NegativeAnswer) as error:
        if flags["wait"] is not None:
            raise
        _note(f"Not asked what serves: {error.message}")
        return None
    if os.path.realpath(found.base_path) == os.path.realpath(flags["base_path"]):
        return found
    text = f"The server has {found.name} at {found.base_path}, not at {flags['base_path']}."
    if flags["wait"] is not None:
        raise NegativeAnswer(f"{text} It would never see this version.")
    _note(text)
    return None


def _serving(found: ModelView, base_path: str, admin_url: str) -> Reference | None:
    """The version that answers requests which name none; the server may see its directory by another path."""
    for version in found.versions:
        if version.version == found.default_version:
            path = Path(base_path) / Path(version.path).name
            if path.is_dir():
                return Reference(version.version, str(path), f"serves now, says {admin_url}")
            _note(f"Version {version.version} serves, but {path} is not there to compare with.")
    return None


@contextmanager
def _shown_progress(export: str) -> Iterator[Callable[[int, int], None] | None]:
    """A bar on a terminal; nothing elsewhere, where it would fill logs."""
    if not sys.stderr.isatty():
        yield None
        return
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(f"copying {export}", total=None, start=False)

        def show(copied: int, total: int) -> None:
            progress.start_task(task)
            progress.update(task, completed=copied, total=total)

        yield show


def _print(published: Published, *, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(published), indent=2))
        return
    done = "Would publish" if published.dry_run else "Published"
    click.echo(f"{done} {published.path}: {published.files} files, {published.size_bytes:,} bytes.")
    reference = published.reference
    if reference is None:
        click.echo("Its signatures were compared with none: there was no version to compare with.")
    else:
        verdict = "clients miss:" if published.changes else "clients miss nothing."
        click.echo(f"Compared with version {reference.version}, which {reference.why}: {verdict}")
    for change in published.changes:
        click.echo(f"  {change}")
    if published.golden_examples:
        click.echo(f"It reproduces its golden examples: {published.golden_examples}.")
    if published.leftovers_removed:
        click.echo(f"Removed leftovers of publishers that were killed: {published.leftovers_removed}.")


def _wait_ready(flags: PublishFlags, number: int, lives: _Lives, wait_s: float) -> None:
    """Until the version serves.

    Raises:
        NegativeAnswer: it failed, or does not serve in time.
    """
    deadline = time.monotonic() + wait_s
    while True:
        found = ask_model(flags["admin_url"], flags["model"])
        version = next((each for each in found.versions if _is_new(each, number, lives)), None)
        if version is not None and version.state is State.READY:
            _note(f"Version {number} is ready.")
            return
        if version is not None and version.state is State.ERROR:
            raise NegativeAnswer(f"Version {number} failed: {version.reason}")
        if time.monotonic() >= deadline:
            raise NegativeAnswer(
                f"Version {number} is not ready after {wait_s:g} s: {_why_not(found, version)}"
            )
        time.sleep(ASK_INTERVAL_S)


def _is_new(version: VersionView, number: int, lives: _Lives) -> bool:
    return version.version == number and lives.get(number) != version.since


def _why_not(found: ModelView, version: VersionView | None) -> str:
    if version is not None:
        return f"it is {version.state.value}: {version.reason}"
    if found.source_failure is not None:
        return found.source_failure.message
    there = ", ".join(map(str, found.found_versions)) or "none"
    return f"the server does not want it; its policy is {found.policy}, and it found these versions: {there}"


def _note(text: str) -> None:
    click.echo(text, err=True)
