"""Finding LiteRT's library without importing it."""

from pathlib import Path

import pytest

from understudy.dataplane.litert_library import LIBRARY, find_litert_dir
from understudy.errors import StartupError


def package(folder: Path, *files: str) -> Path:
    home = folder / "ai_edge_litert"
    home.mkdir()
    for name in ("__init__.py", *files):
        (home / name).touch()
    return home


def test_a_wheel_with_its_library_is_found(tmp_path: Path) -> None:
    home = package(tmp_path, LIBRARY)
    (home / "__init__.py").write_text("raise AssertionError('imported')")
    assert find_litert_dir([str(tmp_path)]) == home


def test_without_litert_the_error_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match=r"pip install 'understudy\[litert\]'"):
        find_litert_dir([str(tmp_path)])


def test_a_package_without_the_library_is_refused_by_name(tmp_path: Path) -> None:
    package(tmp_path)
    with pytest.raises(StartupError, match=r"has no libLiteRt\.so;"):
        find_litert_dir([str(tmp_path)])
