"""Certificates in files: TensorFlow Serving's SSLConfig, or files in PEM. Rust says whether they fit.

No error quotes what stands in a file: it may be a key.
"""

from dataclasses import dataclass

from google.protobuf import text_format

from understudy.bounded_file import read_bounded
from understudy.dataplane.options import TlsOptions
from understudy.errors import Code, ConfigError
from understudy.wire import descriptor_pool, message_class

FILE_BYTES_MAX = 1 << 20
"""Of one file: some hundred certificates."""


@dataclass(frozen=True, slots=True)
class SslConfigFile:
    """An SSLConfig in protobuf's text format, which holds everything.

    Attributes:
        path: of the file.
    """

    path: str

    @property
    def paths(self) -> tuple[str, ...]:
        """The files that are read."""
        return (self.path,)

    def read(self) -> TlsOptions:
        """What it holds now.

        Raises:
            ConfigError: it cannot be read or taken.
        """
        fields = _parse_ssl_config(_read(self.path), self.path)
        if fields.client_verify and not fields.custom_ca:
            raise _invalid(
                "client_verify asks clients for a certificate, but custom_ca names nobody who signs them; "
                "give the authority's certificate there",
                self.path,
            )
        return TlsOptions(
            certificates=fields.server_cert.encode(),
            key=fields.server_key.encode(),
            client_ca=fields.custom_ca.encode() if fields.client_verify else None,
        )


@dataclass(frozen=True, slots=True)
class PemFiles:
    """Files in PEM, each for one thing.

    Attributes:
        certificates: the server's certificate, and those between it and the root.
        key: its private key.
        client_ca: who may sign clients' certificates; none: clients are not asked for one.
    """

    certificates: str
    key: str
    client_ca: str | None = None

    @property
    def paths(self) -> tuple[str, ...]:
        """The files that are read."""
        return tuple(path for path in (self.certificates, self.key, self.client_ca) if path is not None)

    def read(self) -> TlsOptions:
        """What they hold now.

        Raises:
            ConfigError: one of them cannot be read.
        """
        return TlsOptions(
            certificates=_read(self.certificates),
            key=_read(self.key),
            client_ca=None if self.client_ca is None else _read(self.client_ca),
        )


TlsFiles = SslConfigFile | PemFiles


@dataclass(frozen=True, slots=True)
class _SslConfig:
    """The message, field by field."""

    server_key: str
    server_cert: str
    custom_ca: str
    client_verify: bool


def _parse_ssl_config(data: bytes, path: str) -> _SslConfig:
    message = message_class("tensorflow.serving.SSLConfig")()
    try:
        text_format.Parse(data, message, descriptor_pool=descriptor_pool())
    except text_format.ParseError as error:
        raise _invalid(
            "The file holds no SSLConfig in protobuf's text format",
            path,
            line=error.GetLine(),
            column=error.GetColumn(),
        ) from None  # its own text quotes the file
    except (UnicodeDecodeError, RecursionError):
        raise _invalid("The file holds no SSLConfig in protobuf's text format", path) from None
    return _SslConfig(**{name: getattr(message, name) for name in _SslConfig.__slots__})


def _read(path: str) -> bytes:
    data = read_bounded(path, FILE_BYTES_MAX, refusal="The file for TLS cannot be read", place=path)
    if len(data) > FILE_BYTES_MAX:
        raise _invalid(f"The file for TLS has more than {FILE_BYTES_MAX} bytes", path)
    return data


def _invalid(reason: str, path: str, *, line: int | None = None, column: int | None = None) -> ConfigError:
    return ConfigError(Code.INVALID_ARGUMENT, reason, path=path, line=line, column=column)
