"""What a call of the client can fail with.

ClientError                  code, message, model, attempts
├── InvalidRequestError      the request is wrong, or does not fit the model as it is
│   └── TensorError          a value that no tensor or feature can hold; nothing was sent
├── NotFoundError            no such model or version, or none that is ready
├── AccessDeniedError        the server does not let this client do it
├── UnavailableError         no server, or one that cannot answer now
├── OverloadedError          the server has no room for this request now
├── DeadlineExceededError    the time for the call is over
├── UnimplementedError       the server does not offer this call
├── CallCancelledError       somebody broke the call off
├── ClosedError              the client was closed
└── ServerError              the server or the model failed
    └── AnswerError          the server's answer cannot be understood
"""

from collections.abc import Mapping
from typing import Final

from understudy.errors import Code, UnderstudyError


class ClientError(UnderstudyError):
    """A call that failed.

    Attributes:
        code: canonical code.
        message: the server's words, or the client's where nothing reached a server.
        model: that was asked; empty for a question about the server.
        attempts: how often the request was sent.
    """

    def __init__(self, code: Code, message: str, *, model: str = "", attempts: int = 0) -> None:
        super().__init__(_describe(code, message, model, attempts))
        self.code = code
        self.message = message
        self.model = model
        self.attempts = attempts


class InvalidRequestError(ClientError):
    """The request is wrong, or does not fit the model as it is; sending it again is of no use."""


class TensorError(InvalidRequestError, ValueError):
    """A value that no tensor or feature can hold; nothing was sent."""

    def __init__(self, message: str) -> None:
        super().__init__(Code.INVALID_ARGUMENT, message)


class NotFoundError(ClientError):
    """No such model or version, or none that is ready."""


class AccessDeniedError(ClientError):
    """The server does not let this client do it."""


class UnavailableError(ClientError):
    """No server there, or one that cannot answer now."""


class OverloadedError(ClientError):
    """The server has no room for this request now."""


class DeadlineExceededError(ClientError, TimeoutError):
    """The time for the call is over."""


class UnimplementedError(ClientError):
    """The server does not offer this call."""


class CallCancelledError(ClientError):
    """Somebody broke the call off."""


class ClosedError(ClientError):
    """The client was closed; nothing was sent."""

    def __init__(self) -> None:
        super().__init__(Code.FAILED_PRECONDITION, "The client is closed. Make another one.")


class ServerError(ClientError):
    """The server or the model failed."""


class AnswerError(ServerError):
    """The server's answer cannot be understood."""

    def __init__(self, message: str, *, model: str = "", attempts: int = 0) -> None:
        super().__init__(Code.INTERNAL, message, model=model, attempts=attempts)


_BY_CODE: Final[Mapping[Code, type[ClientError]]] = {
    Code.CANCELLED: CallCancelledError,
    Code.INVALID_ARGUMENT: InvalidRequestError,
    Code.FAILED_PRECONDITION: InvalidRequestError,
    Code.OUT_OF_RANGE: InvalidRequestError,
    Code.DEADLINE_EXCEEDED: DeadlineExceededError,
    Code.NOT_FOUND: NotFoundError,
    Code.PERMISSION_DENIED: AccessDeniedError,
    Code.UNAUTHENTICATED: AccessDeniedError,
    Code.RESOURCE_EXHAUSTED: OverloadedError,
    Code.UNAVAILABLE: UnavailableError,
    Code.UNIMPLEMENTED: UnimplementedError,
}


def build_error(code: Code, message: str, *, model: str, attempts: int) -> ClientError:
    """The error of a call that ended with this code."""
    return _BY_CODE.get(code, ServerError)(code, message, model=model, attempts=attempts)


def _describe(code: Code, message: str, model: str, attempts: int) -> str:
    about = f" (model {model})" if model else ""
    tries = f" [sent {attempts} times]" if attempts > 1 else ""
    return f"{code.name}: {message}{about}{tries}"
