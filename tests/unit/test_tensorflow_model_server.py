"""The drop-in command: TensorFlow Serving's syntax, checks, texts and exit codes; what flags become."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.test_tensorflow_flags import FROM_CORES
from tests.unit.test_tensorflow_flags import STOCK_FLAGS as TABLE
from understudy.cli.tensorflow_flags import FLAGS, Flag, FlagType, Treatment
from understudy.cli.tensorflow_model_server import serve_command_line
from understudy.cli.tensorflow_reference import build_reference
from understudy.cli.tensorflow_syntax import build_usage, parse_arguments
from understudy.dataplane.options import WarmupOptions
from understudy.errors import Code, ConfigError, DataPlaneError, StartupError, UnderstudyError
from understudy.machine import machine_memory_bytes
from understudy.model_config import ModelConfig, ServerConfig, Transition
from understudy.server_options import (
    OnStartupFailure,
    ServeOptions,
    TensorFlowSettings,
)
from understudy.session_config import SessionOverrides

ROOT = Path(__file__).parent.parent.parent
MODEL = "--model_base_path=/models/digits"
STOCK_FLAGS = [*TABLE, *FROM_CORES]
OWN_FLAGS = {
    "admin_port",
    "enable_session_run",
    "drain_timeout_s",
    "load_timeout_s",
    "memory_limit_bytes",
    "memory_limit_fraction",
    "reload_timeout_s",
    "rest_api_enable_compression",
    "request_log_bytes_max",
    "request_log_dir",
    "request_log_file_age_max_s",
    "request_log_file_bytes_max",
    "rest_api_ssl_config_file",
    "rollout_config",
    "state_dir",
    "transition_policy",
}


class Served:
    """What came of one command line: its exit status, and what would have been served."""

    def __init__(self, *arguments: str) -> None:
        self.options: list[ServeOptions] = []
        self.status = serve_command_line(arguments, self._run)

    def _run(self, options: ServeOptions) -> int:
        self.options.append(options)
        return 7

    @property
    def only(self) -> ServeOptions:
        (options,) = self.options
        return options


def test_every_flag_of_tensorflow_serving_is_in_the_table_once() -> None:
    names = [flag.name for flag in FLAGS]
    assert len(names) == len(set(names))
    assert set(names) - set(STOCK_FLAGS) == OWN_FLAGS
    assert set(STOCK_FLAGS) - set(names) == set()


def test_every_flag_that_is_not_honoured_has_a_reason() -> None:
    assert [flag.name for flag in FLAGS if flag.treatment is not Treatment.HONOURED and not flag.reason] == []


def test_a_default_has_the_type_of_its_flag() -> None:
    types = {FlagType.BOOL: bool, FlagType.STRING: str, FlagType.FLOAT: float}
    assert [flag.name for flag in FLAGS if type(flag.default) is not types.get(flag.type, int)] == []


def test_the_reference_page_is_made_from_the_table() -> None:
    page = (ROOT / "docs" / "reference" / "tensorflow-flags.md").read_text()
    assert page == build_reference(), "renew it: python -m understudy.cli.tensorflow_reference > the page"


@pytest.mark.parametrize(
    ("argument", "name", "value"),
    [
        ("--port=1", "port", 1),
        ("--port= \t+12", "port", 12),
        ("--port=-2147483648", "port", -(2**31)),
        ("--load_retry_interval_micros=9223372036854775807", "load_retry_interval_micros", 2**63 - 1),
        ("--version", "version", True),
        ("--enable_model_warmup=false", "enable_model_warmup", False),
        ("--version=true", "version", True),
        ("--model_name=", "model_name", ""),
        ("--model_name=a=b", "model_name", "a=b"),
        ("--per_process_gpu_memory_fraction=.5", "per_process_gpu_memory_fraction", 0.5),
        ("--per_process_gpu_memory_fraction=1e-1", "per_process_gpu_memory_fraction", 0.1),
    ],
)
def test_a_value_is_read(argument: str, name: str, value: object) -> None:
    line = parse_arguments([argument], FLAGS)
    (flag,) = [flag for flag in FLAGS if flag.name == name]
    read = {
        FlagType.BOOL: line.values.boolean,
        FlagType.STRING: line.values.text,
        FlagType.INT32: line.values.integer,
        FlagType.INT64: line.values.integer,
    }.get(flag.type)
    assert line.errors == ()
    assert line.unknown == ()
    assert line.given == {name}
    if read:
        assert read(name) == value
    else:
        assert line.values.is_default(flag) is (value == flag.default)


@pytest.mark.parametrize(
    ("argument", "written", "name"),
    [
        ("--port=", "", "port"),
        ("--port=8500 ", "8500 ", "port"),
        ("--port=0x10", "0x10", "port"),
        ("--port=1.0", "1.0", "port"),
        ("--port=1_0", "1_0", "port"),
        ("--port=٣", "٣", "port"),
        ("--port=2147483648", "2147483648", "port"),
        ("--port=" + "1" * 5000, "1" * 5000, "port"),
        ("--enable_batching=1", "=1", "enable_batching"),
        ("--enable_batching=True", "=True", "enable_batching"),
        ("--enable_batching=", "=", "enable_batching"),
        ("--version_labels=a", "_labels=a", "version"),
        ("--per_process_gpu_memory_fraction=half", "half", "per_process_gpu_memory_fraction"),
        ("--per_process_gpu_memory_fraction=1_0", "1_0", "per_process_gpu_memory_fraction"),
    ],
)
def test_a_value_that_cannot_be_read_ends_with_usage(
    argument: str, written: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert parse_arguments([argument], FLAGS).errors == (
        f"Couldn't interpret value {written} for flag {name}.",
    )
    served = Served(MODEL, argument)
    captured = capsys.readouterr()
    assert served.status == 255
    assert served.options == []
    assert captured.out == build_usage("tensorflow_model_server", FLAGS)
    assert f"for flag {name}." in captured.err


@pytest.mark.parametrize("argument", ["--port", "-port=1", "port=1", "--PORT=1", "--prt=1", "-h", "", "x"])
def test_an_unknown_argument_is_reported_and_does_not_stop_the_server(
    argument: str, capsys: pytest.CaptureFixture[str]
) -> None:
    served = Served(argument, MODEL, "--another=1")
    assert served.status == 7
    assert served.only.models.models[0].base_path == "/models/digits"
    usage = build_usage("tensorflow_model_server", FLAGS)
    assert capsys.readouterr().out == f"unknown argument: {argument}\n{usage}"


def test_all_after_two_bare_dashes_is_unknown() -> None:
    line = parse_arguments(["--port=1", "--", "--port=2", "--", "--version"], FLAGS)
    assert line.values.integer("port") == 1
    assert line.unknown == ("--", "--port=2", "--", "--version")


def test_of_a_flag_that_stands_twice_the_last_value_counts() -> None:
    assert parse_arguments(["--port=1", "--port=2"], FLAGS).values.integer("port") == 2


@given(st.lists(st.text(max_size=40) | st.sampled_from(STOCK_FLAGS).map(lambda name: f"--{name}=7")))
def test_any_arguments_are_read_or_reported(arguments: list[str]) -> None:
    line = parse_arguments(arguments, FLAGS)
    assert len(line.unknown) + len(line.errors) + len(line.given) <= len(arguments)


def test_help_prints_usage_and_fails_as_it_does_in_tensorflow_serving(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert Served("--help").status == 255
    out = capsys.readouterr().out
    assert out.startswith(
        "usage: tensorflow_model_server\nFlags:\n\t--port=8500                      \tint32\t"
    )
    assert out.count("\n") == len(FLAGS) + 2


def test_version_prints_two_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert Served("--version").status == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("TensorFlow ModelServer: Understudy ")
    assert second.startswith("TensorFlow Library: ")


def test_what_is_not_said_is_as_in_tensorflow_serving() -> None:
    options = Served(MODEL).only
    assert options.models == ServerConfig(models=(ModelConfig(name="default", base_path="/models/digits"),))
    assert options.config_file is None
    assert (options.data_plane.grpc_address, options.data_plane.rest_address) == ("0.0.0.0:8500", None)
    assert options.data_plane.rest_timeout_ms == 30_000
    assert not options.data_plane.cors
    assert (options.data_plane.tensor_content, options.data_plane.rest_compression) == (False, False)
    assert (options.admin_address, options.admin_is_required) == ("127.0.0.1:8502", False)
    nothing = SessionOverrides(intra_op_threads=0, inter_op_threads=0, gpu_memory_fraction=0.0)
    assert options.tensorflow == TensorFlowSettings(session=nothing, saved_model_tags=("serve",))
    assert options.poll_interval_s == 1
    assert (options.config_poll_interval_s, options.reload_timeout_s) == (0, 600)
    assert options.state_dir is None, "a restart takes the file or the flags, as in TensorFlow Serving"
    assert (options.load_threads, options.unload_threads) == (0, 0)
    assert (options.load_retries_max, options.load_retry_interval_s) == (5, 60)
    assert options.on_startup_failure is OnStartupFailure.EXIT


def test_honoured_flags_become_options() -> None:
    options = Served(
        "--port=9000",
        "--rest_api_port=9001",
        "--model_name=digits",
        MODEL,
        "--file_system_poll_wait_seconds=-1",
        "--num_load_threads=3",
        "--num_unload_threads=2",
        "--max_num_load_retries=-4",
        "--load_retry_interval_micros=1500000",
        "--rest_api_timeout_in_ms=-5",
        "--rest_api_enable_cors_support",
        "--rest_api_enable_compression",
        "--enable_serialization_as_tensor_content",
        "--tensorflow_session_parallelism=4",
        "--saved_model_tags=serve,gpu",
        "--admin_port=9002",
        "--model_config_file_poll_wait_seconds=5",
        "--reload_timeout_s=30",
        "--state_dir=/var/lib/understudy",
    ).only
    assert options.models.models[0].name == "digits"
    assert options.data_plane.grpc_address == "0.0.0.0:9000"
    assert options.data_plane.rest_address in {"[::]:9001", "0.0.0.0:9001"}
    assert options.data_plane.rest_timeout_ms == -5
    assert options.data_plane.cors
    assert (options.data_plane.tensor_content, options.data_plane.rest_compression) == (True, True)
    assert (options.admin_address, options.admin_is_required) == ("127.0.0.1:9002", True)
    assert options.poll_interval_s == -1
    assert (options.config_poll_interval_s, options.reload_timeout_s) == (5, 30)
    assert (options.state_dir, options.state_dir_is_required) == ("/var/lib/understudy", True)
    assert (options.load_threads, options.unload_threads) == (3, 2)
    assert (options.load_retries_max, options.load_retry_interval_s) == (0, 1.5)
    assert options.tensorflow == TensorFlowSettings(
        session=SessionOverrides(intra_op_threads=4, inter_op_threads=4, gpu_memory_fraction=0.0),
        saved_model_tags=("serve", "gpu"),
    )


def test_flags_of_request_logs_become_options() -> None:
    limits = (
        "request_log_file_bytes_max=1000",
        "request_log_bytes_max=3000",
        "request_log_file_age_max_s=60",
    )
    options = Served(MODEL, "--request_log_dir=/logs", *(f"--{each}" for each in limits)).only
    log = options.data_plane.request_log
    assert log is not None
    assert (log.directory, log.file_bytes_max, log.bytes_max, log.file_age_max_s) == ("/logs", 1000, 3000, 60)


@pytest.mark.parametrize(
    ("arguments", "warmup"),
    [
        ((), WarmupOptions(iterations=1)),
        (("--num_request_iterations_for_warmup=3",), WarmupOptions(iterations=3)),
        (("--num_request_iterations_for_warmup=-2",), WarmupOptions(iterations=1)),
        (("--enable_model_warmup=false", "--num_request_iterations_for_warmup=3"), None),
    ],
)
def test_recorded_requests_are_replayed_as_often_as_asked_for(
    arguments: tuple[str, ...], warmup: WarmupOptions | None
) -> None:
    assert Served(MODEL, *arguments).only.warmup == warmup


def test_a_config_file_comes_before_the_single_model(tmp_path: Path) -> None:
    file = tmp_path / "models.config"
    file.write_text('model_config_list { config { name: "a" base_path: "/a" model_platform: "tensorflow" } }')
    options = Served(MODEL, "--model_name=", f"--model_config_file={file}").only
    assert options.models == ServerConfig(models=(ModelConfig(name="a", base_path="/a"),))
    assert options.config_file == str(file)


def test_the_plans_of_rollouts_come_from_a_file(tmp_path: Path) -> None:
    assert Served(MODEL).only.strategies == {}
    file = tmp_path / "rollouts.yaml"
    file.write_text("models: {default: {steps: [5 %]}}")
    options = Served(MODEL, f"--rollout_config={file}").only
    assert options.strategies["default"].plan.steps[0].weight == 500
    assert options.rollout_config == str(file)


def test_plans_that_cannot_be_taken_end_the_start_with_their_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rollouts.yaml"
    file.write_text("models: {default: {stepps: [5 %]}}")
    assert Served(MODEL, f"--rollout_config={file}").status == 255
    assert "rollouts.yaml:1:20" in capsys.readouterr().out


@pytest.mark.parametrize("value", [0, -1])
def test_without_a_number_of_seconds_the_file_is_not_polled_and_a_reload_waits_for_ever(value: int) -> None:
    flags = (f"--model_config_file_poll_wait_seconds={value}", f"--reload_timeout_s={value}")
    options = Served(MODEL, *flags).only
    assert (options.config_poll_interval_s, options.reload_timeout_s) == (0, math.inf)


def test_the_operators_api_can_be_left_off() -> None:
    assert Served(MODEL, "--admin_port=0").only.admin_address is None


def test_one_of_the_two_narrow_parallelism_flags_wins_over_the_wide_one() -> None:
    options = Served(MODEL, "--tensorflow_session_parallelism=4", "--tensorflow_intra_op_parallelism=2").only
    session = options.tensorflow.session
    assert (session.intra_op_threads, session.inter_op_threads) == (2, 0)


def test_rest_on_the_port_of_grpc_is_left_off(capsys: pytest.CaptureFixture[str]) -> None:
    options = Served(MODEL, "--port=9000", "--rest_api_port=9000").only
    assert options.data_plane.rest_address is None
    assert "only gRPC listens" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (
            ["--port=0"],
            (
                "INVALID_ARGUMENT: At least one of server_options.grpc_port or "
                "server_options.grpc_socket_path must be set."
            ),
        ),
        (
            ["--use_alts_credentials", "--ssl_config_file=/x"],
            "INVALID_ARGUMENT: Either use_alts_credentials must be false or ssl_config_file must be empty.",
        ),
        (
            [],
            (
                "INVALID_ARGUMENT: Both server_options.model_base_path and "
                "server_options.model_config_file are empty!"
            ),
        ),
        (
            ["--model_config_file=/no/such/file"],
            "NOT_FOUND: Cannot read the model config file '/no/such/file': No such file or directory",
        ),
        (
            [MODEL, "--batching_parameters_file=/x"],
            (
                "INVALID_ARGUMENT: server_options.batching_parameters_file is set without setting "
                "server_options.enable_batching to true."
            ),
        ),
        (
            [
                MODEL,
                "--tensorflow_session_parallelism=1",
                "--tensorflow_intra_op_parallelism=1",
                "--tensorflow_inter_op_parallelism=1",
            ],
            (
                "INVALID_ARGUMENT: Either configure server_options.tensorflow_session_parallelism or "
                "(server_options.tensorflow_intra_op_parallelism, "
                "server_options.tensorflow_inter_op_parallelism) separately. You cannot configure all."
            ),
        ),
        ([MODEL, "--port=65536"], "INVALID_ARGUMENT: --port=65536 is no port; ports go from 0 to 65535."),
        (
            [MODEL, "--num_load_threads=-1"],
            "INVALID_ARGUMENT: --num_load_threads=-1 is negative; 0 leaves the choice to the server.",
        ),
        (
            [MODEL, "--model_name="],
            (
                "INVALID_ARGUMENT: --model_name is empty, so no request could ask for the model; "
                "leave it out or name it."
            ),
        ),
    ],
)
def test_flags_that_cannot_be_are_refused_with_the_words_of_tensorflow_serving(
    arguments: list[str], status: str, capsys: pytest.CaptureFixture[str]
) -> None:
    served = Served(*arguments)
    assert (served.status, served.options) == (255, [])
    assert capsys.readouterr().out == f"Failed to start server. Error: {status}\n"


def test_a_session_config_file_that_is_none_ends_the_start_before_the_threads_are_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "session.config"
    file.write_text("threads: 4")
    all_three = [f"--tensorflow_{name}_parallelism=1" for name in ("session", "intra_op", "inter_op")]
    assert Served(MODEL, f"--tensorflow_session_config_file={file}", *all_three).status == 255
    out = capsys.readouterr().out
    assert out.startswith(f"Failed to start server. Error: INVALID_ARGUMENT: Invalid protobuf file: '{file}'")
    assert 'has no field named "threads"' in out
    file.write_text("allow_soft_placement: true")
    options = Served(MODEL, f"--tensorflow_session_config_file={file}").only
    assert options.tensorflow.session_config == bytes([7 << 3, 1])


OTHER_VALUES = {FlagType.BOOL: "", FlagType.STRING: "=/x", FlagType.FLOAT: "=0.5"}


@pytest.mark.parametrize(
    "flag", [flag for flag in FLAGS if flag.treatment is Treatment.REFUSED], ids=lambda flag: flag.name
)
def test_a_refused_flag_stops_the_start_and_its_default_does_not(
    flag: Flag, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = [MODEL, f"--{flag.name}{OTHER_VALUES.get(flag.type, '=5')}"]
    assert Served(*alone).status == 255
    out = capsys.readouterr().out
    assert out.startswith("Failed to start server. Error: UNIMPLEMENTED: --")
    assert " is refused: " in out
    default = str(flag.default).lower() if flag.type is FlagType.BOOL else str(flag.default)
    assert Served(MODEL, f"--{flag.name}={default}").status == 7


def test_a_flag_without_effect_is_accepted_and_logged(capsys: pytest.CaptureFixture[str]) -> None:
    assert Served(MODEL, "--enable_profiler=true", "--grpc_max_threads=3").status == 7
    logged = capsys.readouterr().err
    assert '"flag": "--enable_profiler"' in logged
    assert '"flag": "--grpc_max_threads"' in logged
    assert logged.count("flag_without_effect") == 2


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (StartupError("no port"), "UNKNOWN: no port"),
        (StartupError("no wheel", code=Code.FAILED_PRECONDITION), "FAILED_PRECONDITION: no wheel"),
        (
            ConfigError(Code.INVALID_ARGUMENT, "twice", line=1, column=2),
            "INVALID_ARGUMENT: twice (line 1, column 2)",
        ),
        (DataPlaneError(Code.UNAVAILABLE, "bind"), "UNAVAILABLE: bind"),
        (UnderstudyError("else"), "UNKNOWN: else"),
    ],
)
def test_a_server_that_cannot_start_says_so_on_standard_output(
    error: UnderstudyError, status: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(_options: ServeOptions) -> int:
        raise error

    assert serve_command_line([MODEL], run) == 255
    assert capsys.readouterr().out == f"Failed to start server. Error: {status}\n"


def test_what_tensorflow_serving_has_no_flag_for_has_one_here() -> None:
    options = Served(
        MODEL,
        "--transition_policy=resource_preserving",
        "--memory_limit_bytes=1000",
        "--drain_timeout_s=7",
        "--load_timeout_s=9",
        "--allow_version_labels_for_unavailable_models",
    ).only
    assert options.transition is Transition.RESOURCE_PRESERVING
    assert options.memory_limit_bytes == 1000
    assert (options.drain_timeout_s, options.stop_timeout_s, options.load_timeout_s) == (7, 7, 9)
    assert options.may_label_unavailable


def test_a_memory_limit_may_be_a_share_of_the_machine() -> None:
    limit_bytes = Served(MODEL, "--memory_limit_fraction=0.5").only.memory_limit_bytes
    assert limit_bytes == round(machine_memory_bytes() / 2)
    assert Served(MODEL).only.memory_limit_bytes is None


@pytest.mark.parametrize(
    "arguments",
    [
        ["--transition_policy=fast"],
        ["--memory_limit_fraction=1.5"],
        ["--memory_limit_fraction=0.5", "--memory_limit_bytes=10"],
        ["--memory_limit_bytes=-1"],
    ],
)
def test_limits_that_cannot_be_end_the_start(arguments: list[str]) -> None:
    served = Served(MODEL, *arguments)
    assert (served.status, served.options) == (255, [])
