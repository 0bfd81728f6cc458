"""Loads an export as a server would, in a process of its own, and says what came of it.

A SavedModel is code: one that aborts, or never ends loading, must not take a training pipeline with it.
"""

import signal
import subprocess
import sys
from pathlib import Path

import msgspec

from understudy.errors import Code, PublishError

LAST_WORDS_CHARS = 500
"""Of what a process that was killed by the load had said."""


class Refusal(msgspec.Struct, frozen=True):
    """Why it cannot be loaded; what the other process answers."""

    code: int
    message: str


class Trial(msgspec.Struct, frozen=True):
    """What is to be loaded; what the other process is asked."""

    path: str
    platform: str
    tags: tuple[str, ...]


def try_load(path: Path, platform: str, tags: tuple[str, ...], *, timeout_s: float) -> None:
    """Loads it and throws it away.

    Raises:
        PublishError: it cannot be loaded, with the loader's reason.
    """
    trial = Trial(str(path), platform, tags)
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
    refusal = msgspec.json.decode(done.stdout, type=Refusal | None)
    if refusal is not None:
        raise PublishError(Code(refusal.code), f"{path} cannot be loaded: {refusal.message}")


def _describe_end(path: Path, done: subprocess.CompletedProcess[bytes]) -> str:
    how = f"exit status {done.returncode}"
    if done.returncode < 0:
        how = signal.Signals(-done.returncode).name
    words = done.stderr.decode(errors="replace").strip()[-LAST_WORDS_CHARS:]
    return f"loading {path} ended the process that tried it ({how}); its last words: {words}"
