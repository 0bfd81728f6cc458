"""Users of the digit classifier: each has a key, asks for one digit at a time, and tells later what it was.

    python -m examples.digits.users --rest 127.0.0.1:8501 --admin 127.0.0.1:8502 --staging DIR --record FILE

A user's key (`x-routing-key`) decides which version answers while a rollout lasts, and it is always the same
one. Every answer says which version made it and has a request id; some seconds later the truth is sent by
that id, many at a time, as a process that collects it would. Ends when its standard input closes, on SIGTERM,
or after --seconds. Run by the demo.
"""

import argparse
import json
import random
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import httpx

from examples.digits.doors import MODEL, TIMEOUT_S, Image
from examples.digits.traffic import HELD_OUT_FILE, SECONDS_MAX, paced, wait_stdin_closed

USERS: Final = 1_000
RATE_PER_S: Final = 120.0
TRUTH_DELAY_S: Final = 2.0
TELL_EVERY_S: Final = 0.5
TRUTHS_MAX: Final = 500
"""Of one batch."""
SEED: Final = 11


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What one request came to.

    Attributes:
        at: when its answer was there, in seconds since 1970.
        user: who asked.
        version: who answered, or failed to; none when that is not known.
        arm: `baseline` or `candidate` while a rollout lasts; else empty.
        request_id: of the request; empty when it was not told.
        is_right: the digit was recognised; false when it failed.
        failure: why it failed; empty when it did not.
    """

    at: float
    user: str
    version: int | None
    arm: str
    request_id: str
    is_right: bool
    failure: str

    def to_line(self) -> str:
        """One JSON line."""
        return json.dumps(asdict(self)) + "\n"


def read_asked(files: Sequence[Path]) -> list[Asked]:
    """All that was written down whole, by time."""
    lines = (line for file in files if file.exists() for line in file.read_text().splitlines(keepends=True))
    asked = [Asked(**json.loads(line)) for line in lines if line.endswith("\n")]
    return sorted(asked, key=lambda each: each.at)


@dataclass(frozen=True, slots=True)
class Turn:
    """What is asked next: by whom, which image, and what it is."""

    user: str
    image: Image
    digit: int


def turns(staging: Path, seed: int) -> Iterator[Turn]:
    """Users come by chance, some far more often than others, with held-out digits by chance."""
    held_out = json.loads((staging / HELD_OUT_FILE).read_text(encoding="utf-8"))
    images: list[list[float]] = held_out["images"]
    labels: list[int] = held_out["labels"]
    draw = random.Random(seed)  # noqa: S311 - a demo's traffic, the same each time
    while True:
        user = f"user-{int(USERS * draw.random() ** 2)}"
        index = draw.randrange(len(images))
        yield Turn(user, images[index], labels[index])


class Truths:
    """What is known of requests, and not told yet; it becomes known some time after the answer."""

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s
        self._waiting: deque[tuple[float, str, int]] = deque()
        self._told_at = 0.0

    def note(self, now: float, request_id: str, digit: int) -> None:
        """The truth about this request will be known."""
        self._waiting.append((now + self._delay_s, request_id, digit))

    def take_due(self, now: float) -> list[dict[str, str | int]]:
        """What is known by now: a batch of it as the server takes it, now and then."""
        due: list[dict[str, str | int]] = []
        if now < self._told_at + TELL_EVERY_S:
            return due
        self._told_at = now
        while self._waiting and self._waiting[0][0] <= now and len(due) < TRUTHS_MAX:
            _, request_id, digit = self._waiting.popleft()
            due.append({"request_id": request_id, "truth": digit})
        return due


class Server:
    """The server as users and whoever knows the truth see it."""

    def __init__(self, rest: str, admin: str) -> None:
        self._rest = httpx.Client(base_url=f"http://{rest}", timeout=TIMEOUT_S, trust_env=False)
        self._admin = httpx.Client(base_url=f"http://{admin}", timeout=TIMEOUT_S, trust_env=False)

    def ask(self, turn: Turn) -> Asked:
        """One request, whatever becomes of it."""
        try:
            response = self._rest.post(
                f"/v1/models/{MODEL}:predict",
                json={"instances": [turn.image]},
                headers={"x-routing-key": turn.user},
            )
        except httpx.TransportError as error:
            return read_answer(turn, httpx.Response(503, text=f"{type(error).__name__}: {error}"))
        return read_answer(turn, response)

    def tell(self, truths: list[dict[str, str | int]]) -> None:
        """Sends a batch of truths; nobody wants them while no rollout lasts that asks for any."""
        response = self._admin.post(f"/v1/models/{MODEL}/feedback", json={"items": truths})
        if response.status_code != httpx.codes.CONFLICT:
            response.raise_for_status()


def read_answer(turn: Turn, response: httpx.Response) -> Asked:
    """What a response says of the digit, of who answered, and of the request."""
    is_answered = response.status_code == httpx.codes.OK
    version = response.headers.get("x-understudy-version")
    return Asked(
        at=time.time(),
        user=turn.user,
        version=None if version is None else int(version),
        arm=response.headers.get("x-understudy-arm", ""),
        request_id=response.headers.get("x-request-id", ""),
        is_right=is_answered and response.json()["predictions"][0]["classes"] == turn.digit,
        failure="" if is_answered else f"HTTP {response.status_code}: {response.text}",
    )


def play(server: Server, staging: Path, record: Path, *, seconds: float, stopped: threading.Event) -> None:
    """Asks at a steady pace, writes down every answer, and tells the truth when it is known."""
    truths = Truths(TRUTH_DELAY_S)
    pace = paced(min(seconds, SECONDS_MAX), stopped, rate_per_s=RATE_PER_S)
    with record.open("w", encoding="utf-8", buffering=1) as lines:
        for turn, _ in zip(turns(staging, SEED), pace, strict=False):
            asked = server.ask(turn)
            lines.write(asked.to_line())
            if not asked.failure and asked.request_id:
                truths.note(asked.at, asked.request_id, turn.digit)
            if due := truths.take_due(asked.at):
                server.tell(due)


def main() -> int:
    """Parses the command line and asks."""
    parser = argparse.ArgumentParser(description="Users with keys, who tell the truth later.")
    parser.add_argument("--rest", required=True)
    parser.add_argument("--admin", required=True)
    parser.add_argument("--staging", type=Path, required=True, help="what examples.digits.train wrote")
    parser.add_argument("--record", type=Path, required=True, help="one JSON line for each request")
    parser.add_argument("--seconds", type=float, default=SECONDS_MAX)
    arguments = parser.parse_args()
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stopped.set())
    threading.Thread(target=wait_stdin_closed, args=(stopped,), daemon=True).start()
    server = Server(arguments.rest, arguments.admin)
    play(server, arguments.staging, arguments.record, seconds=arguments.seconds, stopped=stopped)
    return 0


if __name__ == "__main__":
    sys.exit(main())
