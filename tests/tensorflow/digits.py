"""The demo's models and users around a real server that is killed and started again. No test cases here.

Users are the demo's own, in threads: they ask at a steady pace through both doors, tell the truth later, and
write down every answer. What they wrote, and what the dead server's store says, is all that tests judge by.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

import httpx
from examples.digits.answers import DOORS, Answer, since
from examples.digits.doors import MODEL, open_door
from examples.digits.findings import returned
from examples.digits.folder import Folder
from examples.digits.traffic import SECONDS_MAX, Client, paced
from examples.digits.users import Digits, Feedback

from tests.live.process import LiveServer
from tests.live.splits import bucket
from understudy.clock import SystemClock
from understudy.rollout.decision import Decision
from understudy.rollout.state import Phase, Rollout
from understudy.store.store import Store

CLIENTS_PER_DOOR = 2
PATIENCE_S = 120.0
LOOK_EVERY_S = 0.05
ROLLOUTS_MAX = 100
ANSWERS_MORE = 200
"""Some come meanwhile for each version that has a share at all, and the source looks several times."""
SETTLED_S = 1.0
"""What users were answered before something happened, they have written down so long after it."""


class Metric(TypedDict):
    """What tests read of one metric's verdict."""

    metric: str
    log_abort_e: float


class Judgement(TypedDict):
    """What tests read of a judgement."""

    metrics: list[Metric]


class Seen(TypedDict):
    """What tests read of a rollout, as the operators' API says it."""

    id: str
    phase: str
    weight: int
    judgement: Judgement | None


@dataclass(frozen=True, slots=True)
class Record:
    """A rollout, and all decisions about it, as the store of a dead server has them."""

    rollout: Rollout
    decisions: tuple[Decision, ...]

    @property
    def kinds(self) -> list[str]:
        """What was decided, in order."""
        return [each.kind for each in self.decisions]

    @property
    def exposed(self) -> int:
        """The largest share of traffic that the candidate ever had on record."""
        return max(0 if each.after is None else each.after.weight for each in self.decisions)


@dataclass(slots=True)
class Story:
    """One model, from its first server to its last.

    Attributes:
        folder: the demo's, with its staging.
        digits: what users ask for.
        answers: all that users wrote down.
        deaths: when a server was killed; seconds since 1970.
    """

    folder: Folder
    digits: Digits
    answers: list[Answer] = field(default_factory=list)
    deaths: list[float] = field(default_factory=list)
    _lives: int = 0

    @contextmanager
    def living(self) -> Iterator[LiveServer]:
        """A server, and users who ask it until the block ends."""
        folder = self.folder
        self._lives += 1
        with (
            LiveServer(
                f"--model-config-file={folder.config_file}",
                f"--rollout-config={folder.strategies_file}",
                f"--state-dir={folder.state}",
                "--poll-interval=0.1",
            ) as server,
            Users(self, server, self._lives),
        ):
            yield server

    def kill(self, server: LiveServer) -> None:
        """No chance to say a word; what is on record is all there is, and users met no more than that."""
        self.deaths.append(time.time())
        server.kill()

    def ask_on(self) -> float:
        """Waits until users have had many answers to what they asked from now on; since when those came."""
        settled = time.time() + SETTLED_S
        deadline = time.monotonic() + PATIENCE_S
        while len(since(self.answers, settled)) < ANSWERS_MORE:
            assert time.monotonic() < deadline, f"{len(self.answers)} answers"
            time.sleep(LOOK_EVERY_S)
        return settled

    def records(self) -> dict[int, Record]:
        """What the store says, by candidate; no server may have it open."""
        with Store(SystemClock(), self.folder.state) as store:
            return {
                rollout.candidate: Record(rollout, tuple(store.rollouts.decisions(rollout.id)))
                for rollout in store.rollouts.history(MODEL, ROLLOUTS_MAX)
            }

    def check(self) -> None:
        """What must hold at every death and at the end, by users' own notes.

        Nobody met a candidate beyond the share on record; whoever met it, met it again, but for those whom the
        baseline answered, and said so, while another server was still loading it; no request failed but by a
        kill or by a candidate; every answer is of the version that it names.
        """
        records = self.records()
        for answer in self.answers:
            record = records.get(answer.version or 0)
            if record is not None:
                assert bucket(MODEL, record.rollout.candidate, answer.user) < record.exposed, answer
        in_order = sorted(self.answers, key=lambda answer: answer.at)
        for record in records.values():
            tried = {record.rollout.baseline, record.rollout.candidate}
            theirs = [answer for answer in in_order if answer.version in tried and not is_fallback(answer)]
            back = returned(theirs, record.rollout.candidate)
            assert [answer for answer in theirs if answer.user in back] == []
        first_death = min(self.deaths)
        assert [answer for answer in in_order if is_fallback(answer) and answer.at < first_death] == []
        assert [answer for answer in in_order if answer.mixed] == []
        assert [answer for answer in in_order if self._is_unexplained(answer, set(records))] == []

    def _is_unexplained(self, answer: Answer, candidates: set[int]) -> bool:
        was_killed = answer.version is None and any(answer.at >= death for death in self.deaths)
        return bool(answer.failure) and answer.version not in candidates and not was_killed


