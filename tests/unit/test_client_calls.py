"""The client's requests and answers as bytes: what stands in a message, and what is refused before sending."""

from typing import Any, cast

import numpy as np
import pytest
from google.protobuf import json_format, text_format
from google.protobuf.message import Message

from understudy.client import (
    AnswerError,
    Class,
    Classification,
    ClientError,
    Code,
    ExampleLike,
    FeatureValue,
    InvalidRequestError,
    Regression,
    Signature,
    TensorError,
    TensorSpec,
    VersionState,
    VersionStatus,
    inference,
    questions,
)
from understudy.client.asking import Target
from understudy.client.call import Call
from understudy.client.inference import Head
from understudy.wire import descriptor_pool, message_class

SERVED = 'model_spec { name: "m" version { value: 7 } signature_name: "s" }'


SERVED_BY_T = SERVED.replace('"s"', '"t"')


def said(call: Call[Any], name: str) -> dict[str, Any]:
    """The request as JSON data."""
    request = message_class(f"tensorflow.serving.{name}").FromString(call.request)
    return json_format.MessageToDict(
        request, preserving_proto_field_name=True, descriptor_pool=descriptor_pool()
    )


def answer(name: str, text: str) -> bytes:
    """A response written in text format."""
    message: Message = text_format.Parse(
        text, message_class(f"tensorflow.serving.{name}")(), descriptor_pool=descriptor_pool()
    )
    return message.SerializeToString()


@pytest.mark.parametrize(
    ("target", "spec"),
    [
        (Target("m"), {"name": "m"}),
        (Target("m", version=0), {"name": "m", "version": "0"}),
        (Target("m", label="canary"), {"name": "m", "version_label": "canary"}),
        (Target("m", 7, signature="s"), {"name": "m", "version": "7", "signature_name": "s"}),
    ],
)
def test_a_request_says_who_shall_answer(target: Target, spec: dict[str, str]) -> None:
    assert said(inference.predict(target, {}, None), "PredictRequest") == {"model_spec": spec}


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({"model": ""}, "name is empty"),
        ({"model": "m", "version": 1, "label": "a"}, "not both"),
        ({"model": "m", "version": -1}, "Version -1"),
        ({"model": "m", "version": 1 << 63}, "versions are from 0"),
        ({"model": "m", "label": ""}, "label is empty"),
    ],
)
def test_nobody_can_be_asked_who_cannot_be_named(arguments: dict[str, Any], part: str) -> None:
    with pytest.raises(InvalidRequestError, match=part):
        Target(**arguments)


def test_predict_says_inputs_and_outputs() -> None:
    call = inference.predict(Target("m"), {"x": np.array([[1, 2]], np.int8)}, ["y", "z"])
    assert said(call, "PredictRequest") == {
        "model_spec": {"name": "m"},
        "inputs": {
            "x": {
                "dtype": "DT_INT8",
                "tensor_shape": {"dim": [{"size": "1"}, {"size": "2"}]},
                "tensor_content": "AQI=",
            }
        },
        "output_filter": ["y", "z"],
    }


def test_predict_answers_arrays_by_name_and_who_made_them() -> None:
    text = 'outputs { key: "y" value { dtype: DT_FLOAT tensor_shape { dim { size: 2 } } float_val: [1, 2] } }'
    prediction = inference.predict(Target("m"), {}, None).decode(answer("PredictResponse", text + SERVED))
    assert (prediction.model, prediction.version, prediction.signature) == ("m", 7, "s")
    assert list(prediction) == ["y"]
    assert len(prediction) == 1
    assert prediction["y"].tolist() == [1.0, 2.0]
    with pytest.raises(KeyError):
        prediction["x"]
    assert prediction == prediction  # noqa: PLR0124 - a mapping's own comparison would compare arrays
    assert prediction != inference.predict(Target("m"), {}, None).decode(
        answer("PredictResponse", text + SERVED)
    )
    assert len({prediction, prediction}) == 1


def test_an_input_that_fits_into_no_tensor_is_named() -> None:
    with pytest.raises(TensorError, match="Input x: No tensor holds"):
        inference.predict(Target("m"), {"x": np.array(["2026-01-01"], "datetime64[D]")}, None)


def test_inputs_have_names() -> None:
    with pytest.raises(InvalidRequestError, match="not a ndarray"):
        inference.predict(Target("m"), np.zeros(3), None)  # type: ignore[arg-type]


def example(**features: object) -> dict[str, Any]:
    """An Example as JSON data."""
    return {"features": {"feature": features}}


