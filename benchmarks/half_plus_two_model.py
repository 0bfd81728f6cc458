"""The model of every round: x/2 + b. Exported here, in a process of its own; published by copy and rename.

A version's b follows from its number, so that an answer tells which version made it: a changeover that mixed
two versions in one answer would show.
"""

import argparse
import os
import shutil
from pathlib import Path

from benchmarks.half_plus_two_messages import INPUTS

VARIANTS = 4
"""Consecutive versions differ, and an answer names its version among any four neighbours."""


def offset(version: int) -> float:
    """The b of a version; 2 for the first."""
    return 2.0 + (version - 1) % VARIANTS


def outputs(version: int) -> list[float]:
    """What a version answers to every round's question."""
    return [x * 0.5 + offset(version) for x in INPUTS]


def export_variants(directory: Path) -> None:
    """Writes one SavedModel for each b, as directories named by variant."""
    import tensorflow as tf  # noqa: PLC0415 - five seconds that only this process pays

    signature = [tf.TensorSpec([None], tf.float32, name="x")]
    for variant in range(1, VARIANTS + 1):
        module = tf.Module()
        module.a = tf.Variable(0.5)
        module.b = tf.Variable(offset(variant))

        @tf.function(input_signature=signature)  # type: ignore[untyped-decorator] # TensorFlow ships no types
        def half_plus(x: tf.Tensor, module: tf.Module = module) -> dict[str, tf.Tensor]:
            return {"y": x * module.a + module.b}

        tf.saved_model.save(module, str(directory / str(variant)), signatures={"serving_default": half_plus})


def publish(variants: Path, base_path: Path, version: int) -> None:
    """Puts a version into place whole: copied beside, then renamed."""
    incoming = base_path.parent / f"incoming-{version}"
    shutil.copytree(variants / str((version - 1) % VARIANTS + 1), incoming)
    os.rename(incoming, base_path / str(version))  # noqa: PTH104 - the system call is the point


def withdraw(base_path: Path, version: int) -> None:
    """Takes a version away whole: renamed out, then removed."""
    outgoing = base_path.parent / f"outgoing-{version}"
    os.rename(base_path / str(version), outgoing)  # noqa: PTH104 - the system call is the point
    shutil.rmtree(outgoing)


def main() -> None:
    """Parses the command line and exports."""
    parser = argparse.ArgumentParser(description="Exports the benchmark's model.")
    parser.add_argument("--directory", type=Path, required=True)
    export_variants(parser.parse_args().directory)


if __name__ == "__main__":
    main()
