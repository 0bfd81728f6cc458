"""Reload calls one after the other from a process of its own, which says when each is acknowledged.

Run as a script it is that process. The server may be killed at any moment; the process outlives it.
"""

import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

CALL_TIMEOUT_S = 10.0
RELOAD = "/tensorflow.serving.ModelService/HandleReloadConfigRequest"


class ReloadCaller:
    """Calls servers that are about to be killed; a context manager."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=30)

    def begin(self, address: str, requests: list[bytes]) -> None:
        """Begins to make these calls, in order; returns just before the first."""
        assert self._process.stdin is not None
        order = {"address": address, "requests": [request.hex() for request in requests]}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        assert self._read() == "begun"

    def count(self) -> int:
        """How many were acknowledged, once a call has failed."""
        acknowledged = 0
        while (word := self._read()) == "acknowledged":
            acknowledged += 1
        assert word == "failed"
        return acknowledged

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().rstrip("\n")


def _call_servers() -> None:
    import grpc  # noqa: PLC0415 - slow, and for the process alone

    for line in sys.stdin:
        order = json.loads(line)
        with grpc.insecure_channel(order["address"]) as channel:
            grpc.channel_ready_future(channel).result(CALL_TIMEOUT_S)
            call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(RELOAD)
            _say("begun")
            try:
                for request in order["requests"]:
                    call(bytes.fromhex(request), timeout=CALL_TIMEOUT_S)
                    _say("acknowledged")
            except grpc.RpcError:
                pass
            _say("failed")


def _say(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _call_servers()
