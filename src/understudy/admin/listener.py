"""The operators' API on a port: one thread with its own event loop, beside everything else."""

import ipaddress
import socket
import threading

import uvicorn
from starlette.applications import Starlette

from understudy.admin.app import build_app
from understudy.admin.golden import GoldenRecorder
from understudy.admin.operator import Operator
from understudy.admin.view import AdminView
from understudy.errors import Code, StartupError

CONNECTIONS_MAX = 100
HEADERS_BYTES_MAX = 16 * 1024
IDLE_TIMEOUT_S = 5
STOP_TIMEOUT_S = 5
BACKLOG = 128
LOOPBACK = "127.0.0.1"


class AdminServer:
    """Serves the API from `start` to `stop`."""

    def __init__(
        self,
        view: AdminView,
        host: str = LOOPBACK,
        port: int = 0,
        *,
        operator: Operator | None = None,
        golden: GoldenRecorder | None = None,
    ) -> None:
        """Prepares a server.

        Args:
            view: whom the API asks.
            host: a name or an address to listen on; when it is a loopback address, only requests that name
                the loopback are answered.
            port: 0 picks a free one.
            operator: who takes changes; none: the API only reads.
            golden: who keeps requests with their answers; none: nobody.
        """
        self._view = view
        self._operator = operator
        self._golden = golden
        self._host = host
        self._port = port
        self._running: tuple[uvicorn.Server, threading.Thread, socket.socket] | None = None

    def start(self) -> str:
        """Begins to listen; the bound `host:port`.

        Raises:
            StartupError: when the address cannot be bound.
        """
        bound = self._bind()
        loopback = ipaddress.ip_address(bound.getsockname()[0]).is_loopback
        app = build_app(self._view, self._operator, loopback_only=loopback, golden=self._golden)
        server = uvicorn.Server(_build_config(app))
        thread = threading.Thread(target=server.run, args=([bound],), name="admin-api", daemon=True)
        self._running = server, thread, bound
        thread.start()
        return _describe(bound)

    def stop(self) -> None:
        """Closes the port and waits, a few seconds at most, for answers under way."""
        if self._running is None:
            return
        server, thread, bound = self._running
        self._running = None
        server.should_exit = True
        thread.join(timeout=2 * STOP_TIMEOUT_S)
        bound.close()

    def _bind(self) -> socket.socket:
        """A socket that listens, so that a client may connect from here on."""
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(
                self._host, self._port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            bound = socket.socket(family, kind, protocol)
        except OSError as error:
            raise self._cannot_bind(error) from error
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
            bound.listen(BACKLOG)
        except OSError as error:
            bound.close()
            raise self._cannot_bind(error) from error
        return bound

    def _cannot_bind(self, error: OSError) -> StartupError:
        return StartupError(
            f"The operators' API cannot listen on {self._host}:{self._port}: {error.strerror}. "
            "Choose another admin port, or turn the API off.",
            code=Code.UNAVAILABLE,
        )


def _build_config(app: Starlette) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=CONNECTIONS_MAX,
        h11_max_incomplete_event_size=HEADERS_BYTES_MAX,
        timeout_keep_alive=IDLE_TIMEOUT_S,
        timeout_graceful_shutdown=STOP_TIMEOUT_S,
    )


def _describe(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
