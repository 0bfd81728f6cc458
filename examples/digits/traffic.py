"""A client process: asks for digits on behalf of many users, writes down each answer, tells the truth later.

    python -m examples.digits.traffic --door rest --address 127.0.0.1:8501 --admin 127.0.0.1:8502 ...

Ends when its standard input closes, on SIGTERM, or after --seconds, whichever comes first. Run by the demo.
"""

import argparse
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from examples.digits.answers import DOORS, Answer
from examples.digits.doors import Door, FailedRequestError, open_door
from examples.digits.users import Digits, Feedback, Truths, Turn

RATE_PER_S = 100.0
SECONDS_MAX = 600.0


class Client:
    """Asks through one door, and keeps what has to be told later."""

    def __init__(self, name: str, door: Door, digits: Digits) -> None:
        self._name, self._door, self._digits = name, door, digits
        self.truths = Truths()

    def ask(self, turn: Turn) -> Answer:
        """One request, whatever becomes of it."""
        try:
            reply = self._door.classify(turn.image, turn.user)
        except FailedRequestError as error:
            return Answer(
                at=time.time(), door=self._name, user=turn.user, version=error.version, failure=str(error)
            )
        now = time.time()
        if reply.request_id:
            self.truths.note(now, reply.request_id, turn.digit)
        return Answer(
            at=now,
            door=self._name,
            user=turn.user,
            version=reply.version,
            arm=reply.arm,
            reason=reply.reason,
            is_right=reply.digit == turn.digit,
            mixed=reply.version is None or not self._digits.are_of(reply.version, turn, reply.scores),
        )


def paced(seconds: float, stopped: threading.Event) -> Iterator[None]:
    """One turn at each due time, until time is up or somebody says stop."""
    start = time.monotonic()
    for number in range(int(seconds * RATE_PER_S)):
        if stopped.wait(max(0.0, start + number / RATE_PER_S - time.monotonic())):
            return
        yield


def wait_stdin_closed(stopped: threading.Event) -> None:
    """Stops the client when whoever started it is gone."""
    sys.stdin.read()
    stopped.set()


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Steady traffic of many users from one client.")
    parser.add_argument("--door", choices=DOORS, required=True)
    parser.add_argument("--address", required=True)
    parser.add_argument("--admin", required=True, help="where the truth is told")
    parser.add_argument("--staging", type=Path, required=True, help="what examples.digits.train wrote")
    parser.add_argument("--record", type=Path, required=True, help="one JSON line for each request")
    parser.add_argument("--seed", type=int, default=1, help="which users come, with which digits")
    parser.add_argument("--seconds", type=float, default=SECONDS_MAX)
    return parser.parse_args()


def main() -> int:
    """Parses the command line and asks."""
    arguments = parse()
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stopped.set())
    threading.Thread(target=wait_stdin_closed, args=(stopped,), daemon=True).start()
    digits = Digits(arguments.staging)
    client = Client(arguments.door, open_door(arguments.door, arguments.address), digits)
    feedback = Feedback(arguments.admin)
    turns = paced(min(arguments.seconds, SECONDS_MAX), stopped)
    with arguments.record.open("w", encoding="utf-8", buffering=1) as record:
        for turn, _ in zip(digits.turns(arguments.seed), turns, strict=False):
            answer = client.ask(turn)
            record.write(answer.to_line())
            if due := client.truths.take_due(answer.at):
                feedback.tell(due)
    return 0


if __name__ == "__main__":
    sys.exit(main())
