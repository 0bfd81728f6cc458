"""What `make` says before it builds anything, when something that it needs is missing."""

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "check-prerequisites"


def check(folder: Path, **present: str) -> subprocess.CompletedProcess[str]:
    """Runs the check where only these programs exist, each a script with this body."""
    for name, body in present.items():
        program = folder / name
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(0o755)
    return subprocess.run(
        ["/bin/bash", str(SCRIPT)],
        env={"PATH": str(folder)},
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_everything_there_is_silence(tmp_path: Path) -> None:
    done = check(tmp_path, python3="exit 0", cargo="exit 0", cc="exit 0")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("present", "part"),
    [
        ({"python3": "exit 0", "cc": "exit 0"}, "cargo was not found"),
        ({"python3": "exit 0", "cargo": "exit 0"}, "No C compiler"),
        ({"cargo": "exit 0", "cc": "exit 0"}, "python3 was not found"),
        ({"python3": "exit 1", "cargo": "exit 0", "cc": "exit 0"}, "3.11 or newer is needed"),
    ],
)
def test_what_is_missing_is_named_with_what_to_do(present: dict[str, str], part: str, tmp_path: Path) -> None:
    done = check(tmp_path, **present)
    assert done.returncode == 1
    assert part in done.stderr
    assert len(done.stderr.splitlines()) == 2
