"""Environments for other people's clients: each has its own, locked packages, made once in this clone.

`python -m tests.clients.environment` makes them all (`make python-test` does); a test that needs one which is not
there makes it then. What cannot be made fails the test: nothing is passed over in silence.
"""

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOCKS = ROOT / "requirements" / "clients"
ENVIRONMENTS = ROOT / "target" / "clients"
TIMEOUT_S = 600
NAMES = ("min-tfs-client", "ovmsclient")


def python_of(name: str) -> Path:
    """The interpreter of a client's environment, which is made if need be.

    Raises:
        AssertionError: when it cannot be made; says why.
    """
    lock = LOCKS / f"{name}.txt"
    folder = ENVIRONMENTS / f"{name}-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    if not folder.exists():
        ENVIRONMENTS.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=ENVIRONMENTS) as staging:
            made = Path(staging) / "environment"
            _uv("venv", "--python", sys.executable, str(made))
            _uv(
                "pip",
                "install",
                "--python",
                str(made / "bin" / "python"),
                "--require-hashes",
                "-r",
                str(lock),
            )
            made.rename(folder)
    return folder / "bin" / "python"


def run(name: str, script: Path, *arguments: str) -> str:
    """What a script prints in a client's environment; it must end well."""
    words = [str(python_of(name)), "-W", "ignore", str(script), *arguments]
    done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert done.returncode == 0, f"{script.name} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def _uv(*arguments: str) -> None:
    words = [sys.executable, "-m", "uv", "--quiet", *arguments]
    done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert done.returncode == 0, f"uv {' '.join(arguments)} failed:\n{done.stderr}"


if __name__ == "__main__":
    for each in NAMES:
        python_of(each)
