"""The `curl` lines of TensorFlow Serving's documentation, run by curl, at the drop-in command."""

import json
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.documented import LINES, Line
from tests.conftest import VERSION
from tests.live.process import LiveServer

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

MODELS = {
    "half_plus_two": "half_plus_two",
    "half_plus_three": "half_plus_three",
    "saved_model_half_plus_three": "half_plus_three",
}
"""Export by name."""


@pytest.fixture(scope="module")
def documented(base_paths: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server with the documentation's models, the last version of each called stable."""
    config = tmp_path_factory.mktemp("documented") / "models.config"
    label = f'version_labels {{ key: "stable" value: {VERSION} }}'
    models = [
        f'config {{ name: "{name}" base_path: "{base_paths[export]}" model_platform: "tensorflow" {label} }}'
        for name, export in MODELS.items()
    ]
    config.write_text(f"model_config_list {{ {' '.join(models)} }}")
    with LiveServer(f"--model-config-file={config}") as server:
        yield server


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.command.split("/v1/")[1])
def test_a_line_of_the_documentation_answers_what_it_says(line: Line, documented: LiveServer) -> None:
    assert "localhost:8501" in line.command
    words = shlex.split(line.command.replace("\\\n", " ").replace("localhost:8501", documented.rest))
    done = subprocess.run(
        [*words, "--silent", "--show-error", "--write-out", "\n%{http_code} %{content_type}"],
        check=True,
        capture_output=True,
        text=True,
    )
    answer, _, told = done.stdout.rpartition("\n")
    assert told == f"{line.status} application/json"
    if "-i" in words:
        head, _, answer = answer.partition("\n\n" if "\r" not in answer else "\r\n\r\n")
        assert head.startswith(f"HTTP/1.1 {line.status} Not Found")
    assert json.loads(answer) == line.answer
