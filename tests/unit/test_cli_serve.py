"""`understudy serve`: flags and environment become options; contradictions are refused; it stays light."""

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from understudy.cli.main import main
from understudy.cli.outcome import Unusable
from understudy.cli.serve import build_options, serve
from understudy.cli.serve_flags import OPTIONS
from understudy.dataplane.options import DataPlaneOptions, WarmupOptions
from understudy.model_config import Latest, ModelConfig, ServerConfig
from understudy.server_options import LiteRtSettings, OnStartupFailure, ServeOptions, TensorFlowSettings
from understudy.session_config import SessionOverrides


def options_for(*arguments: str) -> ServeOptions:
    """What a command line asks for, without serving it."""
    context = serve.make_context("serve", list(arguments))
    return build_options(context.params)  # type: ignore[arg-type]


def refused(*arguments: str, env: dict[str, str] | None = None) -> Result:
    result = CliRunner().invoke(main, ["serve", *arguments], env=env)
    assert result.exit_code == 2, result.output
    return result


def test_a_model_by_flag_is_served_on_the_usual_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    options = options_for("--model", "digits=/models/digits")
    assert options.models == ServerConfig(models=(ModelConfig(name="digits", base_path="/models/digits"),))
    assert options.config_file is None
    assert options.data_plane.grpc_address == "0.0.0.0:8500"
    assert options.data_plane.rest_address == "0.0.0.0:8501"
    assert options.admin_address == "127.0.0.1:8502"
    assert options.data_plane == DataPlaneOptions(grpc_address="0.0.0.0:8500", rest_address="0.0.0.0:8501")
    assert options.data_plane.cors is False  # what crosses into Rust must be of the type it says
    assert options.on_startup_failure is OnStartupFailure.SERVE
    assert options.tensorflow == TensorFlowSettings()
    assert options == ServeOptions(
        models=options.models,
        data_plane=options.data_plane,
        admin_address=options.admin_address,
        state_dir="/state/understudy/8502",
        state_dir_is_required=False,
    )


