"""BatchingParameters as text and as flags: defaults, refusals, and which of them a version gets."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from understudy.batching_parameters import (
    ADAPTIVE,
    BatchingParameters,
    BatchingSettings,
    choose_batching,
    read_batching_parameters,
)
from understudy.cli.main import main
from understudy.cli.serve import build_options, serve
from understudy.cli.tensorflow_model_server import serve_command_line
from understudy.dataplane.options import BatchingOptions
from understudy.errors import Code, ConfigError, DataPlaneError
from understudy.server_options import ServeOptions

MODEL = "--model_base_path=/models/digits"

ALL_FIELDS = """
max_batch_size { value: 128 }
batch_timeout_micros { value: 500 }
max_enqueued_batches { value: 1000000 }
num_batch_threads { value: 8 }
thread_pool_name { value: "pool" }
allowed_batch_sizes: [32, 64]
allowed_batch_sizes: 128
pad_variable_length_inputs: true
enable_large_batch_splitting { value: true }
max_execution_batch_size { value: 64 }
"""


def parameters(folder: Path, text: str) -> BatchingParameters:
    file = folder / "batching.config"
    file.write_text(text)
    return read_batching_parameters(str(file))


def test_every_field_of_tensorflow_serving_is_read(tmp_path: Path) -> None:
    assert parameters(tmp_path, ALL_FIELDS) == BatchingParameters(
        options=BatchingOptions(
            max_batch_size=128,
            batch_timeout_micros=500,
            max_enqueued_batches=1_000_000,
            allowed_batch_sizes=(32, 64, 128),
            pad_variable_length_inputs=True,
            max_execution_batch_size=64,
        ),
        threads=8,
    )


def test_what_is_left_out_is_as_in_tensorflow_serving(tmp_path: Path) -> None:
    said = parameters(tmp_path, "# nothing\n")
    assert said == BatchingParameters(options=BatchingOptions(), threads=0)
    assert (said.options.max_batch_size, said.options.max_enqueued_batches) == (1000, 10)
    split = parameters(tmp_path, "enable_large_batch_splitting { value: true }").options
    assert split.max_execution_batch_size == 1000
    ignored = parameters(tmp_path, "max_execution_batch_size { value: 5 }").options
    assert ignored.max_execution_batch_size is None


def test_a_file_may_ask_for_the_adaptive_mode(tmp_path: Path) -> None:
    assert parameters(tmp_path, "adaptive: true").options == ADAPTIVE
    sizes = parameters(tmp_path, "adaptive: true allowed_batch_sizes: [8, 16]").options
    assert (sizes.adaptive, sizes.max_batch_size, sizes.allowed_batch_sizes) == (True, 16, (8, 16))


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("max_batch_size: 5", Code.INVALID_ARGUMENT, ":1:17)"),
        ("\nmax_batch { value: 5 }", Code.INVALID_ARGUMENT, ":2:1)"),
        ("", Code.INVALID_ARGUMENT, "empty"),
        (
            "num_batch_threads { value: 0 }",
            Code.INVALID_ARGUMENT,
            "num_batch_threads must be positive; was 0",
        ),
    ],
)
def test_a_file_that_cannot_be_taken_is_refused_with_the_place(
    tmp_path: Path, text: str, code: Code, words: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        parameters(tmp_path, text)
    assert refused.value.code is code
    assert words in str(refused.value)


def test_a_version_is_batched_by_the_file_beside_it_and_not_at_all_without(tmp_path: Path) -> None:
    choose = choose_batching(BatchingSettings(options=None))
    assert choose(str(tmp_path)) is None
    file = tmp_path / "batching_params.pbtxt"
    file.write_text("max_batch_size { value: 4 }")
    assert choose(str(tmp_path)) == BatchingOptions(max_batch_size=4)
    file.write_text("max_batch_size { value: }")
    with pytest.raises(DataPlaneError, match=r"batching_params\.pbtxt") as refused:
        choose(str(tmp_path))
    assert refused.value.code is Code.INVALID_ARGUMENT


def test_all_versions_are_batched_alike_or_not_at_all() -> None:
    assert choose_batching(BatchingSettings(options=ADAPTIVE))("/models/digits/1") is ADAPTIVE
    assert choose_batching(None)("/models/digits/1") is None


def drop_in(*arguments: str) -> ServeOptions:
    """What the drop-in's command line asks for."""
    options: list[ServeOptions] = []

    def run(asked: ServeOptions) -> int:
        options.append(asked)
        return 0

    assert serve_command_line([MODEL, *arguments], run) == 0
    return options[0]


def test_the_flags_of_the_drop_in_mean_what_they_mean_in_tensorflow_serving(tmp_path: Path) -> None:
    file = tmp_path / "batching.config"
    file.write_text("max_batch_size { value: 7 } num_batch_threads { value: 3 }")
    assert drop_in().batching is None
    assert drop_in("--enable_per_model_batching_parameters").batching is None
    assert drop_in("--enable_batching").batching == BatchingSettings(options=BatchingOptions())
    by_file = drop_in("--enable_batching", f"--batching_parameters_file={file}")
    assert by_file.batching == BatchingSettings(options=BatchingOptions(max_batch_size=7))
    assert by_file.data_plane.batch_threads == 3
    by_version = drop_in(
        "--enable_batching", f"--batching_parameters_file={file}", "--enable_per_model_batching_parameters"
    )
    assert by_version.batching == BatchingSettings(options=None)
    assert by_version.data_plane.batch_threads == 3


def test_a_file_of_parameters_that_cannot_be_taken_stops_the_drop_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "batching.config"
    file.write_text("max_batch_size: many")
    arguments = [MODEL, "--enable_batching", f"--batching_parameters_file={file}"]
    assert serve_command_line(arguments, lambda _options: 0) == 255
    text = capsys.readouterr().out
    assert text.startswith(
        f"Failed to start server. Error: INVALID_ARGUMENT: Invalid protobuf file: '{file}'"
    )


def serve_options(*arguments: str) -> ServeOptions:
    context = serve.make_context("serve", ["--model", "digits=/models/digits", *arguments])
    return build_options(context.params)  # type: ignore[arg-type]


def test_understudys_own_flags_choose_the_adaptive_mode_a_file_or_the_files_of_versions(
    tmp_path: Path,
) -> None:
    file = tmp_path / "batching.config"
    file.write_text("max_batch_size { value: 7 } num_batch_threads { value: 3 }")
    assert serve_options().batching is None
    assert serve_options("--batching").batching == BatchingSettings(options=ADAPTIVE)
    by_file = serve_options("--batching-parameters-file", str(file))
    assert by_file.batching == BatchingSettings(options=BatchingOptions(max_batch_size=7))
    assert by_file.data_plane.batch_threads == 3
    own = serve_options("--batching-parameters-file", str(file), "--batch-threads", "5")
    assert own.data_plane.batch_threads == 5
    assert serve_options("--batching-by-version").batching == BatchingSettings(options=None)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--batching", "--batching-by-version"], "not both"),
        (["--batching-parameters-file", "/no/such/file"], "/no/such/file"),
    ],
)
def test_flags_of_batching_that_cannot_be_are_refused(arguments: list[str], words: str) -> None:
    result = CliRunner().invoke(main, ["serve", "--model", "digits=/models/digits", *arguments])
    assert result.exit_code != 0
    assert words in click.unstyle(result.output)
