"""What an operator wants logged of a model's requests, and which wishes can be fulfilled. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from understudy.errors import Code, ConfigError

COLLECTOR_TYPE = "tfrecord"
"""The one kind of log that there is. In TensorFlow Serving it names what a build has registered."""

PREFIX_BYTES_MAX = 200
"""A file's name may have 255 bytes; the server appends 30."""

LOGGED_MODELS_MAX = 256
"""Models whose requests are logged at once: each has a file open."""


@dataclass(frozen=True, slots=True)
class RequestLogging:
    """What to log of one model's requests.

    Attributes:
        filename_prefix: how the names of its files begin, seen from the directory that the server may log to.
        sampling_rate: the share of its requests that is logged, 0 to 1.
    """

    filename_prefix: str
    sampling_rate: float


def find_fault(logging: RequestLogging) -> str | None:
    """What is wrong with a wish, whatever other models wish for; none when nothing is.

    A configuration may come from anybody who can reach the gRPC port. So a prefix names a place inside the
    directory that the operator set aside, and nothing else.
    """
    if not 0 <= logging.sampling_rate <= 1:  # so written, it refuses what is no number, too
        return f"sampling_rate {logging.sampling_rate} is no share of the requests; shares go from 0 to 1"
    prefix = logging.filename_prefix
    if len(prefix.encode()) > PREFIX_BYTES_MAX:
        return f"filename_prefix is longer than {PREFIX_BYTES_MAX} bytes"
    if prefix.startswith("/"):
        return (
            f"filename_prefix {prefix} is absolute; it is seen from the server's --request_log_dir, "
            "so write the part below that"
        )
    if any(part in {"", ".", ".."} for part in prefix.split("/")):
        return (
            f"filename_prefix {prefix} has an empty part, a . or a .. in it, so it could leave the directory"
        )
    if not prefix.isprintable():
        return f"filename_prefix {prefix!r} has characters in it that cannot be printed"
    return None


def check_together(logged: Iterable[tuple[str, RequestLogging]]) -> None:
    """Refuses what models cannot wish for beside each other.

    Args:
        logged: models that are logged, with their names.

    Raises:
        ConfigError: INVALID_ARGUMENT, with what is wrong.
    """
    owners: dict[str, str] = {}
    for name, logging in logged:
        other = owners.setdefault(logging.filename_prefix, name)
        if other != name:
            raise _refused(
                f"Models {other} and {name} log requests under the same filename_prefix "
                f"{logging.filename_prefix}; a log that is to warm up one of them must not hold the other's"
            )
    if len(owners) > LOGGED_MODELS_MAX:
        raise _refused(
            f"{len(owners)} models set logging_config; at most {LOGGED_MODELS_MAX} can be logged at once"
        )


def check_possible(logged: Iterator[str]) -> None:
    """Refuses logging by a server that has no place to log to.

    Args:
        logged: names of models that are to be logged.

    Raises:
        ConfigError: INVALID_ARGUMENT, in TensorFlow Serving's words, for it never has one.
    """
    name = next(logged, None)
    if name is not None:
        raise _refused(
            f"No request-logger-creator provided. Model {name} sets logging_config, but the server was not "
            "started with --request_log_dir (understudy serve: --request-log-dir), so there is no place to "
            "log requests to"
        )


def _refused(message: str) -> ConfigError:
    return ConfigError(Code.INVALID_ARGUMENT, message)
