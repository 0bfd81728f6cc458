"""Compressed REST answers on a live server: who gets one, and that it is the same answer."""

import gzip
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import requests
from urllib3.util import SKIP_HEADER

from tests.live.drop_in import drop_in, here
from tests.live.process import LiveServer

pytestmark = pytest.mark.slow

ROWS = {"instances": [index / 7 for index in range(5_000)]}
"""Answered with some 50 KB."""
PLAIN_HEADERS = {"content-type", "content-length", "date", "x-understudy-version"}
"""Those of TensorFlow Serving, and which version answered."""


def configure(folder: Path) -> Path:
    """A config file with one synthetic model."""
    version = folder / "m" / "1"
    version.mkdir(parents=True)
    (version / "synthetic.json").write_text("{}")
    config = folder / "models.config"
    config.write_text(
        f'model_config_list {{ config {{ name: "m" base_path: "{folder / "m"}" model_platform: "synthetic" }} }}'
    )
    return config


def start(folder: Path, *flags: str) -> LiveServer:
    """A server of that model."""
    return LiveServer(f"--model-config-file={configure(folder)}", *flags)


@pytest.fixture(scope="module")
def compressing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with start(tmp_path_factory.mktemp("compressing")) as server:
        yield server


def ask(server: LiveServer, body: object, **headers: str) -> tuple[Mapping[str, str], bytes]:
    """Headers and bytes of an answer as they came; the client says nothing of encodings and unfolds nothing."""
    plain = {"Accept-Encoding": SKIP_HEADER} | headers
    answer = requests.post(
        f"http://{here(server.rest)}/v1/models/m:predict", json=body, headers=plain, timeout=30, stream=True
    )
    assert answer.status_code == requests.codes.ok
    return answer.headers, answer.raw.read(decode_content=False)


def test_a_client_that_takes_gzip_gets_the_same_answer_shorter(compressing: LiveServer) -> None:
    headers, plain = ask(compressing, ROWS)
    assert set(headers) == PLAIN_HEADERS
    headers, folded = ask(compressing, ROWS, **{"Accept-Encoding": "br, gzip;q=0.5"})
    assert (headers["content-encoding"], headers["vary"]) == ("gzip", "Accept-Encoding")
    assert headers["content-type"] == "application/json"
    assert len(folded) == int(headers["content-length"]) < len(plain) * 3 / 4
    assert gzip.decompress(folded) == plain


def test_a_client_that_would_rather_not_is_heard(compressing: LiveServer) -> None:
    headers, plain = ask(compressing, ROWS, **{"Accept-Encoding": "gzip;q=0.1, identity"})
    assert "content-encoding" not in headers
    assert headers["vary"] == "Accept-Encoding"
    assert len(json.loads(plain)["predictions"]) == len(ROWS["instances"])


def test_a_short_answer_goes_as_it_is(compressing: LiveServer) -> None:
    headers, plain = ask(compressing, {"instances": [1.0]}, **{"Accept-Encoding": "gzip"})
    assert set(headers) == PLAIN_HEADERS
    assert json.loads(plain) == {"predictions": [2.5]}


def test_it_can_be_turned_off(tmp_path: Path) -> None:
    with start(tmp_path, "--no-rest-compression") as server:
        headers, _ = ask(server, ROWS, **{"Accept-Encoding": "gzip"})
        assert set(headers) == PLAIN_HEADERS


@pytest.mark.parametrize(("flags", "is_folded"), [((), False), (("--rest_api_enable_compression",), True)])
def test_the_drop_in_compresses_when_it_is_told_to(
    tmp_path: Path,
    flags: tuple[str, ...],
    is_folded: bool,  # noqa: FBT001 - a case
) -> None:
    with drop_in(f"--model_config_file={configure(tmp_path)}", *flags) as server:
        headers, _ = ask(server, ROWS, **{"Accept-Encoding": "gzip"})
        assert ("content-encoding" in headers) is is_folded
