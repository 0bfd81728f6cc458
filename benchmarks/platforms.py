"""The benchmarks' model x/2 + b on the platforms that serve it: how a version of each comes into place."""

import subprocess
import sys
from pathlib import Path
from typing import Final

from benchmarks import half_plus_two_model, synthetic_model
from benchmarks.one_model import Publish
from benchmarks.rounds import Say

TENSORFLOW: Final = "tensorflow"
SYNTHETIC: Final = "synthetic"
"""Made of Rust: it does next to nothing, so that nothing is measured but the server."""
EXPORT_TIMEOUT_S: Final = 120


def publishers(folder: Path, say: Say) -> dict[str, Publish]:
    """By platform; TensorFlow's variants are exported into the folder first."""
    variants = folder / "variants"
    say("exporting the model (a TensorFlow process of its own)")
    command = [sys.executable, "-m", "benchmarks.half_plus_two_model", "--directory", str(variants)]
    subprocess.run(command, check=True, timeout=EXPORT_TIMEOUT_S, capture_output=True)

    def publish_saved_model(base_path: Path, version: int) -> None:
        half_plus_two_model.publish(variants, base_path, version)

    return {TENSORFLOW: publish_saved_model, SYNTHETIC: synthetic_model.publish}
