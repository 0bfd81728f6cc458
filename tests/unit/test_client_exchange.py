"""The client's calls step by step: what is sent, with what deadline, when again; time stands in the test's hands."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from understudy.client import (
    EXPLAIN_METADATA,
    ROUTING_KEY_METADATA,
    AccessDeniedError,
    AnswerError,
    CallCancelledError,
    ClientCounts,
    ClientError,
    Code,
    DeadlineExceededError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    RetryPolicy,
    Served,
    ServerError,
    UnavailableError,
    UnimplementedError,
    inference,
    questions,
)
from understudy.client.asking import Target, Terms
from understudy.client.call import Call
from understudy.client.exchange import (
    Answer,
    Chance,
    Exchange,
    Failure,
    Outcome,
    Pause,
    Reply,
    Send,
    Step,
    Steps,
)
from understudy.client.readiness import POLL_S, wait_until_ready
from understudy.testing import ManualClock
from understudy.wire import message_class

AWAY = Failure(Code.UNAVAILABLE, "connection refused")
ECHO: Call[bytes] = Call("/service/Method", b"request", lambda answer: answer, "m")
WHY: Call[bytes] = replace(ECHO, explain=lambda answer, served: answer + str(served.arm).encode())
"""The same of a model."""
ONCE: Call[bytes] = Call("/service/Method", b"request", lambda answer: answer, is_repeatable=False)


class Play:
    """Drives steps with outcomes that are laid out beforehand; time passes as told."""

    def __init__(
        self, policy: RetryPolicy | None = None, *, timeout_s: float = 10.0, explain: bool = False
    ) -> None:
        self.clock = ManualClock()
        chance = Chance(self.clock.now, lambda: 1.0)
        self.exchange = Exchange(
            policy or RetryPolicy(),
            chance,
            timeout_s=timeout_s,
            metadata={"who": "test"},
            explain=explain,
        )
        self.steps: list[Step] = []
        self.call_s = 0.0
        self.oversleep_s = 0.0

    def run(self, steps: Steps[Answer], outcomes: Iterable[Outcome | bytes]) -> Answer:
        left = iter(outcomes)
        step = next(steps)
        while True:
            self.steps.append(step)
            if isinstance(step, Pause):
                self.clock.advance(step.seconds + self.oversleep_s)
                outcome: Outcome = Reply()
            else:
                self.clock.advance(self.call_s)
                came = next(left)
                outcome = Reply(came) if isinstance(came, bytes) else came
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                answer: Answer = end.value
                return answer

    @property
    def sent(self) -> list[Send]:
        return [step for step in self.steps if isinstance(step, Send)]


def test_an_answer_at_once_is_one_step() -> None:
    play = Play()
    assert play.run(play.exchange.ask(ECHO, Terms()), [b"answer"]) == b"answer"
    assert play.steps == [Send("/service/Method", b"request", 10.0, (("who", "test"),))]
    assert play.exchange.counts() == ClientCounts(calls=1, failures=0, retries=0, retries_refused=0)


def test_the_routing_key_and_the_deadline_of_a_call_go_with_it() -> None:
    play = Play()
    play.run(play.exchange.ask(ECHO, Terms(timeout_s=2.5, routing_key="user 7")), [b""])
    assert play.sent[0].timeout_s == 2.5
    assert play.sent[0].metadata == (("who", "test"), (ROUTING_KEY_METADATA, "user 7"))


@pytest.mark.parametrize(
    "call",
    [
        inference.predict(Target("m"), {"x": 1.0}, None),
        inference.classify(Target("m"), [{"x": 1.0}], None),
        inference.regress(Target("m"), [{"x": 1.0}], None),
        inference.multi_inference(Target("m"), {"s": "regress"}, [{"x": 1.0}], None),
    ],
    ids=["predict", "classify", "regress", "multi_inference"],
)
def test_a_client_that_explains_asks_why_with_each_call_that_runs_a_model(call: Call[object]) -> None:
    for explain, asked in [(True, ((EXPLAIN_METADATA, "1"),)), (False, ())]:
        play = Play(explain=explain)
        play.run(play.exchange.ask(call, Terms(routing_key="user 7")), [AWAY, b""])
        expected = (("who", "test"), (ROUTING_KEY_METADATA, "user 7"), *asked)
        assert [send.metadata for send in play.sent] == [expected, expected], "the second try as the first"


def test_a_client_that_explains_asks_no_question_why() -> None:
    play = Play(explain=True)
    play.run(play.exchange.ask(questions.status(Target("m")), Terms()), [b""])
    play.run(wait_until_ready(play.exchange, None, 3.0), [SERVING])
    assert [send.metadata for send in play.sent] == [(("who", "test"),)] * 2


def test_what_the_server_says_of_an_answer_is_put_into_it() -> None:
    play = Play(explain=True)
    said = Reply(b"by ", Served("candidate", "sticky"))
    assert play.run(play.exchange.ask(WHY, Terms()), [said]) == b"by candidate"
    assert play.run(play.exchange.ask(WHY, Terms()), [b"by nobody"]) == b"by nobody"


def test_a_server_that_comes_back_is_found_with_what_is_left_of_the_time() -> None:
    play = Play()
    play.call_s = 1.0
    assert play.run(play.exchange.ask(ECHO, Terms()), [AWAY, AWAY, b"answer"]) == b"answer"
    assert [step.seconds for step in play.steps if isinstance(step, Pause)] == pytest.approx([0.1, 0.2])
    assert [send.timeout_s for send in play.sent] == pytest.approx([10.0, 8.9, 7.7])
    assert play.exchange.counts() == ClientCounts(calls=1, failures=0, retries=2, retries_refused=0)


def test_a_server_that_stays_away_is_told_with_the_number_of_attempts() -> None:
    play = Play(RetryPolicy(attempts_max=3))
    with pytest.raises(UnavailableError) as failed:
        play.run(play.exchange.ask(ECHO, Terms()), [AWAY] * 3)
    assert (failed.value.code, failed.value.message) == (Code.UNAVAILABLE, "connection refused")
    assert (failed.value.model, failed.value.attempts) == ("m", 3)
    assert str(failed.value) == "UNAVAILABLE: connection refused (model m) [sent 3 times]"
    assert play.exchange.counts() == ClientCounts(calls=1, failures=1, retries=2, retries_refused=0)


def test_nothing_is_sent_after_the_deadline_even_when_the_pause_was_overslept() -> None:
    play = Play(RetryPolicy(backoff_first_s=4.0), timeout_s=5.0)
    play.oversleep_s = 2.0
    with pytest.raises(UnavailableError) as failed:
        play.run(play.exchange.ask(ECHO, Terms()), [AWAY])
    assert failed.value.attempts == 1
    assert len(play.sent) == 1


def test_what_must_not_happen_twice_is_sent_once() -> None:
    play = Play()
    with pytest.raises(UnavailableError):
        play.run(play.exchange.ask(ONCE, Terms()), [AWAY])


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (Code.CANCELLED, CallCancelledError), (Code.UNKNOWN, ServerError),
        (Code.INVALID_ARGUMENT, InvalidRequestError), (Code.DEADLINE_EXCEEDED, DeadlineExceededError),
        (Code.NOT_FOUND, NotFoundError), (Code.ALREADY_EXISTS, ServerError),
        (Code.PERMISSION_DENIED, AccessDeniedError), (Code.RESOURCE_EXHAUSTED, OverloadedError),
        (Code.FAILED_PRECONDITION, InvalidRequestError), (Code.ABORTED, ServerError),
        (Code.OUT_OF_RANGE, InvalidRequestError), (Code.UNIMPLEMENTED, UnimplementedError),
        (Code.INTERNAL, ServerError), (Code.DATA_LOSS, ServerError), (Code.UNAUTHENTICATED, AccessDeniedError),
    ],
)  # fmt: skip
def test_every_other_failure_is_told_at_once_by_its_kind(code: Code, kind: type[ClientError]) -> None:
    play = Play()
    with pytest.raises(ClientError) as failed:
        play.run(play.exchange.ask(ECHO, Terms()), [Failure(code, "why")])
    assert type(failed.value) is kind
    assert (failed.value.code, failed.value.message, failed.value.attempts) == (code, "why", 1)


def test_an_answer_that_is_none_counts_as_a_failure() -> None:
    play = Play()
    with pytest.raises(AnswerError, match="GetModelStatusResponse"):
        play.run(play.exchange.ask(questions.status(Target("m")), Terms()), [b"\xff"])
    assert play.exchange.counts().failures == 1


@pytest.mark.parametrize("timeout_s", [0.0, -1.0, float("inf"), float("nan")])
def test_every_call_has_a_deadline(timeout_s: float) -> None:
    with pytest.raises(InvalidRequestError, match="timeout"):
        Terms(timeout_s=timeout_s)
    with pytest.raises(InvalidRequestError, match="timeout"):
        Play(timeout_s=timeout_s)


@pytest.mark.parametrize(
    "metadata", [{"Team": "ads"}, {"grpc-timeout": "1S"}, {"key-bin": "x"}, {"": "x"}, {"team": "two\nlines"}]
)
def test_metadata_that_grpc_would_refuse_is_refused_at_once(metadata: dict[str, str]) -> None:
    with pytest.raises(InvalidRequestError, match="Metadata"):
        Exchange(RetryPolicy(), Chance(ManualClock().now, lambda: 0.0), timeout_s=1.0, metadata=metadata)


@pytest.mark.parametrize("key", ["", "two\nlines", "\N{SNOWMAN}", "x" * 1025])
def test_a_routing_key_must_fit_into_a_header(key: str) -> None:
    with pytest.raises(InvalidRequestError, match="routing key"):
        Terms(routing_key=key)


def status(**states: int) -> bytes:
    """A GetModelStatusResponse: v1=30 says that version 1 is available."""
    response = message_class("tensorflow.serving.GetModelStatusResponse")()
    for name, state in states.items():
        response.model_version_status.add(version=int(name[1:]), state=state)  # type: ignore[attr-defined]
    return response.SerializeToString()


def test_waiting_ends_when_a_version_is_available() -> None:
    play = Play()
    missing = Failure(Code.NOT_FOUND, "Could not find any versions of model m")
    play.run(wait_until_ready(play.exchange, Target("m"), 5.0), [AWAY, missing, status(v1=20), status(v1=30)])
    assert [step.seconds for step in play.steps if isinstance(step, Pause)] == [POLL_S] * 3
    assert play.exchange.counts() == ClientCounts(calls=0, failures=0, retries=0, retries_refused=0)


def test_waiting_in_vain_tells_what_was_heard_last() -> None:
    play = Play()
    play.call_s = 1.0
    with pytest.raises(DeadlineExceededError) as failed:
        play.run(wait_until_ready(play.exchange, Target("m", 1), 3.0), [AWAY, AWAY, status(v1=20)])
    assert failed.value.message == (
        "Model m, version 1, was not ready within 3 s. Heard last: version 1 is LOADING"
    )
    assert failed.value.model == "m"
    assert all(send.timeout_s > 0 for send in play.sent)


def test_waiting_ends_at_once_where_it_is_of_no_use() -> None:
    play = Play()
    with pytest.raises(AccessDeniedError):
        play.run(
            wait_until_ready(play.exchange, Target("m"), 3.0), [Failure(Code.UNAUTHENTICATED, "who are you?")]
        )


SERVING, NOT_SERVING = b"\x08\x01", b"\x08\x02"


@pytest.mark.parametrize("last", [SERVING, Failure(Code.UNIMPLEMENTED, "no health service")])
def test_a_server_is_ready_when_it_says_so_or_answers_without_a_health_service(last: Outcome) -> None:
    play = Play()
    play.run(wait_until_ready(play.exchange, None, 3.0), [AWAY, NOT_SERVING, last])
    assert play.sent[0].path == "/grpc.health.v1.Health/Check"
    assert play.sent[0].request == b""
