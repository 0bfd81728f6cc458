"""What the flags of batching of `understudy serve` ask for."""

import click

from understudy.batching_parameters import (
    ADAPTIVE,
    BatchingParameters,
    BatchingSettings,
    read_batching_parameters,
)
from understudy.cli.outcome import Unusable
from understudy.cli.serve_flags import ServeFlags
from understudy.errors import ConfigError


def build_batching(flags: ServeFlags) -> tuple[BatchingSettings | None, int]:
    """How to batch, if at all, and by how many threads (0: as many as there are cores).

    Raises:
        click.UsageError: when flags contradict each other.
        Unusable: when the file cannot be taken.
    """
    file, by_version, threads = (
        flags["batching_parameters_file"],
        flags["batching_by_version"],
        flags["batch_threads"],
    )
    if by_version and (flags["batching"] or file is not None):
        raise click.UsageError(
            "Give --batching-by-version, or --batching or --batching-parameters-file for all, not both."
        )
    if by_version:
        return BatchingSettings(options=None), threads
    if file is not None:
        said = _read(file)
        return BatchingSettings(options=said.options), threads or said.threads
    return (BatchingSettings(options=ADAPTIVE) if flags["batching"] else None), threads


def _read(file: str) -> BatchingParameters:
    try:
        return read_batching_parameters(file)
    except ConfigError as error:
        raise Unusable(str(error)) from error
