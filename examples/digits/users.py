"""Users of the digit classifier: who asks for what, and the truth, which is known some time later."""

import json
import random
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from examples.digits.doors import MODEL, TIMEOUT_S, Image
from examples.digits.folder import EXPORTS

USERS: Final = 20_000
TRUTH_DELAY_S: Final = 1.0
TELL_EVERY_S: Final = 0.5
TRUTHS_MAX: Final = 500
"""Of one batch."""
HELD_OUT_FILE: Final = "held_out.json"
ANSWERS_FILE: Final = "answers.json"
TOLERANCE: Final = 1e-4
UNWANTED: Final = frozenset({httpx.codes.CONFLICT, httpx.codes.NOT_FOUND})
"""No rollout lasts that asks for truths; or one does, and has had no traffic yet."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What is asked next.

    Attributes:
        user: by whom.
        place: of the image among those that were held out.
        image: the image.
        digit: what it is.
    """

    user: str
    place: int
    image: Image
    digit: int


class Digits:
    """The held-out digits, and what each version scores them, as its training wrote it down."""

    def __init__(self, staging: Path) -> None:
        held_out = json.loads((staging / HELD_OUT_FILE).read_text(encoding="utf-8"))
        self._images: list[list[float]] = held_out["images"]
        self._labels: list[int] = held_out["labels"]
        scores: dict[str, list[list[float]]] = json.loads(
            (staging / ANSWERS_FILE).read_text(encoding="utf-8")
        )
        self._scores = {version: scores[export] for version, export in EXPORTS.items()}

    def turns(self, seed: int) -> Iterator[Turn]:
        """Users come by chance, some far more often than others, with any digit; the same each time."""
        draw = random.Random(seed)  # noqa: S311 - a demo's traffic
        while True:
            place = draw.randrange(len(self._images))
            user = f"user-{int(USERS * draw.random() ** 2)}"
            yield Turn(user, place, self._images[place], self._labels[place])

    def are_of(self, version: int, turn: Turn, scores: Sequence[float]) -> bool:
        """Whether this version scores the image so."""
        expected = self._scores[version][turn.place] if version in self._scores else []
        return len(expected) == len(scores) and all(
            abs(one - other) < TOLERANCE for one, other in zip(scores, expected, strict=True)
        )


class Truths:
    """What is known of requests, and not told yet; it becomes known some time after the answer."""

    def __init__(self, delay_s: float = TRUTH_DELAY_S) -> None:
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


class Feedback:
    """Where the truth is told: the operators' API, as `understudy feedback` does."""

    def __init__(self, admin: str) -> None:
        self._client = httpx.Client(base_url=f"http://{admin}", timeout=TIMEOUT_S, trust_env=False)

    def close(self) -> None:
        """Closes its connection."""
        self._client.close()

    def tell(self, truths: list[dict[str, str | int]]) -> None:
        """Sends a batch of truths; nobody wants them when the rollout that asked for them is over."""
        response = self._client.post(f"/v1/models/{MODEL}/feedback", json={"items": truths})
        if response.status_code not in UNWANTED:
            response.raise_for_status()
