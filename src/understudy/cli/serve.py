"""`understudy serve`: what its flags become for the server, and the start of it."""

import ipaddress
import os
import socket
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Unpack

import click

from understudy import telemetry
from understudy.cli.outcome import EXIT_NEGATIVE, Unusable
from understudy.cli.serve_batching import build_batching
from understudy.cli.serve_flags import OPTIONS, STATE_DIR_NONE, ServeFlags
from understudy.cli.transport_flags import build_grpc_options, build_tls_files, read_tls
from understudy.config_text import read_startup_config
from understudy.dataplane.options import DataPlaneOptions, RequestLogOptions, WarmupOptions
from understudy.errors import ConfigError, UnderstudyError
from understudy.machine import machine_memory_bytes
from understudy.model_config import ModelConfig, ServerConfig, Transition
from understudy.rollout.plan import Strategy
from understudy.rollout_file import read_strategies
from understudy.server_options import LiteRtSettings, OnStartupFailure, ServeOptions, TensorFlowSettings
from understudy.session_config import SessionOverrides, read_session_config
from understudy.telemetry import LogStyle


@click.command(params=OPTIONS)
@click.pass_context
def serve(ctx: click.Context, **flags: Unpack[ServeFlags]) -> None:
    """Serve models until told to stop (SIGTERM or Ctrl-C).

    \b
    understudy serve --model digits=/models/digits
    understudy serve --model-config-file /etc/models.config --rest-port off

    Each direct subdirectory of a model's base path whose name is a number is a version. New versions are
    loaded as they appear, and take over without a failed request.

    When it is told to stop it answers the requests under way first. A second signal ends it at once.
    """  # noqa: D301 - click's mark for lines that stay as they are
    telemetry.configure(style=LogStyle(flags["log_format"]))
    options = build_options(flags)
    from understudy.server import run  # noqa: PLC0415 - not for a command line that is refused

    try:
        ctx.exit(run(options))
    except UnderstudyError as error:
        click.echo(f"Error: {error}", err=True)
        ctx.exit(EXIT_NEGATIVE)


def build_options(flags: ServeFlags) -> ServeOptions:
    """What the flags ask for.

    Raises:
        click.UsageError: when they contradict each other, or name nothing to serve.
        Unusable: when the config file cannot be taken.
    """
    batching, batch_threads = build_batching(flags)
    return ServeOptions(
        models=_build_models(flags),
        config_file=_absolute(flags["model_config_file"]),
        config_poll_interval_s=flags["config_poll_interval"],
        strategies=_read_strategies(flags["rollout_config"]),
        rollout_config=_absolute(flags["rollout_config"]),
        state_dir=_choose_state_dir(flags),
        state_dir_is_required=flags["state_dir"] is not None,
        data_plane=replace(_build_data_plane(flags), batch_threads=batch_threads),
        grpc_tls=build_tls_files(flags, "grpc"),
        rest_tls=build_tls_files(flags, "rest"),
        admin_address=_address(flags["admin_host"], flags["admin_port"], "--admin-host"),
        tensorflow=TensorFlowSettings(
            library_dir=_absolute(flags["tensorflow_dir"]),
            session_config=_read_session_config(flags),
            session=SessionOverrides(
                intra_op_threads=flags["intra_op_threads"] or None,
                inter_op_threads=flags["inter_op_threads"] or None,
                gpu_memory_fraction=flags["gpu_memory_fraction"],
                bfloat16=flags["bfloat16"],
            ),
            saved_model_tags=_tags(flags),
        ),
        litert=LiteRtSettings(
            is_preferred=flags["prefer_tflite_model"],
            library_dir=_absolute(flags["litert_dir"]),
            interpreters=flags["litert_interpreters"],
        ),
        batching=batching,
        warmup=WarmupOptions(iterations=flags["warmup_iterations"]) if flags["warmup"] else None,
        poll_interval_s=flags["poll_interval"],
        load_threads=flags["load_threads"],
        unload_threads=flags["unload_threads"],
        load_retries_max=flags["load_retries"],
        load_retry_interval_s=flags["load_retry_interval"],
        load_timeout_s=flags["load_timeout"],
        transition=Transition(flags["transition"]),
        memory_limit_bytes=_memory_limit(flags),
        may_label_unavailable=flags["label_unavailable"],
        drain_timeout_s=flags["drain_timeout"],
        stop_timeout_s=flags["stop_timeout"],
        on_startup_failure=OnStartupFailure(flags["on_startup_failure"]),
        startup_timeout_s=flags["startup_timeout"],
        reload_timeout_s=flags["reload_timeout"],
    )


def _read_session_config(flags: ServeFlags) -> bytes:
    file = flags["session_config_file"]
    if file is None:
        return b""
    try:
        return read_session_config(file)
    except ConfigError as error:
        raise Unusable(str(error)) from error


def _memory_limit(flags: ServeFlags) -> int | None:
    limit_bytes, fraction = flags["memory_limit_bytes"], flags["memory_limit_fraction"]
    if fraction is None:
        return limit_bytes
    if limit_bytes is not None:
        raise click.UsageError("Give --memory-limit-bytes or --memory-limit-fraction, not both.")
    return round(fraction * machine_memory_bytes())


