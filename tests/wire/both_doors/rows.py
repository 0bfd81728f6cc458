"""What a row of the table is, and what writes rows shorter; the rows are the other files'."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

Json: TypeAlias = object


@dataclass(frozen=True, slots=True)
class Refused:
    """An error.

    Attributes:
        code: canonical, by name.
        text: the whole of it; or a part, where TensorFlow and not the server says the rest.
        is_part: which of the two.
    """

    code: str
    text: str
    is_part: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A gRPC call.

    Attributes:
        rpc: the method's name.
        text: the request in protobuf's text format.
        answer: the response as JSON data; tensors as `outputs` writes them.
    """

    rpc: str
    text: str
    answer: Json | Refused


@dataclass(frozen=True, slots=True)
class Ask:
    """A REST request.

    Attributes:
        path: below /v1/models/.
        body: POSTed; none for a GET.
        answer: the body of the answer.
    """

    path: str
    body: Json
    answer: Json | Refused


@dataclass(frozen=True, slots=True)
class Case:
    """A question by its meaning, and how each door is asked it."""

    meaning: str
    grpc: Call | None
    rest: Ask | None


def spec(model: str, signature: str = "", chosen: str = "") -> str:
    """A `model_spec`; `chosen` is a version's or a label's field."""
    name = f'signature_name: "{signature}" ' if signature else ""
    return f'model_spec {{ name: "{model}" {name}{chosen} }} '


def version(number: int) -> str:
    """The field that chooses a version."""
    return f"version {{ value: {number} }}"


def label(name: str) -> str:
    """The field that chooses by label."""
    return f'version_label: "{name}"'


def floats(alias: str, *values: float, shape: tuple[int, ...] | None = None) -> str:
    """An input of floats."""
    sizes = (len(values),) if shape is None else shape
    dims = " ".join(f"dim {{ size: {size} }}" for size in sizes)
    elements = " ".join(f"float_val: {value}" for value in values)
    tensor = f"dtype: DT_FLOAT tensor_shape {{ {dims} }} {elements}"
    return f'inputs {{ key: "{alias}" value {{ {tensor} }} }} '


def outputs(model: str, number: int, signature: str = "serving_default", /, **values: Json) -> Json:
    """A PredictResponse; `values` are an output's elements in one list."""
    answered = {"name": model, "version": str(number), "signature_name": signature}
    return {"outputs": values, "model_spec": answered}


def feature(x: float) -> str:
    """An Example's features."""
    return f'features {{ feature {{ key: "x" value {{ float_list {{ value: {x} }} }} }} }}'


def examples(*values: float) -> str:
    """An `input` of Examples."""
    return f"input {{ example_list {{ {' '.join(f'examples {{ {feature(x)} }}' for x in values)} }} }} "


def invalid(text: str, *, is_part: bool = False) -> Refused:
    """The most frequent error."""
    return Refused("INVALID_ARGUMENT", text, is_part=is_part)


def predict(meaning: str, text: str, path: str, body: Json, grpc: Json, rest: Json = None) -> Case:
    """A row; both doors refuse alike when `rest` is left out."""
    asked = Ask(f"{path}:predict", body, grpc if rest is None else rest)
    return Case(meaning, Call("Predict", text, grpc), asked)


def head(
    verb: str, meaning: str, signature: str, text: str, rest_input: Mapping[str, Json], **says: Json
) -> Case:
    """A row that asks the model `odd` to classify or regress."""
    grpc, rest = says["grpc"], says.get("rest", says["grpc"])
    call = Call(verb.capitalize(), spec("odd", signature) + text, grpc)
    return Case(
        f"{verb}: {meaning}", call, Ask(f"odd:{verb}", {"signature_name": signature, **rest_input}, rest)
    )


def classified(signature: str, *rows: list[tuple[str, float]]) -> Json:
    """A ClassificationResponse of `odd`; protobuf's JSON leaves out what is empty or 0."""
    classes = [
        {
            "classes": [
                {key: value for key, value in (("label", name), ("score", score)) if value}
                for name, score in row
            ]
        }
        for row in rows
    ]
    answered = {"name": "odd", "version": "1", "signature_name": signature}
    return {"result": {"classifications": classes}, "model_spec": answered}


def regressed(signature: str, *values: float) -> Json:
    """A RegressionResponse of `odd`."""
    answered = {"name": "odd", "version": "1", "signature_name": signature}
    return {"result": {"regressions": [{"value": value} for value in values]}, "model_spec": answered}