@pytest.mark.parametrize(
    ("arguments", "state_dir", "required"),
    [
        ([], "/home/ada/.local/state/understudy/8502", False),
        (["--admin-port", "9"], "/home/ada/.local/state/understudy/9", False),
        (["--admin-port", "0"], None, False),
        (["--admin-port", "off"], None, False),
        (["--state-dir", "none"], None, True),
        (["--state-dir", "/var/lib/understudy", "--admin-port", "0"], "/var/lib/understudy", True),
    ],
)
def test_the_state_lives_where_it_is_told_to_or_beside_the_user_s_other_state(
    arguments: list[str],
    state_dir: str | None,
    required: bool,  # noqa: FBT001 - a table's column
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/ada")
    options = options_for("--model", "digits=/models/digits", *arguments)
    assert (options.state_dir, options.state_dir_is_required) == (state_dir, required)


def test_how_often_the_file_is_read_and_how_long_a_reload_waits_are_flags() -> None:
    options = options_for("--model", "m=/m", "--config-poll-interval", "5", "--reload-timeout", "30")
    assert (options.config_poll_interval_s, options.reload_timeout_s) == (5.0, 30.0)


def test_the_plans_of_rollouts_come_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rollouts.yaml").write_text("models: {m: {steps: [5 %]}}")
    options = options_for("--model", "m=/m", "--rollout-config", "rollouts.yaml")
    assert options.strategies["m"].plan.steps[0].weight == 500
    assert options.rollout_config == str(tmp_path / "rollouts.yaml")
    (tmp_path / "rollouts.yaml").write_text("models: {m: {stepps: [5 %]}}")
    with pytest.raises(Unusable, match=r"rollouts.yaml:1:14"):
        options_for("--model", "m=/m", "--rollout-config", "rollouts.yaml")


def test_many_models_are_sorted_and_their_paths_seen_from_the_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = options_for("--model", "b=b", "--model", "a=s3://bucket/a=1", "--model-base-path", "/c")
    assert options.models == ServerConfig(
        models=(
            ModelConfig(name="a", base_path="s3://bucket/a=1"),
            ModelConfig(name="b", base_path=str(tmp_path / "b")),
            ModelConfig(name="default", base_path="/c"),
        )
    )


def test_a_config_file_names_the_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = """model_config_list { config { name: "a" base_path: "/a" model_platform: "tensorflow"
              model_version_policy { latest { num_versions: 2 } } } }"""
    (tmp_path / "models.config").write_text(text)
    options = options_for("--model-config-file", "models.config")
    assert options.models.models[0].version_policy == Latest(2)
    assert options.config_file == str(tmp_path / "models.config")


def test_every_flag_reaches_its_option() -> None:
    options = options_for(
        *("--model", "a=/a", "--host", "::1", "--grpc-port", "0", "--rest-port", "0", "--admin-port", "off"),
        *("--poll-interval", "-1", "--load-threads", "3", "--unload-threads", "2", "--load-retries", "1"),
        *("--load-retry-interval", "0.5", "--drain-timeout", "4", "--stop-timeout", "5"),
        *("--startup-timeout", "6", "--on-startup-failure", "exit", "--tensorflow-dir", "/tf"),
        *("--intra-op-threads", "7", "--inter-op-threads", "8", "--saved-model-tags", "serve,gpu"),
        *("--gpu-memory-fraction", "0.25", "--bfloat16"),
        *("--io-threads", "9", "--runs-max", "10", "--queue-max", "11", "--in-flight-max", "12"),
        *("--connections-max", "13", "--message-bytes-max", "14", "--buffered-bytes-max", "15"),
        *("--rest-timeout", "1.5", "--cors", "--warmup-iterations", "16"),
        *("--no-rest-compression", "--tensor-content"),
        *("--metrics-path", "/metrics"),
    )
    plane = options.data_plane
    assert (plane.grpc_address, plane.rest_address, options.admin_address) == ("[::1]:0", "[::1]:0", None)
    assert (options.poll_interval_s, options.load_threads, options.unload_threads) == (-1, 3, 2)
    assert (options.load_retries_max, options.load_retry_interval_s) == (1, 0.5)
    assert (options.drain_timeout_s, options.stop_timeout_s, options.startup_timeout_s) == (4, 5, 6)
    assert options.on_startup_failure is OnStartupFailure.EXIT
    assert options.warmup == WarmupOptions(iterations=16)
    assert options.tensorflow == TensorFlowSettings(
        library_dir="/tf",
        session=SessionOverrides(
            intra_op_threads=7, inter_op_threads=8, gpu_memory_fraction=0.25, bfloat16=True
        ),
        saved_model_tags=("serve", "gpu"),
    )
    assert (plane.io_threads, plane.runs_max, plane.queue_max) == (9, 10, 11)
    assert (plane.in_flight_max, plane.connections_max) == (12, 13)
    assert (plane.message_bytes_max, plane.buffered_bytes_max) == (14, 15)
    assert plane.rest_timeout_ms == 1500
    assert plane.cors
    assert (plane.rest_compression, plane.tensor_content) == (False, True)
    assert plane.metrics_path == "/metrics"


def test_the_environment_counts_where_no_flag_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERSTUDY_MODEL", "a=/a b=/b")
    monkeypatch.setenv("UNDERSTUDY_GRPC_PORT", "9000")
    monkeypatch.setenv("UNDERSTUDY_REST_PORT", "off")
    options = options_for("--grpc-port", "9001")
    assert [model.name for model in options.models.models] == ["a", "b"]
    assert options.data_plane.grpc_address == "0.0.0.0:9001"
    assert options.data_plane.rest_address is None


def test_versions_are_warmed_up_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    assert options_for("--model", "a=/a").warmup == WarmupOptions(iterations=1)
    assert options_for("--model", "a=/a", "--no-warmup", "--warmup-iterations", "3").warmup is None
    monkeypatch.setenv("UNDERSTUDY_WARMUP", "false")
    assert options_for("--model", "a=/a").warmup is None
    assert options_for("--model", "a=/a", "--warmup").warmup == WarmupOptions(iterations=1)


def test_a_host_by_name_becomes_an_address() -> None:
    assert options_for("--model", "a=/a", "--host", "localhost").data_plane.grpc_address == "127.0.0.1:8500"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "There is nothing to serve: give --model NAME=BASE_PATH"),
        (["--model", "digits"], "'digits' is not of the form NAME=BASE_PATH"),
        (["--model", "=/x"], "A model needs a name and a base path"),
        (["--model", "a="], "A model needs a name and a base path"),
        (["--model-base-path", "/x", "--model-name", ""], "A model needs a name and a base path"),
        (["--model", "a=/a", "--model-config-file", "/x"], "not both"),
        (
            ["--model", "a=/a", "--grpc-port", "off", "--rest-port", "off"],
            "Both --grpc-port and --rest-port are off",
        ),
        (["--model", "a=/a", "--grpc-port", "1", "--rest-port", "1"], "are both 1"),
        (["--model", "a=/a", "--grpc-port", "65536"], "is no port"),
        (["--model", "a=/a", "--grpc-port", "-1"], "is no port"),
        (["--model", "a=/a", "--host", "no-such-host.invalid"], "is no known host"),
        (["--model", "a=/a", "--metrics-path", "metrics"], "'metrics' is no path"),
        (["--model", "a=/a", "--metrics-path", "/m", "--rest-port", "off"], "is a path of the REST port"),
        (["--model", "a=/a", "--poll-interval", "soon"], "is no number of seconds"),
        (["--model", "a=/a", "--poll-interval", "nan"], "is beyond"),
        (["--model", "a=/a", "--drain-timeout", "-1"], "is negative"),
        (["--model", "a=/a", "--queue-max", "0"], "not in the range"),
        (["--model", "a=/a", "--on-startup-failure", "panic"], "is not one of"),
        (["--no-such-flag"], "No such option"),
    ],
)
def test_a_command_line_that_cannot_be_is_refused(arguments: list[str], words: str) -> None:
    assert words in " ".join(refused(*arguments).output.replace("│", " ").split())


