"""The operators' API as an ASGI application: paths, JSON, and who may ask.

It knows the server through `AdminView` only, and changes nothing.
"""

import ipaddress
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import msgspec
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from understudy.admin.openapi import build_openapi
from understudy.admin.summary import summarise
from understudy.admin.view import AdminView, ListedView, ModelsView, ModelView, Phase, WhyView

PROMETHEUS_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
_HEADERS: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


def build_app(view: AdminView, *, loopback_only: bool) -> Starlette:
    """The application.

    Args:
        view: whom to ask.
        loopback_only: answer only requests that name this machine by a loopback name or address. A web page
            of a stranger, opened by an operator, can make the browser ask this port under the page's own
            host name (DNS rebinding); such a request is refused.
    """
    return Starlette(
        routes=_build_routes(view),
        middleware=[Middleware(_LoopbackHosts)] if loopback_only else [],
        exception_handlers={HTTPException: _answer_http_error, Exception: _answer_defect},
    )


def _build_routes(view: AdminView) -> list[Route]:
    def status(_request: Request) -> Response:
        return _answer(view.server())

    def models(_request: Request) -> Response:
        return _answer(ModelsView(tuple(ListedView.of(model) for model in view.server().models)))

    def model(request: Request) -> Response:
        return _answer(_find(view, request))

    def why(request: Request) -> Response:
        found = _find(view, request)
        return _answer(WhyView(model=found.name, summary=summarise(found), events=view.events(found.name)))

    async def healthz(_request: Request) -> Response:
        return _answer({"status": "alive"})

    def metrics(_request: Request) -> Response:
        return Response(view.metrics(), headers=_HEADERS, media_type=PROMETHEUS_TEXT)

    async def readyz(_request: Request) -> Response:  # like healthz, behind nobody who waits for a thread
        phase = view.phase()
        ready = phase is Phase.SERVING
        return _answer({"status": phase.value}, HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE)

    def openapi(_request: Request) -> Response:
        return _answer(build_openapi())

    return [
        Route("/v1/status", status),
        Route("/v1/models", models),
        Route("/v1/models/{name:path}/why", why),  # before its prefix; a name may hold slashes
        Route("/v1/models/{name:path}", model),
        Route("/v1/openapi.json", openapi),
        Route("/metrics", metrics),
        Route("/healthz", healthz),
        Route("/readyz", readyz),
    ]


def _find(view: AdminView, request: Request) -> ModelView:
    name = str(request.path_params["name"])
    found = view.model(name)
    if found is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"There is no model named {name}; /v1/status lists all.")
    return found


def _answer(body: object, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None) -> Response:
    return Response(
        msgspec.json.encode(body),
        status_code=status,
        headers={**_HEADERS, **(headers or {})},
        media_type="application/json",
    )


def _answer_http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it
    return _answer({"error": error.detail}, error.status_code, error.headers)


def _answer_defect(_request: Request, _error: Exception) -> Response:
    # uvicorn logs the exception; its text is not for the network.
    return _answer(
        {"error": "The server failed to answer; its log says why."}, HTTPStatus.INTERNAL_SERVER_ERROR
    )


class _LoopbackHosts:
    """Refuses requests whose Host header is not a loopback name or address."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or is_loopback_host(Headers(scope=scope).get("host", "")):
            await self._app(scope, receive, send)
            return
        refusal = _answer(
            {"error": "Ask for localhost, 127.0.0.1 or [::1]: the request's Host header names another host."},
            HTTPStatus.FORBIDDEN,
        )
        await refusal(scope, receive, send)


def is_loopback_host(host: str) -> bool:
    """Whether a Host header names this machine's loopback."""
    name = host.rpartition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
    if name.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
