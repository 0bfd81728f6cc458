"""The operators' API's rollouts: what is under way, what was, orders; traffic split by hand; quarantine."""

from http import HTTPStatus
from typing import Final, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from understudy.admin.answers import answer
from understudy.admin.questions import build_route, read_body, read_limit, read_version
from understudy.admin.rollouts import (
    BY_CHARS_MAX,
    NewAbort,
    NewFeedback,
    NewQuarantine,
    NewRollout,
    NewTurn,
    NewWeights,
    Rollouts,
    Turn,
)

BODY_BYTES_MAX: Final = 4 * 1024 * 1024
"""A plan's text and what JSON adds to it."""
FEEDBACK_BYTES_MAX: Final = 16 * 1024 * 1024
"""Ten thousand truths of a kilobyte and more each."""

_MODEL: Final = "/v1/models/{name:path}"
_Question = TypeVar("_Question")


def build_rollout_routes(rollouts: Rollouts) -> list[Route]:
    """The routes; to be asked before those of models, whose names may hold slashes."""
    return [
        *_build_reading(rollouts),
        *_build_orders(rollouts),
        *_build_traffic(rollouts),
    ]


def _build_reading(rollouts: Rollouts) -> list[Route]:
    async def everything(request: Request) -> Response:
        return answer(await rollouts.all(read_limit(request)))

    async def story(request: Request) -> Response:
        return answer(await rollouts.story(str(request.path_params["rollout"])))

    async def present(request: Request) -> Response:
        return answer(await rollouts.rollout(_name(request)))

    async def history(request: Request) -> Response:
        return answer(await rollouts.history(_name(request), read_limit(request)))

    return [
        build_route("/v1/rollouts", everything),
        build_route("/v1/rollouts/{rollout:path}", story),  # an id begins with a model's name
        build_route(f"{_MODEL}/rollout", present),
        build_route(f"{_MODEL}/rollouts", history),
    ]


def _build_orders(rollouts: Rollouts) -> list[Route]:
    async def start(request: Request) -> Response:
        return answer(await rollouts.start(_name(request), await _read(request, NewRollout)))

    async def abort(request: Request) -> Response:
        return answer(await rollouts.abort(_name(request), await _read(request, NewAbort)))

    async def feedback(request: Request) -> Response:
        told = await read_body(request, NewFeedback, FEEDBACK_BYTES_MAX)
        return answer(await rollouts.feedback(_name(request), told))

    def build_turn(turn: Turn) -> Route:
        async def go(request: Request) -> Response:
            return answer(await rollouts.turn(_name(request), turn, await _read(request, NewTurn)))

        return build_route(f"{_MODEL}/rollout/{turn.value}", go, "POST")

    return [
        *(build_turn(turn) for turn in Turn),
        build_route(f"{_MODEL}/rollout/abort", abort, "POST"),
        build_route(f"{_MODEL}/rollout", start, "POST"),
        build_route(f"{_MODEL}/feedback", feedback, "POST"),
    ]


def _build_traffic(rollouts: Rollouts) -> list[Route]:
    async def traffic(request: Request) -> Response:
        return answer(await rollouts.traffic(_name(request)))

    async def set_weights(request: Request) -> Response:
        return answer(await rollouts.set_weights(_name(request), await _read(request, NewWeights)))

    async def clear_weights(request: Request) -> Response:
        return answer(await rollouts.clear_weights(_name(request), _by(request)))

    async def quarantine(request: Request) -> Response:
        wanted = await _read(request, NewQuarantine)
        return answer(await rollouts.quarantine(_name(request), read_version(request), wanted))

    async def quarantined(request: Request) -> Response:
        return answer((await rollouts.traffic(_name(request))).quarantine)

    async def release(request: Request) -> Response:
        return answer(await rollouts.release(_name(request), read_version(request), _by(request)))

    one = f"{_MODEL}/versions/{{version}}/quarantine"
    return [
        build_route(f"{_MODEL}/traffic", traffic),
        build_route(f"{_MODEL}/traffic", set_weights, "PUT"),
        build_route(f"{_MODEL}/traffic", clear_weights, "DELETE"),
        build_route(f"{_MODEL}/quarantine", quarantined),
        build_route(one, quarantine, "POST"),
        build_route(one, release, "DELETE"),
    ]


async def _read(request: Request, question: type[_Question]) -> _Question:
    return await read_body(request, question, BODY_BYTES_MAX)


def _name(request: Request) -> str:
    return str(request.path_params["name"])


def _by(request: Request) -> str:
    """Who asks; a DELETE has no body to say it in."""
    by = request.query_params.get("by", "")
    if len(by) > BY_CHARS_MAX:
        raise HTTPException(HTTPStatus.BAD_REQUEST, f"by may have {BY_CHARS_MAX} characters at most.")
    return by
