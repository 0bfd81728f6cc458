"""A file of plans that an operator names on a command line: read, and refused with its place."""

from understudy.bounded_file import read_bounded
from understudy.cli.outcome import Unusable
from understudy.errors import ConfigError
from understudy.rollout.plan import Plan, Strategy
from understudy.rollout_file import parse_plan, parse_strategies

FILE_BYTES_MAX = 1024 * 1024
"""The server takes no longer one either."""


def read_plan(path: str) -> tuple[str, Plan]:
    """One plan: the file's text, and what it says.

    Raises:
        Unusable: it cannot be read or understood.
    """
    text = _read(path)
    try:
        return text, parse_plan(text, path)
    except ConfigError as error:
        raise Unusable(str(error)) from error


def read_strategies(path: str) -> dict[str, Strategy]:
    """The strategies of a file, by model.

    Raises:
        Unusable: it cannot be read or understood.
    """
    text = _read(path)
    try:
        return parse_strategies(text, path)
    except ConfigError as error:
        raise Unusable(str(error)) from error


def _read(path: str) -> str:
    try:
        data = read_bounded(path, FILE_BYTES_MAX, refusal=f"{path} cannot be read")
        return data.decode()
    except ConfigError as error:
        raise Unusable(str(error)) from error
    except UnicodeDecodeError as error:
        raise Unusable(f"{path} is no text in UTF-8: {error}") from error
