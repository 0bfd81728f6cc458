"""How a version of each platform is brought to life. Decides nothing about versions."""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass

from understudy.dataplane.native import NativeDataPlane
from understudy.dataplane.options import (
    BatchingOptions,
    LiteRtOptions,
    LoadRequest,
    TensorFlowOptions,
    WarmupOptions,
)
from understudy.dataplane.runtimes import Runtimes
from understudy.model_config import LITERT_PLATFORM, TENSORFLOW_PLATFORM
from understudy.servable import ServableId, WarmUp

LOG_LEVEL_VARIABLE = "TF_CPP_MIN_LOG_LEVEL"
LOG_WARNINGS_UP = "1"
"""TensorFlow writes its own lines to standard error; what it merely notes does not belong among structured
ones. Whoever sets the variable decides."""


@dataclass(frozen=True, slots=True)
class Libraries:
    """Which runtime a version needs, where the runtimes' libraries are, and how they run.

    Attributes:
        runtimes: which of them a version needs.
        find_tensorflow: says it of TensorFlow's, or raises `DataPlaneError`: not installed.
        find_litert: says it of LiteRT's, likewise.
    """

    runtimes: Runtimes
    find_tensorflow: Callable[[], TensorFlowOptions]
    find_litert: Callable[[], LiteRtOptions]


ChooseBatching = Callable[[str], BatchingOptions | None]
"""How the version in a directory is batched; none: not at all. May raise `DataPlaneError`: the load fails."""


def do_not_batch(_path: str) -> None:
    """Leaves every request to itself."""


class NativeLoader:
    """Loads into the native data plane; a library is opened when a model needs it, or ahead of that."""

    def __init__(
        self,
        data_plane: NativeDataPlane,
        libraries: Libraries,
        *,
        tags: tuple[str, ...],
        warmup: WarmupOptions | None,
        choose_batching: ChooseBatching = do_not_batch,
    ) -> None:
        """Prepares a loader.

        Args:
            data_plane: where versions live.
            libraries: what it opens, and when.
            tags: of the MetaGraphDef to load.
            warmup: how to run the requests that versions bring with them; none: leave them alone.
            choose_batching: asked for each version as it is loaded.
        """
        self._data_plane = data_plane
        self._libraries = libraries
        self._tags = tags
        self._warmup = warmup
        self._choose_batching = choose_batching
        self._opening = threading.Lock()
        self._opened = False

    def open_tensorflow(self) -> None:
        """Opens the libraries once (half a second); later calls return at once.

        Raises:
            DataPlaneError: they are not installed, or cannot be opened.
        """
        with self._opening:
            if not self._opened:
                os.environ.setdefault(LOG_LEVEL_VARIABLE, LOG_WARNINGS_UP)
                self._data_plane.open_tensorflow(self._libraries.find_tensorflow())
                self._opened = True

    def load(self, servable: ServableId, path: str, platform: str) -> WarmUp:
        """Loads one version and warms it up; it is not routed yet.

        Raises:
            DataPlaneError: it cannot be loaded, and why.
        """
        platform = self._libraries.runtimes.choose(path, platform)
        if platform == TENSORFLOW_PLATFORM:
            self.open_tensorflow()
        if platform == LITERT_PLATFORM:
            self._data_plane.open_litert(self._libraries.find_litert())
        report = self._data_plane.load(
            LoadRequest(
                name=servable.name,
                version=servable.version,
                incarnation=servable.incarnation,
                path=path,
                platform=platform,
                tags=self._tags,
                warmup=self._warmup,
                batching=self._choose_batching(path),
            )
        )
        return WarmUp(report.warmup_records, report.warmup_duration_s)

    def unload(self, servable: ServableId, *, drain_timeout_s: float) -> int:
        """Drains and frees one version; how many requests still held it when the time was up."""
        return self._data_plane.unload(servable, drain_timeout_s=drain_timeout_s).requests_left
