"""One look at a base path: which children are versions, and which of two names counts."""

from pathlib import Path

import pytest

from understudy.errors import Code
from understudy.sources.directory import describe_failure, fingerprint, list_versions, version_number


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("1", 1),
        ("42", 42),
        ("0", 0),
        ("00000123", 123),
        ("20170111173521", 20170111173521),
        ("+7", 7),
        ("-3", -3),
        (" 7 ", 7),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", None),
        ("1.0", None),
        ("1e3", None),
        ("0x10", None),
        ("1_0", None),
        ("v1", None),
        ("5.denied", None),
        ("temp-123", None),
        ("", None),
        ("٣", None),
        ("1" * 5000, None),
    ],
)
def test_a_version_is_a_decimal_64_bit_number(name: str, number: int | None) -> None:
    assert version_number(name) == number


def test_directories_are_versions_and_files_named_so_are_reported(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "2").write_text("not a model")
    (tmp_path / "notes").mkdir()
    listing = list_versions(str(tmp_path))
    assert listing.paths == {1: str(tmp_path / "1")}
    assert listing.ignored == (f"{tmp_path}/2 is named like a version but is not a directory",)


def test_of_two_names_for_one_number_the_plain_one_counts(tmp_path: Path) -> None:
    for name in ("001", "1", "0001"):
        (tmp_path / name).mkdir()
    listing = list_versions(str(tmp_path))
    assert listing.paths == {1: str(tmp_path / "1")}
    assert len(listing.ignored) == 2


def test_a_link_to_a_directory_is_a_version(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "3").symlink_to(tmp_path / "elsewhere")
    listing = list_versions(str(tmp_path))
    assert listing.paths == {3: str(tmp_path / "3")}
    assert listing.follows_links


def test_a_missing_base_path_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        list_versions(str(tmp_path / "gone"))
    failure = describe_failure(str(tmp_path / "gone"), caught.value)
    assert failure.code is Code.NOT_FOUND
    assert failure.message.startswith(f"Could not find base path {tmp_path}/gone")


def test_a_fingerprint_changes_with_a_file_at_any_depth(tmp_path: Path) -> None:
    (tmp_path / "variables").mkdir()
    before = fingerprint(str(tmp_path))
    (tmp_path / "variables" / "data").write_bytes(b"half")
    halfway = fingerprint(str(tmp_path))
    (tmp_path / "variables" / "data").write_bytes(b"all of it")
    after = fingerprint(str(tmp_path))
    assert len({before, halfway, after}) == 3
    assert fingerprint(str(tmp_path)) == after


def test_a_fingerprint_follows_links_to_files_and_survives_dead_ones(tmp_path: Path) -> None:
    target = tmp_path / "target"
    version = tmp_path / "1"
    version.mkdir()
    (version / "link").symlink_to(target)
    dead = fingerprint(str(version))
    target.write_text("here")
    assert fingerprint(str(version)) != dead
