"""What the commands that compare golden examples have in common: how far apart answers may be."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from understudy.routing.traffic import Tolerance

_DEFAULT = Tolerance()
_Command = TypeVar("_Command", bound=Callable[..., Any])

_OPTIONS = (
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


def tolerance_options(command: _Command) -> _Command:
    """Adds them to a command, in their order."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
