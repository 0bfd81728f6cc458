"""A file of strategies, read from disk."""

from collections.abc import Mapping

from understudy.bounded_file import read_bounded
from understudy.errors import Code, ConfigError
from understudy.rollout.plan import Strategy
from understudy.rollout_file.document import TEXT_BYTES_MAX, read_document
from understudy.rollout_file.reading import parse_strategies


def read_strategies(path: str) -> Mapping[str, Strategy]:
    """The strategies that a server is to follow, by model.

    A file that says nothing is refused: it is nearly always one that is still being written, and models that
    it is to manage would serve whatever appears. `models: {}` says that there are none.

    Raises:
        ConfigError: NOT_FOUND or PERMISSION_DENIED when the file cannot be read; INVALID_ARGUMENT when it
            cannot be taken, with the place; FAILED_PRECONDITION when it says nothing.
    """
    data = read_bounded(path, TEXT_BYTES_MAX, refusal="Cannot read the plans of rollouts", place=path)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        raise ConfigError(
            Code.INVALID_ARGUMENT, "The plans of rollouts are not UTF-8", path=path, line=line, column=column
        ) from error
    if read_document(text, path) is None:
        raise ConfigError(
            Code.FAILED_PRECONDITION, "The file says nothing; for no strategies write `models: {}`", path=path
        )
    return parse_strategies(text, path)
