"""The command `tensorflow_model_server`: TensorFlow Serving's flags, checks, texts and exit codes."""

import math
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path

from understudy import telemetry
from understudy.cli.channel_arguments import (
    ChannelArgumentError,
    ChannelArguments,
    parse_channel_arguments,
)
from understudy.cli.tensorflow_batching import build_batching
from understudy.cli.tensorflow_flags import FLAGS, Treatment
from understudy.cli.tensorflow_syntax import CommandLine, FlagValues, build_usage, parse_arguments
from understudy.config_text import read_startup_config
from understudy.dataplane.options import DataPlaneOptions, RequestLogOptions, WarmupOptions
from understudy.errors import Code, ConfigError, DataPlaneError, StartupError, UnderstudyError
from understudy.machine import machine_memory_bytes
from understudy.model_config import ModelConfig, ServerConfig, Transition
from understudy.monitoring_config import is_reachable, read_metrics_path
from understudy.rollout_file import read_strategies
from understudy.server_options import (
    LiteRtSettings,
    OnStartupFailure,
    ServeOptions,
    TensorFlowSettings,
)
from understudy.session_config import SessionOverrides, read_session_config
from understudy.tls_files import SslConfigFile

PROGRAM = "tensorflow_model_server"
EXIT_FAILURE = 255
PORT_MAX = 65_535
_MICROS_IN_SECOND = 1_000_000
_TENSORFLOW_PACKAGES = ("tensorflow", "tensorflow-cpu")

Run = Callable[[ServeOptions], int]


def main() -> int:
    """Reads the process's arguments and serves until it is told to stop; the exit status."""
    return serve_command_line(sys.argv[1:], _run)


def serve_command_line(arguments: Sequence[str], run: Run) -> int:
    """Answers a command line; `run` serves. The exit status."""
    telemetry.configure()
    line = parse_arguments(arguments, FLAGS)
    for error in line.errors:
        telemetry.get_logger().error("bad_flag_value", reason=error)
    if line.wants_usage:
        _print(build_usage(PROGRAM, FLAGS))
        return EXIT_FAILURE
    if line.values.boolean("version"):
        _print(_describe_versions())
        return 0
    if line.unknown:
        _print(f"unknown argument: {line.unknown[0]}\n{build_usage(PROGRAM, FLAGS)}")
    try:
        options = build_options(line)
        _log_flags_without_effect(line)
        return run(options)
    except UnderstudyError as error:
        _print(f"Failed to start server. Error: {_describe_status(error)}\n")
        return EXIT_FAILURE


def build_options(line: CommandLine) -> ServeOptions:
    """What a command line asks for.

    Raises:
        StartupError: INVALID_ARGUMENT when flags contradict each other, UNIMPLEMENTED when one is refused.
        ConfigError: when the config file cannot be taken.
    """
    values = line.values
    _check_doors(values)
    models, config_file = _build_models(values)
    rollout_config = values.text("rollout_config")
    batching, batch_threads = build_batching(values)
    _check_refused(values)
    options = ServeOptions(
        models=models,
        config_file=config_file,
        config_poll_interval_s=float(max(0, values.integer("model_config_file_poll_wait_seconds"))),
        strategies=read_strategies(rollout_config) if rollout_config else {},
        rollout_config=rollout_config or None,
        state_dir=values.text("state_dir") or None,
        data_plane=replace(_build_data_plane(values), batch_threads=batch_threads),
        batching=batching,
        grpc_tls=_tls_file(values, "ssl_config_file"),
        rest_tls=_tls_file(values, "rest_api_ssl_config_file"),
        admin_address=_loopback(_port(values, "admin_port")),
        admin_is_required="admin_port" in line.given,  # who never heard of it must not stumble over it
        tensorflow=_build_tensorflow(values),
        litert=LiteRtSettings(
            is_preferred=values.boolean("prefer_tflite_model"),
            interpreters=max(0, values.integer("num_tflite_pools")),
        ),
        warmup=_build_warmup(values),
        poll_interval_s=float(values.integer("file_system_poll_wait_seconds")),
        load_threads=_count(values, "num_load_threads"),
        unload_threads=_count(values, "num_unload_threads"),
        load_retries_max=max(0, values.integer("max_num_load_retries")),
        load_retry_interval_s=max(0, values.integer("load_retry_interval_micros")) / _MICROS_IN_SECOND,
        load_timeout_s=_count(values, "load_timeout_s"),
        drain_timeout_s=_count(values, "drain_timeout_s"),
        stop_timeout_s=_count(values, "drain_timeout_s"),
        transition=_transition(values),
        memory_limit_bytes=_memory_limit(values),
        may_label_unavailable=values.boolean("allow_version_labels_for_unavailable_models"),
        on_startup_failure=OnStartupFailure.EXIT,
        reload_timeout_s=_seconds_or_ever(values, "reload_timeout_s"),
    )
    return _with_metrics_page(options, values.text("monitoring_config_file"))


