"""The memory that this process may use: the machine's, or its container's."""

from pathlib import Path

from understudy.machine import machine_memory_bytes


def test_without_a_container_it_is_the_machines(tmp_path: Path) -> None:
    assert machine_memory_bytes(()) > 2**28
    assert machine_memory_bytes((tmp_path / "none",)) == machine_memory_bytes(())


def test_a_containers_limit_counts_when_it_is_less(tmp_path: Path) -> None:
    (tmp_path / "limit").write_text("1048576\n")
    (tmp_path / "word").write_text("max\n")
    (tmp_path / "vast").write_text(f"{2**62}\n")
    limits = tuple(tmp_path / name for name in ("word", "vast", "limit"))
    assert machine_memory_bytes(limits) == 1048576
    assert machine_memory_bytes(limits[:2]) == machine_memory_bytes(())
