"""Which runtime a version needs: by the flag, the platform, and what is in its directory."""

from pathlib import Path

import pytest

from understudy.dataplane.runtimes import Runtimes

GRAPH, FILE = "saved_model.pb", "model.tflite"
SIZE = 10
CHOICES = {
    # files, platform, preferred: runtime
    ((GRAPH, FILE), "tensorflow", False): "tensorflow",
    ((GRAPH, FILE), "tensorflow", True): "litert",
    ((GRAPH,), "tensorflow", True): "tensorflow",
    ((FILE,), "tensorflow", True): "litert",
    ((FILE,), "tensorflow", False): "tensorflow",  # which says that there is no SavedModel
    ((FILE,), "litert", False): "litert",
    ((GRAPH,), "litert", False): "litert",  # which says that there is no such file
    ((FILE,), "synthetic", True): "synthetic",
}


@pytest.mark.parametrize("case", CHOICES)
def test_the_runtime_follows_from_flag_platform_and_files(
    case: tuple[tuple[str, ...], str, bool], tmp_path: Path
) -> None:
    files, platform, prefers = case
    for name in files:
        (tmp_path / name).touch()
    runtimes = Runtimes(prefers_litert=prefers, litert_interpreters=1)
    assert runtimes.choose(str(tmp_path), platform) == CHOICES[case]


@pytest.mark.parametrize(
    ("files", "prefers", "expected"),
    [
        ((FILE,), False, 4 * SIZE),
        ((GRAPH, FILE), True, 4 * SIZE),
        ((GRAPH, FILE), False, None),
        ((GRAPH,), True, None),
        ((), True, None),
    ],
)
def test_litert_needs_the_file_once_and_once_more_for_each_interpreter(
    files: tuple[str, ...], *, prefers: bool, expected: int | None, tmp_path: Path
) -> None:
    for name in files:
        (tmp_path / name).write_bytes(bytes(SIZE))
    runtimes = Runtimes(prefers_litert=prefers, litert_interpreters=3)
    assert runtimes.litert_bytes(str(tmp_path)) == expected
