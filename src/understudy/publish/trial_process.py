"""The process in which an export is loaded on trial: `python -m understudy.publish.trial_process`.

Reads a `Trial` from standard input, answers a `Refusal` or null on standard output. Decides nothing.
"""

import sys

import msgspec

from understudy.dataplane.litert_library import find_litert_dir
from understudy.dataplane.loaders import Libraries, NativeLoader
from understudy.dataplane.native import NativeDataPlane
from understudy.dataplane.options import DataPlaneOptions, LiteRtOptions, TensorFlowOptions, WarmupOptions
from understudy.dataplane.runtimes import Runtimes
from understudy.dataplane.tensorflow_library import find_library_dir
from understudy.errors import DataPlaneError, StartupError
from understudy.publish.trial import Refusal, Trial
from understudy.servable import ServableId


def load(trial: Trial) -> Refusal | None:
    """Loads it and warms it up; why not."""
    plane = NativeDataPlane(DataPlaneOptions(grpc_address=None, rest_address=None))
    loader = NativeLoader(
        plane,
        Libraries(
            runtimes=Runtimes(prefers_litert=False, litert_interpreters=1),
            find_tensorflow=lambda: TensorFlowOptions(library_dir=str(find_library_dir())),
            find_litert=lambda: LiteRtOptions(library_dir=str(find_litert_dir()), interpreters=1),
        ),
        tags=trial.tags,
        warmup=WarmupOptions(),
    )
    try:
        loader.load(ServableId("export", 1), trial.path, trial.platform)
    except (DataPlaneError, StartupError) as error:
        return Refusal(int(error.code), error.message)
    return None


if __name__ == "__main__":
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Trial)
    sys.stdout.buffer.write(msgspec.json.encode(load(asked)))
