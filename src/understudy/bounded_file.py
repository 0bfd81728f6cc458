"""A file of an operator's, read whole as far as it may be long; what its bytes mean is not known here."""

from pathlib import Path

from understudy.errors import Code, ConfigError


def read_bounded(path: str, bytes_max: int, *, refusal: str, place: str | None = None) -> bytes:
    """A file's bytes; one more than `bytes_max` of a file that is longer, which the caller refuses.

    Args:
        path: of the file.
        bytes_max: how long it may be.
        refusal: the error's text up to the system's reason.
        place: the error's path, where its text does not name it.

    Raises:
        ConfigError: NOT_FOUND or PERMISSION_DENIED when it cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            return file.read(bytes_max + 1)
    except OSError as error:
        code = Code.PERMISSION_DENIED if isinstance(error, PermissionError) else Code.NOT_FOUND
        raise ConfigError(code, f"{refusal}: {error.strerror}", path=place) from error
