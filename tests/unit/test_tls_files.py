"""Certificates in files: what is read, and what is refused without a word of what stands in it."""

from pathlib import Path

import pytest

from understudy.dataplane.options import TlsOptions
from understudy.errors import Code, ConfigError
from understudy.tls_files import FILE_BYTES_MAX, PemFiles, SslConfigFile

HIDDEN = "c2VjcmV0"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "ssl.config"


def test_an_ssl_config_holds_everything(file: Path) -> None:
    file.write_text('server_key: "k\\n" "ey" server_cert: "cert" custom_ca: "ca" client_verify: true')
    assert SslConfigFile(str(file)).read() == TlsOptions(certificates=b"cert", key=b"k\ney", client_ca=b"ca")
    assert SslConfigFile(str(file)).paths == (str(file),)


def test_without_client_verify_nobody_is_asked(file: Path) -> None:
    file.write_text('server_key: "key" server_cert: "cert" custom_ca: "ca"')
    assert SslConfigFile(str(file)).read().client_ca is None


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (f'server_key: "{HIDDEN}', ":1:"),
        (f"server_cert: 'x'\n{HIDDEN}: 1", ":2:"),
        (f"{HIDDEN}", ":1:"),
        (f"server_key: {HIDDEN}", ":1:"),
        (b"\xff" + HIDDEN.encode(), ""),
    ],
)
def test_what_is_no_ssl_config_is_refused_and_not_quoted(data: str | bytes, place: str, file: Path) -> None:
    file.write_bytes(data if isinstance(data, bytes) else data.encode())
    with pytest.raises(ConfigError) as refused:
        SslConfigFile(str(file)).read()
    assert refused.value.code is Code.INVALID_ARGUMENT
    assert str(refused.value).startswith("The file holds no SSLConfig in protobuf's text format")
    assert f"{file}{place}" in str(refused.value)
    assert HIDDEN not in str(refused.value)
    assert refused.value.__cause__ is None


def test_client_verify_needs_somebody_who_signs(file: Path) -> None:
    file.write_text("client_verify: true")
    with pytest.raises(ConfigError, match="custom_ca names nobody who signs"):
        SslConfigFile(str(file)).read()


def test_pem_files_are_read_as_they_are(tmp_path: Path) -> None:
    for name in ("cert", "key", "ca"):
        (tmp_path / name).write_text(name)
    files = PemFiles(str(tmp_path / "cert"), str(tmp_path / "key"), str(tmp_path / "ca"))
    assert files.read() == TlsOptions(certificates=b"cert", key=b"key", client_ca=b"ca")
    assert len(files.paths) == 3
    assert PemFiles(str(tmp_path / "cert"), str(tmp_path / "key")).read().client_ca is None
    assert "key" not in repr(TlsOptions(certificates=b"", key=b"key"))


def test_a_file_that_cannot_be_read_or_is_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as missing:
        SslConfigFile(str(tmp_path / "none")).read()
    assert missing.value.code is Code.NOT_FOUND
    with pytest.raises(ConfigError) as folder:
        SslConfigFile(str(tmp_path)).read()
    assert "Is a directory" in str(folder.value)
    (tmp_path / "long").write_bytes(b" " * (FILE_BYTES_MAX + 1))
    with pytest.raises(ConfigError, match="more than 1048576 bytes"):
        SslConfigFile(str(tmp_path / "long")).read()
