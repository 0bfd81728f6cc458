"""Publishing into a base path: what is refused, what is put there, and what crowds and kills leave behind."""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from google.protobuf import json_format

from understudy.errors import Code, PublishError
from understudy.publish import PublishOptions, Reference, publish, rename, staging
from understudy.publish.export import read_export
from understudy.publish.placing import Placing, place
from understudy.wire import message_class

pytestmark = pytest.mark.slow  # nearly each loads an export in a process of its own

SYNTHETIC = PublishOptions(platform="synthetic")
PUBLISHERS, EACH = 8, 5
KILLS = 100


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """A synthetic model, with files and a directory beside its own."""
    return write_export(tmp_path / "export")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    path = tmp_path / "models" / "m"
    path.parent.mkdir()
    return path


def write_export(path: Path, **members: object) -> Path:
    (path / "assets" / "deep").mkdir(parents=True)
    (path / "synthetic.json").write_text(json.dumps(members))
    (path / "assets" / "words").write_text("apple\npear\n")
    (path / "assets" / "deep" / "empty").write_bytes(b"")
    return path


def contents(path: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()
    }


def names(base: Path) -> list[str]:
    return sorted(path.name for path in base.iterdir() if path.name != staging.LOCK_FILE)


def refusal(call: Callable[[], object]) -> PublishError:
    with pytest.raises(PublishError) as caught:
        call()
    return caught.value


def write_graph(path: Path, dtype: str, *, tags: tuple[str, ...] = ("serve",)) -> Path:
    """A saved_model.pb that says its signature and has no graph."""
    message = message_class("tensorflow.SavedModel")()
    text = {
        "metaGraphs": [
            {
                "metaInfoDef": {"tags": list(tags)},
                "signatureDef": {
                    "serving_default": {
                        "inputs": {"x": {"dtype": dtype, "tensorShape": {"dim": [{"size": "-1"}]}}},
                        "methodName": "tensorflow/serving/predict",
                    }
                },
            }
        ]
    }
    json_format.ParseDict(text, message)
    path.mkdir(parents=True)
    (path / "saved_model.pb").write_bytes(message.SerializeToString())
    return path


def test_the_first_version_is_1_and_the_next_is_one_more_than_the_highest_name(
    export: Path, base: Path
) -> None:
    first = publish(export, base_path=base, options=SYNTHETIC)
    assert (first.version, first.path, first.files) == (1, str(base / "1"), 3)
    assert contents(base / "1") == contents(export)
    (base / "0041").write_text("a file takes a number too")
    assert publish(export, base_path=base, options=SYNTHETIC).version == 42
    assert names(base) == ["0041", "1", "42"]


def test_permissions_are_those_of_the_export(export: Path, base: Path) -> None:
    export.chmod(0o750)
    (export / "synthetic.json").chmod(0o640)
    publish(export, base_path=base, options=SYNTHETIC)
    assert (base / "1").stat().st_mode & 0o777 == 0o750
    assert (base / "1" / "synthetic.json").stat().st_mode & 0o777 == 0o640


def test_a_number_that_is_wanted_must_be_free(export: Path, base: Path) -> None:
    options = PublishOptions(platform="synthetic", version=7)
    assert publish(export, base_path=base, options=options).version == 7
    error = refusal(lambda: publish(export, base_path=base, options=options))
    assert error.code is Code.ALREADY_EXISTS
    (base / "7").rename(base / "007")
    assert refusal(lambda: publish(export, base_path=base, options=options)).code is Code.ALREADY_EXISTS
    assert names(base) == ["007"]


def test_a_dry_run_says_the_number_and_changes_nothing(export: Path, base: Path) -> None:
    options = PublishOptions(platform="synthetic", dry_run=True)
    assert publish(export, base_path=base, options=options).version == 1
    assert not base.exists()
    publish(export, base_path=base, options=SYNTHETIC)
    assert publish(export, base_path=base, options=options).version == 2
    assert names(base) == ["1"]


def test_a_move_takes_the_export_away_in_one_step(export: Path, base: Path) -> None:
    inode, whole = export.stat().st_ino, contents(export)
    publish(export, base_path=base, options=PublishOptions(platform="synthetic", move=True))
    assert not export.exists()
    assert (base / "1").stat().st_ino == inode
    assert contents(base / "1") == whole


