"""Every element type and shape, through both doors and in every encoding, with TensorFlow's own reader as the judge."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.live.process import LiveServer

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

JUDGE = Path(__file__).parent / "round_trips.py"
JUDGE_TIMEOUT_S = 300
PROPERTIES = 7


@pytest.mark.parametrize(("flags", "encoding"), [((), "typed"), (("--tensor-content",), "content")])
def test_a_tensor_comes_back_as_it_went(
    flags: tuple[str, ...], encoding: str, base_paths: Mapping[str, Path]
) -> None:
    with LiveServer(f"--model=every_shape={base_paths['every_shape']}", *flags) as server:
        words = [sys.executable, "-W", "ignore", str(JUDGE), server.grpc, server.rest, encoding]
        judged = subprocess.run(words, check=False, capture_output=True, text=True, timeout=JUDGE_TIMEOUT_S)
    assert judged.returncode == 0, judged.stderr
    verdicts = json.loads(judged.stdout)
    assert len(verdicts) == PROPERTIES
    failures = {name: text for name, text in verdicts.items() if text}
    assert not failures, "\n".join(failures.values())
