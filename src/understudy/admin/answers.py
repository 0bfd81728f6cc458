"""How the operators' API answers: JSON, headers, and which HTTP status a canonical code is."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import msgspec
from starlette.responses import Response

from understudy.errors import Code, ConfigError, StoreError

HEADERS: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff"}

_STATUSES: Final = {
    Code.INVALID_ARGUMENT: HTTPStatus.BAD_REQUEST,
    Code.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Code.ALREADY_EXISTS: HTTPStatus.CONFLICT,
    Code.ABORTED: HTTPStatus.CONFLICT,
    Code.FAILED_PRECONDITION: HTTPStatus.CONFLICT,
    Code.DEADLINE_EXCEEDED: HTTPStatus.GATEWAY_TIMEOUT,
    Code.RESOURCE_EXHAUSTED: HTTPStatus.INSUFFICIENT_STORAGE,
    Code.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""Of refusals; what is not named here is an internal error."""


def answer(body: object, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None) -> Response:
    """An answer in JSON."""
    return Response(
        msgspec.json.encode(body),
        status_code=status,
        headers={**HEADERS, **(headers or {})},
        media_type="application/json",
    )


def answer_refusal(refusal: ConfigError | StoreError) -> Response:
    """An answer that says why nothing was changed, and where in the text the reason is."""
    body: dict[str, object] = {"error": str(refusal), "code": refusal.code.name}
    if isinstance(refusal, ConfigError):
        body |= {"line": refusal.line, "column": refusal.column}
    return answer(body, _STATUSES.get(refusal.code, HTTPStatus.INTERNAL_SERVER_ERROR))