@pytest.mark.parametrize(
    ("value", "feature"),
    [
        (1.5, {"float_list": {"value": [1.5]}}),
        ([1.5, 2], {"float_list": {"value": [1.5, 2.0]}}),
        (80, {"int64_list": {"value": ["80"]}}),
        ([True, 2], {"int64_list": {"value": ["1", "2"]}}),
        ("a", {"bytes_list": {"value": ["YQ=="]}}),
        ([b"\0", "a"], {"bytes_list": {"value": ["AA==", "YQ=="]}}),
        ([], {}),
        ((1, 2), {"int64_list": {"value": ["1", "2"]}}),
        (np.array([1, 2], np.uint8), {"int64_list": {"value": ["1", "2"]}}),
        (np.array([0.5], np.float16), {"float_list": {"value": [0.5]}}),
        (np.float64(0.5), {"float_list": {"value": [0.5]}}),
        (np.array(3), {"int64_list": {"value": ["3"]}}),
        (np.array(["a"]), {"bytes_list": {"value": ["YQ=="]}}),
        (np.array([True]), {"int64_list": {"value": ["1"]}}),
        ([-(1 << 63), (1 << 63) - 1], {"int64_list": {"value": [str(-(1 << 63)), str((1 << 63) - 1)]}}),
    ],
)
def test_a_feature_has_the_kind_of_its_values(value: object, feature: dict[str, Any]) -> None:
    call = inference.classify(Target("m"), [{"f": cast(FeatureValue, value)}], None)
    assert said(call, "ClassificationRequest")["input"] == {
        "example_list": {"examples": [example(f=feature)]}
    }


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ({"f": ["a", 1]}, "Feature f mixes int, str"),
        ({"f": [None]}, "Feature f mixes NoneType"),
        ({"f": [[1]]}, "Feature f mixes list"),
        ({"f": np.zeros((2, 2))}, "2 dimensions"),
        ({"f": 1 << 63}, "no int64"),
        ("f", "not a str"),
    ],
)
def test_a_feature_that_cannot_be_said_is_refused(given: object, part: str) -> None:
    with pytest.raises(TensorError, match=part):
        inference.regress(Target("m"), [cast(ExampleLike, given)], None)


def test_a_context_goes_with_its_examples() -> None:
    call = inference.regress(Target("m"), [{"a": 1}, {}], {"c": "x"})
    assert said(call, "RegressionRequest")["input"] == {
        "example_list_with_context": {
            "examples": [example(a={"int64_list": {"value": ["1"]}}), {"features": {}}],
            "context": example(c={"bytes_list": {"value": ["eA=="]}}),
        }
    }


CLASSES = 'classifications { classes { label: "a" score: 0.5 } classes { score: 0.25 } } classifications {}'
VALUES = "regressions { value: 0.5 } regressions { value: 2 }"
CLASSIFIED = Classification(((Class("a", 0.5), Class("", 0.25)), ()), "m", 7, "s")
REGRESSED = Regression((0.5, 2.0), "m", 7, "s")


def test_classify_answers_classes_for_each_example() -> None:
    payload = answer("ClassificationResponse", f"result {{ {CLASSES} }} {SERVED}")
    answered = inference.classify(Target("m"), [{}, {}], None).decode(payload)
    assert answered == CLASSIFIED
    assert answered[0] == (Class("a", 0.5), Class("", 0.25))
    assert len(answered) == 2


def test_regress_answers_a_value_for_each_example() -> None:
    payload = answer("RegressionResponse", f"result {{ {VALUES} }} {SERVED}")
    answered = inference.regress(Target("m"), [{}, {}], None).decode(payload)
    assert answered == REGRESSED
    assert list(answered) == [0.5, 2.0]


def test_several_heads_are_asked_and_answer_by_name() -> None:
    call = inference.multi_inference(Target("m", 7), {"s": "classify", "t": "regress"}, [{"a": 1}], None)
    assert said(call, "MultiInferenceRequest")["tasks"] == [
        {"model_spec": {"name": "m", "version": "7", "signature_name": "s"}, "method_name": "tensorflow/serving/classify"},
        {"model_spec": {"name": "m", "version": "7", "signature_name": "t"}, "method_name": "tensorflow/serving/regress"},
    ]  # fmt: skip
    text = (
        f"results {{ {SERVED} classification_result {{ {CLASSES} }} }}"
        f"results {{ {SERVED_BY_T} regression_result {{ {VALUES} }} }}"
    )
    answered = call.decode(answer("MultiInferenceResponse", text))
    assert answered == {"s": CLASSIFIED, "t": Regression((0.5, 2.0), "m", 7, "t")}
    with pytest.raises(AnswerError, match="without a result"):
        call.decode(answer("MultiInferenceResponse", "results {}"))


