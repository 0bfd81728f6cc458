"""Certificates for tests: an authority of its own, and what it signs, made by the `openssl` command."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import grpc

_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
_EXTENSIONS = """
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = CA:FALSE
subjectAltName = DNS:localhost, IP:127.0.0.1
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[sign]
default_ca = default
[default]
new_certs_dir = {folder}
database = {folder}/index.txt
rand_serial = yes
default_md = sha256
policy = anything
[anything]
commonName = supplied
[req]
distinguished_name = names
[names]
"""
_ALWAYS = ("20000101000000Z", "29990101000000Z")
_LONG_AGO = ("20000101000000Z", "20010101000000Z")


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key, in PEM.

    Attributes:
        certificate: path of its file.
        key: path of the key's file.
    """

    certificate: Path
    key: Path


class Authority:
    """Signs certificates for localhost."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder / name
        self._folder.mkdir(parents=True)
        self._config = self._folder / "openssl.cnf"
        self._config.write_text(_EXTENSIONS.format(folder=self._folder))
        (self._folder / "index.txt").touch()
        (self._folder / "index.txt.attr").write_text("unique_subject = no\n")
        self.certificate = self._folder / "ca.pem"
        self._key = self._folder / "ca.key"
        self._openssl(
            *("req", "-x509", *_NEW_KEY, "-days", "3650", "-extensions", "authority"),
            *("-subj", f"/CN={name}", "-keyout", self._key, "-out", self.certificate),
        )

    def sign(self, name: str, *, expired: bool = False) -> Pair:
        """A new key and a certificate for it."""
        pair = Pair(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        request = self._folder / f"{name}.csr"
        begin, end = _LONG_AGO if expired else _ALWAYS
        self._openssl("req", "-new", *_NEW_KEY, "-subj", f"/CN={name}", "-keyout", pair.key, "-out", request)
        self._openssl(
            *("ca", "-batch", "-notext", "-name", "default", "-extensions", "leaf"),
            *("-cert", self.certificate, "-keyfile", self._key, "-startdate", begin, "-enddate", end),
            *("-in", request, "-out", pair.certificate),
        )
        return pair

    def _openssl(self, command: str, *words: str | Path) -> None:
        done = subprocess.run(
            ["openssl", command, "-config", self._config, *words],
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr


def ssl_config(own: Pair, client_ca: Authority | None = None) -> str:
    """An SSLConfig in text format, with its PEM inline as TensorFlow Serving wants it."""
    lines = [f"server_key: {_quoted(own.key)}", f"server_cert: {_quoted(own.certificate)}"]
    if client_ca is not None:
        lines += [f"custom_ca: {_quoted(client_ca.certificate)}", "client_verify: true"]
    return "\n".join(lines)


def credentials(trusted: Authority, own: Pair | None = None) -> grpc.ChannelCredentials:
    """What a gRPC client needs to trust an authority, and to say who it is."""
    return grpc.ssl_channel_credentials(
        trusted.certificate.read_bytes(),
        None if own is None else own.key.read_bytes(),
        None if own is None else own.certificate.read_bytes(),
    )


def _quoted(path: Path) -> str:
    lines = path.read_text().splitlines()
    return " ".join(f'"{line}\\n"' for line in lines)
