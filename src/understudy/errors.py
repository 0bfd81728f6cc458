"""Every exception of the package.

UnderstudyError
├── ClientError          a call of the client failed; its own tree is in client/errors.py
├── ConfigError          a configuration that cannot be taken; says where and why
├── DataPlaneError       what the native data plane refused; carries a canonical code
├── PublishError         an export that is not published; says why and what to do
├── StartupError         the server cannot start; says what to do
└── StoreError           what must outlive the process cannot be read or written
"""

from enum import IntEnum


class Code(IntEnum):
    """Canonical status codes; the numbers are gRPC's and TensorFlow's."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class UnderstudyError(Exception):
    """The root; its text says what failed, why, and what to do."""


class ConfigError(UnderstudyError):
    """A configuration that cannot be taken. Nothing was changed.

    Its text is the message, so that the words clients know come first, and then the place.

    Attributes:
        code: the canonical code that an RPC answers with.
        message: what is wrong, without the place.
        path: of the file; none when it came from elsewhere.
        line: where in the text, counted from 1; none when the place is not known.
        column: counted from 1.
    """

    def __init__(
        self,
        code: Code,
        message: str,
        *,
        path: str | None = None,
        line: int | None = None,
        column: int | None = None,
    ) -> None:
        super().__init__(message + _describe_place(path, line, column))
        self.code = code
        self.message = message
        self.path = path
        self.line = line
        self.column = column


def _describe_place(path: str | None, line: int | None, column: int | None) -> str:
    if line is None:
        return "" if path is None else f" ({path})"
    return f" (line {line}, column {column})" if path is None else f" ({path}:{line}:{column})"


class DataPlaneError(UnderstudyError):
    """What the native data plane refused.

    Attributes:
        code: canonical code.
        message: the text that a client would read.
    """

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(f"{code.name}: {message}")
        self.code = code
        self.message = message


class PublishError(UnderstudyError):
    """An export is not published; nothing is in the base path.

    Attributes:
        code: canonical code.
        message: why, and what to do.
    """

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class StartupError(UnderstudyError):
    """The server cannot start.

    Attributes:
        code: canonical code; UNKNOWN for models that failed to load, as in TensorFlow Serving.
        message: what is wrong and what to do.
    """

    def __init__(self, message: str, *, code: Code = Code.UNKNOWN) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class StoreError(UnderstudyError):
    """What must outlive the process cannot be read or written. Nothing was changed.

    Attributes:
        code: UNAVAILABLE when it cannot be opened now, DATA_LOSS when it is damaged or not ours,
            RESOURCE_EXHAUSTED when there is no space, INTERNAL otherwise.
        message: what is wrong and what to do.
    """

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
