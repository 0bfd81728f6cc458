"""Both clients at TensorFlow models: every element type there and back; examples, classes, values, several heads."""

from collections.abc import Iterator

import ml_dtypes
import numpy as np
import pytest

from tests.live.clients import MAKES
from tests.live.process import LiveServer
from understudy.client import Class, Client, InvalidRequestError, Tensor, TensorSpec
from understudy.client.dtypes import Array

pytestmark = [pytest.mark.tensorflow, pytest.mark.slow]

NUMBERS: dict[str, Array] = {
    "float16": np.array([-0.0, np.inf, 65504], np.float16),
    "float32": np.array([np.nan, -np.inf, 1e-40], np.float32),
    "float64": np.array([1 / 3, 5e-324, np.inf]),
    "bfloat16": np.array([0.5, -2.0, 1e30], ml_dtypes.bfloat16),
    "int8": np.array([-128, 127], np.int8),
    "int16": np.array([-(1 << 15), (1 << 15) - 1], np.int16),
    "int32": np.array([-(1 << 31), (1 << 31) - 1], np.int32),
    "int64": np.array([-(1 << 63), (1 << 63) - 1]),
    "uint8": np.array([0, 255], np.uint8),
    "uint16": np.array([0, (1 << 16) - 1], np.uint16),
    "uint32": np.array([0, (1 << 32) - 1], np.uint32),
    "uint64": np.array([0, (1 << 64) - 1], np.uint64),
    "bool": np.array([True, False, True]),
    "complex64": np.array([1 + 2j, complex(np.inf, -0.0)], np.complex64),
    "complex128": np.array([1 / 3 - 2j]),
}
"""By the signature that echoes them."""
REGRESS = "tensorflow/serving/regress"


@pytest.fixture(scope="module", params=MAKES)
def client(request: pytest.FixtureRequest, server: LiveServer) -> Iterator[Client]:
    with MAKES[request.param](server.grpc) as client:
        yield client


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("size", [3, 1, 0])
def test_an_array_comes_back_from_a_model_to_the_bit(name: str, size: int, client: Client) -> None:
    array = NUMBERS[name][:size]
    echoed = client.predict("every_dtype", {"x": array}, signature=name)["y"]
    assert echoed.dtype == array.dtype
    assert echoed.shape == array.shape
    assert echoed.tobytes() == array.tobytes()


@pytest.mark.parametrize("name", ["qint8", "quint8", "qint16", "quint16", "qint32"])
def test_quantized_numbers_come_back_as_the_integers_that_carry_them(name: str, client: Client) -> None:
    values = Tensor([1, 2, 100], f"DT_{name.upper()}")
    echoed = client.predict("every_dtype", {"x": values}, signature=name)["y"]
    assert echoed.dtype == name.replace("q", "", 1)
    assert echoed.tolist() == [1, 2, 100]


def test_strings_come_back_as_bytes(client: Client) -> None:
    answer = client.predict("strings", {"x": ["a", "bc\0"]})
    assert answer["echo"].tolist() == [b"a", b"bc\0"]
    assert answer["upper"].tolist() == [b"A", b"BC\0"]
    assert answer["length"].tolist() == [1, 3]
    assert answer["joined"].shape == ()
    assert answer["joined"].item() == b"abc\0"


def test_inputs_with_a_default_may_be_left_out_and_metadata_tells_which(client: Client) -> None:
    signature = client.metadata("defaults").signatures["serving_default"]
    assert signature.optional == {"factor", "offset"}
    assert signature.inputs["x"] == TensorSpec("DT_FLOAT", (-1,))
    assert client.predict("defaults", {"x": [1.0, 2.0]})["y"].tolist() == [12.0, 14.0]
    assert client.predict("defaults", {"x": [1.0], "factor": 3.0})["y"].tolist() == [13.0]


def test_the_wrong_type_is_the_model_s_refusal(client: Client) -> None:
    with pytest.raises(InvalidRequestError, match="double"):
        client.predict("half_plus_two", {"x": np.array([1.0])})


def test_classes_are_named(client: Client) -> None:
    answer = client.classify("sums_examples", [{"x": 1.5}, {"x": [2.0]}], signature="classify")
    assert answer.examples == ((Class("1.500000", 1.5),), (Class("2.000000", 2.0),))
    assert (answer.model, answer.version, answer.signature) == ("sums_examples", 123, "classify")


def test_values_are_given(client: Client) -> None:
    answer = client.regress("half_plus_three", [{"x": 1.0}, {"x": np.float32(2)}], signature=REGRESS)
    assert answer.values == (3.5, 4.0)
    assert (answer.model, answer.version, answer.signature) == ("half_plus_three", 123, REGRESS)


def test_a_context_is_part_of_each_example_that_does_not_have_its_own(client: Client) -> None:
    answer = client.regress("half_plus_three", [{}, {"x": 2.0}], context={"x": 1.0}, signature=REGRESS)
    assert answer.values == (3.5, 4.0)


def test_several_heads_answer_about_the_same_examples(client: Client) -> None:
    heads = client.multi_inference(
        "sums_examples", {"classify": "classify", "regress": "regress"}, [{"x": 1.5}], version=123
    )
    assert list(heads["classify"]) == [(Class("1.500000", 1.5),)]
    assert list(heads["regress"]) == [1.5]


@pytest.mark.parametrize(("examples", "part"), [([], "Input is empty."), ([{"x": 1}], "x")])
def test_examples_that_the_model_does_not_take_are_refused(
    examples: list[dict[str, int]], part: str, client: Client
) -> None:
    with pytest.raises(InvalidRequestError, match=part):
        client.regress("half_plus_three", examples, signature=REGRESS)
