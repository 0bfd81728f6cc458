"""What the commands that load an export on trial have in common: how it is loaded, how it may answer."""

from collections.abc import Callable, Sequence
from typing import Any, TypedDict, TypeVar

import click

from understudy.config_message import PLATFORMS
from understudy.model_config import TENSORFLOW_PLATFORM
from understudy.routing.traffic import Tolerance

_DEFAULT = Tolerance()
_Command = TypeVar("_Command", bound=Callable[..., Any])

_LOADING = (
    click.option(
        "--platform",
        type=click.Choice(sorted(PLATFORMS)),
        default=TENSORFLOW_PLATFORM,
        show_default=True,
        help="Which runtime loads it.",
    ),
    click.option(
        "--saved-model-tags",
        default="serve",
        show_default=True,
        metavar="TAGS",
        help="Tags of the graph to load, separated by commas.",
    ),
)
_TOLERANCE = (
    click.option(
        "--absolute",
        type=click.FloatRange(min=0),
        default=_DEFAULT.absolute,
        show_default=True,
        metavar="DIFFERENCE",
        help="How far the floats of answers to golden examples may be off.",
    ),
    click.option(
        "--relative",
        type=click.FloatRange(min=0),
        default=_DEFAULT.relative,
        show_default=True,
        metavar="SHARE",
        help="The same, in addition, as a share of the right float.",
    ),
    click.option(
        "--top-1",
        is_flag=True,
        help="Of outputs of scores, it is enough that the highest score is at the same place.",
    ),
)


class TrialFlags(TypedDict):
    """These options, as click hands them over."""

    platform: str
    saved_model_tags: str
    absolute: float
    relative: float
    top_1: bool


def loading_options(command: _Command) -> _Command:
    """Adds those that say how it is loaded, in their order."""
    return _add(_LOADING, command)


def tolerance_options(command: _Command) -> _Command:
    """Adds those that say how far answers to golden examples may be off, in their order."""
    return _add(_TOLERANCE, command)


def build_tags(flags: TrialFlags) -> tuple[str, ...]:
    """The tags of the graph to load."""
    return tuple(tag for tag in flags["saved_model_tags"].split(",") if tag)


def build_tolerance(flags: TrialFlags) -> Tolerance:
    """How far answers may be off."""
    return Tolerance(absolute=flags["absolute"], relative=flags["relative"], top_1=flags["top_1"])


def _add(options: Sequence[Callable[[_Command], _Command]], command: _Command) -> _Command:
    for option in reversed(options):
        command = option(command)
    return command
