"""`make demo`: the main job, end to end, on real data and under traffic. Exits 0 only if all of it was seen.

Versions of a digit classifier are published while thousands of users ask through both doors. A better one is
rolled out by itself, step by step, and promoted. One that confuses two digits is caught when the truth about
its predictions comes; one that throws, at the first per cent; one whose copy broke off meets nobody. The
better one is taken back by configuration. Clients write down every answer, and the closing table is made from
what they wrote (findings.py); what the server decided, and why, is read from its own record.
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

from examples.digits.answers import DOORS, Answer, Notebook, accuracy, by, failures, only_by, since
from examples.digits.doors import MODEL
from examples.digits.findings import Finding, Seen, judge
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
from examples.digits.rollouts import STRATEGIES, Played, Rollouts, UnfinishedError

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
    rollouts: Rollouts
    notebook: Notebook

    def show(self, *words: str) -> None:
        """Runs an `understudy` command, and shows what it shows."""
        self.narrator.shown(shlex.join(["understudy", *words]), self.operators.run(*words))

    def wait_answers(self, version: int, start: float) -> list[Answer]:
        """Waits until both doors have often answered by this version since then; all answers since then."""

        def look() -> list[Answer] | None:
            answers = since(self.notebook.read(), start)
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
    narrator.act("Train versions on handwritten digits (TensorFlow; about half a minute)")
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


def roll_out(stage: Stage, version: int, *, begun: float | None = None) -> Played:
    """A version appears, and its rollout takes its course; from beginning to end."""
    narrator = stage.narrator
    begun = begun or time.time()
    stage.folder.publish(version)
    narrator.say(f"renamed into place: {stage.folder.base_path / str(version)}")
    played = stage.rollouts.follow(version, begun, narrator.say)
    rollout = played.story["rollout"]["id"]
    stage.show("rollout", "show", rollout)
    during = since(stage.notebook.read(), played.begun, played.ended)
    theirs = by(during, version)
    narrator.say(f"users had {len(during):,} answers meanwhile, {len(theirs):,} of them by version {version}")
    if theirs:
        narrator.say(
            f"of these {len(failures(theirs))} failed; {accuracy(theirs):.1%} of the others were right"
        )
    return played


def roll_out_version_2(stage: Stage) -> Played:
    """The better one."""
    stage.narrator.act("Publish version 2, which is better: it is rolled out by itself")
    return roll_out(stage, 2)


def roll_out_version_3(stage: Stage) -> Played:
    """Shadow traffic does not know who is right; users' truths do."""
    stage.narrator.act("Publish version 3: loads, is fast, fails nothing, and takes eights for threes")
    return roll_out(stage, 3)


def roll_out_version_4(stage: Stage) -> Played:
    """Shadow traffic would catch it before anybody met it; somebody is in a hurry."""
    stage.narrator.act(
        "Version 4 throws on bright digits; somebody rolls it out without shadow traffic first"
    )
    begun = time.time()
    stage.show("rollout", "start", MODEL, "--to", "4", "--no-shadow", "--by", "somebody in a hurry")
    return roll_out(stage, 4, begun=begun)


def roll_out_version_5(stage: Stage) -> Played:
    """It cannot be loaded, and is not tried again."""
    stage.narrator.act("Publish version 5, whose copy broke off")
    played = roll_out(stage, 5)
    stage.show("quarantine", "list", MODEL)
    return played


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


ROLLOUTS = (roll_out_version_2, roll_out_version_3, roll_out_version_4, roll_out_version_5)


def play(folder: Folder, narrator: Narrator) -> list[Finding]:
    """All acts in order; what was seen."""
    train(folder, narrator)
    narrator.act("Start the server on version 1, and clients on both doors")
    folder.publish(1)
    narrator.quote(folder.write_config())
    narrator.say("and how new versions are rolled out:")
    narrator.quote(folder.write_strategies(STRATEGIES))
    with serving(folder) as server:
        addresses = server.wait_ready()
        narrator.say(f"serving: gRPC {addresses.grpc}, REST {addresses.rest}, operators {addresses.admin}")
        with steady_traffic(folder, addresses) as records:
            stage = Stage(
                folder=folder,
                narrator=narrator,
                server=server,
                operators=Operators(addresses.admin, columns=narrator.columns),
                rollouts=Rollouts(addresses.admin),
                notebook=Notebook(records),
            )
            serve_version_1(stage)
            rollouts = [act(stage) for act in ROLLOUTS]
            undone, settled = roll_back(stage)
        exit_code = server.stop()
    seen = Seen(rollouts=rollouts, undone=undone, settled=settled, exit_code=exit_code)
    return judge(stage.notebook.read(), seen)


def by_hand(folder: Folder) -> list[tuple[str, Sequence[str]]]:
    """The same, for a reader to type; the folder is left as it was before version 2."""
    folder.clear()
    understudy = relative(Path(understudy_command()))
    staging, base_path = relative(folder.staging), relative(folder.base_path)
    request_file, record = relative(folder.request_file), relative(folder.record("by-hand", 1))
    serve = shlex.join([understudy, *serve_flags(folder.relative())])
    copy = f"cp -r {staging}/{{}} {base_path}/.incoming && mv {base_path}/.incoming {base_path}/{{}}"
    users = (
        f"sleep 600 | {relative(Path(sys.executable))} -m examples.digits.traffic --door rest "
        f"--address 127.0.0.1:8501 --admin 127.0.0.1:8502 --staging {staging} --record {record} &"
    )
    return [
        ("In one terminal: the server, on version 1", [serve]),
        ("In another: ask it", [f"{understudy} predict {MODEL} --input-file {request_file}"]),
        ("Users who ask for ten minutes, and tell the truth later", [users]),
        (
            "Publish version 2: copied beside, then renamed, so that it is whole when it appears; watch it",
            [copy.format("2", 2), f"{understudy} rollout status {MODEL} --watch"],
        ),
        (
            "Publish the others: 3 confuses digits, 4 throws, 5 is damaged; see what was decided, and why",
            [
                copy.format("confused", 3),
                f"{understudy} rollout history {MODEL}",
                f"{understudy} why {MODEL}",
            ],
        ),
        ("Give a version another chance", [f"{understudy} quarantine release {MODEL} 3"]),
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
    except (ForeignFolderError, ProcessFailedError, NotSeenError, UnfinishedError) as error:
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
