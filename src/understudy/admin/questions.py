"""How the operators' API reads requests, and answers those that are refused."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final, TypeVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from understudy.admin.answers import answer_refusal
from understudy.errors import ConfigError, StoreError

LIMIT: Final = 20
"""How much of a history is told when nobody says."""
LIMIT_MAX: Final = 1_000
VERSION_MAX: Final = 2**63 - 1
_VERSION_DIGITS_MAX: Final = 19

Endpoint = Callable[[Request], Awaitable[Response]]
_Question = TypeVar("_Question")


def build_route(path: str, endpoint: Endpoint, method: str = "GET") -> Route:
    """A route whose endpoint may refuse."""

    async def answer_or_refuse(request: Request) -> Response:
        try:
            return await endpoint(request)
        except (ConfigError, StoreError) as refusal:
            return answer_refusal(refusal)

    return Route(path, answer_or_refuse, methods=[method])


async def read_body(request: Request, question: type[_Question], bytes_max: int) -> _Question:
    """The request's body, checked field by field.

    Raises:
        HTTPException: it is too large, or not what is asked.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > bytes_max:
            raise HTTPException(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body is larger than {bytes_max} bytes."
            )
    try:
        return msgspec.json.decode(body, type=question)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise HTTPException(HTTPStatus.BAD_REQUEST, f"The body cannot be taken: {error}.") from error


def read_limit(request: Request) -> int:
    """How much of a history is asked for.

    Raises:
        HTTPException: it is no number, or too large.
    """
    text = request.query_params.get("limit", str(LIMIT))
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:9]) <= LIMIT_MAX:
        raise HTTPException(
            HTTPStatus.BAD_REQUEST, f"limit must be a number from 1 to {LIMIT_MAX}, not {text!r}."
        )
    return int(text)


def read_version(request: Request) -> int:
    """The number of the version that the path names.

    Raises:
        HTTPException: it is no number of a version.
    """
    text = str(request.path_params["version"])
    if text.isascii() and text.isdecimal() and len(text) <= _VERSION_DIGITS_MAX and int(text) <= VERSION_MAX:
        return int(text)
    raise HTTPException(HTTPStatus.NOT_FOUND, f"{text[:_VERSION_DIGITS_MAX]!r} is no number of a version.")
