"""Publishing real SavedModels: loaded on trial, compared with what serves, refused when they are damaged."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.live.process import LiveServer
from understudy.cli.main import main
from understudy.errors import PublishError
from understudy.publish import PublishOptions, publish
from understudy.publish.export import read_signatures
from understudy.signatures import TensorSpec

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]


def names(base: Path) -> list[str]:
    return sorted(path.name for path in base.iterdir() if not path.name.startswith("."))


def test_signatures_are_read_as_tensorflow_wrote_them(saved_models: Path) -> None:
    read = read_signatures(saved_models / "offset_1", ("serve",))["serving_default"]
    assert read.method == "tensorflow/serving/predict"
    assert (read.inputs, read.outputs) == (
        {"x": TensorSpec("DT_FLOAT", (-1,))},
        {"y": TensorSpec("DT_FLOAT", (-1,))},
    )
    any_rank = read_signatures(saved_models / "unknown_rank", ("serve",))["serving_default"]
    assert [each.shape for each in any_rank.inputs.values()] == [None]


def test_a_model_that_answers_alike_follows_and_another_is_refused_unless_that_is_allowed(
    saved_models: Path, tmp_path: Path
) -> None:
    base = tmp_path / "m"
    assert publish(saved_models / "offset_1", base_path=base).reference is None
    second = publish(saved_models / "offset_2", base_path=base)
    assert second.reference is not None
    assert (second.version, second.reference.version, second.changes) == (2, 1, ())
    with pytest.raises(PublishError, match="input x takes DT_STRING"):
        publish(saved_models / "strings", base_path=base)
    assert names(base) == ["1", "2"]
    allowed = publish(
        saved_models / "strings", base_path=base, options=PublishOptions(allow_signature_change=True)
    )
    assert allowed.version == 3
    assert allowed.changes


def test_a_model_without_its_variables_is_refused_with_the_loaders_reason(
    saved_models: Path, tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(saved_models / "offset_1", damaged)
    (damaged / "variables" / "variables.index").unlink()
    with pytest.raises(PublishError, match="cannot be loaded"):
        publish(damaged, base_path=tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_what_serves_is_the_measure_and_not_what_is_highest(saved_models: Path, tmp_path: Path) -> None:
    base = tmp_path / "m"
    shutil.copytree(saved_models / "offset_1", base / "1")
    with LiveServer(f"--model=m={base}", "--load-retries=0", "--poll-interval=0") as server:
        shutil.copytree(saved_models / "strings", base / "2")
        words = ["publish", str(saved_models / "offset_2"), "--model", "m", "--base-path", str(base)]
        done = CliRunner().invoke(main, [*words, "--admin-url", f"http://{server.admin}"])
        assert done.exit_code == 0, done.output
        assert "Compared with version 1, which serves now" in done.output
    assert names(base) == ["1", "2", "3"]
