"""The store of configuration revisions: durable, bounded, for one server, and careful with what is not its own."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from understudy.errors import Code, StoreError
from understudy.store import database as database_file
from understudy.store import revisions
from understudy.store.revision import Draft, Origin, Revision, RevisionHead
from understudy.store.revisions import RevisionStore
from understudy.store.schema import APPLICATION_ID, MIGRATIONS, check_ours, migrate
from understudy.store.store import Store
from understudy.testing import ManualClock

NOON = 1_900_000_000.0
AT_NOON = ManualClock(wall_at_zero_s=NOON)
DATABASE = "state.sqlite"


def draft(text: str, origin: Origin = Origin.RPC) -> Draft:
    return Draft(origin, f"about {text}", text)


@pytest.fixture(params=["memory", "directory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RevisionStore]:
    with Store(AT_NOON, tmp_path / "state" if request.param == "directory" else None) as opened:
        yield opened.revisions


def test_revisions_are_numbered_and_read_back(store: RevisionStore) -> None:
    assert store.newest() is None
    assert store.history(10) == ()
    assert [store.record(draft("a", Origin.STARTUP)), store.record(draft("b"))] == [1, 2]
    heads = (RevisionHead(2, NOON, Origin.RPC, "about b"), RevisionHead(1, NOON, Origin.STARTUP, "about a"))
    assert store.history(10) == heads
    assert store.history(1) == heads[:1]
    assert store.newest() == Revision(heads[0], "b")
    assert store.find(1) == Revision(heads[1], "a")
    assert store.find(3) is None


def test_what_was_recorded_is_there_after_the_process_was_killed(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from understudy.clock import SystemClock;"
        "from understudy.store.store import Store;"
        "from understudy.store.revision import Draft, Origin;"
        "store = Store(SystemClock(), Path(sys.argv[1])).revisions;"
        "[print(store.record(Draft(Origin.RPC, '', f'text {n}')), flush=True) for n in range(1, 10**6)]"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, tmp_path], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        for _ in range(25):
            child.stdout.readline()
        child.kill()
        acknowledged = [int(line) for line in child.stdout.read().split()]
    assert child.returncode == -signal.SIGKILL
    with Store(AT_NOON, tmp_path) as opened:
        store = opened.revisions
        newest = store.newest()
        assert newest is not None
        assert newest.head.number >= (acknowledged[-1] if acknowledged else 25)
        assert newest.text == f"text {newest.head.number}"


@pytest.mark.parametrize(
    ("origins", "declared"),
    [
        ([], None),
        ([Origin.STARTUP], 0),
        ([Origin.STARTUP, Origin.RPC], 0),
        ([Origin.STARTUP, Origin.API, Origin.FILE, Origin.RPC], 2),
        ([Origin.RPC], None),
    ],
)
def test_the_store_knows_what_the_file_or_the_flags_said_last(
    store: RevisionStore, origins: list[Origin], declared: int | None
) -> None:
    for number, origin in enumerate(origins):
        store.record(draft(str(number), origin))
    for number in range(len(origins)):
        assert store.is_declared(str(number)) is (None if declared is None else number == declared)
    store.note_declared("something else")
    assert store.is_declared("something else") is True
    assert len(store.history(10)) == len(origins)


def test_only_so_many_revisions_are_kept_and_numbers_go_on(
    store: RevisionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revisions, "REVISIONS_MAX", 3)
    assert [store.record(draft(str(n))) for n in range(1, 6)] == [1, 2, 3, 4, 5]
    assert [head.number for head in store.history(10)] == [5, 4, 3]


def test_only_so_many_bytes_are_kept_and_the_newest_whatever_its_size(
    store: RevisionStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revisions, "TEXT_BYTES_MAX", 20)
    for size in (5, 9, 9, 500):
        store.record(draft("x" * size))
    assert [head.number for head in store.history(10)] == [4, 3, 2]
    store.record(draft("y"))
    assert [head.number for head in store.history(10)] == [5]


def test_a_directory_is_for_one_server(tmp_path: Path) -> None:
    with Store(AT_NOON, tmp_path):
        with pytest.raises(
            StoreError, match=rf"in use by another server \(process {os.getpid()}\)"
        ) as refused:
            Store(AT_NOON, tmp_path)
        assert refused.value.code is Code.UNAVAILABLE
    Store(AT_NOON, tmp_path).close()


def test_a_directory_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot be used: Not a directory.*name another one") as refused:
        Store(AT_NOON, tmp_path / "file" / "state")
    assert refused.value.code is Code.UNAVAILABLE


def damage_bytes(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[100:4096] = b"\xff" * 3996
    path.write_bytes(data)


def write_text(path: Path) -> None:
    path.write_text("Dear diary, " * 1000)


def be_another_program(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE bookmarks (url TEXT)")
    other.close()


def be_newer(path: Path) -> None:
    with sqlite3.connect(path) as newer:
        newer.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    newer.close()


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (damage_bytes, "it is damaged"),
        (write_text, "it is damaged: file is not a database"),
        (be_another_program, "it is a database of another program"),
        (be_newer, rf"its tables are of version {len(MIGRATIONS) + 1}, and this program knows"),
    ],
)
def test_what_is_damaged_or_not_ours_is_refused_and_left_as_it_is(
    harm: object, reason: str, tmp_path: Path
) -> None:
    with Store(AT_NOON, tmp_path) as opened:
        store = opened.revisions
        store.record(draft("a"))
    assert callable(harm)
    harm(tmp_path / DATABASE)
    before = (tmp_path / DATABASE).read_bytes()
    with pytest.raises(StoreError, match=reason) as refused:
        Store(AT_NOON, tmp_path)
    assert refused.value.code is Code.DATA_LOSS
    assert (tmp_path / DATABASE).read_bytes() == before
    shutil.rmtree(tmp_path)
    Store(AT_NOON, tmp_path).close()  # the lock was let go


def test_an_older_database_is_brought_to_the_present_tables(tmp_path: Path) -> None:
    with Store(AT_NOON, tmp_path) as opened:
        store = opened.revisions
        store.record(draft("a"))
    later = (*MIGRATIONS, ("CREATE TABLE events (at REAL) STRICT", "INSERT INTO events VALUES (1.5)"))
    database = sqlite3.connect(tmp_path / DATABASE, isolation_level=None)
    check_ours(database, "here", later)
    migrate(database, later)
    migrate(database, later)
    assert database.execute("SELECT at FROM events").fetchall() == [(1.5,)]
    assert database.execute("SELECT text FROM revisions").fetchall() == [("a",)]
    assert database.execute("PRAGMA user_version").fetchone() == (len(later),)
    database.close()


def test_a_migration_that_fails_changes_nothing() -> None:
    database = sqlite3.connect(":memory:", isolation_level=None)
    with pytest.raises(sqlite3.Error):
        migrate(database, (("CREATE TABLE one (x)",), ("CREATE TABLE two (x)", "NONSENSE")))
    assert database.execute("SELECT name FROM sqlite_schema").fetchall() == []
    assert database.execute("PRAGMA user_version").fetchone() == (0,)
    assert database.execute("PRAGMA application_id").fetchone() == (0,)
    migrate(database)
    assert database.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    database.close()


def test_a_full_disk_refuses_the_record_whole(tmp_path: Path) -> None:
    with Store(AT_NOON, tmp_path) as opened:
        store = opened.revisions
        store.record(draft("a", Origin.STARTUP))
        opened.database.execute("PRAGMA max_page_count = 1")  # SQLite's own way to have a full disk
        with pytest.raises(StoreError, match="could not be written, so nothing was changed") as refused:
            store.record(draft("b" * 100_000, Origin.FILE))
        assert refused.value.code is Code.RESOURCE_EXHAUSTED
        newest = store.newest()
        assert newest is not None
        assert newest.text == "a"
        assert store.is_declared("a")
        opened.database.execute("PRAGMA max_page_count = 1000000")
        assert store.record(draft("c")) == 2


def test_a_database_that_a_person_holds_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Store(AT_NOON, tmp_path).close()
    monkeypatch.setattr(database_file, "_BUSY_TIMEOUT_S", 0.0)
    person = sqlite3.connect(tmp_path / DATABASE, isolation_level=None)
    person.execute("PRAGMA locking_mode = EXCLUSIVE")
    person.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match="cannot be opened: database is locked") as refused:
        Store(AT_NOON, tmp_path)
    person.close()
    assert refused.value.code is Code.UNAVAILABLE
