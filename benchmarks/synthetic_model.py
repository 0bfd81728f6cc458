"""Versions of models made of Rust, for what is not about TensorFlow: each answers as its number says."""

import json
import os
from pathlib import Path

from benchmarks.half_plus_two_model import offset


def publish(base_path: Path, version: int, **members: float) -> None:
    """Puts a version into place whole: written beside, then renamed."""
    incoming = base_path.parent / f"incoming-{base_path.name}-{version}"
    write(incoming, version, **members)
    base_path.mkdir(parents=True, exist_ok=True)
    os.rename(incoming, base_path / str(version))  # noqa: PTH104 - the system call is the point


def write(directory: Path, version: int, **members: float) -> None:
    """Writes what the synthetic platform loads: x/2 + b, with the b of the version, and these members."""
    directory.mkdir(parents=True)
    text = json.dumps({"a": 0.5, "b": offset(version), **members})
    (directory / "synthetic.json").write_text(text, encoding="utf-8")
