"""The process in which an export is loaded on trial: `python -m understudy.publish.trial_process`.

Reads a `Trial` from standard input, answers an `Outcome` on standard output. Decides nothing.
"""

import sys

import msgspec

from understudy.control.validating import read_report
from understudy.dataplane.litert_library import find_litert_dir
from understudy.dataplane.loaders import Libraries, NativeLoader
from understudy.dataplane.native import NativeDataPlane
from understudy.dataplane.options import (
    DataPlaneOptions,
    LiteRtOptions,
    TensorFlowOptions,
    ValidateRequest,
    WarmupOptions,
)
from understudy.dataplane.runtimes import Runtimes
from understudy.dataplane.tensorflow_library import find_library_dir
from understudy.errors import DataPlaneError, StartupError
from understudy.publish.trial import Outcome, Refusal, Trial
from understudy.servable import ServableId

EXPORT = ServableId("export", 1)


def run(trial: Trial) -> Outcome:
    """Loads it, warms it up, and asks it its golden examples."""
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
        loader.load(EXPORT, trial.path, trial.platform)
    except (DataPlaneError, StartupError) as error:
        return Outcome(Refusal(int(error.code), f"cannot be loaded: {error.message}"))
    if trial.tolerance is None:
        return Outcome()
    request = ValidateRequest(path=trial.path, tolerance=trial.tolerance, timeout_s=trial.timeout_s)
    try:
        return Outcome(golden=read_report(plane.validate(EXPORT, request)))
    except DataPlaneError as error:
        return Outcome(Refusal(int(error.code), f"cannot be asked its golden examples: {error.message}"))


if __name__ == "__main__":
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Trial)
    sys.stdout.buffer.write(msgspec.json.encode(run(asked)))
