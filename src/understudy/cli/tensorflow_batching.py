"""What `tensorflow_model_server`'s flags of batching ask for: TensorFlow Serving's checks, in its order."""

from understudy.batching_parameters import BatchingParameters, BatchingSettings, read_batching_parameters
from understudy.cli.tensorflow_syntax import FlagValues
from understudy.dataplane.options import BatchingOptions
from understudy.errors import Code, StartupError


def build_batching(values: FlagValues) -> tuple[BatchingSettings | None, int]:
    """How to batch, if at all, and by how many threads (0: as many as there are cores).

    Raises:
        StartupError: INVALID_ARGUMENT when there is a file of parameters and no batching.
        ConfigError: when the file cannot be taken.
    """
    file = values.text("batching_parameters_file")
    if not values.boolean("enable_batching"):
        if file:
            raise StartupError(
                "server_options.batching_parameters_file is set without setting "
                "server_options.enable_batching to true.",
                code=Code.INVALID_ARGUMENT,
            )
        return None, 0
    said = read_batching_parameters(file) if file else BatchingParameters(options=BatchingOptions())
    by_version = values.boolean("enable_per_model_batching_parameters")
    return BatchingSettings(options=None if by_version else said.options), said.threads
