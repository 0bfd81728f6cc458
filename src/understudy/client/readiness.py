"""Waiting until a server, a model or a version takes requests; step by step, as in exchange.py."""

from typing import Final

from understudy.client import questions
from understudy.client.asking import Target, check_timeout
from understudy.client.call import Call
from understudy.client.errors import DeadlineExceededError, build_error
from understudy.client.exchange import Exchange, Failure, Pause, Send, Steps
from understudy.errors import Code

POLL_S: Final = 0.1
"""Between two questions."""
READY_TIMEOUT_S: Final = 60.0
"""Of a wait that names none."""

_MAY_PASS: Final = frozenset(
    {Code.UNAVAILABLE, Code.NOT_FOUND, Code.RESOURCE_EXHAUSTED, Code.DEADLINE_EXCEEDED}
)
"""What is heard while something is still on its way."""


def wait_until_ready(exchange: Exchange, target: Target | None, timeout_s: float) -> Steps[None]:
    """Asks again and again.

    Args:
        exchange: whose clock and metadata are used; its retries are not, and it counts nothing.
        target: a model, or one version of it; none: the server.
        timeout_s: for all of it.

    Raises:
        DeadlineExceededError: it was not ready in time; says what was heard last.
        ClientError: asking again is of no use: access is denied, for example.
    """
    question = _about_server() if target is None else _about_model(target)
    clock = exchange.chance.clock
    ends_s = clock() + check_timeout(timeout_s)
    heard = "nothing"
    while (left_s := ends_s - clock()) > 0:
        outcome = yield Send(question.path, question.request, left_s, exchange.metadata)
        heard = _excuse(outcome, target) if isinstance(outcome, Failure) else question.decode(outcome.message)
        if not heard:
            return
        yield Pause(max(min(POLL_S, ends_s - clock()), 0.0))
    about = "The server" if target is None else str(target)
    raise DeadlineExceededError(
        Code.DEADLINE_EXCEEDED,
        f"{about} was not ready within {timeout_s:g} s. Heard last: {heard}",
        model=question.model,
    )


def _about_server() -> Call[str]:
    """Its answer is what is missing; empty: nothing."""
    call = questions.health("")
    return Call(call.path, call.request, lambda answer: "" if call.decode(answer) else "it is not serving")


def _about_model(target: Target) -> Call[str]:
    """The same of a model, or a version."""
    call = questions.status(target)

    def decode(answer: bytes) -> str:
        status = call.decode(answer)
        return "" if status.available else str(status)

    return Call(call.path, call.request, decode, target.model)


def _excuse(failure: Failure, target: Target | None) -> str:
    """What is missing, when it may yet come."""
    if failure.code is Code.UNIMPLEMENTED and target is None:
        return ""  # a server that was told to offer no health service, and answers
    if failure.code in _MAY_PASS:
        return f"{failure.code.name}: {failure.message}"
    raise build_error(failure.code, failure.message, model="" if target is None else target.model, attempts=1)
