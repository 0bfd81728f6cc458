"""How commands talk to a running server: one HTTP request, and errors that say what to do."""

import httpx

from understudy.cli.outcome import Unreachable, Unusable

TIMEOUT_S = 10.0
PORT_MAX = 65_535
_BODY_CHARS_SHOWN = 500
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def connect(url: str, *, timeout_s: float = TIMEOUT_S) -> httpx.Client:
    """A client for the server at a URL; a proxy of the environment is not used for this machine itself.

    Raises:
        Unusable: when it is no URL of a server.
    """
    parsed = _parse_url(url)
    return httpx.Client(
        base_url=parsed,
        timeout=timeout_s,
        verify=parsed.scheme == "https",  # without TLS there are no certificates to load, which takes long
        mounts={f"all://{host}": None for host in _LOOPBACK},  # none: no proxy
    )


def _parse_url(text: str) -> httpx.URL:
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError) as error:
        raise Unusable(f"{text!r} is no URL: {error}") from error
    if url.scheme not in {"http", "https"} or not url.host or (url.port or 0) > PORT_MAX:
        raise Unusable(f"{text!r} is no URL of a server; give one like http://127.0.0.1:8502.")
    return url


def send(client: httpx.Client, request: httpx.Request, *, hint: str) -> httpx.Response:
    """The server's answer, whatever it is.

    Args:
        client: from `connect`.
        request: to send.
        hint: what to do when there is no server at the address.

    Raises:
        Unreachable: when there is none in time.
    """
    try:
        return client.send(request)
    except httpx.TimeoutException as error:
        raise Unreachable(f"The server at {client.base_url} did not answer in time. {hint}") from error
    except httpx.TransportError as error:
        reason = str(error) or type(error).__name__
        raise Unreachable(f"No server answers at {client.base_url} ({reason}). {hint}") from error


def unexpected(response: httpx.Response) -> Unreachable:
    """The answer is not what an Understudy server says at this address."""
    body = response.text[:_BODY_CHARS_SHOWN].strip()
    return Unreachable(
        f"{response.url} answered {response.status_code}, which is not what this command understands: {body}"
    )
