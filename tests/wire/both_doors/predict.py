"""Predict: what is chosen, what is fed, what is fetched; and every refusal in TensorFlow Serving's words."""

from tests.wire.both_doors.rows import (
    Ask,
    Call,
    Case,
    Refused,
    floats,
    invalid,
    label,
    outputs,
    predict,
    spec,
    version,
)

X, HALF = floats("x", 0.5, 1), {"instances": [0.5, 1.0]}
AB = floats("a", 1, 2) + floats("b", 10, 20)
AB_COLUMNS = {"a": [1.0, 2.0], "b": [10.0, 20.0]}
NO_LATEST = Refused("NOT_FOUND", "Servable not found for request: Latest(lost)")
NO_VERSION = Refused("NOT_FOUND", "Servable not found for request: Specific(m, 9)")
NO_LABEL = invalid("Unrecognized servable version label: lost")
MODEL_ERROR = "x must not be negative"
NO_DEFAULT = (
    "Signature input alias: {alias}(feed name: serving_default_{alias}:0) not found in request and no default "
    "value provided. Inputs expected to be in the request {{{sent}}}, or default input alias set: {defaults}"
)

CHOICE = (
    predict(
        "the latest version",
        spec("m") + X,
        "m",
        HALF,
        outputs("m", 2, y=[2.5, 3.0]),
        {"predictions": [2.5, 3.0]},
    ),
    predict(
        "a version by its number",
        spec("m", chosen=version(1)) + X,
        "m/versions/1",
        HALF,
        outputs("m", 1, y=[1.5, 2.0]),
        {"predictions": [1.5, 2.0]},
    ),
    predict(
        "a version by its label",
        spec("m", chosen=label("stable")) + X,
        "m/labels/stable",
        HALF,
        outputs("m", 1, y=[1.5, 2.0]),
        {"predictions": [1.5, 2.0]},
    ),
    predict("an unknown model", spec("lost") + X, "lost", HALF, NO_LATEST),
    predict("an unknown version", spec("m", chosen=version(9)) + X, "m/versions/9", HALF, NO_VERSION),
    predict("an unknown label", spec("m", chosen=label("lost")) + X, "m/labels/lost", HALF, NO_LABEL),
    predict(
        "a label of an unknown model",
        spec("lost", chosen=label("lost")) + X,
        "lost/labels/lost",
        HALF,
        NO_LABEL,
    ),
    Case("no model spec", Call("Predict", X, invalid("Missing ModelSpec")), None),
    Case("no model name", Call("Predict", spec("") + X, invalid("ModelSpec has no name specified.")), None),
    Case(
        "no model name in a path",
        None,
        Ask(":predict", HALF, invalid("Malformed request: POST /v1/models/:predict")),
    ),
)

SIGNATURES = (
    predict(
        "a signature by its name",
        spec("sums", "difference") + AB,
        "sums",
        {"signature_name": "difference", "inputs": AB_COLUMNS},
        outputs("sums", 1, "difference", difference=[-9.0, -18.0]),
        {"outputs": [-9.0, -18.0]},
    ),
    predict(
        "several outputs",
        spec("sums", "both") + AB,
        "sums",
        {"signature_name": "both", "instances": [{"a": 1.0, "b": 10.0}, {"a": 2.0, "b": 20.0}]},
        outputs("sums", 1, "both", sum=[11.0, 22.0], difference=[-9.0, -18.0]),
        {"predictions": [{"difference": -9.0, "sum": 11.0}, {"difference": -18.0, "sum": 22.0}]},
    ),
    predict(
        "an unknown signature",
        spec("sums", "lost") + AB,
        "sums",
        {"signature_name": "lost", "inputs": AB_COLUMNS},
        Refused("FAILED_PRECONDITION", 'Serving signature key "lost" not found.'),
        invalid('Serving signature name: "lost" not found in signature def'),
    ),
    predict(
        "no inputs, where there are none",
        spec("nothing"),
        "nothing",
        {"inputs": {}},
        outputs("nothing", 1, answer=[42.0], greeting=["hello"]),
        {"outputs": {"answer": 42.0, "greeting": "hello"}},
    ),
    predict(
        "an input where there are none",
        spec("nothing") + floats("x", 1),
        "nothing",
        {"inputs": [1.0]},
        invalid(
            "input size does not match signature: 1!=0 len({x}) != len({}). Sent extra: {x}. Missing but required: {}."
        ),
        invalid("Failed to get input map for signature: DEFAULT"),
    ),
)

