"""Golden examples from one version to the next: recorded from live traffic, shipped, checked, asked by a rollout."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.live.asking import predict, predict_by_grpc
from tests.live.exports import Exports, config_text, model_text, synthetic_text
from tests.live.process import CONSOLE_SCRIPTS, LiveServer

pytestmark = pytest.mark.slow

RECORDS = Path("assets.extra", "understudy_golden.tfrecord")
LINES = Path("assets.extra", "understudy_golden.jsonl")
UNDERSTUDY = str(CONSOLE_SCRIPTS / "understudy")


@dataclass(frozen=True, slots=True)
class Done:
    """What a command said."""

    code: int
    out: str
    err: str


def run(*words: object) -> Done:
    command = [UNDERSTUDY, *map(str, words)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=os.environ)
    return Done(done.returncode, done.stdout, done.stderr)


def export(folder: Path, version: int, /, lines: str = "", **members: object) -> Path:
    path = folder / "export"
    (path / LINES).parent.mkdir(parents=True)
    (path / "synthetic.json").write_text(synthetic_text(version, **members))
    if lines:
        (path / LINES).write_text(lines)
    return path


def check(path: Path, *flags: str) -> Done:
    return run("golden", "check", path, "--platform=synthetic", *flags)


def record(server: LiveServer, target: Path, *flags: str) -> Done:
    """Records while clients ask through both doors."""
    words = ["golden", "record", "m", "-o", str(target), "--admin-url", f"http://{server.admin}", *flags]
    recorder = subprocess.Popen(
        [UNDERSTUDY, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    )
    x = 0
    while recorder.poll() is None:
        assert predict(server, "m", x).status_code == 200
        assert predict_by_grpc(server, "m", x + 0.5)[0] == "OK"
        x = (x + 1) % 10
    out, err = recorder.communicate()
    return Done(recorder.returncode, out, err)


def test_what_a_version_answered_is_recorded_shipped_and_asked_of_the_next(tmp_path: Path) -> None:
    exports = Exports(tmp_path / "m")
    exports.synthetic(1, version=None)
    alike = export(tmp_path / "alike", 1, version=None)
    other = export(tmp_path / "other", 3, version=None)
    config = tmp_path / "models.config"
    config.write_text(config_text(model_text("m", exports.base_path)))
    with LiveServer(f"--model-config-file={config}", "--poll-interval=0") as server:
        recorded = record(server, alike, "--count=20")
        assert recorded.code == 0, recorded.err
        assert recorded.out == f"20 examples in {alike / RECORDS}\n"
        again = record(server, alike)
        assert (again.code, again.err) == (
            1,
            f"Error: {alike / RECORDS} is there already; --force replaces it.\n",
        )
        spread = record(server, tmp_path / "spread.tfrecord", "--count=3", "--duration=1")
        assert spread.out == f"3 examples in {tmp_path / 'spread.tfrecord'}\n"
        nobody = run(
            "golden", "record", "m", "-o", tmp_path / "none", "--wait=0.1",
            "--admin-url", f"http://{server.admin}",
        )  # fmt: skip
        assert nobody.code == 1
        assert "No request of m was answered in 0.1 s; nothing was written." in nobody.err
        assert not (tmp_path / "none").exists()
    shown = run("golden", "show", alike / RECORDS)
    assert shown.out.count(" m version 1 serving_default predict_log\n") == 20
    good = check(alike)
    assert good.code == 0, good.out
    assert good.out.startswith("20 of 20 golden examples are reproduced.\nThe slowest, record ")
    (other / RECORDS).write_bytes((alike / RECORDS).read_bytes())
    bad = check(other)
    assert bad.code == 1
    assert bad.out.startswith("0 of 20 golden examples are reproduced.\n  record ")
    assert "understudy_golden.tfrecord: output y: " in bad.out
    assert "  and 15 more\n" in bad.out
    assert check(other, "--absolute=2").code == 0


def test_publishing_refuses_an_export_that_does_not_reproduce_its_examples(tmp_path: Path) -> None:
    lines = '{"name": "nought", "inputs": 0, "outputs": {"y": 4}}\n'
    path, base = export(tmp_path, 3, lines), tmp_path / "base"
    words = ["publish", path, "--platform=synthetic", "--model=m", "--base-path", base]
    words += ["--admin-url=http://127.0.0.1:1"]
    refused = run(*words)
    assert refused.code == 1
    assert "does not reproduce 1 of its 1 golden examples" in refused.err
    assert "line 1 of understudy_golden.jsonl (nought): output y: 3 instead of 4 at []" in refused.err
    assert not base.exists()
    assert run(*words, "--skip-golden").code == 0
    published = run(*words, "--absolute=1.5")
    assert "It reproduces its golden examples: 1." in published.out
    assert (base / "2" / LINES).read_text() == lines


@pytest.mark.parametrize(
    ("lines", "flags", "text"),
    [
        ("", [], "It brings no golden examples: there is no assets.extra/understudy_golden.tfrecord"),
        (
            '{"inputs": 0, "outputs": {"y": 3}}',
            ["--latency-budget=0.001"],
            "more than the budget of 0.001 s.",
        ),
        ("{", [], "line 1 of understudy_golden.jsonl: INVALID_ARGUMENT: it is no JSON"),
    ],
)
def test_a_check_says_what_is_wrong_and_ends_with_1(
    tmp_path: Path, lines: str, flags: list[str], text: str
) -> None:
    done = check(export(tmp_path, 3, lines, run_ms=5), *flags)
    assert done.code == 1
    assert text in done.out


def test_a_check_answers_in_json_and_a_damaged_file_is_an_error(tmp_path: Path) -> None:
    path = export(tmp_path, 3, '{"inputs": 0, "outputs": {"y": 3}}')
    told = json.loads(check(path, "--json").out)
    assert (told["examples"], told["mismatched"], told["worst"]) == (1, 0, [])
    (path / RECORDS).write_bytes(b"damaged")
    done = check(path)
    assert done.code == 1
    assert "cannot be asked its golden examples: record 1 of understudy_golden.tfrecord" in done.err


def test_lines_are_shown_by_their_names_and_what_is_none_is_said(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text('{"name": "a", "inputs": 1, "outputs": 2}\n\nno json\n[1]\n')
    done = run("golden", "show", file)
    assert done.code == 1
    assert done.out == '# line 1 (a)\n{"inputs": 1, "outputs": 2}\n\n'
    assert done.err.startswith("# line 3 is no JSON: ")
    assert done.err.endswith("# line 4 is no object\n")
