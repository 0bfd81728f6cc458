"""`make demo`: the main job, end to end, on real data and under traffic. Exits 0 only if all of it was seen.

A better version of a digit classifier is published while clients ask; it takes over. A broken one is
published; it is refused. The better one is taken back by configuration. Clients on both doors write down
every answer, and the closing table is made from what they wrote (findings.py).
"""

import argparse
import json
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from examples.digits.answers import DOORS, Answer, Notebook, by, failures, only_by, since
from examples.digits.doors import MODEL
from examples.digits.findings import Finding, Moments, Refusal, judge
from examples.digits.folder import Folder, ForeignFolderError
from examples.digits.narration import Narrator
from examples.digits.processes import (
    Operators,
    ProcessFailedError,
    Server,
    end,
    serve_flags,
    serving,
    steady_traffic,
    understudy_command,
)

TRAIN_TIMEOUT_S = 300.0
STEP_TIMEOUT_S = 60.0
LOOK_EVERY_S = 0.1
ANSWERS_PER_DOOR = 60
"""Enough on each door to call a version settled, or to say that it served on."""
WIDTH_MIN = 100

T = TypeVar("T")


class NotSeenError(Exception):
    """What the demo waited for did not happen."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What every act needs."""

    folder: Folder
    narrator: Narrator
    server: Server
    operators: Operators
    notebook: Notebook

    def wait_answers(self, version: int, start: float) -> list[Answer]:
        """Waits until both doors have often answered by this version since then; all answers since then."""

        def look() -> list[Answer] | None:
            answers = since(self.notebook.read(), start)
            if failed := failures(answers):
                raise NotSeenError(f"a request over {failed[0].door} failed: {failed[0].failure}")
            enough = all(len(by(answers, version, door)) >= ANSWERS_PER_DOOR for door in DOORS)
            return answers if enough else None

        return wait(f"{ANSWERS_PER_DOOR} answers by version {version} through each door", look)

    def wait_settled(self, version: int, start: float) -> float:
        """Waits until only this version answers, through both doors; since when."""

        def look() -> float | None:
            latest = since(self.notebook.read(), time.time() - 0.5)
            return (
                latest[0].at
                if len(latest) > 1 and only_by(latest, version) and latest[0].at > start
                else None
            )

        return wait(f"all answers by version {version}", look)


def wait(what: str, look: Callable[[], T | None]) -> T:
    """Looks until there is something to see."""
    deadline = time.monotonic() + STEP_TIMEOUT_S
    while time.monotonic() < deadline:
        if (seen := look()) is not None:
            return seen
        time.sleep(LOOK_EVERY_S)
    raise NotSeenError(f"not within {STEP_TIMEOUT_S:.0f} s: {what}")


def train(folder: Folder, narrator: Narrator) -> None:
    """Trains and exports all versions, in a process of its own."""
    narrator.act("Train three versions on handwritten digits (TensorFlow; about half a minute)")
    command = [sys.executable, "-m", "examples.digits.train", "--staging", str(folder.staging)]
    log_file = folder.root / "train.log"
    with log_file.open("w", encoding="utf-8") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    overdue = threading.Timer(TRAIN_TIMEOUT_S, process.kill)
    overdue.start()
    try:
        assert process.stdout is not None  # noqa: S101 - it was asked for
        for line in process.stdout:
            narrator.say(describe_training(json.loads(line)))
        if process.wait() != 0:
            raise ProcessFailedError(f"training failed; its last words are in {log_file}")
    finally:
        overdue.cancel()
        end(process)
    folder.write_request()


def describe_training(event: dict[str, str | int | float | None]) -> str:
    """A line of the training's progress, in words."""
    version = event.get("version")
    match event["event"]:
        case "data":
            return f"{event['train']} digits to train on, {event['held_out']} held out"
        case "training":
            model = f"one hidden layer of {event['hidden']}" if event["hidden"] else "a linear model"
            return f"version {version}: {model}, sees {event['examples']} digits ..."
        case "exported":
            return f"version {version}: exported; {describe_export(event)}"
        case "damaged":
            return f"version {version}: now damaged on purpose, its copy broke off ({event['file']})"
        case _:
            return f"done in {event['seconds']} s"


def describe_export(event: dict[str, str | int | float | None]) -> str:
    """What an export is worth: how much it recognises, or on how much it throws."""
    if "throws" in event:
        return f"throws on {event['throws']:.1%} of the held-out digits"
    return f"{event['accuracy']:.1%} right on held-out digits"


def serve_version_1(stage: Stage) -> None:
    """Both doors answer by version 1."""
    answers = stage.wait_answers(1, 0.0)
    counts = " and ".join(f"{len(by(answers, 1, door))} over {door}" for door in DOORS)
    stage.narrator.say(f"version 1 has answered {counts}")


def publish_version_2(stage: Stage) -> tuple[float, float]:
    """Version 2 appears while traffic flows, and takes over; when it appeared, when it had taken over."""
    stage.narrator.act("Publish version 2 while traffic flows")
    published = time.time()
    stage.folder.publish(2)
    stage.narrator.say(f"renamed into place: {stage.folder.base_path / '2'}")
    settled = stage.wait_settled(2, published)
    answers = stage.wait_answers(2, published)
    stage.narrator.changeover(stage.notebook.read(), published, 2)
    stage.narrator.say(f"{len(answers)} answers since, {sum(bool(each.failure) for each in answers)} failed")
    return published, settled


