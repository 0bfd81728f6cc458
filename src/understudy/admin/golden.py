"""The operators' API's golden examples: requests with their answers, as the next version is to ship them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Final, Protocol

from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from understudy.admin.answers import HEADERS
from understudy.admin.questions import build_route, read_body

EXAMPLES: Final = 100
EXAMPLES_MAX: Final = 1_000
"""Of one capture, and of one version."""
DURATION_S: Final = 60.0
DURATION_S_MAX: Final = 600.0
BODY_BYTES_MAX: Final = 4_096
TFRECORD: Final = "application/octet-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewGolden:
    """Which requests to keep with their answers.

    Attributes:
        count: how many, at most.
        version: answers of this version alone; none: of the one that answers requests which name none.
        duration_s: for how long; the first ones may be enough before.
        is_spread: keep requests from the whole time, each with the same chance, instead of the first ones.
    """

    count: Annotated[int, Meta(ge=1, le=EXAMPLES_MAX)] = EXAMPLES
    version: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None
    duration_s: Annotated[float, Meta(ge=0, le=DURATION_S_MAX)] = DURATION_S
    is_spread: bool = False


class GoldenRecorder(Protocol):
    """Who keeps requests. Called on the API's event loop."""

    async def record(self, model: str, wanted: NewGolden, is_gone: Callable[[], Awaitable[bool]]) -> bytes:
        """A TFRecord file of what was kept; ends early when the asker is gone.

        Raises:
            ConfigError: there is no such model or version, or somebody else records it now.
        """
        ...


def build_golden_routes(recorder: GoldenRecorder) -> list[Route]:
    """The routes; to be asked before those of models, whose names may hold slashes."""

    async def record(request: Request) -> Response:
        wanted = await read_body(request, NewGolden, BODY_BYTES_MAX)
        name = str(request.path_params["name"])
        file = await recorder.record(name, wanted, request.is_disconnected)
        return Response(file, headers=HEADERS, media_type=TFRECORD)

    return [build_route("/v1/models/{name:path}/golden", record, "POST")]
