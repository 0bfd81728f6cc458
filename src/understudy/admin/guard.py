"""Who may ask the operators' API, and who may change something by it (docs/decisions/0019)."""

import ipaddress
from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from understudy.admin.answers import answer

_READING: Final = {"GET", "HEAD"}
_WRONG_HOST: Final = "Ask for localhost, 127.0.0.1 or [::1]: the request's Host header names another host."


class LoopbackHosts:
    """Refuses requests whose Host header is not a loopback name or address."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or refuses it."""
        if scope["type"] != "http" or is_loopback_host(Headers(scope=scope).get("host", "")):
            await self._app(scope, receive, send)
            return
        await answer({"error": _WRONG_HOST}, HTTPStatus.FORBIDDEN)(scope, receive, send)


class ChangesFromHere:
    """Refuses changes that a program on this machine did not ask for itself: strangers, and web pages."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or refuses it."""
        refusal = None
        if scope["type"] == "http" and scope["method"] not in _READING:
            refusal = _refuse(scope.get("client"), Headers(scope=scope))
        if refusal is None:
            await self._app(scope, receive, send)
            return
        reason, status = refusal
        await answer({"error": reason}, status)(scope, receive, send)


def is_loopback_host(host: str) -> bool:
    """Whether a Host header names this machine's loopback."""
    name = host.rpartition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
    return name.lower().rstrip(".") == "localhost" or is_loopback_address(name)


def is_loopback_address(text: str) -> bool:
    """Whether it is an address of this machine's loopback, by IPv4, IPv6, or the one within the other."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def _refuse(peer: tuple[str, int] | None, headers: Headers) -> tuple[str, HTTPStatus] | None:
    """Why a change is refused, and the status; none when it is not."""
    if peer is None or not is_loopback_address(peer[0]):
        return "Changes are taken from this machine only; log in to it and ask there.", HTTPStatus.FORBIDDEN
    if not is_loopback_host(headers.get("host", "")):
        return _WRONG_HOST, HTTPStatus.FORBIDDEN
    if "origin" in headers:
        return "Changes are not taken from web pages: the request has an Origin header.", HTTPStatus.FORBIDDEN
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return (
            "A change needs the header Content-Type: application/json.",
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        )
    return None
