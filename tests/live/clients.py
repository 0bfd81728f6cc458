"""Both clients of Understudy behind one face, so that a test is written once: calls that wait for the answer."""

import asyncio
import inspect
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Protocol, Self, TypeAlias, cast

from understudy.client import AsyncClient, Client


class _Makes(Protocol):
    def __call__(self, address: str, **options: object) -> Client: ...


MakeClient: TypeAlias = _Makes


class AwaitedClient:
    """An AsyncClient in a thread with an event loop of its own; it is used like a Client, from any thread."""

    def __init__(self, address: str, **options: object) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._client = cast(Callable[..., AsyncClient], AsyncClient)(address, **options)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._wait(self._client.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __getattr__(self, name: str) -> object:
        member = getattr(self._client, name)
        if not inspect.iscoroutinefunction(member):
            return member
        return lambda *arguments, **keywords: self._wait(member(*arguments, **keywords))

    def _wait(self, call: Coroutine[object, object, object]) -> object:
        return asyncio.run_coroutine_threadsafe(call, self._loop).result()


MAKES: dict[str, MakeClient] = {
    "blocking": cast(MakeClient, Client),
    "asynchronous": cast(MakeClient, AwaitedClient),
}
"""How each client is made."""
