"""A client that asks one model over REST, over and over, and notes when a version first answered."""

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmarks import half_plus_two_messages as messages
from benchmarks.server_process import ServerFailedError

PAUSE_S = 0.0005
"""Between an answer and the next question: leaves the server the cores; what is noted is late by as much."""
TIMEOUT_S = 10.0


class Asking:
    """When the answer changed. An answer tells which version made it (half_plus_two_model.py)."""

    def __init__(self, outputs: Callable[[int], list[float]]) -> None:
        self._outputs = outputs
        self._changed = threading.Condition()
        self._wanted: list[float] | None = None
        self._seen_at = 0.0
        self._failure: Exception | None = None
        self.answers = 0

    @contextmanager
    def going_on(self, address: str) -> Iterator[None]:
        """Asks for as long as the context lasts."""
        stopped = threading.Event()
        thread = threading.Thread(target=self._ask_until, args=(address, stopped))
        thread.start()
        try:
            yield
        finally:
            stopped.set()
            thread.join()

    def expect(self, version: int) -> None:
        """From now on, look for this version's answer."""
        with self._changed:
            self._wanted, self._seen_at = self._outputs(version), 0.0

    def wait(self, timeout_s: float) -> float:
        """When the answer came, in seconds since 1970."""
        with self._changed:
            self._changed.wait_for(lambda: self._seen_at or self._failure, timeout_s)
            if not self._seen_at:
                raise ServerFailedError(f"no answer of the new version in {timeout_s:g} s: {self._failure}")
            return self._seen_at

    def _ask_until(self, address: str, stopped: threading.Event) -> None:
        connection = http.client.HTTPConnection(address, timeout=TIMEOUT_S)
        body = messages.rest_body()
        try:
            while not stopped.wait(PAUSE_S):
                connection.request("POST", messages.REST_PATH, body)
                answer = connection.getresponse()
                text, at = answer.read(), time.time()
                if answer.status != http.HTTPStatus.OK:
                    raise ServerFailedError(f"answered with {answer.status}: {text!r}")  # noqa: TRY301
                self._note(json.loads(text)["predictions"], at)
        except Exception as error:  # noqa: BLE001 - raised again on the thread that waits
            with self._changed:
                self._failure = error
                self._changed.notify()
        finally:
            connection.close()

    def _note(self, predictions: list[float], at: float) -> None:
        with self._changed:
            self.answers += 1
            if predictions == self._wanted and not self._seen_at:
                self._seen_at = at
                self._changed.notify()