def test_a_config_file_that_cannot_be_taken_is_refused_with_the_place(tmp_path: Path) -> None:
    file = tmp_path / "models.config"
    file.write_text("model_config_list {\n  config { nme: 1 }\n}")
    output = refused("--model-config-file", str(file)).output
    assert f"Error: Invalid protobuf file: '{file}': " in output
    assert f"({file}:2:12)" in output


def test_every_flag_has_a_help_text_and_its_own_variable() -> None:
    options = [option for option in OPTIONS if isinstance(option, click.Option)]
    assert len(options) == len(OPTIONS)
    assert [option.name for option in options if not option.help] == []
    variables = {option.envvar for option in options}
    assert len(variables) == len(options)
    assert all(str(variable).startswith("UNDERSTUDY_") for variable in variables)


def test_help_of_every_command_names_it() -> None:
    for command in ("serve", "status", "why", "predict", "completion"):
        result = CliRunner().invoke(main, [command, "--help"])
        assert result.exit_code == 0
        assert command in result.output.splitlines()[0]
        assert command in CliRunner().invoke(main, ["--help"]).output


def test_an_unknown_command_is_a_usage_error() -> None:
    assert CliRunner().invoke(main, ["server"]).exit_code == 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_completion_script(shell: str) -> None:
    result = CliRunner().invoke(main, ["completion", shell])
    assert result.exit_code == 0
    assert f"_UNDERSTUDY_COMPLETE={shell}_complete" in result.output


@pytest.mark.slow
def test_completion_answers_a_shell() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from understudy.cli.main import main; main(prog_name='understudy')"],
        check=False,
        capture_output=True,
        text=True,
        env={
            "PYTHONPATH": ":".join(sys.path),
            "_UNDERSTUDY_COMPLETE": "bash_complete",
            "COMP_WORDS": "understudy serve --model",
            "COMP_CWORD": "2",
        },
    )
    assert "plain,--model-config-file" in done.stdout.splitlines(), done.stderr


@pytest.mark.slow
def test_serve_pays_for_no_tables_and_no_http_client() -> None:
    script = (
        "import sys\n"
        "from understudy.cli.main import main\n"
        "try: main(['serve', '--model', 'a'])\n"
        "except SystemExit: pass\n"
        "import understudy.admin.listener, understudy.server\n"
        "print(sorted({'httpx', 'prometheus_client', 'rich', 'tensorflow', 'numpy'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert "NAME=BASE_PATH" in done.stderr
    assert done.stdout == "[]\n"


def test_litert_runs_as_its_flags_say() -> None:
    flags = ["--prefer-tflite-model", "--litert-dir", "/opt/ai_edge_litert", "--litert-interpreters", "5"]
    options = options_for("--model", "m=/m", *flags)
    assert options.litert == LiteRtSettings(
        is_preferred=True, library_dir="/opt/ai_edge_litert", interpreters=5
    )
    assert options_for("--model", "m=/m").litert == LiteRtSettings()
