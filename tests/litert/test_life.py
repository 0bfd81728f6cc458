"""Versions that are LiteRT's among others: chosen by what is in the directory, changed over, refused, published."""

import shutil
from pathlib import Path

import pytest
import requests

from tests.live.exports import Exports, config_text, model_text
from tests.live.load import load_by_grpc, load_by_rest, wait_asked
from tests.live.process import LiveServer
from understudy.errors import PublishError
from understudy.publish import PublishOptions, publish

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

X = 0.5
LITERT = PublishOptions(platform="litert")


def stage(folder: Path, file: Path, saved_model: Path | None = None) -> Path:
    """An export with a model.tflite, and perhaps a SavedModel beside it."""
    if saved_model is None:
        folder.mkdir()
    else:
        shutil.copytree(saved_model, folder)
    shutil.copyfile(file, folder / "model.tflite")
    return folder


def answer(server: LiveServer, x: float = X) -> float:
    reply = requests.post(
        f"http://{server.rest}/v1/models/m:predict", json={"instances": [{"x": x}]}, timeout=60
    )
    assert reply.status_code == 200, reply.text
    predictions = reply.json()["predictions"]
    assert isinstance(predictions[0], float)
    return predictions[0]


@pytest.mark.parametrize(("flags", "expected"), [([], X + 1), (["--prefer-tflite-model"], 0.5 * X + 2)])
def test_the_flag_decides_between_the_two_in_one_directory(
    flags: list[str], expected: float, saved_models: Path, litert_models: dict[str, Path], tmp_path: Path
) -> None:
    exports = Exports(tmp_path / "m")
    exports.copy(stage(tmp_path / "both", litert_models["half_plus_two"], saved_models / "offset_1"), 1)
    with LiveServer(f"--model=m={exports.base_path}", *flags) as server:
        assert answer(server) == expected


def test_a_directory_without_the_file_falls_back_to_its_saved_model(
    saved_models: Path, tmp_path: Path
) -> None:
    exports = Exports(tmp_path / "m")
    exports.copy(saved_models / "offset_1", 1)
    with LiveServer(f"--model=m={exports.base_path}", "--prefer-tflite-model") as server:
        assert answer(server) == X + 1


def test_versions_of_both_kinds_change_over_under_load_and_fail_nobody(
    saved_models: Path, litert_models: dict[str, Path], tmp_path: Path
) -> None:
    exports = Exports(tmp_path / "m")
    export = stage(tmp_path / "export", litert_models["half_plus_two"])
    exports.copy(saved_models / "offset_1", 1)
    config = tmp_path / "models.config"
    config.write_text(config_text(model_text("m", exports.base_path, platform="tensorflow")))
    flags = [f"--model-config-file={config}", "--poll-interval=0.05", "--prefer-tflite-model"]
    outputs = {1: [X + 1], 2: [0.5 * X + 2], 3: [X + 2], 4: [0.5 * X + 2]}
    with LiveServer(*flags) as server:
        grpc = load_by_grpc(tmp_path, server, "m", X).expecting(outputs)
        rest = load_by_rest(tmp_path, server, "m", X).expecting(outputs)
        with grpc, rest:
            wait_asked(server, "m", 1)
            for version, source in ((2, export), (3, saved_models / "offset_2"), (4, export)):
                exports.copy(source, version)
                server.wait_log("state_changed", version=version - 1, state="end")
                wait_asked(server, "m", version)
    for load in (grpc, rest):
        assert load.report is not None
        assert (load.report.failures, load.report.mixed) == ({}, 0)


def test_a_damaged_file_stays_out_of_service_with_the_reason_and_the_old_version_serves(
    litert_models: dict[str, Path], tmp_path: Path
) -> None:
    exports = Exports(tmp_path / "m")
    exports.copy(stage(tmp_path / "good", litert_models["half_plus_two"]), 1)
    config = tmp_path / "models.config"
    config.write_text(config_text(model_text("m", exports.base_path, platform="litert")))
    flags = [f"--model-config-file={config}", "--poll-interval=0.05", "--load-retries=0"]
    with LiveServer(*flags) as server:
        damaged = stage(tmp_path / "bad", litert_models["half_plus_two"])
        content = (damaged / "model.tflite").read_bytes()
        (damaged / "model.tflite").write_bytes(content[: len(content) // 2])
        exports.copy(damaged, 2)
        server.wait_log("state_changed", version=2, state="error")
        states = {each["version"]: each for each in server.status("m")["versions"]}
        assert (states[1]["state"], states[2]["state"]) == ("ready", "error")
        assert "model.tflite: it is damaged" in states[2]["reason"]
        assert answer(server) == 0.5 * X + 2


def test_memory_is_estimated_with_a_copy_of_the_weights_for_each_interpreter(
    litert_models: dict[str, Path], tmp_path: Path
) -> None:
    exports = Exports(tmp_path / "m")
    exports.copy(stage(tmp_path / "layer", litert_models["layer"]), 1)
    flags = ["--prefer-tflite-model", "--litert-interpreters=3"]
    with LiveServer(f"--model=m={exports.base_path}", *flags) as server:
        estimate_bytes = server.status("m")["versions"][0]["estimate_bytes"]
        assert estimate_bytes == 4 * litert_models["layer"].stat().st_size


def test_a_server_without_the_library_says_what_to_install(
    litert_models: dict[str, Path], tmp_path: Path
) -> None:
    exports = Exports(tmp_path / "m")
    exports.copy(stage(tmp_path / "only", litert_models["half_plus_two"]), 1)
    flags = ["--prefer-tflite-model", f"--litert-dir={tmp_path}", "--load-retries=0"]
    with LiveServer(f"--model=m={exports.base_path}", *flags) as server:
        version = server.status("m")["versions"][0]
        assert version["state"] == "error"
        assert "pip install understudy[litert]" in version["reason"]


def test_an_export_with_only_the_file_is_tried_compared_and_published(
    saved_models: Path, litert_models: dict[str, Path], tmp_path: Path
) -> None:
    base = tmp_path / "m"
    assert publish(saved_models / "offset_1", base_path=base).version == 1
    second = publish(stage(tmp_path / "good", litert_models["half_plus_two"]), base_path=base, options=LITERT)
    assert second.reference is not None
    assert (second.version, second.reference.version, second.changes) == (2, 1, ())
    other = stage(tmp_path / "other", litert_models["two_signatures"])
    with pytest.raises(PublishError, match=r"input x takes DT_FLOAT \[\?, 2\], took DT_FLOAT \[\?\]"):
        publish(other, base_path=base, options=LITERT)
    damaged = stage(tmp_path / "damaged", litert_models["half_plus_two"])
    (damaged / "model.tflite").write_bytes(b"no such file")
    with pytest.raises(PublishError, match="not in TensorFlow Lite's format"):
        publish(damaged, base_path=base, options=LITERT)
    assert sorted(path.name for path in base.iterdir() if not path.name.startswith(".")) == ["1", "2"]
