"""How a version of each platform is brought to life. Decides nothing about versions."""

import os
import threading
from collections.abc import Callable

from understudy.dataplane.native import NativeDataPlane
from understudy.dataplane.options import LoadRequest, TensorFlowOptions, WarmupOptions
from understudy.model_config import TENSORFLOW_PLATFORM
from understudy.servable import ServableId, WarmUp

LOG_LEVEL_VARIABLE = "TF_CPP_MIN_LOG_LEVEL"
LOG_WARNINGS_UP = "1"
"""TensorFlow writes its own lines to standard error; what it merely notes does not belong among structured
ones. Whoever sets the variable decides."""


class NativeLoader:
    """Loads into the native data plane; TensorFlow is opened when a model needs it, or ahead of that."""

    def __init__(
        self,
        data_plane: NativeDataPlane,
        find_tensorflow: Callable[[], TensorFlowOptions],
        *,
        tags: tuple[str, ...],
        warmup: WarmupOptions | None,
    ) -> None:
        """Prepares a loader.

        Args:
            data_plane: where versions live.
            find_tensorflow: says where the libraries are, or raises `DataPlaneError`: not installed.
            tags: of the MetaGraphDef to load.
            warmup: how to run the requests that versions bring with them; none: leave them alone.
        """
        self._data_plane = data_plane
        self._find_tensorflow = find_tensorflow
        self._tags = tags
        self._warmup = warmup
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
                self._data_plane.open_tensorflow(self._find_tensorflow())
                self._opened = True

    def load(self, servable: ServableId, path: str, platform: str) -> WarmUp:
        """Loads one version and warms it up; it is not routed yet.

        Raises:
            DataPlaneError: it cannot be loaded, and why.
        """
        if platform == TENSORFLOW_PLATFORM:
            self.open_tensorflow()
        report = self._data_plane.load(
            LoadRequest(
                name=servable.name,
                version=servable.version,
                incarnation=servable.incarnation,
                path=path,
                platform=platform,
                tags=self._tags,
                warmup=self._warmup,
            )
        )
        return WarmUp(report.warmup_records, report.warmup_duration_s)

    def unload(self, servable: ServableId, *, drain_timeout_s: float) -> int:
        """Drains and frees one version; how many requests still held it when the time was up."""
        return self._data_plane.unload(servable, drain_timeout_s=drain_timeout_s).requests_left
