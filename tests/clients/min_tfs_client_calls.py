"""Run in min-tfs-client's own environment: a prediction for every type it has; prints the answers as JSON."""

import json
import sys

import grpc
import numpy as np
from min_tfs_client.requests import TensorServingClient
from min_tfs_client.tensors import tensor_proto_to_ndarray


def main() -> None:
    """Asks about numbers, text and nobody."""
    host, port = sys.argv[1].split(":")
    client = TensorServingClient(host=host, port=int(port))
    response = client.predict_request(
        "half_plus_two", {"x": np.array([1, 2, 5], np.float32)}, model_version=123
    )
    told = {
        "predict": tensor_proto_to_ndarray(response.outputs["y"]).tolist(),
        "version": response.model_spec.version.value,
    }
    response = client.predict_request("strings", {"x": np.array(["one", "two"])})
    told["text"] = tensor_proto_to_ndarray(response.outputs["upper"]).tolist()
    try:
        client.predict_request("nobody", {})
    except grpc.RpcError as error:
        told["nobody"] = [error.code().name, error.details()]
    print(json.dumps(told))  # noqa: T201 - that is what it is run for


main()
