"""Certificates read again: what has changed and rests is used, what cannot be used changes nothing."""

import os
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest

from tests.live.certificates import Authority, Pair
from understudy import telemetry
from understudy.dataplane.native import NativeDataPlane
from understudy.dataplane.options import DataPlaneOptions
from understudy.server.certificates import CertificateReader, Certificates
from understudy.tls_files import PemFiles

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> list[Pair]:
    authority = Authority(tmp_path_factory.mktemp("certificates"), "servers")
    return [authority.sign(name) for name in ("first", "second")]


@pytest.fixture
def log() -> Iterator[StringIO]:
    stream = StringIO()
    telemetry.configure(stream=stream)
    yield stream
    telemetry.configure()


class Files:
    """The files of a data plane with TLS at one door, and who reads them again."""

    def __init__(self, folder: Path, pair: Pair, log: StringIO) -> None:
        self.certificate, self.key = folder / "tls.crt", folder / "tls.key"
        self._log = log
        self.put(pair)
        files = PemFiles(str(self.certificate), str(self.key))
        held = files.read()
        plane = NativeDataPlane(DataPlaneOptions(grpc_address=None, rest_address=None, grpc_tls=held))
        self.reader = CertificateReader(files, None, in_force=Certificates(held, None), doors=plane)

    def put(self, pair: Pair) -> None:
        self.certificate.write_bytes(pair.certificate.read_bytes())
        self.key.write_bytes(pair.key.read_bytes())

    def told(self) -> str:
        """What the log said since it was asked last."""
        text = self._log.getvalue()
        self._log.seek(0)
        self._log.truncate()
        return text


@pytest.fixture
def files(tmp_path: Path, pairs: list[Pair], log: StringIO) -> Files:
    return Files(tmp_path, pairs[0], log)


def test_files_that_did_not_change_are_never_told_of(files: Files) -> None:
    for _ in range(4):
        files.reader.poll()
    assert files.told() == ""


def test_a_change_is_used_when_two_looks_saw_it(files: Files, pairs: list[Pair]) -> None:
    files.reader.poll()
    files.put(pairs[1])
    files.reader.poll()
    assert files.told() == ""
    files.reader.poll()
    assert '"event": "certificates_renewed"' in files.told()
    files.reader.poll()
    assert files.told() == ""


def test_a_pair_that_does_not_fit_is_refused_once_and_used_when_it_does(
    files: Files, pairs: list[Pair]
) -> None:
    files.certificate.write_bytes(pairs[1].certificate.read_bytes())
    for _ in range(3):
        files.reader.poll()
    told = files.told()
    assert told.count("certificates_refused") == 1
    assert "the server key does not belong to the certificate; those of before stay in use" in told
    files.key.write_bytes(pairs[1].key.read_bytes())
    for _ in range(3):
        files.reader.poll()
    assert files.told().count("certificates_renewed") == 1


def test_a_file_that_is_gone_is_refused_and_its_return_is_no_news(files: Files) -> None:
    beside = files.key.with_suffix(".beside")
    files.key.rename(beside)
    for _ in range(3):
        files.reader.poll()
    assert files.told().count("cannot be read: No such file or directory") == 1
    beside.rename(files.key)
    for _ in range(3):
        files.reader.poll()
    assert files.told() == ""


def test_links_are_followed_as_orchestrators_turn_them(
    files: Files, pairs: list[Pair], tmp_path: Path
) -> None:
    for number, pair in enumerate(pairs):
        folder = tmp_path / f"data{number}"
        folder.mkdir()
        (folder / "tls.crt").write_bytes(pair.certificate.read_bytes())
        (folder / "tls.key").write_bytes(pair.key.read_bytes())
    for path in (files.certificate, files.key):
        path.unlink()
        path.symlink_to(tmp_path / "..data" / path.name)

    def turn(number: int) -> None:
        (tmp_path / "next").symlink_to(tmp_path / f"data{number}")
        os.replace(tmp_path / "next", tmp_path / "..data")  # noqa: PTH105 - what orchestrators do

    turn(0)
    for _ in range(3):
        files.reader.poll()
    assert files.told() == ""
    turn(1)
    for _ in range(3):
        files.reader.poll()
    assert files.told().count("certificates_renewed") == 1


def test_when_told_to_it_reads_at_once_and_always_says_so(files: Files, pairs: list[Pair]) -> None:
    files.reader.reload("SIGHUP")
    assert '"event": "certificates_unchanged"' in files.told()
    files.put(pairs[1])
    files.reader.reload("SIGHUP")
    assert '"event": "certificates_renewed"' in files.told()
    files.key.write_text("no key")
    for _ in range(2):
        files.reader.reload("SIGHUP")
    assert files.told().count("certificates_refused") == 2
