"""Requests of a live server, kept with their answers for whoever makes golden examples of them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from understudy.admin.golden import NewGolden
from understudy.clock import Clock
from understudy.control.desk import Desk
from understudy.dataplane.native import NativeDataPlane
from understudy.dataplane.options import CaptureOptions
from understudy.errors import Code, ConfigError, DataPlaneError
from understudy.routing import ModelRoute

LOOK_EVERY_S: Final = 0.1


class LiveGoldenRecorder:
    """Takes requests out of the data plane; a few answers at once wait for it, and no thread."""

    def __init__(self, clock: Clock, desk: Desk, data_plane: NativeDataPlane) -> None:
        self._clock = clock
        self._desk = desk
        self._data_plane = data_plane

    async def record(self, model: str, wanted: NewGolden, is_gone: Callable[[], Awaitable[bool]]) -> bytes:
        """A TFRecord file of what was kept; ends early when the asker is gone.

        Raises:
            ConfigError: there is no such model or version, or somebody else records it now.
        """
        options = CaptureOptions(
            records=wanted.count, version=self._choose(model, wanted), is_spread=wanted.is_spread
        )
        try:
            capture = self._data_plane.capture(model, options)
        except DataPlaneError as error:
            raise ConfigError(error.code, error.message) from error
        try:
            deadline = self._clock.now() + wanted.duration_s
            while self._clock.now() < deadline and not await is_gone():
                if capture.records >= wanted.count and not wanted.is_spread:
                    break
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            file = capture.finish()
        return file

    def _choose(self, model: str, wanted: NewGolden) -> int:
        route = self._desk.picture.table.routes.get(model)
        if route is None:
            raise ConfigError(Code.NOT_FOUND, f"There is no model {model}; `understudy models` lists all")
        version = route.default_version if wanted.version is None else wanted.version
        if version is None or version not in route.ready_versions:
            raise ConfigError(Code.NOT_FOUND, _nobody_answers(route, wanted.version))
        return version


def _nobody_answers(route: ModelRoute, version: int | None) -> str:
    ready = ", ".join(map(str, route.ready_versions)) or "none"
    what = "No version" if version is None else f"Version {version}"
    verb = "answers" if version is None else "does not answer"
    return f"{what} of {route.name} {verb}; these do: {ready}"
