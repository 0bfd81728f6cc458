"""The client for asyncio: `AsyncClient`. What it does is decided in exchange.py; here it is done."""

import asyncio
import random
import time
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Self, TypeVar

import grpc
import grpc.aio

from understudy.client import inference, questions
from understudy.client.answers import (
    Classification,
    ClientCounts,
    Inferences,
    ModelMetadata,
    ModelStatus,
    Prediction,
    Regression,
)
from understudy.client.asking import TIMEOUT_S, Target, Terms
from understudy.client.call import Call
from understudy.client.channel import (
    DEFAULT_ADDRESS,
    Options,
    Tls,
    build_credentials,
    build_failure,
    build_options,
    build_reply,
)
from understudy.client.errors import ClosedError
from understudy.client.examples import ExampleLike
from understudy.client.exchange import Chance, Exchange, Failure, Outcome, Pause, Reply, Step, Steps
from understudy.client.inference import Head
from understudy.client.readiness import READY_TIMEOUT_S, wait_until_ready
from understudy.client.retry import DEFAULT_RETRIES, RetryPolicy
from understudy.client.tensors import TensorLike
from understudy.errors import Code

Answer = TypeVar("Answer")


class AsyncClient:
    """Calls a model server from asyncio: `Client`, with an `await` before every call.

        async with AsyncClient("localhost:8500") as client:
            answer = await client.predict("digits", {"images": images})
            answer["scores"], answer.version

    It belongs to the event loop that makes its first call. A call whose task is cancelled is cancelled at the
    server, too. Every call has a deadline, and raises ClientError.
    """

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        tls: Tls | None = None,
        timeout: float = TIMEOUT_S,
        retries: RetryPolicy = DEFAULT_RETRIES,
        metadata: Mapping[str, str] | None = None,
        channel_options: Options | None = None,
        explain: bool = False,
    ) -> None:
        """Prepares a client; connects to nothing yet.

        Args:
            address: of the server's gRPC door: `host:port`, `unix:/path/of/the/socket`, or another
                of gRPC's targets.
            tls: for an encrypted connection; none: without.
            timeout: of a call that names none, in seconds, its retries and pauses included.
            retries: when requests are sent again; `NO_RETRIES`: never.
            metadata: gRPC metadata that goes with every request.
            channel_options: gRPC channel arguments beside the client's own, or instead of them.
            explain: whether answers shall say why it was that version, where traffic is split: in `served`,
                arm and reason. It costs a busy server a little.

        Raises:
            InvalidRequestError: for a timeout that is no time, or metadata that gRPC does not take.
            OSError: when a certificate cannot be read.
        """
        chance = Chance(time.monotonic, random.random)
        self._exchange = Exchange(
            retries, chance, timeout_s=timeout, metadata=metadata or {}, explain=explain
        )
        self._address = address
        self._credentials = None if tls is None else build_credentials(tls)
        self._options = build_options(address, tls, channel_options or {})
        self._channel: grpc.aio.Channel | None = None
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the connection, and every call that is under way. A second time does nothing."""
        self._closed = True
        if self._channel is not None:
            await self._channel.close()

    @property
    def counts(self) -> ClientCounts:
        """Calls, failures and retries so far."""
        return self._exchange.counts()

    async def predict(
        self,
        model: str,
        inputs: Mapping[str, TensorLike],
        *,
        version: int | None = None,
        label: str | None = None,
        signature: str | None = None,
        outputs: Sequence[str] | None = None,
        timeout: float | None = None,
        routing_key: str | None = None,
    ) -> Prediction:
        """Runs a model.

        Args:
            model: its name.
            inputs: arrays, or what NumPy makes arrays of, by the signature's input names. Arrays keep their
                element type; Python's own numbers become float32 and int32.
            version: that shall answer; neither it nor a label: the default version.
            label: of the version that shall answer.
            signature: that is called; none: `serving_default`.
            outputs: that shall be computed, by the signature's names; none: all.
            timeout: of this call, in seconds.
            routing_key: who asks, for a server that keeps one asker at one version.

        Returns:
            Arrays by output name, as the model made them; and who answered.

        Raises:
            TensorError: when a value fits into no tensor.
            ClientError: when the call fails.
        """
        target = Target(model, version, label, signature)
        return await self._ask(inference.predict(target, inputs, outputs), Terms(timeout, routing_key))

    async def classify(
        self,
        model: str,
        examples: Iterable[ExampleLike],
        *,
        context: ExampleLike | None = None,
        version: int | None = None,
        label: str | None = None,
        signature: str | None = None,
        timeout: float | None = None,
        routing_key: str | None = None,
    ) -> Classification:
        """Has a model name the classes of examples.

        Args:
            model: its name.
            examples: dicts of features: a value, a list of values, or a flat array.
            context: features of every example that does not have its own.
            version: that shall answer; neither it nor a label: the default version.
            label: of the version that shall answer.
            signature: that is called; none: `serving_default`.
            timeout: of this call, in seconds.
            routing_key: who asks, for a server that keeps one asker at one version.

        Returns:
            For each example its classes, each with label and score.

        Raises:
            TensorError: when a feature cannot be sent.
            ClientError: when the call fails.
        """
        target = Target(model, version, label, signature)
        return await self._ask(inference.classify(target, examples, context), Terms(timeout, routing_key))

    async def regress(
        self,
        model: str,
        examples: Iterable[ExampleLike],
        *,
        context: ExampleLike | None = None,
        version: int | None = None,
        label: str | None = None,
        signature: str | None = None,
        timeout: float | None = None,
        routing_key: str | None = None,
    ) -> Regression:
        """Has a model give each example a value. The arguments are those of `classify`.

        Raises:
            TensorError: when a feature cannot be sent.
            ClientError: when the call fails.
        """
        target = Target(model, version, label, signature)
        return await self._ask(inference.regress(target, examples, context), Terms(timeout, routing_key))

    async def multi_inference(
        self,
        model: str,
        heads: Mapping[str, Head],
        examples: Iterable[ExampleLike],
        *,
        context: ExampleLike | None = None,
        version: int | None = None,
        label: str | None = None,
        timeout: float | None = None,
        routing_key: str | None = None,
    ) -> Inferences:
        """Asks several signatures of a model about the same examples, in one run.

        Args:
            model: its name.
            heads: for each signature what it shall do: `classify` or `regress`.
            examples: dicts of features: a value, a list of values, or a flat array.
            context: features of every example that does not have its own.
            version: that shall answer; neither it nor a label: the default version.
            label: of the version that shall answer.
            timeout: of this call, in seconds.
            routing_key: who asks, for a server that keeps one asker at one version.

        Returns:
            By signature, a Classification or a Regression.

        Raises:
            TensorError: when a feature cannot be sent.
            ClientError: when the call fails.
        """
        target = Target(model, version, label)
        call = inference.multi_inference(target, heads, examples, context)
        return await self._ask(call, Terms(timeout, routing_key))

    async def metadata(
        self,
        model: str,
        *,
        version: int | None = None,
        label: str | None = None,
        timeout: float | None = None,
    ) -> ModelMetadata:
        """What a model can be asked: its signatures, with names, element types and shapes.

        Raises:
            ClientError: when the call fails.
        """
        return await self._ask(questions.metadata(Target(model, version, label)), Terms(timeout))

    async def status(
        self, model: str, *, version: int | None = None, timeout: float | None = None
    ) -> ModelStatus:
        """In which state a model's versions are; or one of them.

        Raises:
            NotFoundError: for a model, or a version, that the server does not know.
            ClientError: when the call fails.
        """
        return await self._ask(questions.status(Target(model, version)), Terms(timeout))

    async def health(self, model: str | None = None, *, timeout: float | None = None) -> bool:
        """Whether the server takes requests; or, of Understudy, whether a version of the model does.

        Raises:
            UnimplementedError: when the server has no health service.
            NotFoundError: for a model that the server does not know.
            ClientError: when the call fails.
        """
        return await self._ask(questions.health(model or ""), Terms(timeout))

    async def reload_config(self, text: str, *, timeout: float | None = None) -> None:
        """Puts another model configuration into force, whole; returns when its new models serve.

        Args:
            text: a ModelServerConfig in protobuf's text format, as in a model config file.
            timeout: of this call, in seconds. When it passes, the configuration may be in force all the same.

        Raises:
            InvalidRequestError: when the text is no configuration, or the server refuses it.
            ClientError: when the call fails; it is never sent twice.
        """
        await self._ask(questions.reload_config(text), Terms(timeout))

    async def wait_until_ready(
        self, model: str | None = None, *, version: int | None = None, timeout: float = READY_TIMEOUT_S
    ) -> None:
        """Waits until the server, the model or that version of it takes requests.

        Raises:
            DeadlineExceededError: when it does not within the time; says what was heard last.
            ClientError: when waiting is of no use.
        """
        target = None if model is None else Target(model, version)
        await self._drive(wait_until_ready(self._exchange, target, timeout))

    async def _ask(self, call: Call[Answer], terms: Terms) -> Answer:
        return await self._drive(self._exchange.ask(call, terms))

    async def _drive(self, steps: Steps[Answer]) -> Answer:
        outcome: Outcome | None = None
        while True:
            try:
                step = next(steps) if outcome is None else steps.send(outcome)
            except StopIteration as end:
                answer: Answer = end.value
                return answer
            outcome = await self._perform(step)

    async def _perform(self, step: Step) -> Outcome:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return Reply()
        send: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = self._open().unary_unary(step.path)
        try:
            call = send(step.request, timeout=step.timeout_s, metadata=step.metadata)
            message: bytes = await call
            return build_reply(message, await call.initial_metadata())
        except grpc.aio.AioRpcError as error:
            return build_failure(error)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self._closed and task is not None and not task.cancelling():
                return Failure(Code.CANCELLED, "The client was closed.")
            raise

    def _open(self) -> grpc.aio.Channel:
        """The channel, made in the loop that uses it."""
        if self._closed:
            raise ClosedError
        if self._channel is None:
            if self._credentials is None:
                self._channel = grpc.aio.insecure_channel(self._address, self._options)
            else:
                self._channel = grpc.aio.secure_channel(self._address, self._credentials, self._options)
        return self._channel
