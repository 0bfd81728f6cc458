"""Every RPC by the stubs of `tensorflow-serving-api`, called in each way that gRPC has; prints answers as JSON.

Run as a script, with the server's address and a base path for a model that a reload shall add: importing the
package imports TensorFlow, which never happens in pytest's own process.
"""

import json
import sys

import grpc
from google.protobuf import json_format
from google.protobuf.message import Message
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    input_pb2,
    model_management_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)
from tensorflow_serving.config import model_server_config_pb2

import tensorflow as tf

TIMEOUT_S = 60


def spec(name: str, signature: str = "") -> model_pb2.ModelSpec:
    """Who is asked."""
    return model_pb2.ModelSpec(name=name, signature_name=signature)


def examples(*values: float) -> input_pb2.Input:
    """Examples with a feature x."""
    made = [
        tf.train.Example(
            features=tf.train.Features(
                feature={"x": tf.train.Feature(float_list=tf.train.FloatList(value=[value]))}
            )
        )
        for value in values
    ]
    return input_pb2.Input(example_list=input_pb2.ExampleList(examples=made))


def plain(message: Message) -> object:
    """The message as JSON data."""
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def predictions(stub: prediction_service_pb2_grpc.PredictionServiceStub) -> dict[str, object]:
    """The same prediction, asked in every way."""
    request = predict_pb2.PredictRequest(model_spec=spec("half_plus_two"))
    request.inputs["x"].CopyFrom(tf.make_tensor_proto([1.0, 2.0, 5.0]))
    with_call, call = stub.Predict.with_call(request, TIMEOUT_S, metadata=(("x-anything", "goes"),))
    responses = {
        "blocking": stub.Predict(request, TIMEOUT_S),
        "future": stub.Predict.future(request, TIMEOUT_S).result(),
        "with_call": with_call,
        "compressed": stub.Predict(request, TIMEOUT_S, compression=grpc.Compression.Gzip),
        "waiting": stub.Predict(request, TIMEOUT_S, wait_for_ready=True),
    }
    told: dict[str, object] = {
        way: tf.make_ndarray(each.outputs["y"]).tolist() for way, each in responses.items()
    }
    return told | {"code": call.code().name, "model_spec": plain(with_call.model_spec)}


def inferences(stub: prediction_service_pb2_grpc.PredictionServiceStub) -> dict[str, object]:
    """Classes, values and both."""
    classification = classification_pb2.ClassificationRequest(
        model_spec=spec("sums_examples", "classify"), input=examples(1.5)
    )
    regression = regression_pb2.RegressionRequest(
        model_spec=spec("sums_examples", "regress"), input=examples(1.5, 2.0)
    )
    multi = inference_pb2.MultiInferenceRequest(input=examples(1.5))
    for head in ("classify", "regress"):
        multi.tasks.add(model_spec=spec("sums_examples", head), method_name=f"tensorflow/serving/{head}")
    return {
        "classify": plain(stub.Classify(classification, TIMEOUT_S)),
        "regress": plain(stub.Regress(regression, TIMEOUT_S)),
        "multi_inference": plain(stub.MultiInference(multi, TIMEOUT_S)),
    }


def questions(
    prediction: prediction_service_pb2_grpc.PredictionServiceStub,
    model: model_service_pb2_grpc.ModelServiceStub,
    base_path: str,
) -> dict[str, object]:
    """Metadata and status; then a reload that adds a model, and its status."""
    metadata = prediction.GetModelMetadata(
        get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=spec("half_plus_two"), metadata_field=["signature_def"]
        ),
        TIMEOUT_S,
    )
    signatures = get_model_metadata_pb2.SignatureDefMap()
    metadata.metadata["signature_def"].Unpack(signatures)
    status = get_model_status_pb2.GetModelStatusRequest(model_spec=spec("half_plus_two"))
    told = {
        "signatures": sorted(signatures.signature_def),
        "status": plain(model.GetModelStatus(status, TIMEOUT_S)),
    }
    config = model_server_config_pb2.ModelServerConfig()
    config.model_config_list.config.add(name="added", base_path=base_path, model_platform="tensorflow")
    reload = model_management_pb2.ReloadConfigRequest(config=config)
    told["reload"] = plain(model.HandleReloadConfigRequest(reload, TIMEOUT_S))
    status.model_spec.name = "added"
    return told | {"status of the added": plain(model.GetModelStatus(status, TIMEOUT_S))}


def main() -> None:
    """Asks everything."""
    address, base_path = sys.argv[1:]
    with grpc.insecure_channel(address) as channel:
        prediction = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        model = model_service_pb2_grpc.ModelServiceStub(channel)
        told = predictions(prediction) | inferences(prediction) | questions(prediction, model, base_path)
    print(json.dumps(told))  # noqa: T201 - that is what it is run for


main()
