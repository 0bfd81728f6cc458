"""What a client does, step by step, without doing it: the one logic of the blocking and the async client.

A call is a generator. It yields what is to be done next (send these bytes, pause), is sent what came of it,
and returns the answer or raises. Who drives it supplies the connection and the waiting.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from understudy.client.answers import ClientCounts, Served
from understudy.client.asking import (
    EXPLAIN_METADATA,
    ROUTING_KEY_METADATA,
    Terms,
    check_metadata,
    check_timeout,
)
from understudy.client.call import Call
from understudy.client.errors import ClientError, build_error
from understudy.client.retry import NO_RETRIES, RetryBudget, RetryPolicy, Tries
from understudy.errors import Code

Answer = TypeVar("Answer")
Metadata: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Send:
    """Send a request, and answer with a Reply or with a Failure.

    Attributes:
        path: of the method.
        request: serialized.
        timeout_s: for this attempt, greater than 0.
        metadata: that goes with it.
    """

    path: str
    request: bytes
    timeout_s: float
    metadata: Metadata


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait, and answer with an empty Reply."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Reply:
    """What an attempt was answered.

    Attributes:
        message: serialized.
        served: what the server says of it beside, if anything.
    """

    message: bytes = b""
    served: Served | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """How an attempt failed.

    Attributes:
        code: canonical code.
        message: the server's words, or the transport's.
    """

    code: Code
    message: str


Step: TypeAlias = Send | Pause
Outcome: TypeAlias = Reply | Failure
Steps: TypeAlias = Generator[Step, Outcome, Answer]


@dataclass(frozen=True, slots=True)
class Chance:
    """Time and luck.

    Attributes:
        clock: seconds that only grow.
        draw: evenly from 0 to 1.
    """

    clock: Callable[[], float]
    draw: Callable[[], float]


class Exchange:
    """A client's rules for its calls: deadlines, retries, what goes with every request."""

    def __init__(
        self,
        policy: RetryPolicy,
        chance: Chance,
        *,
        timeout_s: float,
        metadata: Mapping[str, str],
        explain: bool = False,
    ) -> None:
        self.chance = chance
        self.metadata: Metadata = check_metadata(metadata)
        self._policy = policy
        self._timeout_s = check_timeout(timeout_s)
        self._explain = explain
        self._budget = RetryBudget(policy)

    def counts(self) -> ClientCounts:
        """What was done so far."""
        return self._budget.counts()

    def ask(self, call: Call[Answer], terms: Terms) -> Steps[Answer]:
        """Sends until there is an answer, or no more use or time.

        Raises:
            ClientError: of the last attempt.
        """
        policy = self._policy if call.is_repeatable else NO_RETRIES
        metadata = self.metadata
        if terms.routing_key is not None:
            metadata = (*metadata, (ROUTING_KEY_METADATA, terms.routing_key))
        if self._explain and call.explain is not None:
            metadata = (*metadata, (EXPLAIN_METADATA, "1"))
        timeout_s = self._timeout_s if terms.timeout_s is None else terms.timeout_s
        self._budget.begin()
        try:
            return (yield from self._attempts(call, policy, timeout_s, metadata))
        except ClientError:
            self._budget.fail()
            raise

    def _attempts(
        self, call: Call[Answer], policy: RetryPolicy, timeout_s: float, metadata: Metadata
    ) -> Steps[Answer]:
        clock = self.chance.clock
        ends_s = clock() + timeout_s
        tries = Tries(policy, self._budget)
        left_s = timeout_s
        while True:
            tries.begin()
            outcome = yield Send(call.path, call.request, left_s, metadata)
            if isinstance(outcome, Reply):
                self._budget.earn()
                answer = call.decode(outcome.message)
                if call.explain is None or outcome.served is None:
                    return answer
                return call.explain(answer, outcome.served)
            left_s = ends_s - clock()
            pause_s = tries.pause_s(outcome.code, left_s=left_s, draw=self.chance.draw())
            if pause_s is not None:
                yield Pause(pause_s)
                left_s = ends_s - clock()
            if pause_s is None or left_s <= 0:
                raise build_error(outcome.code, outcome.message, model=call.model, attempts=tries.sent)