def _build_warmup(values: FlagValues) -> WarmupOptions | None:
    if not values.boolean("enable_model_warmup"):
        return None
    return WarmupOptions(iterations=max(1, values.integer("num_request_iterations_for_warmup")))


def _check_doors(values: FlagValues) -> None:
    if values.integer("port") == 0 and not values.text("grpc_socket_path"):
        raise _invalid(
            "At least one of server_options.grpc_port or server_options.grpc_socket_path must be set."
        )
    if values.boolean("use_alts_credentials") and values.text("ssl_config_file"):
        raise _invalid("Either use_alts_credentials must be false or ssl_config_file must be empty.")


def _check_refused(values: FlagValues) -> None:
    for flag in FLAGS:
        if flag.treatment is Treatment.REFUSED and not values.is_default(flag):
            raise StartupError(f"--{flag.name} is refused: {flag.reason}.", code=Code.UNIMPLEMENTED)


def _build_models(values: FlagValues) -> tuple[ServerConfig, str | None]:
    if path := values.text("model_config_file"):
        return read_startup_config(path), path
    base_path = values.text("model_base_path")
    if not base_path:
        raise _invalid("Both server_options.model_base_path and server_options.model_config_file are empty!")
    name = values.text("model_name")
    if not name:
        raise _invalid(
            "--model_name is empty, so no request could ask for the model; leave it out or name it."
        )
    return ServerConfig(models=(ModelConfig(name=name, base_path=base_path),)), None


def _build_data_plane(values: FlagValues) -> DataPlaneOptions:
    grpc, rest = _port(values, "port"), _port(values, "rest_api_port")
    if rest and rest == grpc:
        telemetry.get_logger().error(
            "rest_is_off", reason=f"--rest_api_port and --port are both {rest}; only gRPC listens"
        )
        rest = 0
    any_address = "[::]" if socket.has_dualstack_ipv6() else "0.0.0.0"  # noqa: S104 - TensorFlow Serving's
    grpc_tls, rest_tls = _tls_file(values, "ssl_config_file"), _tls_file(values, "rest_api_ssl_config_file")
    return DataPlaneOptions(
        grpc_address=f"0.0.0.0:{grpc}" if grpc else None,
        grpc_socket=values.text("grpc_socket_path") or None,
        rest_address=f"{any_address}:{rest}" if rest else None,
        grpc_tls=None if grpc_tls is None else grpc_tls.read(),
        rest_tls=None if rest_tls is None else rest_tls.read(),
        grpc=_channel_arguments(values).options,
        rest_timeout_ms=values.integer("rest_api_timeout_in_ms"),
        cors=values.boolean("rest_api_enable_cors_support"),
        rest_compression=values.boolean("rest_api_enable_compression"),
        tensor_content=values.boolean("enable_serialization_as_tensor_content"),
        request_log=_build_request_log(values),
        check_method_names=values.boolean("enable_signature_method_name_check"),
        session_run=values.boolean("enable_session_run"),
    )


def _with_metrics_page(options: ServeOptions, file: str) -> ServeOptions:
    """The same with the metrics page where the file wants it; it is read last, as in TensorFlow Serving."""
    if not file:
        return options
    if options.data_plane.rest_address is None:
        telemetry.get_logger().warning(
            "monitoring_config_ignored",
            reason="the metrics page is on the REST port, which is off; give --rest_api_port",
        )
        return options
    path = read_metrics_path(file)
    if path is not None and not is_reachable(path):
        telemetry.get_logger().warning(
            "metrics_page_unreachable",
            reason=f"no request can ask for {path!r}; a path begins with a slash and has no ?, # or space",
        )
    return replace(options, data_plane=replace(options.data_plane, metrics_path=path))


def _build_request_log(values: FlagValues) -> RequestLogOptions | None:
    if not (directory := values.text("request_log_dir")):
        return None
    return RequestLogOptions(
        directory=str(Path(directory).absolute()),
        file_bytes_max=_positive(values, "request_log_file_bytes_max"),
        file_age_max_s=_positive(values, "request_log_file_age_max_s"),
        bytes_max=_positive(values, "request_log_bytes_max"),
        saved_model_tags=_tags(values),
    )


def _tags(values: FlagValues) -> tuple[str, ...]:
    return tuple(tag for tag in values.text("saved_model_tags").split(",") if tag)


def _tls_file(values: FlagValues, name: str) -> SslConfigFile | None:
    path = values.text(name)
    return SslConfigFile(path) if path else None


def _channel_arguments(values: FlagValues) -> ChannelArguments:
    try:
        return parse_channel_arguments(values.text("grpc_channel_arguments"))
    except ChannelArgumentError as error:
        raise _invalid(str(error)) from error


