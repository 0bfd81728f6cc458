"""The operators' API as an ASGI application: what it tells, and its errors.

It knows the server through `AdminView` and `Operator` only. Who may ask is guard.py's, changes changes.py's.
"""

from http import HTTPStatus
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from understudy.admin.answers import HEADERS, answer
from understudy.admin.changes import build_change_routes
from understudy.admin.golden import GoldenRecorder, build_golden_routes
from understudy.admin.guard import ChangesFromHere, LoopbackHosts
from understudy.admin.openapi import build_openapi
from understudy.admin.operator import Operator
from understudy.admin.rollout_routes import build_rollout_routes
from understudy.admin.summary import summarise
from understudy.admin.view import AdminView, ListedView, ModelsView, ModelView, Phase, WhyView

PROMETHEUS_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"


def build_app(
    view: AdminView,
    operator: Operator | None,
    *,
    loopback_only: bool,
    golden: GoldenRecorder | None = None,
) -> Starlette:
    """The application.

    Args:
        view: whom to ask.
        operator: who takes changes and knows the configuration's history; none: nobody.
        loopback_only: answer only requests that name this machine by a loopback name or address. A web page
            of a stranger, opened by an operator, can make the browser ask this port under the page's own
            host name (DNS rebinding); such a request is refused.
        golden: who keeps requests with their answers, for whoever may change the server; none: nobody.
    """
    return Starlette(
        routes=[
            *(_build_operator_routes(operator) if operator else ()),
            *(build_golden_routes(golden) if operator and golden else ()),
            *_build_routes(view),
        ],
        middleware=[
            *([Middleware(LoopbackHosts)] if loopback_only else []),
            *([Middleware(ChangesFromHere)] if operator else []),
        ],
        exception_handlers={HTTPException: _answer_http_error, Exception: _answer_defect},
    )


def _build_operator_routes(operator: Operator) -> list[Route]:
    return [*build_change_routes(operator), *build_rollout_routes(operator.rollouts)]


def _build_routes(view: AdminView) -> list[Route]:
    def status(_request: Request) -> Response:
        return answer(view.server())

    def models(_request: Request) -> Response:
        return answer(ModelsView(tuple(ListedView.of(model) for model in view.server().models)))

    def model(request: Request) -> Response:
        return answer(_find(view, request))

    def why(request: Request) -> Response:
        found = _find(view, request)
        return answer(WhyView(model=found.name, summary=summarise(found), events=view.events(found.name)))

    async def healthz(_request: Request) -> Response:
        return answer({"status": "alive"})

    def metrics(_request: Request) -> Response:
        return Response(view.metrics(), headers=HEADERS, media_type=PROMETHEUS_TEXT)

    async def readyz(_request: Request) -> Response:  # like healthz, behind nobody who waits for a thread
        phase = view.phase()
        ready = phase is Phase.SERVING
        return answer({"status": phase.value}, HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE)

    def openapi(_request: Request) -> Response:
        return answer(build_openapi())

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


def _answer_http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it
    return answer({"error": error.detail}, error.status_code, error.headers)


def _answer_defect(_request: Request, _error: Exception) -> Response:
    # uvicorn logs the exception; its text is not for the network.
    return answer(
        {"error": "The server failed to answer; its log says why."}, HTTPStatus.INTERNAL_SERVER_ERROR
    )