INPUTS = (
    predict(
        "an input left out",
        spec("sums") + floats("a", 1),
        "sums",
        {"inputs": {"a": [1.0]}},
        invalid(
            "input size does not match signature: 1!=2 len({a}) != len({a,b}). Sent extra: {}. Missing but required: {b}."
        ),
        invalid("Missing named input: b in 'inputs' object."),
    ),
    predict(
        "an input too many, which REST's columns ignore",
        spec("sums") + AB + floats("c", 1),
        "sums",
        {"inputs": AB_COLUMNS | {"c": [1.0]}},
        invalid(
            "input size does not match signature: 3!=2 len({a,b,c}) != len({a,b}). "
            "Sent extra: {c}. Missing but required: {}."
        ),
        {"outputs": [11.0, 22.0]},
    ),
    predict(
        "an input too many in a row",
        spec("sums") + AB + floats("c", 1),
        "sums",
        {"instances": [{"a": 1.0, "b": 2.0, "c": 3.0}]},
        invalid(
            "input size does not match signature: 3!=2 len({a,b,c}) != len({a,b}). "
            "Sent extra: {c}. Missing but required: {}."
        ),
        invalid(
            "Failed to process element: 0 key: c of 'instances' list. Error: INVALID_ARGUMENT: JSON object: "
            "does not have named input: c"
        ),
    ),
    predict(
        "an input under another name",
        spec("sums") + floats("a", 1) + floats("c", 1),
        "sums",
        {"inputs": {"a": [1.0], "c": [1.0]}},
        invalid(NO_DEFAULT.format(alias="b", sent="a,c", defaults="")),
        invalid("Missing named input: b in 'inputs' object."),
    ),
    predict(
        "an input of another type",
        spec("m")
        + 'inputs { key: "x" value { dtype: DT_STRING tensor_shape { dim { size: 1 } } string_val: "one" } }',
        "m",
        {"inputs": ["one"]},
        invalid("Expects arg[0] to be float but string is provided"),
        invalid('JSON Value: "one" Type: String is not of expected type: float'),
    ),
    predict(
        "inputs whose shapes do not fit each other",
        spec("sums") + floats("a", 1, 2) + floats("b", 1, 2, 3),
        "sums",
        {"inputs": {"a": [1.0, 2.0], "b": [1.0, 2.0, 3.0]}},
        invalid("Incompatible shapes: [2] vs. [3]", is_part=True),
    ),
    predict(
        "elements that do not fill their shape",
        spec("m")
        + 'inputs { key: "x" value { dtype: DT_FLOAT tensor_shape { dim { size: 2 } } tensor_content: "abc" } }',
        "m",
        {"inputs": [[1.0, 2.0], [3.0]]},
        invalid("tensor parsing error: x"),
        invalid("Encountered list at unexpected size: 1 at level: 1 expected size: 2"),
    ),
    predict(
        "a batch of nothing",
        spec("m") + floats("x"),
        "m",
        {"inputs": []},
        outputs("m", 2, y=[]),
        {"outputs": []},
    ),
    predict(
        "a scalar",
        spec("m") + floats("x", 0.5, shape=()),
        "m",
        {"inputs": 0.5},
        outputs("m", 2, y=[2.5]),
        {"outputs": 2.5},
    ),
    predict(
        "an input that the model refuses",
        spec("root") + floats("x", -4),
        "root",
        {"inputs": [-4.0]},
        invalid(MODEL_ERROR, is_part=True),
    ),
)

DEFAULTS = (
    predict(
        "defaults for what is left out",
        spec("optional") + floats("x", 2),
        "optional",
        {"inputs": {"x": [2.0]}},
        outputs("optional", 1, y=[14.0]),
        {"outputs": [14.0]},
    ),
    predict(
        "a value instead of a default",
        spec("optional") + floats("x", 2) + floats("factor", 3, shape=()),
        "optional",
        {"inputs": {"x": [2.0], "factor": 3.0}},
        outputs("optional", 1, y=[16.0]),
        {"outputs": [16.0]},
    ),
    predict(
        "an input left out that has no default",
        spec("optional") + floats("factor", 3, shape=()),
        "optional",
        {"inputs": {"factor": 3.0}},
        invalid(NO_DEFAULT.format(alias="x", sent="factor", defaults="factor,offset")),
        invalid("Missing named input: x in 'inputs' object."),
    ),
    predict(
        "an unknown name where defaults could stand in",
        spec("optional") + floats("x", 2) + floats("lost", 3),
        "optional",
        {"instances": [{"x": 2.0, "lost": 3.0}]},
        invalid("Inputs contains invalid name. Used request inputs: x, request input: lost,x"),
        invalid(
            "Failed to process element: 0 key: lost of 'instances' list. Error: INVALID_ARGUMENT: JSON object: "
            "does not have named input: lost"
        ),
    ),
)

FILTERS = (
    predict(
        "one output of two",
        spec("sums", "both") + AB + 'output_filter: "sum"',
        "sums",
        {"signature_name": "both", "inputs": AB_COLUMNS, "output_filter": ["sum"]},
        outputs("sums", 1, "both", sum=[11.0, 22.0]),
        {"outputs": [11.0, 22.0]},
    ),
    predict(
        "an unknown output",
        spec("sums", "both") + AB + 'output_filter: "lost"',
        "sums",
        {"signature_name": "both", "inputs": AB_COLUMNS, "output_filter": ["lost"]},
        invalid(
            "output tensor alias not found in signature: lost Outputs expected to be in the set {difference,sum}."
        ),
    ),
    predict(
        "an output twice",
        spec("sums", "both") + AB + 'output_filter: "sum" output_filter: "sum"',
        "sums",
        {"signature_name": "both", "inputs": AB_COLUMNS, "output_filter": ["sum", "sum"]},
        invalid("duplicate output tensor alias: sum"),
    ),
)

PREDICT = CHOICE + SIGNATURES + INPUTS + DEFAULTS + FILTERS
