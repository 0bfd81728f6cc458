"""Which runtime a version needs, by its platform and by the files in its directory."""

import os
from dataclasses import dataclass

from understudy.model_config import LITERT_PLATFORM, TENSORFLOW_PLATFORM

LITERT_FILE = "model.tflite"
"""What TensorFlow Serving looks for, too (servables/tensorflow/saved_model_bundle_factory.cc)."""

GRAPH_FILES = ("saved_model.pb", "saved_model.cpb", "saved_model.pbtxt")
"""Any of these makes a directory a SavedModel."""


@dataclass(frozen=True, slots=True)
class Runtimes:
    """How runtimes are chosen.

    Attributes:
        prefers_litert: a version of platform `tensorflow` with a model.tflite is LiteRT's.
        litert_interpreters: of one LiteRT model.
    """

    prefers_litert: bool
    litert_interpreters: int

    def choose(self, path: str, platform: str) -> str:
        """The platform whose runtime is to load what is at `path`."""
        prefers = self.prefers_litert and platform == TENSORFLOW_PLATFORM
        return LITERT_PLATFORM if prefers and _has(path, LITERT_FILE) else platform

    def litert_bytes(self, path: str) -> int | None:
        """Memory that LiteRT is expected to need for what is at `path`; none where another runtime loads it.

        The file itself is held once, and each interpreter has the weights once more, in an order of its own.
        """
        if not self.prefers_litert and any(_has(path, name) for name in GRAPH_FILES):
            return None
        try:
            size_bytes = os.stat(os.path.join(path, LITERT_FILE)).st_size  # noqa: PTH116, PTH118 (a str crosses)
        except OSError:
            return None
        return size_bytes * (1 + self.litert_interpreters)


def _has(path: str, name: str) -> bool:
    return os.path.isfile(os.path.join(path, name))  # noqa: PTH113, PTH118 (a str crosses)
