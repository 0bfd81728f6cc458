"""The operators' API's configuration: what is in force, what was, and changes of it."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final, TypeVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from understudy.admin.answers import answer, answer_refusal
from understudy.admin.operator import NewConfig, NewLabel, Operator, Rollback
from understudy.config_text import CONFIG_BYTES_MAX
from understudy.errors import ConfigError, StoreError

BODY_BYTES_MAX: Final = 2 * CONFIG_BYTES_MAX
"""A text and what JSON adds to it."""
HISTORY_LIMIT: Final = 20
HISTORY_LIMIT_MAX: Final = 1_000

_Question = TypeVar("_Question", NewConfig, Rollback, NewLabel)
_Endpoint = Callable[[Request], Awaitable[Response]]


def build_change_routes(operator: Operator) -> list[Route]:
    """The routes; to be asked before those of models, whose names may hold slashes."""

    async def config(_request: Request) -> Response:
        return answer(await operator.config())

    async def apply(request: Request) -> Response:
        return answer(await operator.apply(await _read(request, NewConfig)))

    async def history(request: Request) -> Response:
        return answer(await operator.history(_limit(request)))

    async def revision(request: Request) -> Response:
        return answer(await operator.revision(int(request.path_params["number"])))

    async def roll_back(request: Request) -> Response:
        return answer(await operator.roll_back(await _read(request, Rollback)))

    async def set_label(request: Request) -> Response:
        wanted = await _read(request, NewLabel)
        return answer(await operator.set_label(*_label(request), wanted.version))

    async def remove_label(request: Request) -> Response:
        return answer(await operator.set_label(*_label(request), None))

    async def retry(request: Request) -> Response:
        name, version = str(request.path_params["name"]), int(request.path_params["version"])
        return answer(await operator.retry(name, version))

    label = "/v1/models/{name:path}/labels/{label}"
    return [
        _route("/v1/config", config),
        _route("/v1/config", apply, "POST"),
        _route("/v1/config/revisions", history),
        _route("/v1/config/revisions/{number:int}", revision),
        _route("/v1/config/rollback", roll_back, "POST"),
        _route("/v1/models/{name:path}/versions/{version:int}/retry", retry, "POST"),
        _route(label, set_label, "PUT"),
        _route(label, remove_label, "DELETE"),
    ]


def _route(path: str, endpoint: _Endpoint, method: str = "GET") -> Route:
    async def answer_or_refuse(request: Request) -> Response:
        try:
            return await endpoint(request)
        except (ConfigError, StoreError) as refusal:
            return answer_refusal(refusal)

    return Route(path, answer_or_refuse, methods=[method])


async def _read(request: Request, question: type[_Question]) -> _Question:
    """The request's body, checked field by field."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise HTTPException(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body is larger than {BODY_BYTES_MAX} bytes."
            )
    try:
        return msgspec.json.decode(body, type=question)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise HTTPException(HTTPStatus.BAD_REQUEST, f"The body cannot be taken: {error}.") from error


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", str(HISTORY_LIMIT))
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:9]) <= HISTORY_LIMIT_MAX:
        raise HTTPException(
            HTTPStatus.BAD_REQUEST, f"limit must be a number from 1 to {HISTORY_LIMIT_MAX}, not {text!r}."
        )
    return int(text)


def _label(request: Request) -> tuple[str, str]:
    return str(request.path_params["name"]), str(request.path_params["label"])
