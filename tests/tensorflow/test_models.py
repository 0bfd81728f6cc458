"""Every kind of SavedModel through both doors: what a client sends is what the model gets, and the reverse."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
import requests

from tests.live.process import LiveServer
from tests.live.serving_client import Answer, ServingClient

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]


@dataclass(frozen=True, slots=True)
class Element:
    """An element type on the wire.

    Attributes:
        enum: TensorFlow's name for it in messages.
        field: the typed field that carries it.
        values: as that field writes them in text format.
        packed: the same elements as `tensor_content`; none for strings.
        json: the same elements as REST writes them; none when REST cannot say them.
    """

    enum: str
    field: str
    values: Sequence[object]
    packed: bytes | None
    json: Sequence[object] | None = None


def packed(dtype: str, *values: float) -> bytes:
    return np.array(values, dtype=dtype).tobytes()


COMPLEX = [{"re": 1.0, "im": 2.0}, {"re": 3.0, "im": 4.0}]

ELEMENTS: Mapping[str, Element] = {
    "float32": Element("DT_FLOAT", "float_val", [1.5, -2.0], packed("f4", 1.5, -2.0), [1.5, -2.0]),
    "float64": Element("DT_DOUBLE", "double_val", [0.1, -2.0], packed("f8", 0.1, -2.0), [0.1, -2.0]),
    "int32": Element("DT_INT32", "int_val", [7, -7], packed("i4", 7, -7), [7, -7]),
    "uint8": Element("DT_UINT8", "int_val", [0, 255], packed("u1", 0, 255), [0, 255]),
    "int16": Element("DT_INT16", "int_val", [-300, 300], packed("i2", -300, 300), [-300, 300]),
    "int8": Element("DT_INT8", "int_val", [-128, 127], packed("i1", -128, 127), [-128, 127]),
    "string": Element("DT_STRING", "string_val", ['"pear"', '"plum"'], None, ["pear", "plum"]),
    "complex64": Element(
        "DT_COMPLEX64", "scomplex_val", [1.0, 2.0, 3.0, 4.0], packed("f4", 1, 2, 3, 4), COMPLEX
    ),
    "int64": Element("DT_INT64", "int64_val", [2**62, -1], packed("i8", 2**62, -1), [2**62, -1]),
    "bool": Element("DT_BOOL", "bool_val", ["true", "false"], packed("u1", 1, 0), [True, False]),
    "qint8": Element("DT_QINT8", "int_val", [-3, 3], packed("i1", -3, 3)),
    "quint8": Element("DT_QUINT8", "int_val", [3, 200], packed("u1", 3, 200)),
    "qint32": Element("DT_QINT32", "int_val", [-70000, 70000], packed("i4", -70000, 70000)),
    "bfloat16": Element(
        "DT_BFLOAT16", "half_val", [0x3F80, 0x4000], packed("u2", 0x3F80, 0x4000), [1.0, 2.0]
    ),
    "qint16": Element("DT_QINT16", "int_val", [-300, 300], packed("i2", -300, 300)),
    "quint16": Element("DT_QUINT16", "int_val", [3, 60000], packed("u2", 3, 60000)),
    "uint16": Element("DT_UINT16", "int_val", [3, 60000], packed("u2", 3, 60000), [3, 60000]),
    "complex128": Element(
        "DT_COMPLEX128", "dcomplex_val", [1.0, 2.0, 3.0, 4.0], packed("f8", 1, 2, 3, 4), COMPLEX
    ),
    "float16": Element("DT_HALF", "half_val", [0x3C00, 0x4000], packed("u2", 0x3C00, 0x4000), [1.0, 2.0]),
    "uint32": Element("DT_UINT32", "uint32_val", [1, 2**32 - 1], packed("u4", 1, 2**32 - 1), [1, 2**32 - 1]),
    "uint64": Element("DT_UINT64", "uint64_val", [1, 2**64 - 1], packed("u8", 1, 2**64 - 1), [1, 2**64 - 1]),
}


def tensor(enum: str, shape: Sequence[int], body: str) -> str:
    """A TensorProto in text format."""
    dimensions = " ".join(f"dim {{ size: {size} }}" for size in shape)
    return f"{{ dtype: {enum} tensor_shape {{ {dimensions} }} {body} }}"


def floats(shape: Sequence[int], *values: float) -> str:
    return tensor("DT_FLOAT", shape, " ".join(f"float_val: {value}" for value in values))


def strings(*values: str) -> str:
    return tensor("DT_STRING", [len(values)], " ".join(f'string_val: "{value}"' for value in values))


@dataclass(frozen=True, slots=True)
class Both:
    """The doors of the live server."""

    server: LiveServer
    client: ServingClient

    def grpc(self, model: str, signature: str = "", **inputs: str) -> Answer:
        """Predict with inputs in text format."""
        spec = f'model_spec {{ name: "{model}" signature_name: "{signature}" }}'
        fed = " ".join(f'inputs {{ key: "{alias}" value {value} }}' for alias, value in inputs.items())
        return self.client.call(self.server.grpc, "Predict", f"{spec} {fed}")

    def outputs(self, model: str, signature: str = "", **inputs: str) -> Mapping[str, Mapping[str, object]]:
        """The outputs of a Predict that must succeed."""
        answer = self.grpc(model, signature, **inputs)
        assert answer.code == "OK", answer.message
        outputs = answer.response["outputs"]
        assert isinstance(outputs, dict)
        return outputs

    def rest(self, model: str, body: object) -> requests.Response:
        """Predict over REST."""
        url = f"http://{self.server.rest}/v1/models/{model}:predict"
        return requests.post(url, json=body, timeout=60)


@pytest.fixture
def both(server: LiveServer, serving_client: ServingClient) -> Both:
    return Both(server, serving_client)


@pytest.mark.parametrize("dtype", ELEMENTS)
def test_every_element_type_comes_back_as_it_went_by_its_typed_field(dtype: str, both: Both) -> None:
    element = ELEMENTS[dtype]
    body = " ".join(f"{element.field}: {value}" for value in element.values)
    sent = both.outputs("every_dtype", dtype, x=tensor(element.enum, [2], body))["y"]
    assert sent["dtype"] == element.enum
    again = both.outputs("every_dtype", dtype, x=tensor(element.enum, [2], body))["y"]
    assert sent == again
    returned = sent[element.field]
    assert isinstance(returned, list)
    assert len(returned) == len(element.values)


@pytest.mark.parametrize("dtype", [name for name, element in ELEMENTS.items() if element.packed is not None])
def test_every_element_type_is_the_same_packed_or_typed(dtype: str, both: Both) -> None:
    element = ELEMENTS[dtype]
    assert element.packed is not None
    typed = " ".join(f"{element.field}: {value}" for value in element.values)
    content = "".join(f"\\{byte:03o}" for byte in element.packed)
    by_field = both.outputs("every_dtype", dtype, x=tensor(element.enum, [2], typed))
    by_content = both.outputs(
        "every_dtype", dtype, x=tensor(element.enum, [2], f'tensor_content: "{content}"')
    )
    assert by_field == by_content


@pytest.mark.parametrize("dtype", [name for name, element in ELEMENTS.items() if element.json is not None])
def test_every_element_type_that_json_can_say_comes_back_over_rest(dtype: str, both: Both) -> None:
    values = ELEMENTS[dtype].json
    rows = both.rest("every_dtype", {"signature_name": dtype, "instances": values})
    assert rows.json() == {"predictions": values}
    columns = both.rest("every_dtype", {"signature_name": dtype, "inputs": values})
    assert columns.json() == {"outputs": values}


@pytest.mark.parametrize("dtype", [name for name, element in ELEMENTS.items() if element.json is None])
def test_an_element_type_that_json_cannot_say_is_refused_in_words(dtype: str, both: Both) -> None:
    answer = both.rest("every_dtype", {"signature_name": dtype, "inputs": [1]})
    assert answer.status_code == 501
    assert answer.json()["error"].startswith("Conversion of JSON Value: 1 to type: ")


def test_half_plus_two_answers_batches_scalars_and_nothing(both: Both) -> None:
    assert both.outputs("half_plus_two", x=floats([3], 1, 2, 5))["y"]["float_val"] == [2.5, 3.0, 4.5]
    scalar = both.outputs("half_plus_two", x=floats([], 2))["y"]
    assert scalar == {"dtype": "DT_FLOAT", "tensor_shape": {}, "float_val": [3.0]}
    empty = both.outputs("half_plus_two", x=floats([0]))["y"]
    assert empty == {"dtype": "DT_FLOAT", "tensor_shape": {"dim": [{}]}}


def test_an_input_of_another_type_is_refused_by_name_of_both_types(both: Both) -> None:
    answer = both.grpc("half_plus_two", x=strings("one"))
    assert answer.code == "INVALID_ARGUMENT"
    assert "float" in answer.message
    assert "string" in answer.message


def test_the_initializers_signature_is_shown_and_cannot_be_called(both: Both) -> None:
    answer = both.grpc("half_plus_two", "__saved_model_init_op")
    assert answer.code == "INVALID_ARGUMENT"
    assert "cannot be run" in answer.message


def test_strings_are_bytes(both: Both) -> None:
    outputs = both.outputs("strings", x=strings("abc", "\\000\\377"))
    encoded = [base64.b64encode(value).decode() for value in (b"abc", b"\x00\xff")]
    assert outputs["echo"]["string_val"] == encoded
    assert outputs["length"]["int_val"] == [3, 2]


def test_strings_travel_over_rest_as_text_and_as_base64(both: Both) -> None:
    body = {"inputs": ["abc", {"b64": base64.b64encode("plüm".encode()).decode()}]}
    outputs = both.rest("strings", body).json()["outputs"]
    assert outputs["echo"] == ["abc", "plüm"]
    assert outputs["joined"] == "abcplüm"
    assert outputs["length"] == [3, 5]


def test_each_signature_of_a_model_answers_for_itself(both: Both) -> None:
    a, b = floats([2], 1, 2), floats([2], 10, 20)
    assert both.outputs("several_signatures", a=a, b=b)["sum"]["float_val"] == [11.0, 22.0]
    difference = both.outputs("several_signatures", "difference", a=a, b=b)
    assert difference["difference"]["float_val"] == [-9.0, -18.0]
    assert set(both.outputs("several_signatures", "both", a=a, b=b)) == {"sum", "difference"}


def test_shapes_that_do_not_fit_are_refused_in_the_models_words(both: Both) -> None:
    answer = both.grpc("several_signatures", a=floats([2], 1, 2), b=floats([3], 1, 2, 3))
    assert answer.code == "INVALID_ARGUMENT"
    assert "Incompatible shapes" in answer.message


@pytest.mark.parametrize(("shape", "count"), [([], 1), ([3], 3), ([1, 1, 2], 2)])
def test_a_tensor_of_any_rank_is_taken_where_the_signature_says_so(
    shape: Sequence[int], count: int, both: Both
) -> None:
    outputs = both.outputs("unknown_rank", x=floats(shape, *([4.0] * count)))
    assert outputs["doubled"]["float_val"] == [8.0] * count
    assert outputs["rank"]["int_val"] == [len(shape)]


def test_a_tensorflow_1_graph_with_a_vocabulary_answers(both: Both) -> None:
    outputs = both.outputs("tf1_graph", words=strings("plum", "apple", "kiwi"))
    assert outputs["ids"]["int64_val"] == ["2", "0", "-1"]
    assert both.outputs("tf1_graph", "triple", x=floats([2], 1, 2))["y"]["float_val"] == [3.0, 6.0]
    assert both.rest("tf1_graph", {"instances": ["pear"]}).json() == {"predictions": [1]}


def test_two_aliases_of_one_tensor_must_agree(both: Both) -> None:
    same = floats([1], 2)
    assert both.outputs("tf1_graph", "same_tensor", x=same, x_too=same)["y_too"]["float_val"] == [6.0]
    answer = both.grpc("tf1_graph", "same_tensor", x=same, x_too=floats([1], 3))
    assert answer.code == "INVALID_ARGUMENT"


@pytest.mark.parametrize(("signature", "code"), [("missing", "NOT_FOUND"), ("sparse", "UNIMPLEMENTED")])
def test_a_signature_that_cannot_be_run_spoils_nothing_but_itself(
    signature: str, code: str, both: Both
) -> None:
    assert both.grpc("tf1_graph", signature, x=floats([1], 1)).code == code
    assert both.outputs("tf1_graph", "triple", x=floats([1], 1))["y"]["float_val"] == [3.0]


def test_a_model_that_fails_on_one_request_answers_the_next(both: Both) -> None:
    bad = both.grpc("fails_at_run_time", x=floats([2], 4, -9))
    assert bad.code == "INVALID_ARGUMENT"
    assert "x must not be negative" in bad.message
    assert both.outputs("fails_at_run_time", x=floats([2], 4, 9))["root"]["float_val"] == [2.0, 3.0]


def test_defaults_stand_in_for_inputs_left_out_through_both_doors(both: Both) -> None:
    assert both.outputs("defaults", x=floats([1], 2))["y"]["float_val"] == [14.0]
    given = both.outputs("defaults", x=floats([1], 2), factor=floats([], 3))
    assert given["y"]["float_val"] == [16.0]
    assert both.rest("defaults", {"inputs": {"x": [2.0]}}).json() == {"outputs": [14.0]}
    rows = {"instances": [{"x": 2.0}, {"x": 3.0}]}
    assert both.rest("defaults", rows).json() == {"predictions": [14.0, 16.0]}
    assert both.rest("defaults", {"inputs": {"factor": 2.0}}).status_code == 400


def test_a_signature_without_inputs_is_asked_over_rest(both: Both) -> None:
    answer = both.rest("zero_inputs", {"inputs": {}})
    assert answer.json() == {"outputs": {"answer": 42.0, "greeting": "hello"}}
    only = both.rest("zero_inputs", {"inputs": {}, "output_filter": ["answer"]})
    assert only.json() == {"outputs": 42.0}


def test_loading_a_model_changes_no_state_of_it_and_requests_do(both: Both) -> None:
    first = both.outputs("counter", x=floats([2], 1, 2))["total"]["float_val"]
    assert first == [1.0, 2.0]
    assert both.outputs("counter", x=floats([2], 1, 2))["total"]["float_val"] == [2.0, 4.0]


def test_a_classifier_answers_the_same_through_both_doors(both: Both) -> None:
    pixels = [index / 64 for index in range(64)]
    by_grpc = both.outputs("mlp", x=floats([1, 64], *pixels))["probabilities"]["float_val"]
    by_rest = both.rest("mlp", {"instances": [pixels]}).json()["predictions"][0]
    assert isinstance(by_grpc, list)
    assert [np.float32(value) for value in by_grpc] == [np.float32(value) for value in by_rest]


def test_a_rest_request_over_its_time_is_answered_504_and_the_next_is_served(
    base_paths: Mapping[str, object],
) -> None:
    with LiveServer(f"--model=slow={base_paths['slow']}", "--rest-timeout=0.3") as hasty:
        url = f"http://{hasty.rest}/v1/models/slow:predict"
        assert requests.post(url, json={"instances": [5000.0]}, timeout=60).status_code == 504
        assert requests.post(url, json={"instances": [1.0]}, timeout=60).status_code == 200
