"""Calls that run a model: a caller's arguments to a request's bytes, an answer's bytes to an answer. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal, TypeAlias, TypeVar, cast

from understudy.client import messages
from understudy.client.answers import Class, Classification, Inferences, Prediction, Regression, Served
from understudy.client.asking import Target
from understudy.client.call import PREDICTION_SERVICE, Call
from understudy.client.errors import AnswerError, TensorError
from understudy.client.examples import ExampleLike, write_input
from understudy.client.messages import build_message, parse_message, serialize
from understudy.client.tensors import TensorLike, read_tensor, write_tensor

Explained = TypeVar("Explained", Prediction, Classification, Regression)
Head: TypeAlias = Literal["classify", "regress"]
"""What one signature of several is asked to do."""

_METHODS: Final[Mapping[str, str]] = {
    "classify": "tensorflow/serving/classify",
    "regress": "tensorflow/serving/regress",
}


def predict(
    target: Target, inputs: Mapping[str, TensorLike], outputs: Sequence[str] | None
) -> Call[Prediction]:
    """Predict."""
    request = cast(messages.PredictRequest, build_message("tensorflow.serving.PredictRequest"))
    target.write(request.model_spec)
    if not isinstance(inputs, Mapping):
        raise target.wrong(f"Inputs are a dict of arrays by name, not a {type(inputs).__name__}.")
    for name, value in inputs.items():
        try:
            write_tensor(request.inputs[name], value)
        except TensorError as error:
            raise TensorError(f"Input {name}: {error.message}") from error
    request.output_filter.extend(outputs or ())

    def decode(payload: bytes) -> Prediction:
        name = "tensorflow.serving.PredictResponse"
        response = cast(messages.PredictResponse, parse_message(name, payload))
        arrays = {alias: read_tensor(tensor) for alias, tensor in sorted(response.outputs.items())}
        spec = response.model_spec
        return Prediction(arrays, spec.name, spec.version.value, spec.signature_name)

    return Call(PREDICTION_SERVICE + "Predict", serialize(request), decode, target.model, explain=_explain)


def classify(
    target: Target, examples: Iterable[ExampleLike], context: ExampleLike | None
) -> Call[Classification]:
    """Classify."""

    def decode(payload: bytes) -> Classification:
        name = "tensorflow.serving.ClassificationResponse"
        response = cast(messages.ClassificationResponse, parse_message(name, payload))
        return _classification(response.result, response.model_spec)

    request = _examples_request("tensorflow.serving.ClassificationRequest", target, examples, context)
    return Call(PREDICTION_SERVICE + "Classify", request, decode, target.model, explain=_explain)


def regress(target: Target, examples: Iterable[ExampleLike], context: ExampleLike | None) -> Call[Regression]:
    """Regress."""

    def decode(payload: bytes) -> Regression:
        name = "tensorflow.serving.RegressionResponse"
        response = cast(messages.RegressionResponse, parse_message(name, payload))
        return _regression(response.result, response.model_spec)

    request = _examples_request("tensorflow.serving.RegressionRequest", target, examples, context)
    return Call(PREDICTION_SERVICE + "Regress", request, decode, target.model, explain=_explain)


def multi_inference(
    target: Target, heads: Mapping[str, Head], examples: Iterable[ExampleLike], context: ExampleLike | None
) -> Call[Inferences]:
    """MultiInference: one run for several signatures."""
    request = cast(messages.MultiInferenceRequest, build_message("tensorflow.serving.MultiInferenceRequest"))
    if not heads:
        raise target.wrong("Name at least one signature to ask.")
    for signature, head in heads.items():
        if head not in _METHODS:
            raise target.wrong(f"Signature {signature}: ask it to 'classify' or to 'regress', not {head!r}.")
        task = request.tasks.add()
        Target(target.model, target.version, target.label, signature).write(task.model_spec)
        task.method_name = _METHODS[head]
    write_input(request.input, examples, context)

    def decode(payload: bytes) -> Inferences:
        name = "tensorflow.serving.MultiInferenceResponse"
        response = cast(messages.MultiInferenceResponse, parse_message(name, payload))
        return {each.model_spec.signature_name: _inference(each) for each in response.results}

    def explain(answers: Inferences, served: Served) -> Inferences:
        return {name: replace(answer, served=served) for name, answer in answers.items()}

    path = PREDICTION_SERVICE + "MultiInference"
    return Call(path, serialize(request), decode, target.model, explain=explain)


def _explain(answer: Explained, served: Served) -> Explained:
    return replace(answer, served=served)


def _examples_request(
    name: str, target: Target, examples: Iterable[ExampleLike], context: ExampleLike | None
) -> bytes:
    request = cast(messages.ExamplesRequest, build_message(name))
    target.write(request.model_spec)
    write_input(request.input, examples, context)
    return serialize(request)


def _classification(result: messages.ClassificationResult, spec: messages.ModelSpec) -> Classification:
    classes = tuple(
        tuple(Class(each.label, each.score) for each in example.classes) for example in result.classifications
    )
    return Classification(classes, spec.name, spec.version.value, spec.signature_name)


def _regression(result: messages.RegressionResult, spec: messages.ModelSpec) -> Regression:
    values = tuple(each.value for each in result.regressions)
    return Regression(values, spec.name, spec.version.value, spec.signature_name)


def _inference(result: messages.InferenceResult) -> Classification | Regression:
    kind = result.WhichOneof("result")
    if kind == "classification_result":
        return _classification(result.classification_result, result.model_spec)
    if kind == "regression_result":
        return _regression(result.regression_result, result.model_spec)
    raise AnswerError("The answer has a head without a result.", model=result.model_spec.name)
