"""The operators' API's configuration: what is in force, what was, and changes of it."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from understudy.admin.answers import answer
from understudy.admin.operator import NewConfig, NewLabel, Operator, Rollback
from understudy.admin.questions import build_route, read_body, read_limit, read_version
from understudy.config_text import CONFIG_BYTES_MAX

BODY_BYTES_MAX: Final = 2 * CONFIG_BYTES_MAX
"""A text and what JSON adds to it."""


def build_change_routes(operator: Operator) -> list[Route]:
    """The routes; to be asked before those of models, whose names may hold slashes."""

    async def config(_request: Request) -> Response:
        return answer(await operator.config())

    async def apply(request: Request) -> Response:
        return answer(await operator.apply(await read_body(request, NewConfig, BODY_BYTES_MAX)))

    async def history(request: Request) -> Response:
        return answer(await operator.history(read_limit(request)))

    async def revision(request: Request) -> Response:
        return answer(await operator.revision(int(request.path_params["number"])))

    async def roll_back(request: Request) -> Response:
        return answer(await operator.roll_back(await read_body(request, Rollback, BODY_BYTES_MAX)))

    async def set_label(request: Request) -> Response:
        wanted = await read_body(request, NewLabel, BODY_BYTES_MAX)
        return answer(await operator.set_label(*_label(request), wanted.version))

    async def remove_label(request: Request) -> Response:
        return answer(await operator.set_label(*_label(request), None))

    async def retry(request: Request) -> Response:
        return answer(await operator.retry(str(request.path_params["name"]), read_version(request)))

    label = "/v1/models/{name:path}/labels/{label}"
    return [
        build_route("/v1/config", config),
        build_route("/v1/config", apply, "POST"),
        build_route("/v1/config/revisions", history),
        build_route("/v1/config/revisions/{number:int}", revision),
        build_route("/v1/config/rollback", roll_back, "POST"),
        build_route("/v1/models/{name:path}/versions/{version}/retry", retry, "POST"),
        build_route(label, set_label, "PUT"),
        build_route(label, remove_label, "DELETE"),
    ]


def _label(request: Request) -> tuple[str, str]:
    return str(request.path_params["name"]), str(request.path_params["label"])
