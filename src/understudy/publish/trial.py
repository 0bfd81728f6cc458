"""Loads an export as a server would, in a process of its own, and asks it its golden examples.

A SavedModel is code: one that aborts, or never ends loading, must not take a training pipeline with it.
"""

import signal
import subprocess
import sys

import msgspec

from understudy.errors import Code, PublishError
from understudy.rollout.validation import GoldenReport
from understudy.routing.traffic import Tolerance

LAST_WORDS_CHARS = 500
"""Of what a process that was killed by the load had said."""


class Refusal(msgspec.Struct, frozen=True):
    """Why it is no version that could serve, in words that follow its path."""

    code: int
    message: str


class Trial(msgspec.Struct, frozen=True):
    """What is to be loaded; what the other process is asked."""

    path: str
    platform: str
    tags: tuple[str, ...]
    timeout_s: float
    tolerance: Tolerance | None
    """Of its golden examples; none: they are left alone."""


class Outcome(msgspec.Struct, frozen=True):
    """What came of it; what the other process answers."""

    refusal: Refusal | None = None
    golden: GoldenReport = GoldenReport()


def try_load(trial: Trial) -> GoldenReport:
    """Loads it, asks it its golden examples, and throws it away; what it made of them.

    Raises:
        PublishError: it cannot be loaded, with the loader's reason; or its examples cannot be read.
    """
    path, timeout_s = trial.path, trial.timeout_s
    command = [sys.executable, "-m", "understudy.publish.trial_process"]
    try:
        done = subprocess.run(  # noqa: S603 - our own module
            command, input=msgspec.json.encode(trial), capture_output=True, check=False, timeout=timeout_s
        )
    except subprocess.TimeoutExpired as error:
        text = f"{path} was not loaded within {timeout_s:g} s; give it more time, or see what it waits for"
        raise PublishError(Code.DEADLINE_EXCEEDED, text) from error
    if done.returncode != 0:
        raise PublishError(Code.FAILED_PRECONDITION, _describe_end(path, done))
    outcome = msgspec.json.decode(done.stdout, type=Outcome)
    if outcome.refusal is not None:
        raise PublishError(Code(outcome.refusal.code), f"{path} {outcome.refusal.message}")
    return outcome.golden


def _describe_end(path: str, done: subprocess.CompletedProcess[bytes]) -> str:
    how = f"exit status {done.returncode}"
    if done.returncode < 0:
        how = signal.Signals(-done.returncode).name
    words = done.stderr.decode(errors="replace").strip()[-LAST_WORDS_CHARS:]
    return f"loading {path} ended the process that tried it ({how}); its last words: {words}"
