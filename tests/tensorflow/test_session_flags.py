"""Flags and files about TensorFlow's sessions, with both commands: each by what it does in a live server."""

import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from tests.live.drop_in import drop_in, free_port, here
from tests.live.exports import config_text, model_text
from tests.live.process import CONSOLE_SCRIPTS, LiveServer

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

SCRIPT = Path(__file__).parent / "session_models.py"
INTRA, INTER = "tf_XLAEigen", "tf_Compute"
"""TensorFlow's names for the threads inside an operation, once something was compiled, and for the others."""
CORES = os.cpu_count() or 1
EXACT, ROUNDED = 4099.0, 4096.0
"""What the model `rounded` answers, to the nearest integer."""
WIDTH = 64
CAN_ROUND = "avx512f" in Path("/proc/cpuinfo").read_text()
"""TensorFlow computes in bfloat16 only on a processor that has instructions for it."""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("session-models")
    subprocess.run([sys.executable, "-W", "ignore", SCRIPT, folder], check=True, capture_output=True)
    both = [model_text(name, folder / name, platform="tensorflow") for name in ("compiled", "rounded")]
    (folder / "models.config").write_text(config_text(*both))
    return folder


def serve(models: Path, *flags: str) -> LiveServer:
    """`understudy serve` with the models `compiled` and `rounded`."""
    return LiveServer(f"--model-config-file={models / 'models.config'}", *flags)


def serve_drop_in(models: Path, *flags: str) -> LiveServer:
    """`tensorflow_model_server` with the same."""
    return drop_in(f"--model_config_file={models / 'models.config'}", *flags)


def ask(server: LiveServer, model: str, x: object) -> float:
    """The first number of the answer."""
    url = f"http://{here(server.rest)}/v1/models/{model}:predict"
    answer = requests.post(url, json={"instances": [x]}, timeout=60)
    assert answer.status_code == 200, answer.text
    first = answer.json()["predictions"][0]
    return float(first[0] if isinstance(first, list) else first)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a server's sessions are like.

    Attributes:
        intra: threads inside an operation.
        others: TensorFlow's other threads; how many more there are tells how many run operations.
        rounds: whether it computes in bfloat16.
    """

    intra: int
    others: int
    rounds: bool


def look_at(server: LiveServer) -> Seen:
    assert ask(server, "compiled", 3.0) == 7.0
    answer = round(ask(server, "rounded", [1 + 2**-12] * WIDTH))
    assert answer in {EXACT, ROUNDED}
    tasks = Path(f"/proc/{server.pid}/task").iterdir()
    threads = Counter((task / "comm").read_text().strip() for task in tasks)
    return Seen(threads[INTRA], threads[INTER], answer == ROUNDED)


@pytest.fixture(scope="module")
def plain(models: Path) -> Seen:
    """A server that nothing was asked of."""
    with serve_drop_in(models) as server:
        return look_at(server)


FILE = """
intra_op_parallelism_threads: 5
graph_options { rewrite_options { auto_mixed_precision_onednn_bfloat16: ON } }
"""


@pytest.mark.parametrize(
    ("flags", "intra", "inter", "rounds"),
    [
        (["--tensorflow_session_parallelism=4"], 4, 4, False),
        (["--tensorflow_intra_op_parallelism=3"], 3, CORES, False),
        (["--tensorflow_session_parallelism=9", "--tensorflow_inter_op_parallelism=6"], CORES, 6, False),
        (["--mixed_precision=bfloat16"], CORES, CORES, True),
        (["--mixed_precision=float8"], CORES, CORES, False),
        (["--tensorflow_session_config_file={file}"], CORES, CORES, True),
        (["--tensorflow_session_config_file={file}", "--tensorflow_intra_op_parallelism=3"], 3, CORES, True),
        (["--xla_cpu_compilation_enabled", "--per_process_gpu_memory_fraction=0.5"], CORES, CORES, False),
    ],
)
def test_a_flag_of_tensorflow_serving_does_what_it_says(
    models: Path, tmp_path: Path, plain: Seen, flags: list[str], intra: int, inter: int, *, rounds: bool
) -> None:
    file = tmp_path / "session.config"
    file.write_text(FILE)
    with serve_drop_in(models, *(flag.format(file=file) for flag in flags)) as server:
        seen = look_at(server)
    assert seen.intra == intra
    assert seen.others - plain.others == inter - CORES
    assert seen.rounds == (rounds and CAN_ROUND)


@pytest.mark.parametrize(
    ("flags", "intra", "inter", "rounds"),
    [
        (["--session-config-file={file}"], 5, CORES, True),
        (["--session-config-file={file}", "--intra-op-threads=3", "--inter-op-threads=6"], 3, 6, True),
        (["--bfloat16"], CORES, CORES, True),
        (["--gpu-memory-fraction=0.5"], CORES, CORES, False),
    ],
)
def test_an_option_of_our_own_command_does_too_and_leaves_the_rest_of_the_file(
    models: Path, tmp_path: Path, plain: Seen, flags: list[str], intra: int, inter: int, *, rounds: bool
) -> None:
    file = tmp_path / "session.config"
    file.write_text(FILE)
    with serve(models, *(flag.format(file=file) for flag in flags)) as server:
        seen = look_at(server)
    assert (seen.intra, seen.others - plain.others) == (intra, inter - CORES)
    assert seen.rounds == (rounds and CAN_ROUND)


@pytest.mark.parametrize("tags", ["serve,gpu", "gpu,serve"])
def test_a_graph_is_found_by_its_tags(models: Path, tags: str) -> None:
    with LiveServer(f"--model=tagged={models / 'tagged'}", f"--saved-model-tags={tags}") as server:
        assert ask(server, "tagged", 3.5) == 3.5


def test_a_graph_with_other_tags_fails_in_tensorflows_words(models: Path) -> None:
    done = subprocess.run(
        [
            CONSOLE_SCRIPTS / "tensorflow_model_server",
            f"--port={free_port()}",
            "--admin_port=0",
            "--max_num_load_retries=0",
            f"--model_base_path={models / 'tagged'}",
            "--saved_model_tags=serve",
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 255
    assert "NOT_FOUND: Could not find meta graph def matching supplied tags: { serve }" in done.stdout, (
        done.stdout
    )


def test_metadata_is_whole_whether_or_not_unused_fields_are_removed(models: Path) -> None:
    answers = []
    for keeps in ("true", "false"):
        with serve_drop_in(models, f"--remove_unused_fields_from_bundle_metagraph={keeps}") as server:
            url = f"http://127.0.0.1:{server.rest.rpartition(':')[2]}/v1/models/compiled/metadata"
            answers.append(requests.get(url, timeout=60).json())
    assert answers[0] == answers[1]
    assert "serving_default" in str(answers[0])
