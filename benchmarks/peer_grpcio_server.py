"""The peers: what a good Python engineer writes to answer the same Predict from Python.

Without arguments every choice favours it: it computes x/2 + 2 in plain Python on the three floats of the
request, with no TensorFlow below and no array made, which is less work than any model does. With
`--saved-model DIR` it is a model server: it runs the very SavedModel that Understudy serves, through
TensorFlow's own Python, on the event loop (a pool of threads makes it slower: the work is short and holds the
interpreter lock). Its messages run on protobuf's C
implementation (upb), as tensorflow-serving-api's do. It is grpcio's asyncio server, whose handlers need no
thread; the (de)serializers are the bound C functions; nothing is logged per request. One process, as one
Understudy is one process; its interpreter lock keeps it on about one core.

It makes the same answer as the server it stands beside: output, model name, version and signature name.
"""

import argparse
import asyncio
import gc
import json
import signal
import sys
from array import array
from collections.abc import Awaitable, Callable, Iterable

import grpc
import grpc.aio

from benchmarks.half_plus_two_messages import (
    DT_FLOAT,
    INPUT_NAME,
    OUTPUT_NAME,
    SIGNATURE_NAME,
    PredictRequest,
    PredictResponse,
    Tensor,
    request_class,
    response_class,
)

VERSION = 1
SECONDS_MAX = 3_600.0
STOP_GRACE_S = 1.0
MESSAGE_BYTES_MAX = 2**31 - 1

Servicer = grpc.aio.ServicerContext[PredictRequest, PredictResponse]
Compute = Callable[[Iterable[float]], Iterable[float]]
Handler = Callable[[PredictRequest, Servicer], Awaitable[PredictResponse]]


def floats(tensor: Tensor) -> Iterable[float]:
    """The elements of a float tensor, in whichever of the two encodings a client chose."""
    return array("f", tensor.tensor_content) if tensor.tensor_content else tensor.float_val


def compute_in_python(values: Iterable[float]) -> Iterable[float]:
    """What half_plus_two answers."""
    return [x * 0.5 + 2.0 for x in values]


def load_model(directory: str) -> Compute:
    """The SavedModel's default signature, as its users call it from Python."""
    import tensorflow as tf  # noqa: PLC0415 - seconds, and not for the peer that does without

    model = tf.saved_model.load(directory)
    kept = (model.signatures[SIGNATURE_NAME], model)  # a signature does not keep its model's variables alive

    def compute(values: Iterable[float]) -> Iterable[float]:
        outputs = kept[0](**{INPUT_NAME: tf.constant(list(values))})
        answer: list[float] = outputs[OUTPUT_NAME].numpy().tolist()
        return answer

    return compute


def build_predict(compute: Compute) -> Handler:
    """The handler of PredictionService.Predict."""
    new_response = response_class()

    async def predict(request: PredictRequest, context: Servicer) -> PredictResponse:
        given = request.inputs.get(INPUT_NAME)
        if given is None or given.dtype != DT_FLOAT:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"a float tensor {INPUT_NAME!r} is needed")
        response = new_response()
        output = response.outputs[OUTPUT_NAME]
        output.dtype = DT_FLOAT
        output.tensor_shape.CopyFrom(given.tensor_shape)
        output.float_val.extend(compute(floats(given)))
        response.model_spec.name = request.model_spec.name
        response.model_spec.version.value = VERSION
        response.model_spec.signature_name = request.model_spec.signature_name or SIGNATURE_NAME
        return response

    return predict


def build_server(compute: Compute) -> grpc.aio.Server:
    """A server with that one method, registered as generated code registers it."""
    method = grpc.unary_unary_rpc_method_handler(
        build_predict(compute),
        request_deserializer=request_class().FromString,
        response_serializer=response_class().SerializeToString,
    )
    service = grpc.method_handlers_generic_handler(
        "tensorflow.serving.PredictionService", {"Predict": method}
    )
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", MESSAGE_BYTES_MAX)])
    server.add_generic_rpc_handlers((service,))
    return server


async def serve(compute: Compute, port: int, seconds: float) -> None:
    """Serves on the loopback interface until the time is up or a signal comes."""
    server = build_server(compute)
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    gc.freeze()  # what start-up made stays: no collection need ever look at it again
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    print(json.dumps({"event": "serving", "grpc": f"127.0.0.1:{bound}"}), file=sys.stderr, flush=True)
    loop.call_later(seconds, stopped.set)
    await stopped.wait()
    await server.stop(STOP_GRACE_S)


def main() -> None:
    """Parses the command line and serves."""
    parser = argparse.ArgumentParser(description="A plain asyncio grpcio server that answers Predict.")
    parser.add_argument("--port", type=int, default=0, help="0 picks a free one (default)")
    parser.add_argument("--seconds", type=float, default=60.0, help="to live at most (default 60)")
    parser.add_argument("--saved-model", help="run this model with TensorFlow instead of plain Python")
    arguments = parser.parse_args()
    if not 0 < arguments.seconds <= SECONDS_MAX:
        parser.error(f"--seconds must be between 0 and {SECONDS_MAX:.0f}")
    compute = load_model(arguments.saved_model) if arguments.saved_model else compute_in_python
    asyncio.run(serve(compute, arguments.port, arguments.seconds))


if __name__ == "__main__":
    main()
