"""One line for each answered request: what the clients write and the demo reads."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

DOORS = ("grpc", "rest")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one request came to.

    Attributes:
        at: when its answer was there, in seconds since 1970.
        door: `grpc` or `rest`.
        user: who asked.
        version: who answered, or failed to; none when that is not known.
        arm: `baseline` or `candidate` while a rollout lasts; else empty.
        reason: why that one: `sticky`, by the key; or `fallback`, its own arm could not answer; else empty.
        is_right: the digit was recognised; false when it failed.
        mixed: the numbers are not those of the version that the answer names.
        failure: why it failed; empty when it did not.
    """

    at: float
    door: str
    user: str
    version: int | None
    arm: str = ""
    reason: str = ""
    is_right: bool = False
    mixed: bool = False
    failure: str = ""

    def to_line(self) -> str:
        """One JSON line."""
        return json.dumps(asdict(self)) + "\n"


class Notebook:
    """All answers so far, from every client's file; each look reads what was added since the last."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._offsets = dict.fromkeys(files, 0)
        self._answers: list[Answer] = []

    def read(self) -> list[Answer]:
        """Every answer so far, by time."""
        for file in self._offsets:
            self._answers += self._read_new(file)
        self._answers.sort(key=lambda answer: answer.at)
        return list(self._answers)

    def _read_new(self, file: Path) -> Iterator[Answer]:
        if not file.exists():
            return
        with file.open("rb") as lines:
            lines.seek(self._offsets[file])
            for line in lines:
                if not line.endswith(b"\n"):  # half written: next time
                    return
                self._offsets[file] += len(line)
                yield Answer(**json.loads(line))


def since(answers: Iterable[Answer], start: float, end: float = float("inf")) -> list[Answer]:
    """The answers of a stretch of time."""
    return [answer for answer in answers if start <= answer.at < end]


def by(answers: Iterable[Answer], version: int, door: str | None = None) -> list[Answer]:
    """The answers of one version, through one door or both."""
    return [answer for answer in answers if answer.version == version and door in {None, answer.door}]


def failures(answers: Iterable[Answer]) -> list[Answer]:
    """The requests that failed."""
    return [answer for answer in answers if answer.failure]


def accuracy(answers: Sequence[Answer]) -> float:
    """The share of digits that were recognised, of those that were answered; 0 without answers."""
    answered = [answer for answer in answers if not answer.failure]
    return sum(answer.is_right for answer in answered) / max(1, len(answered))


def only_by(answers: Sequence[Answer], version: int) -> bool:
    """Whether there are answers through both doors, and all are this version's."""
    doors = {answer.door for answer in answers if answer.version == version}
    return doors == set(DOORS) and all(answer.version == version for answer in answers)
