"""The table of flags beside TensorFlow Serving's own: names, types, defaults, and which error comes first."""

from pathlib import Path

import pytest

from understudy.cli.tensorflow_flags import FLAGS, FlagType, FlagValue
from understudy.cli.tensorflow_model_server import serve_command_line
from understudy.server_options import ServeOptions

INT32, INT64, FLOAT, BOOL, STRING = FlagType

STOCK_FLAGS: dict[str, tuple[FlagType, FlagValue]] = {
    "port": (INT32, 8500),
    "grpc_socket_path": (STRING, ""),
    "rest_api_port": (INT32, 0),
    "rest_api_timeout_in_ms": (INT32, 30_000),
    "rest_api_enable_cors_support": (BOOL, False),
    "enable_batching": (BOOL, False),
    "batching_parameters_file": (STRING, ""),
    "enable_per_model_batching_parameters": (BOOL, False),
    "allow_version_labels_for_unavailable_models": (BOOL, False),
    "model_config_file": (STRING, ""),
    "model_config_file_poll_wait_seconds": (INT32, 0),
    "model_name": (STRING, "default"),
    "model_base_path": (STRING, ""),
    "num_load_threads": (INT32, 0),
    "num_unload_threads": (INT32, 0),
    "max_num_load_retries": (INT32, 5),
    "load_retry_interval_micros": (INT64, 60_000_000),
    "file_system_poll_wait_seconds": (INT32, 1),
    "flush_filesystem_caches": (BOOL, True),
    "tensorflow_session_parallelism": (INT64, 0),
    "tensorflow_intra_op_parallelism": (INT64, 0),
    "tensorflow_inter_op_parallelism": (INT64, 0),
    "tensorflow_session_config_file": (STRING, ""),
    "per_process_gpu_memory_fraction": (FLOAT, 0.0),
    "use_alts_credentials": (BOOL, False),
    "ssl_config_file": (STRING, ""),
    "platform_config_file": (STRING, ""),
    "saved_model_tags": (STRING, "serve"),
    "grpc_channel_arguments": (STRING, ""),
    "enable_model_warmup": (BOOL, True),
    "num_request_iterations_for_warmup": (INT32, 0),
    "version": (BOOL, False),
    "monitoring_config_file": (STRING, ""),
    "remove_unused_fields_from_bundle_metagraph": (BOOL, True),
    "prefer_tflite_model": (BOOL, False),
    "num_tflite_interpreters_per_pool": (INT32, 1),
    "enable_signature_method_name_check": (BOOL, False),
    "xla_cpu_compilation_enabled": (BOOL, False),
    "xla_gpu_compilation_enabled": (BOOL, False),
    "enable_profiler": (BOOL, True),
    "thread_pool_factory_config_file": (STRING, ""),
    "mixed_precision": (STRING, ""),
    "skip_initialize_tpu": (BOOL, False),
    "enable_grpc_healthcheck_service": (BOOL, False),
    "enable_serialization_as_tensor_content": (BOOL, False),
}
"""As TensorFlow Serving 2.21 has them (model_servers/main.cc)."""

FROM_CORES: dict[str, FlagType] = {
    "rest_api_num_threads": INT32,
    "grpc_max_threads": INT32,
    "num_tflite_pools": INT32,
}
"""Those whose default it computes from the machine's cores. They have no effect here, and our default is 0."""

MODEL = "--model_base_path=/models/digits"
NO_PORT = "At least one of server_options.grpc_port or server_options.grpc_socket_path must be set."
TWO_CREDENTIALS = "Either use_alts_credentials must be false or ssl_config_file must be empty."
NO_MODEL = "Both server_options.model_base_path and server_options.model_config_file are empty!"
NO_BATCHING = (
    "server_options.batching_parameters_file is set without setting server_options.enable_batching to true."
)
THREE_KINDS = (
    "Either configure server_options.tensorflow_session_parallelism or "
    "(server_options.tensorflow_intra_op_parallelism, server_options.tensorflow_inter_op_parallelism) "
    "separately. You cannot configure all."
)
PORT_0 = ("--port=0",)
CREDENTIALS = ("--use_alts_credentials", "--ssl_config_file=/x")
BATCHING = ("--batching_parameters_file=/x",)
PARALLELISM = (
    "--tensorflow_session_parallelism=1",
    "--tensorflow_intra_op_parallelism=1",
    "--tensorflow_inter_op_parallelism=1",
)


@pytest.mark.parametrize("name", STOCK_FLAGS)
def test_a_flag_has_the_type_and_the_default_of_tensorflow_serving(name: str) -> None:
    (flag,) = [flag for flag in FLAGS if flag.name == name]
    assert (flag.type, flag.default) == STOCK_FLAGS[name]
    assert type(flag.default) is type(STOCK_FLAGS[name][1])


@pytest.mark.parametrize("name", FROM_CORES)
def test_a_flag_whose_default_depends_on_the_machine_has_its_type(name: str) -> None:
    (flag,) = [flag for flag in FLAGS if flag.name == name]
    assert (flag.type, flag.default) == (FROM_CORES[name], 0)


def refuse(options: ServeOptions) -> int:
    raise AssertionError(f"served: {options}")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((*PORT_0, *CREDENTIALS), NO_PORT),
        ((*CREDENTIALS, *BATCHING), TWO_CREDENTIALS),
        ((*BATCHING, *PARALLELISM), NO_MODEL),
        ((MODEL, *BATCHING, *PARALLELISM), NO_BATCHING),
        ((MODEL, *PARALLELISM), THREE_KINDS),
    ],
    ids=[
        "no port",
        "two kinds of credentials",
        "no model",
        "batching file alone",
        "three kinds of parallelism",
    ],
)
def test_of_several_errors_the_one_that_tensorflow_serving_finds_first_is_told(
    arguments: tuple[str, ...], error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert serve_command_line(arguments, refuse) == 255
    assert capsys.readouterr().out == f"Failed to start server. Error: INVALID_ARGUMENT: {error}\n"


@pytest.mark.parametrize("text", ["model_config_list {", "no_such_field: 1", "\x00"])
def test_a_config_file_that_cannot_be_parsed_comes_before_what_is_checked_later(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "models.config"
    file.write_text(text)
    assert serve_command_line((f"--model_config_file={file}", *BATCHING, *PARALLELISM), refuse) == 255
    assert capsys.readouterr().out.startswith("Failed to start server. Error: INVALID_ARGUMENT: ")


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("--help",), 255),
        (("--version",), 0),
        (("--port=x", "--version"), 255),
        (("--version", "--help"), 255),
    ],
)
def test_what_only_prints_has_the_exit_code_of_tensorflow_serving(
    arguments: tuple[str, ...], status: int
) -> None:
    assert serve_command_line(arguments, refuse) == status


def test_what_requests_may_do_is_the_operators_to_say() -> None:
    served: list[ServeOptions] = []

    def note(options: ServeOptions) -> int:
        served.append(options)
        return 0

    rules = ("--enable_signature_method_name_check", "--enable_session_run")
    for flags in ((), rules):
        serve_command_line(("--model_base_path=/models/m", *flags), note)
    told = [(options.data_plane.check_method_names, options.data_plane.session_run) for options in served]
    assert told == [(False, False), (True, True)]
