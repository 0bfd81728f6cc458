"""Certificates renewed while the server runs: read again when their files have changed, or on SIGHUP.

What cannot be used is refused whole, and said once: handshakes go on with what was there before.
"""

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from understudy import telemetry
from understudy.dataplane.options import TlsOptions
from understudy.errors import ConfigError, DataPlaneError, UnderstudyError
from understudy.priority import yield_to_requests
from understudy.tls_files import TlsFiles

POLL_INTERVAL_S = 1.0
"""Between two looks at the files. What has changed is read when two looks saw the same: certificate and key
are written one after the other."""

_Stamp = tuple[int, int, int, int] | None
"""Device, inode, time of change and size of what a path leads to; none when that is nothing."""


class Renewing(Protocol):
    """Who uses certificates: the data plane."""

    def renew_tls(self, *, grpc: TlsOptions | None, rest: TlsOptions | None) -> None:
        """Uses these from the next handshake on, or raises DataPlaneError and keeps what it has."""


@dataclass(frozen=True, slots=True)
class Certificates:
    """What the doors use.

    Attributes:
        grpc: of gRPC; none: it has no TLS.
        rest: of REST; none: it has no TLS.
    """

    grpc: TlsOptions | None
    rest: TlsOptions | None


class CertificateReader:
    """Looks at the files on a thread of its own, and reads them when told to."""

    def __init__(
        self, grpc: TlsFiles | None, rest: TlsFiles | None, *, in_force: Certificates, doors: Renewing
    ) -> None:
        """Prepares.

        Args:
            grpc: where gRPC's certificates are; none: it has no TLS.
            rest: the same for REST.
            in_force: what was read from there at the start.
            doors: who uses them.
        """
        self._grpc = grpc
        self._rest = rest
        self._doors = doors
        self._guard = threading.Lock()
        self._in_force = in_force
        self._judged: tuple[_Stamp, ...] = ()
        self._seen: tuple[_Stamp, ...] = ()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begins to look."""
        self._thread = threading.Thread(target=self._run, name="certificates", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Ends looking; harmless when it never began."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def reload(self, cause: str) -> None:
        """Uses what the files hold now; the log says what came of it."""
        with self._guard:
            self._judged = self._look()
            self._apply(cause, says_unchanged=True)

    def poll(self) -> None:
        """Uses what the files hold, if they have changed and rest."""
        with self._guard:
            before, self._seen = self._seen, self._look()
            if self._seen == self._judged or self._seen != before:
                return
            self._judged = self._seen
            self._apply("the files changed", says_unchanged=False)

    def _run(self) -> None:
        yield_to_requests()
        self.poll()
        while not self._stopping.wait(POLL_INTERVAL_S):
            self.poll()

    def _look(self) -> tuple[_Stamp, ...]:
        files = (self._grpc, self._rest)
        return tuple(_stamp(path) for each in files if each is not None for path in each.paths)

    def _apply(self, cause: str, *, says_unchanged: bool) -> None:
        log = telemetry.get_logger()
        before = self._in_force
        refusal = self._renew()
        if refusal is not None:
            log.error("certificates_refused", cause=cause, reason=f"{refusal}; those of before stay in use")
        elif self._in_force != before:
            log.info("certificates_renewed", cause=cause)
        elif says_unchanged:
            log.info("certificates_unchanged", cause=cause)

    def _renew(self) -> UnderstudyError | None:
        """Why they cannot be used; none when they are."""
        try:
            found = Certificates(
                grpc=None if self._grpc is None else self._grpc.read(),
                rest=None if self._rest is None else self._rest.read(),
            )
            if found != self._in_force:
                self._doors.renew_tls(grpc=found.grpc, rest=found.rest)
        except (ConfigError, DataPlaneError) as error:
            return error
        self._in_force = found
        return None


def _stamp(path: str) -> _Stamp:
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size