def test_a_move_to_another_file_system_copies_and_then_removes(
    export: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = contents(export)
    real = rename._renameat2  # noqa: SLF001 - the edge of the world

    def refuse_across(source: Path, target: Path) -> int:
        return errno.EXDEV if source == export else real(source, target)

    monkeypatch.setattr(rename, "_renameat2", refuse_across)
    publish(export, base_path=base, options=PublishOptions(platform="synthetic", move=True))
    assert not export.exists()
    assert contents(base / "1") == whole
    assert names(base) == ["1"]


def test_a_version_is_not_moved_from_its_own_base_path(export: Path, base: Path) -> None:
    publish(export, base_path=base, options=SYNTHETIC)
    moving = PublishOptions(platform="synthetic", move=True)
    assert "copy it instead" in refusal(lambda: publish(base / "1", base_path=base, options=moving)).message
    assert publish(base / "1", base_path=base, options=SYNTHETIC).version == 2


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS])
def test_where_no_rename_is_exclusive_a_name_that_is_taken_is_seen_first(
    export: Path, base: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(rename, "_renameat2", lambda *_: number)
    assert publish(export, base_path=base, options=SYNTHETIC).version == 1
    (base / "2").mkdir()
    with pytest.raises(FileExistsError):
        rename.rename_exclusively(base / "1", base / "2")
    assert publish(export, base_path=base, options=SYNTHETIC).version == 3


def test_a_rename_never_replaces_an_empty_directory(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with pytest.raises(FileExistsError):
        rename.rename_exclusively(tmp_path / "a", tmp_path / "b")
    assert names(tmp_path) == ["a", "b"]


def test_an_export_that_changes_meanwhile_is_refused(export: Path, base: Path) -> None:
    def write_on(copied: int, total: int) -> None:
        del copied, total
        (export / "assets" / "late").write_text("one more file")

    options = PublishOptions(platform="synthetic", progress=write_on)
    error = refusal(lambda: publish(export, base_path=base, options=options))
    assert error.code is Code.ABORTED
    assert names(base) == []


def test_a_number_that_somebody_else_takes_meanwhile_is_left_to_them(export: Path, base: Path) -> None:
    def take(copied: int, total: int) -> None:
        del copied, total
        (base / "1").mkdir(exist_ok=True)

    options = PublishOptions(platform="synthetic", progress=take)
    assert publish(export, base_path=base, options=options).version == 2
    assert contents(base / "1") == {}


def test_what_does_not_fit_is_not_begun(export: Path, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.statvfs(export)
    full = os.statvfs_result([*real[:4], 0, *real[5:]])
    monkeypatch.setattr(os, "statvfs", lambda _: full)
    error = refusal(lambda: publish(export, base_path=base, options=SYNTHETIC))
    assert error.code is Code.RESOURCE_EXHAUSTED
    assert names(base) == []


def missing(export: Path) -> None:
    (export / "synthetic.json").unlink()


def link(export: Path) -> None:
    (export / "latest").symlink_to(export / "assets")


def pipe(export: Path) -> None:
    os.mkfifo(export / "pipe")


def broken(export: Path) -> None:
    (export / "synthetic.json").write_text(json.dumps({"fail_load": "these weights are cursed"}))


def unwarmable(export: Path) -> None:
    (export / "assets.extra").mkdir()
    (export / "assets.extra" / "tf_serving_warmup_requests").write_bytes(b"no records")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (missing, "it has no synthetic.json"),
        (link, "is a symbolic link"),
        (pipe, "neither a file nor a directory"),
        (broken, "these weights are cursed"),
        (unwarmable, "tf_serving_warmup_requests"),
    ],
)
def test_a_broken_export_is_refused_with_nothing_in_the_base_path(
    export: Path, base: Path, spoil: Callable[[Path], None], words: str
) -> None:
    spoil(export)
    assert words in refusal(lambda: publish(export, base_path=base, options=SYNTHETIC)).message
    assert not base.exists()


def test_what_cannot_be_meant_is_refused(export: Path, base: Path, tmp_path: Path) -> None:
    def words(path: Path, target: Path, options: PublishOptions = SYNTHETIC) -> str:
        return refusal(lambda: publish(path, base_path=target, options=options)).message

    assert "is not a directory" in words(tmp_path / "nowhere", base)
    assert "is not there: make it" in words(export, tmp_path / "no" / "such" / "place")
    assert "inside the export" in words(export, export / "models")
    assert "no platform 'torch'" in words(export, base, PublishOptions(platform="torch"))
    assert "is no number" in words(export, base, PublishOptions(platform="synthetic", version=-1))


def test_a_version_whose_clients_would_miss_something_is_refused_before_it_is_loaded(
    tmp_path: Path, base: Path
) -> None:
    write_graph(base / "3", "DT_FLOAT")
    (base / "4").mkdir()  # broken, and so no measure
    candidate = write_graph(tmp_path / "candidate", "DT_INT64")
    message = refusal(lambda: publish(candidate, base_path=base)).message
    assert "version 3" in message
    assert "input x takes DT_INT64 [?], took DT_FLOAT [?]" in message
    assert names(base) == ["3", "4"]


def test_a_reference_that_cannot_be_read_is_no_proof_that_clients_miss_nothing(
    tmp_path: Path, base: Path
) -> None:
    options = PublishOptions(reference=Reference(3, str(base / "3"), "serves now"))
    candidate = write_graph(tmp_path / "candidate", "DT_INT64")
    message = refusal(lambda: publish(candidate, base_path=base, options=options)).message
    assert "version 3 cannot be compared with" in message


@pytest.mark.parametrize(
    ("tags", "content", "words"),
    [
        (("serve", "gpu"), None, "no graph with the tags serve; there is: serve, gpu"),
        (("serve",), b"\xff\xff\xff", "is damaged"),
    ],
)
def test_a_graph_that_cannot_be_read_is_refused(
    tmp_path: Path, base: Path, tags: tuple[str, ...], content: bytes | None, words: str
) -> None:
    candidate = write_graph(tmp_path / "candidate", "DT_FLOAT", tags=tags)
    if content is not None:
        (candidate / "saved_model.pb").write_bytes(content)
    assert words in refusal(lambda: publish(candidate, base_path=base)).message


def test_a_load_that_takes_too_long_is_refused(tmp_path: Path, base: Path) -> None:
    slow = write_export(tmp_path / "slow", load_ms=60_000)
    options = PublishOptions(platform="synthetic", load_timeout_s=0.5)
    assert refusal(lambda: publish(slow, base_path=base, options=options)).code is Code.DEADLINE_EXCEEDED


def test_a_load_that_ends_its_process_is_told_with_its_last_words(
    export: Path, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interpreter = tmp_path / "interpreter"
    interpreter.write_text("#!/bin/sh\necho 'Check failed: graph' >&2\nkill -ABRT $$\n")
    interpreter.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(interpreter))
    message = refusal(lambda: publish(export, base_path=base, options=SYNTHETIC)).message
    assert "SIGABRT" in message
    assert "Check failed: graph" in message


def test_a_publisher_that_lives_is_not_cleaned_up_by_another(export: Path, base: Path) -> None:
    seen: list[int] = []

    def publish_another(copied: int, total: int) -> None:
        del copied, total
        if not seen:
            seen.append(0)
            other = place(read_export(export, "synthetic"), Placing(base_path=base, platform="synthetic"))
            seen.append(other.version)

    options = PublishOptions(platform="synthetic", progress=publish_another)
    assert publish(export, base_path=base, options=options).version == 2
    assert seen == [0, 1]
    assert names(base) == ["1", "2"]


def test_a_crowd_of_publishers_loses_no_export_and_takes_no_number_twice(tmp_path: Path, base: Path) -> None:
    script = (
        "import sys; from understudy.publish import *\n"
        f"for number in range({EACH}):\n"
        "    export = f'{sys.argv[1]}-{number}'\n"
        "    publish(export, base_path=sys.argv[2], options=PublishOptions(platform='synthetic'))\n"
    )
    for publisher in range(PUBLISHERS):
        for number in range(EACH):
            write_export(tmp_path / f"export-{publisher}-{number}", version=publisher * EACH + number)

    def run(publisher: int) -> int:
        export = tmp_path / f"export-{publisher}"
        return subprocess.run([sys.executable, "-c", script, export, base], check=False).returncode

    with ThreadPoolExecutor(PUBLISHERS) as pool:
        assert set(pool.map(run, range(PUBLISHERS))) == {0}
    numbers = range(1, PUBLISHERS * EACH + 1)
    assert names(base) == sorted(map(str, numbers))
    found = [json.loads(contents(base / str(number))["synthetic.json"])["version"] for number in numbers]
    assert sorted(found) == list(range(PUBLISHERS * EACH))
    assert all(len(contents(base / str(number))) == 3 for number in numbers)


class Killer:
    """Starts publishers that are killed."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.live.killed_publisher"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def publish(self, export: Path, base: Path, *, move: bool, at: int) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        asked = {"export": str(export), "base_path": str(base), "move": move, "at": at}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()

    def end(self) -> None:
        self._process.communicate(timeout=20)


@pytest.fixture
def killer() -> Iterator[Killer]:
    killer = Killer()
    yield killer
    killer.end()


@pytest.mark.parametrize("move", [False, True], ids=["copied", "moved"])
def test_a_publisher_that_is_killed_at_any_moment_leaves_a_whole_version_or_none(
    tmp_path: Path,
    killer: Killer,
    move: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    (tmp_path / "models").mkdir()
    moments = int(
        killer.publish(write_export(tmp_path / "first"), tmp_path / "models" / "first", move=move, at=0)
    )
    assert moments > KILLS
    for kill in range(KILLS):
        export, base = write_export(tmp_path / f"export-{kill}"), tmp_path / "models" / str(kill)
        whole = contents(export)
        at = 1 + kill * (moments - 1) // (KILLS - 1)
        assert killer.publish(export, base, move=move, at=at) == "killed"
        numbered = list(base.glob("[0-9]*")) if base.exists() else []
        assert [contents(path) for path in numbered] in ([], [whole])
        assert [path for path in (export, *numbered) if path.exists() and contents(path) == whole]
        again = export if export.exists() else write_export(export)
        placed = place(read_export(again, "synthetic"), Placing(base_path=base, platform="synthetic"))
        assert placed.version == len(numbered) + 1
        assert names(base) == [str(number + 1) for number in range(placed.version)]
