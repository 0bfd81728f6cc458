"""A whole control plane in this process: real parts, real models on disk, the operators' API; no doors."""

from io import StringIO
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from tests.live.exports import Exports, config_text, model_text
from understudy import telemetry
from understudy.admin.listener import AdminServer
from understudy.clock import SystemClock
from understudy.config_text import parse_config_text
from understudy.dataplane.options import DataPlaneOptions
from understudy.model_config import ServerConfig
from understudy.server.build import build_parts
from understudy.server.state import build_first_order
from understudy.server_options import ServeOptions
from understudy.store.store import Store

TIMEOUT_S = 20.0


class ControlPlane:
    """Serves model m, version 1, to nobody; models n and team/ads wait on disk. A context manager."""

    def __init__(self, folder: Path, *, admin_host: str = "127.0.0.1") -> None:
        self.exports = {name: Exports(folder / name) for name in ("m", "n", "team/ads")}
        for exports in self.exports.values():
            exports.synthetic(1)
        self._admin_host = admin_host
        self._clock = SystemClock()

    def text(self, *names: str) -> str:
        """A configuration with these models."""
        return config_text(*(model_text(name, self._base_path(name)) for name in names))

    def __enter__(self) -> Self:
        telemetry.configure(stream=StringIO())
        options = ServeOptions(
            models=parse_config_text(self.text("m")) or ServerConfig(),
            data_plane=DataPlaneOptions(grpc_address=None, rest_address=None),
            load_retries_max=0,
            poll_interval_s=0.0,  # one look for each configuration: no retry by chance
        )
        self.store = Store(self._clock)
        self._parts = build_parts(options, self._clock, self.store)
        first = build_first_order(options, self.store.revisions, waits_for_retries=False)
        self._parts.loop.order(first)
        self._parts.loop.start(self._parts.source, self._parts.effects, self._parts.validations)
        self._parts.source.start()
        assert first.answer.result(TIMEOUT_S).unavailable == ()
        self._admin = AdminServer(
            self._parts.view,
            self._admin_host,
            operator=self._parts.operator,
            golden=self._parts.golden,
        )
        self.address = self._admin.start()
        self.url = f"http://{self.address}"
        self.api = httpx.Client(
            base_url=f"http://127.0.0.1:{self.address.rpartition(':')[2]}",
            trust_env=False,
            timeout=TIMEOUT_S,
            headers={"content-type": "application/json"},
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.api.close()
        self._admin.stop()
        self._parts.source.stop(TIMEOUT_S)
        self._parts.loop.stop(TIMEOUT_S)
        self._parts.effects.stop()
        self._parts.validations.stop()
        self.store.close()
        telemetry.configure()

    def stop_loop(self) -> None:
        """From now on nobody takes orders."""
        self._parts.loop.stop(TIMEOUT_S)

    def _base_path(self, name: str) -> Path:
        """A model that has no exports has no directory either."""
        return self.exports[name].base_path if name in self.exports else Path("/nowhere") / name
