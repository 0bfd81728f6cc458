"""When a request is sent again, and after how long. Pure: time and chance are arguments."""

import math
import threading
from dataclasses import dataclass
from typing import Final

from understudy.client.answers import ClientCounts
from understudy.errors import Code

ATTEMPTS_MAX: Final = 1_000
_RETRYABLE: Final = frozenset({Code.UNAVAILABLE, Code.RESOURCE_EXHAUSTED})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How a client repeats requests that found no server.

    The pause before retry n is drawn evenly between nothing and
    `min(backoff_max_s, backoff_first_s * backoff_factor ** (n - 1))`, so that clients that failed together do
    not come back together. A retry is never begun after the call's deadline.

    The budget is shared by all calls of a client: it begins full, a retry takes one token, an answer gives
    `budget_per_success` back. When a server is down, or has no room, a client thus sends only little more
    than its calls, however many attempts each would have.

    Attributes:
        attempts_max: of one call, the first included; 1 never retries.
        backoff_first_s: the longest pause before the first retry, in seconds.
        backoff_max_s: the longest pause of all.
        backoff_factor: by which the longest pause grows.
        budget_max: tokens of a full budget.
        budget_per_success: tokens, or the part of one, that an answer gives back.
        codes: after which a request is sent again. UNAVAILABLE; RESOURCE_EXHAUSTED may be added.
    """

    attempts_max: int = 5
    backoff_first_s: float = 0.1
    backoff_max_s: float = 5.0
    backoff_factor: float = 2.0
    budget_max: float = 20.0
    budget_per_success: float = 0.1
    codes: frozenset[Code] = frozenset({Code.UNAVAILABLE})

    def __post_init__(self) -> None:
        if not 1 <= self.attempts_max <= ATTEMPTS_MAX:
            raise ValueError(f"attempts_max is {self.attempts_max}; it must be from 1 to {ATTEMPTS_MAX}.")
        for name in ("backoff_first_s", "backoff_max_s", "budget_max", "budget_per_success"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise ValueError(
                    f"{name} is {getattr(self, name)}; it must be a number that is not negative."
                )
        if not (math.isfinite(self.backoff_factor) and self.backoff_factor >= 1):
            raise ValueError(f"backoff_factor is {self.backoff_factor}; it must be at least 1.")
        if other := sorted(code.name for code in self.codes - _RETRYABLE):
            raise ValueError(
                f"codes has {', '.join(other)}; only UNAVAILABLE and RESOURCE_EXHAUSTED say that a request "
                "may be sent again."
            )


DEFAULT_RETRIES: Final = RetryPolicy()
NO_RETRIES: Final = RetryPolicy(attempts_max=1)
"""Every request is sent once: for models where asking twice is not the same as asking once."""


class RetryBudget:
    """A client's tokens and counts; calls of many threads share it."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy
        self._lock = threading.Lock()
        self._tokens = policy.budget_max
        self._calls = self._failures = self._retries = self._refused = 0

    def begin(self) -> None:
        """A call begins."""
        with self._lock:
            self._calls += 1

    def earn(self) -> None:
        """A request was answered."""
        with self._lock:
            self._tokens = min(self._policy.budget_max, self._tokens + self._policy.budget_per_success)

    def fail(self) -> None:
        """A call ends with an error."""
        with self._lock:
            self._failures += 1

    def spend(self) -> bool:
        """Takes the token for a retry; whether there was one."""
        with self._lock:
            if self._tokens < 1:
                self._refused += 1
                return False
            self._tokens -= 1
            return True

    def repeat(self) -> None:
        """A request is sent again."""
        with self._lock:
            self._retries += 1

    def counts(self) -> ClientCounts:
        """What was counted so far."""
        with self._lock:
            return ClientCounts(self._calls, self._failures, self._retries, self._refused)


class Tries:
    """The attempts of one call."""

    def __init__(self, policy: RetryPolicy, budget: RetryBudget) -> None:
        self._policy = policy
        self._budget = budget
        self._ceiling_s = min(policy.backoff_first_s, policy.backoff_max_s)
        self.sent = 0

    def begin(self) -> None:
        """The request is sent, for the first time or again."""
        if self.sent:
            self._budget.repeat()
        self.sent += 1

    def pause_s(self, code: Code, *, left_s: float, draw: float) -> float | None:
        """How long to wait before the next attempt; none when there is none.

        Args:
            code: what the last attempt failed with.
            left_s: until the call's deadline.
            draw: evenly drawn from 0 to 1.
        """
        pause_s = self._ceiling_s * draw
        if code not in self._policy.codes or self.sent >= self._policy.attempts_max or pause_s >= left_s:
            return None
        if not self._budget.spend():
            return None
        self._ceiling_s = min(self._ceiling_s * self._policy.backoff_factor, self._policy.backoff_max_s)
        return pause_s