@pytest.mark.parametrize(("heads", "part"), [({}, "at least one"), ({"s": "predict"}, "not 'predict'")])
def test_heads_are_asked_what_heads_can_do(heads: object, part: str) -> None:
    with pytest.raises(InvalidRequestError, match=part):
        inference.multi_inference(Target("m"), cast("dict[str, Head]", heads), [], None)


def test_metadata_tells_signatures_with_types_and_shapes() -> None:
    definition = """
        inputs { key: "x" value { dtype: DT_FLOAT tensor_shape { dim { size: -1 } dim { size: 3 } } } }
        inputs { key: "k" value { dtype: DT_INT32 tensor_shape {} } }
        outputs { key: "y" value { dtype: DT_VARIANT tensor_shape { unknown_rank: true } } }
        defaults { key: "k" value { dtype: DT_INT32 int_val: 3 } }
        method_name: "tensorflow/serving/predict"
    """
    signatures = answer("SignatureDefMap", f'signature_def {{ key: "s" value {{ {definition} }} }}')
    response = message_class("tensorflow.serving.GetModelMetadataResponse")()
    response.MergeFromString(
        answer("GetModelMetadataResponse", 'model_spec { name: "m" version { value: 7 } }')
    )
    response.metadata["signature_def"].value = signatures  # type: ignore[attr-defined]
    told = questions.metadata(Target("m")).decode(response.SerializeToString())
    assert (told.model, told.version) == ("m", 7)
    assert told.signatures == {
        "s": Signature(
            "tensorflow/serving/predict",
            {"x": TensorSpec("DT_FLOAT", (-1, 3)), "k": TensorSpec("DT_INT32", ())},
            {"y": TensorSpec("type 21", None)},
            frozenset({"k"}),
        )
    }


def test_status_tells_states_and_reasons() -> None:
    text = (
        "model_version_status { version: 2 state: END status { error_code: NOT_FOUND error_message: 'gone' } }"
        "model_version_status { version: 1 state: AVAILABLE status {} }"
    )
    told = questions.status(Target("m")).decode(answer("GetModelStatusResponse", text))
    assert told.versions == (
        VersionStatus(2, VersionState.END, Code.NOT_FOUND, "gone"),
        VersionStatus(1, VersionState.AVAILABLE, Code.OK, ""),
    )
    assert told.available == (1,)
    assert str(told) == "version 2 is END (NOT_FOUND: gone), version 1 is AVAILABLE"


def test_a_state_that_nobody_knows_is_unknown() -> None:
    response = message_class("tensorflow.serving.GetModelStatusResponse")()
    response.model_version_status.add(version=1, state=99).status.error_code = 99  # type: ignore[attr-defined]
    told = questions.status(Target("m")).decode(response.SerializeToString())
    assert told.versions == (VersionStatus(1, VersionState.UNKNOWN, Code.UNKNOWN, ""),)


def test_a_configuration_is_sent_as_a_message_and_never_twice() -> None:
    call = questions.reload_config('model_config_list { config { name: "m" base_path: "/m" } }')
    assert not call.is_repeatable
    assert said(call, "ReloadConfigRequest") == {
        "config": {"model_config_list": {"config": [{"name": "m", "base_path": "/m"}]}}
    }
    call.decode(answer("ReloadConfigResponse", "status {}"))
    refused = answer("ReloadConfigResponse", "status { error_code: INVALID_ARGUMENT error_message: 'no' }")
    with pytest.raises(ClientError, match="INVALID_ARGUMENT: no"):
        call.decode(refused)


def test_a_text_that_is_no_configuration_is_refused_with_its_place() -> None:
    with pytest.raises(InvalidRequestError, match="2:1"):
        questions.reload_config("model_config_list {}\nnonsense {}")


@pytest.mark.parametrize(("payload", "healthy"), [(b"\x08\x01", True), (b"\x08\x02", False), (b"", False)])
def test_health_is_the_standard_s(payload: bytes, healthy: bool) -> None:  # noqa: FBT001 - a parameter of the table
    call = questions.health("m")
    assert call.request == b"\n\x01m"
    assert call.decode(payload) is healthy
    with pytest.raises(AnswerError):
        call.decode(b"\xff")
