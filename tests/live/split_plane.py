"""The data plane with its doors open in this process, and a model `m` whose traffic a test splits."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from understudy.dataplane.native import NativeDataPlane
from understudy.dataplane.options import DataPlaneOptions, LoadRequest
from understudy.routing import LabelRoute, ModelRoute, ReadyVersion, RouteUpdate, VersionStatus
from understudy.routing.traffic import Traffic
from understudy.servable import ServableId

STOP_S = 10.0
DRAIN_S = 30.0


@dataclass
class SplitPlane:
    """A context manager; versions are synthetic, and answer with their number.

    Attributes:
        folder: for the versions.
        grpc: address, once the context is entered.
        rest: the same.
    """

    folder: Path
    grpc: str = ""
    rest: str = ""
    _generation: int = 0
    _plane: NativeDataPlane = field(init=False)

    def __enter__(self) -> Self:
        door = "127.0.0.1:0"
        self._plane = NativeDataPlane(DataPlaneOptions(grpc_address=door, rest_address=door))
        addresses = self._plane.serve()
        self.grpc, self.rest = str(addresses.grpc), str(addresses.rest)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._plane.stop(drain_timeout_s=STOP_S)

    def load(self, *versions: int) -> None:
        """Loads these versions: y = x + the number. A run fails where x is 13."""
        for version in versions:
            path = self.folder / str(version)
            path.mkdir(exist_ok=True)
            members = {"a": 1.0, "b": version, "version": version, "fail_on": 13.0, "examples": True}
            (path / "synthetic.json").write_text(json.dumps(members))
            self._plane.load(LoadRequest(name="m", version=version, path=str(path), platform="synthetic"))

    def unload(self, version: int) -> None:
        """Waits for its last request."""
        assert self._plane.unload(ServableId("m", version), drain_timeout_s=DRAIN_S).requests_left == 0

    def publish(self, ready: tuple[int, ...], traffic: Traffic | None) -> None:
        """Routes these versions, 1 by default and as `stable`."""
        self._generation += 1
        route = ModelRoute(
            name="m",
            ready=tuple(ReadyVersion(version) for version in ready),
            default_version=1,
            labels=(LabelRoute("stable", 1),),
            statuses=tuple(VersionStatus(version, 30, 0, "") for version in reversed(ready)),
            traffic=traffic,
        )
        self._plane.publish(RouteUpdate(self._generation, (route,), ()))
