"""How commands talk to a running server: one HTTP request, and errors that say what to do."""

import ssl
from dataclasses import dataclass

import httpx

from understudy.cli.outcome import Unreachable, Unusable

TIMEOUT_S = 10.0
PORT_MAX = 65_535
_BODY_CHARS_SHOWN = 500
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, slots=True)
class ClientTls:
    """Whom a client trusts, and who it says that it is; paths of files in PEM.

    Attributes:
        ca: who may sign the server's certificate; none: who this machine trusts.
        certificate: the client's; none: it has none to show.
        key: its private key; none: it stands in the certificate's file.
    """

    ca: str | None = None
    certificate: str | None = None
    key: str | None = None

    def build_context(self) -> ssl.SSLContext:
        """What httpx takes.

        Raises:
            Unusable: when a file cannot be read or does not hold what it should.
        """
        try:
            context = ssl.create_default_context(cafile=self.ca)
            if self.certificate is not None:
                context.load_cert_chain(self.certificate, self.key)
        except OSError as error:  # ssl.SSLError is one
            reason = error.strerror or error
            raise Unusable(
                f"The files for TLS cannot be used: {reason}. Give --ca, --client-certificate and "
                "--client-key in PEM."
            ) from error
        return context


def connect(url: str, *, timeout_s: float = TIMEOUT_S, tls: ClientTls | None = None) -> httpx.Client:
    """A client for the server at a URL; a proxy of the environment is not used for this machine itself.

    Args:
        url: of the server.
        timeout_s: for each answer.
        tls: for https; none: this machine's trust.

    Raises:
        Unusable: when it is no URL of a server, or a file for TLS cannot be used.
    """
    parsed = _parse_url(url)
    is_secure = parsed.scheme == "https"  # without TLS there are no certificates to load, which takes long
    return httpx.Client(
        base_url=parsed,
        timeout=timeout_s,
        verify=tls.build_context() if is_secure and tls is not None else is_secure,
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