def _build_models(flags: ServeFlags) -> ServerConfig:
    file, single = flags["model_config_file"], flags["model_base_path"]
    named = [_parse_model(text) for text in flags["model"]]
    if single is not None:
        named.append(_build_model(flags["model_name"], single, "--model-name"))
    if file is None and not named:
        raise click.UsageError(
            "There is nothing to serve: give --model NAME=BASE_PATH, or --model-config-file FILE."
        )
    if file is None:
        return ServerConfig(models=tuple(sorted(named, key=lambda model: model.name)))
    if named:
        raise click.UsageError("Give --model-config-file, or models by flags, not both.")
    try:
        return read_startup_config(file)
    except ConfigError as error:
        raise Unusable(str(error)) from error


def _read_strategies(file: str | None) -> Mapping[str, Strategy]:
    try:
        return {} if file is None else read_strategies(file)
    except ConfigError as error:
        raise Unusable(str(error)) from error


def _choose_state_dir(flags: ServeFlags) -> str | None:
    """Where the state lives; none: in memory.

    Without the flag every admin port has a directory of its own, so that two servers of one user do not meet.
    """
    given, port = flags["state_dir"], flags["admin_port"]
    if given is not None:
        return None if given == STATE_DIR_NONE else _absolute(given)
    if not port:
        return None
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return str(Path(home) / "understudy" / str(port))


def _parse_model(text: str) -> ModelConfig:
    name, equals, base_path = text.partition("=")
    if not equals:
        raise click.BadParameter(f"{text!r} is not of the form NAME=BASE_PATH.", param_hint="--model")
    return _build_model(name, base_path, "--model")


def _build_model(name: str, base_path: str, hint: str) -> ModelConfig:
    path = _absolute(base_path or None)
    if not name or path is None:
        raise click.BadParameter("A model needs a name and a base path.", param_hint=hint)
    return ModelConfig(name=name, base_path=path)


def _build_data_plane(flags: ServeFlags) -> DataPlaneOptions:
    grpc = _address(flags["host"], flags["grpc_port"], "--host")
    rest = _address(flags["host"], flags["rest_port"], "--host")
    if grpc is None and rest is None and flags["grpc_socket"] is None:
        raise click.UsageError("Both --grpc-port and --rest-port are off; nobody could ask for a prediction.")
    if grpc is not None and grpc == rest and flags["grpc_port"] != 0:
        raise click.UsageError(f"--grpc-port and --rest-port are both {flags['grpc_port']}.")
    if rest is None and flags["metrics_path"] is not None:
        raise click.UsageError("--metrics-path is a path of the REST port, and --rest-port is off.")
    return DataPlaneOptions(
        grpc_address=grpc,
        grpc_socket=_absolute(flags["grpc_socket"]),
        grpc_socket_mode=flags["grpc_socket_mode"],
        rest_address=rest,
        grpc_tls=read_tls(flags, "grpc"),
        rest_tls=read_tls(flags, "rest"),
        grpc=build_grpc_options(flags),
        io_threads=flags["io_threads"],
        rest_timeout_ms=round(flags["rest_timeout"] * 1000),
        message_bytes_max=flags["message_bytes_max"],
        buffered_bytes_max=flags["buffered_bytes_max"],
        in_flight_max=flags["in_flight_max"],
        queue_max=flags["queue_max"],
        runs_max=flags["runs_max"],
        connections_max=flags["connections_max"],
        cors=flags["cors"],
        rest_compression=flags["rest_compression"],
        tensor_content=flags["tensor_content"],
        metrics_path=flags["metrics_path"],
        request_log=_build_request_log(flags),
        check_method_names=flags["check_method_names"],
        session_run=flags["enable_session_run"],
    )


def _build_request_log(flags: ServeFlags) -> RequestLogOptions | None:
    directory = _absolute(flags["request_log_dir"])
    if directory is None:
        return None
    file_bytes_max, bytes_max = flags["request_log_file_bytes_max"], flags["request_log_bytes_max"]
    if bytes_max < file_bytes_max:
        raise click.UsageError("--request-log-bytes-max is less than --request-log-file-bytes-max.")
    return RequestLogOptions(
        directory=directory,
        file_bytes_max=file_bytes_max,
        file_age_max_s=flags["request_log_file_age_max"],
        bytes_max=bytes_max,
        saved_model_tags=_tags(flags),
    )


def _tags(flags: ServeFlags) -> tuple[str, ...]:
    return tuple(tag for tag in flags["saved_model_tags"].split(",") if tag)


def _address(host: str, port: int | None, hint: str) -> str | None:
    """`host:port` with the host as an address, which is all that a door takes; none when it is off."""
    if port is None:
        return None
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise click.BadParameter(f"{host!r} is no known host: {error.strerror}.", param_hint=hint) from error
    addresses = sorted({ipaddress.ip_address(each[4][0]) for each in found}, key=lambda each: each.version)
    address = addresses[0]
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"


def _absolute(path: str | None) -> str | None:
    """The path seen from the root; what has a scheme is absolute."""
    if path is None or "://" in path:
        return path
    return str(Path(path).absolute())
