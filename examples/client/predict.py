"""Asks a server about a model and calls it: `python -m examples.client.predict localhost:8500 digits`.

Any model with a signature `serving_default` will do: the inputs are zeros in the shapes that it names. While
the model's traffic is split, the answer says which version gave it and, to a client with `explain=True`, why;
whoever says by a routing key who asks always meets the same version.
"""

import sys

import numpy as np

from understudy.client import Client, ClientError, TensorSpec

USER = "ada@example.org"
NUMPY_TYPES = {
    "DT_FLOAT": "float32", "DT_DOUBLE": "float64", "DT_HALF": "float16", "DT_INT8": "int8",
    "DT_INT16": "int16", "DT_INT32": "int32", "DT_INT64": "int64", "DT_UINT8": "uint8",
    "DT_BOOL": "bool", "DT_STRING": "S",
}  # fmt: skip


def zeros(spec: TensorSpec) -> np.ndarray:
    """Zeros that fit an input, one for each size that is free."""
    shape = (1,) if spec.shape is None else [max(size, 1) for size in spec.shape]
    return np.zeros(shape, NUMPY_TYPES[spec.dtype])


def ask(address: str, model: str) -> None:
    """Prints what the model can be asked, and what it answers."""
    with Client(address, timeout=10.0, explain=True) as client:
        client.wait_until_ready(model)
        metadata = client.metadata(model)
        signature = metadata.signatures["serving_default"]
        print(f"{model}, version {metadata.version}")
        for name, spec in signature.inputs.items():
            print(f"  input {name}: {spec}")
        inputs = {name: zeros(spec) for name, spec in signature.inputs.items()}
        answer = client.predict(model, inputs, routing_key=USER)
        for name, array in answer.items():
            print(f"  output {name}: {array.tolist()}")
        if answer.served is not None:
            print(f"  by version {answer.version}: {answer.served.arm}, {answer.served.reason}")
            if answer.served.request_id is not None:  # a rollout awaits truths
                truth = f"understudy feedback {model} --id {answer.served.request_id} --truth TRUTH"
                print(f"  once it is known what the answer should have been: {truth}")


def main() -> int:
    """Runs it; 1 when the server or the model refuses."""
    try:
        ask(*sys.argv[1:])
    except ClientError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