class Users:
    """Clients on both doors, in threads, from the beginning of a block to its end."""

    def __init__(self, story: Story, server: LiveServer, life: int) -> None:
        self._story = story
        self._server = server
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask, args=(door, 10 * life + number))
            for number, door in enumerate(DOORS * CLIENTS_PER_DOOR)
        ]

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, name: str, seed: int) -> None:
        address = self._server.grpc if name == "grpc" else self._server.rest
        turns = self._story.digits.turns(seed)
        with ExitStack() as stack:
            door = stack.enter_context(closing(open_door(name, address)))
            feedback = stack.enter_context(closing(Feedback(self._server.admin)))
            client = Client(name, door, self._story.digits)
            for turn, _ in zip(turns, paced(SECONDS_MAX, self._stopped), strict=False):
                answer = client.ask(turn)
                self._story.answers.append(answer)
                if due := client.truths.take_due(answer.at):
                    try:
                        feedback.tell(due)
                    except httpx.TransportError:  # the server was killed
                        return


def is_fallback(answer: Answer) -> bool:
    """Whether another version had to answer, because the user's own was not loaded yet."""
    return answer.reason == "fallback"


def wait_default(server: LiveServer, version: int) -> None:
    """Waits until this version answers whoever has no other."""
    deadline = time.monotonic() + PATIENCE_S
    while server.status(MODEL)["default_version"] != version:
        assert time.monotonic() < deadline, server.tail()
        time.sleep(LOOK_EVERY_S)


def look(server: LiveServer) -> Seen | None:
    """The model's rollout, or its last one; none: there was none."""
    answer = httpx.get(f"http://{server.admin}/v1/models/{MODEL}/rollout", trust_env=False, timeout=30)
    if answer.status_code == httpx.codes.NOT_FOUND:
        return None
    seen: Seen = answer.raise_for_status().json()
    return seen


def wait_rollout(server: LiveServer, is_there: Callable[[Seen], bool]) -> Seen:
    """Looks until the rollout is where it is waited for."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        seen = look(server)
        if seen is not None and is_there(seen):
            return seen
        assert time.monotonic() < deadline, f"{seen}\n{server.tail()}"
        time.sleep(LOOK_EVERY_S)


def is_in(phase: Phase) -> Callable[[Seen], bool]:
    """Whether a rollout is in this phase."""
    return lambda seen: seen["phase"] == phase.value


def has_weight(weight: int) -> Callable[[Seen], bool]:
    """Whether a candidate has so large a share, or a larger one."""
    return lambda seen: seen["weight"] >= weight


def suspects(metric: str, log_e: float) -> Callable[[Seen], bool]:
    """Whether so much evidence is there that this metric is harmed, or the rollout is over already."""

    def is_there(seen: Seen) -> bool:
        metrics = (seen["judgement"] or Judgement(metrics=[]))["metrics"]
        evidence = max((each["log_abort_e"] for each in metrics if each["metric"] == metric), default=0.0)
        return evidence >= log_e or seen["phase"] == Phase.ROLLED_BACK.value

    return is_there


def build_story(root: Path, staging: Path, plan: str) -> Story:
    """Version 1 is in place, and new versions are rolled out by this plan."""
    folder = Folder(root)
    folder.prepare()
    folder.staging.symlink_to(staging)
    folder.publish(1)
    folder.write_config()
    folder.write_strategies(f"models:\n  {MODEL}: {plan}\n")
    return Story(folder, Digits(staging))