def publish_broken_version_3(stage: Stage) -> tuple[float, float, Refusal]:
    """Version 3 appears broken, is refused with its reason, and is taken away again."""
    stage.narrator.act("Publish version 3, whose copy broke off")
    published = time.time()
    stage.folder.publish(3)

    def look() -> Refusal | None:
        seen = stage.operators.version(3)
        ended = seen is not None and seen["state"] == "error"
        return Refusal(state=seen["state"], reason=seen["reason"]) if seen and ended else None

    refusal = wait("version 3 refused", look)
    stage.wait_answers(2, time.time())
    stage.narrator.say(f"`understudy why {MODEL}` says:")
    stage.narrator.quote(stage.operators.why())
    withdrew = time.time()
    stage.folder.withdraw(3)
    stage.narrator.say("version 3 is removed; 2 has served on")
    return published, withdrew, refusal


def roll_back(stage: Stage) -> tuple[float, float]:
    """Version 1 is asked for by configuration, and takes over."""
    stage.narrator.act("Roll back to version 1 by configuration")
    rolled_back = time.time()
    stage.narrator.quote(stage.folder.write_config(only_version=1))
    stage.server.reload()
    stage.narrator.say(
        f"written to {stage.folder.config_file}, and SIGHUP sent to process {stage.server.pid}"
    )
    settled = stage.wait_settled(1, rolled_back)
    stage.wait_answers(1, settled)
    stage.narrator.changeover(stage.notebook.read(), rolled_back, 1)
    return rolled_back, settled


def play(folder: Folder, narrator: Narrator) -> list[Finding]:
    """All acts in order; what was seen."""
    train(folder, narrator)
    narrator.act("Start the server on version 1, and clients on both doors")
    folder.publish(1)
    narrator.quote(folder.write_config())
    with serving(folder) as server:
        addresses = server.wait_ready()
        narrator.say(f"serving: gRPC {addresses.grpc}, REST {addresses.rest}, operators {addresses.admin}")
        operators = Operators(addresses.admin)
        with steady_traffic(folder, addresses) as records:
            stage = Stage(folder, narrator, server, operators, Notebook(records))
            serve_version_1(stage)
            published_2, settled_2 = publish_version_2(stage)
            published_3, withdrew_3, refusal = publish_broken_version_3(stage)
            rolled_back, settled_1 = roll_back(stage)
        exit_code = server.stop()
    moments = Moments(
        started=0.0,
        published_2=published_2,
        settled_2=settled_2,
        published_3=published_3,
        withdrew_3=withdrew_3,
        rolled_back=rolled_back,
        settled_1=settled_1,
        ended=time.time(),
    )
    return judge(stage.notebook.read(), moments, refusal, exit_code)


def by_hand(folder: Folder) -> list[tuple[str, Sequence[str]]]:
    """The same, for a reader to type; the folder is left as it was before version 2."""
    folder.withdraw(2)
    folder.write_config()
    understudy = relative(Path(understudy_command()))
    staging, base_path = relative(folder.staging), relative(folder.base_path)
    config_file, request_file = relative(folder.config_file), relative(folder.request_file)
    serve = shlex.join([understudy, *serve_flags(Path(config_file))])
    policy = "model_version_policy { specific { versions: 1 } }"
    return [
        ("In one terminal: the server, on version 1", [serve]),
        ("In another: ask it", [f"{understudy} predict {MODEL} --input-file {request_file}"]),
        (
            "Publish version 2: copied beside, then renamed, so that it is whole when it appears",
            [
                f"cp -r {staging}/2 {base_path}/.incoming && mv {base_path}/.incoming {base_path}/2",
                f"{understudy} status {MODEL}",
            ],
        ),
        (
            "Publish the broken one, see why it is refused, and take it away again",
            [
                f"cp -r {staging}/3 {base_path}/.incoming && mv {base_path}/.incoming {base_path}/3",
                f"{understudy} why {MODEL}",
                f"rm -r {base_path}/3",
            ],
        ),
        (
            "Roll back to version 1 by configuration",
            [
                f"sed -i '/model_platform/a {policy}' {config_file}",
                f"kill -HUP $(pgrep -f 'serve --model-config-file {config_file}')",
                f"{understudy} why {MODEL}",
            ],
        ),
    ]


def relative(path: Path) -> str:
    """As a reader types it from here."""
    return shlex.quote(str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path))


def main() -> int:
    """Parses the command line and plays."""
    parser = argparse.ArgumentParser(description="The main job, end to end, under traffic.")
    parser.add_argument(
        "--folder", type=Path, default=Path(".demo"), help="where everything goes (default .demo)"
    )
    folder = Folder(parser.parse_args().folder.absolute())
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(1))  # so that processes are ended, too
    console = Console()
    console.width = max(console.width, WIDTH_MIN)
    narrator = Narrator(console)
    try:
        folder.prepare()
        findings = play(folder, narrator)
    except (ForeignFolderError, ProcessFailedError, NotSeenError) as error:
        narrator.act("The demo failed")
        narrator.quote(f"{error}\nThe server's log: {folder.server_log}")
        return 1
    narrator.act("What was observed")
    narrator.closing(findings)
    narrator.act("The same by hand")
    narrator.commands(by_hand(folder))
    return 0 if all(finding.holds for finding in findings) else 1


if __name__ == "__main__":
    sys.exit(main())
