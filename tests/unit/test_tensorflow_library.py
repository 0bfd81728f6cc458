"""Finding TensorFlow's libraries without importing it."""

from pathlib import Path

import pytest

from understudy.dataplane.tensorflow_library import LIBRARIES, find_library_dir
from understudy.errors import StartupError


def package(folder: Path, *files: str) -> Path:
    home = folder / "tensorflow"
    home.mkdir()
    for name in ("__init__.py", *files):
        (home / name).touch()
    return home


def test_a_wheel_with_its_libraries_is_found(tmp_path: Path) -> None:
    home = package(tmp_path, *LIBRARIES)
    (home / "__init__.py").write_text("raise AssertionError('imported')")
    assert find_library_dir([str(tmp_path)]) == home


def test_without_tensorflow_the_error_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match=r"pip install 'understudy\[tensorflow\]'"):
        find_library_dir([str(tmp_path)])


def test_a_package_without_the_libraries_is_refused_by_name(tmp_path: Path) -> None:
    package(tmp_path, LIBRARIES[1])
    with pytest.raises(StartupError, match=r"has no libtensorflow_cc\.so\.2;"):
        find_library_dir([str(tmp_path)])