def _build_tensorflow(values: FlagValues) -> TensorFlowSettings:
    file = values.text("tensorflow_session_config_file")
    config = read_session_config(file) if file else b""
    both = _count(values, "tensorflow_session_parallelism")
    intra = _count(values, "tensorflow_intra_op_parallelism")
    inter = _count(values, "tensorflow_inter_op_parallelism")
    if both and intra and inter:
        raise _invalid(
            "Either configure server_options.tensorflow_session_parallelism or "
            "(server_options.tensorflow_intra_op_parallelism, "
            "server_options.tensorflow_inter_op_parallelism) separately. You cannot configure all."
        )
    if not intra and not inter:
        intra = inter = both
    session = SessionOverrides(  # also where no flag is given, as in TensorFlow Serving
        intra_op_threads=intra,
        inter_op_threads=inter,
        gpu_memory_fraction=values.real("per_process_gpu_memory_fraction"),
        bfloat16=_wants_bfloat16(values),
    )
    return TensorFlowSettings(session_config=config, session=session, saved_model_tags=_tags(values))


def _wants_bfloat16(values: FlagValues) -> bool:
    mode = values.text("mixed_precision")
    if mode and mode != "bfloat16":
        telemetry.get_logger().warning(
            "flag_without_effect", flag="--mixed_precision", reason=f"{mode} is not known; known is bfloat16"
        )
    return mode == "bfloat16"


def _transition(values: FlagValues) -> Transition:
    word = values.text("transition_policy")
    try:
        return Transition(word)
    except ValueError as error:
        known = " and ".join(each.value for each in Transition)
        raise _invalid(f"--transition_policy={word} is not known; known are {known}.") from error


def _memory_limit(values: FlagValues) -> int | None:
    limit_bytes, fraction = _count(values, "memory_limit_bytes"), values.real("memory_limit_fraction")
    if not 0 <= fraction <= 1:
        raise _invalid(f"--memory_limit_fraction={fraction} is no share; shares go from 0 to 1.")
    if limit_bytes and fraction:
        raise _invalid("Give --memory_limit_bytes or --memory_limit_fraction, not both.")
    return limit_bytes or round(fraction * machine_memory_bytes()) or None


def _port(values: FlagValues, name: str) -> int:
    port = values.integer(name)
    if not 0 <= port <= PORT_MAX:
        raise _invalid(f"--{name}={port} is no port; ports go from 0 to {PORT_MAX}.")
    return port


def _count(values: FlagValues, name: str) -> int:
    count = values.integer(name)
    if count < 0:
        raise _invalid(f"--{name}={count} is negative; 0 leaves the choice to the server.")
    return count


def _positive(values: FlagValues, name: str) -> int:
    count = values.integer(name)
    if count <= 0:
        raise _invalid(f"--{name}={count} is too little; give at least 1.")
    return count


def _seconds_or_ever(values: FlagValues, name: str) -> float:
    seconds = values.integer(name)
    return float(seconds) if seconds > 0 else math.inf


def _loopback(port: int) -> str | None:
    return f"127.0.0.1:{port}" if port else None


def _log_flags_without_effect(line: CommandLine) -> None:
    for flag in FLAGS:
        if flag.name in line.given and flag.treatment is Treatment.NO_EFFECT:
            telemetry.get_logger().warning("flag_without_effect", flag=f"--{flag.name}", reason=flag.reason)
    for name, reason in _channel_arguments(line.values).without_effect:
        telemetry.get_logger().warning("channel_argument_without_effect", argument=name, reason=reason)


def _describe_status(error: UnderstudyError) -> str:
    match error:
        case ConfigError() | StartupError():
            return f"{error.code.name}: {error}"
        case DataPlaneError():
            return str(error)  # begins with its code
        case _:
            return f"{Code.UNKNOWN.name}: {error}"


def _describe_versions() -> str:
    return (
        f"TensorFlow ModelServer: Understudy {_installed_version('understudy')}\n"
        f"TensorFlow Library: {_installed_version(*_TENSORFLOW_PACKAGES)}\n"
    )


def _installed_version(*packages: str) -> str:
    """Of the first of these that is installed, read without importing it."""
    for package in packages:
        try:
            return metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return "not installed"


def _invalid(message: str) -> StartupError:
    return StartupError(message, code=Code.INVALID_ARGUMENT)


def _print(text: str) -> None:
    """To standard output, at once: scripts read these texts from there, as they do TensorFlow Serving's."""
    sys.stdout.write(text)
    sys.stdout.flush()


def _run(options: ServeOptions) -> int:
    from understudy.server import run  # noqa: PLC0415 - not for `--help` and `--version`

    return run(options)
