"""Classify and Regress through both doors; MultiInference and SessionRun, which gRPC alone has."""

from tests.wire.both_doors.rows import (
    Ask,
    Call,
    Case,
    Refused,
    classified,
    examples,
    feature,
    head,
    invalid,
    label,
    regressed,
    spec,
    version,
)

ONE, ONE_ROW = examples(0.25), {"examples": [{"x": 0.25}]}
TWO, TWO_ROWS = examples(0.25, 0.75), {"examples": [{"x": 0.25}, {"x": 0.75}]}
WITH_CONTEXT = f"input {{ example_list_with_context {{ examples {{ {feature(0.5)} }} examples {{ }} context {{ {feature(7)} }} }} }}"
CONTEXT_ROWS = {"context": {"x": 7.0}, "examples": [{"x": 0.5}, {}]}
EMPTY_BODY = '{\n    "signature_name": "%s",\n    "examples": []\n}'
NOT_FOUND = invalid("No signature was found with the name: lost")


def choice(verb: str, meaning: str, chosen: str, path: str, refused: Refused) -> Case:
    """A row about which version is asked."""
    call = Call(verb.capitalize(), spec("lost" if path == "lost" else "odd", "both", chosen) + ONE, refused)
    return Case(
        f"{verb}: {meaning}", call, Ask(f"{path}:{verb}", {"signature_name": "both", **ONE_ROW}, refused)
    )


def empty(verb: str, signature: str) -> Case:
    """A row without an Example, which each door says in its own words."""
    words = f"JSON Value: {EMPTY_BODY % signature} 'examples' value is an empty array"
    return head(
        verb,
        "no Example",
        signature,
        "",
        {"examples": []},
        grpc=invalid("Input is empty."),
        rest=invalid(words),
    )


CHOICE = tuple(
    choice(verb, meaning, chosen, path, refused)
    for verb in ("classify", "regress")
    for meaning, chosen, path, refused in (
        (
            "an unknown model",
            "",
            "lost",
            Refused("NOT_FOUND", "Servable not found for request: Latest(lost)"),
        ),
        (
            "an unknown version",
            version(9),
            "odd/versions/9",
            Refused("NOT_FOUND", "Servable not found for request: Specific(odd, 9)"),
        ),
        (
            "an unknown label",
            label("lost"),
            "odd/labels/lost",
            invalid("Unrecognized servable version label: lost"),
        ),
    )
)

CLASSIFY = (
    head(
        "classify",
        "classes and scores",
        "both",
        TWO,
        TWO_ROWS,
        grpc=classified("both", [("no", 0.75), ("yes", 0.25)], [("no", 0.25), ("yes", 0.75)]),
        rest={"results": [[["no", 0.75], ["yes", 0.25]], [["no", 0.25], ["yes", 0.75]]]},
    ),
    head(
        "classify",
        "classes alone",
        "classes",
        ONE,
        ONE_ROW,
        grpc=classified("classes", [("no", 0), ("yes", 0)]),
        rest={"results": [[["no", 0.0], ["yes", 0.0]]]},
    ),
    head(
        "classify",
        "scores alone",
        "scores",
        ONE,
        ONE_ROW,
        grpc=classified("scores", [("", 0.25)]),
        rest={"results": [[["", 0.25]]]},
    ),
    head(
        "classify",
        "a context",
        "scores",
        WITH_CONTEXT,
        CONTEXT_ROWS,
        grpc=classified("scores", [("", 0.5)], [("", 7.0)]),
        rest={"results": [[["", 0.5]], [["", 7.0]]]},
    ),
    head("classify", "an unknown signature", "lost", ONE, ONE_ROW, grpc=NOT_FOUND),
    empty("classify", "both"),
    head(
        "classify",
        "a feature of another type",
        "scores",
        ONE.replace("float_list", "int64_list").replace("0.25", "1"),
        {"examples": [{"x": 1}]},
        grpc=invalid("Data type: int64 but expected type: float", is_part=True),
    ),
    head(
        "classify",
        "an input under another name",
        "unnamed",
        ONE,
        ONE_ROW,
        grpc=invalid("No classification inputs found in SignatureDef: ", is_part=True),
    ),
    head(
        "classify",
        "neither classes nor scores",
        "unlike",
        ONE,
        ONE_ROW,
        grpc=invalid(
            'Expected classification signature outputs to contain at least one of "classes" or "scores". '
            "Signature was: ",
            is_part=True,
        ),
    ),
    head(
        "classify",
        "scores of no two dimensions",
        "flat",
        TWO,
        TWO_ROWS,
        grpc=invalid("Expected Tensor shape: [batch_size num_classes] but got [2]"),
    ),
    head(
        "classify",
        "scores that are no floats",
        "counted",
        ONE,
        ONE_ROW,
        grpc=invalid("Expected scores Tensor of DT_FLOAT. Got: DT_INT32"),
    ),
    head(
        "classify",
        "fewer answers than Examples",
        "halved",
        TWO,
        TWO_ROWS,
        grpc=invalid("Expected scores output batch size of 2. Got: 1"),
    ),
    head(
        "classify",
        "more classes than scores",
        "uneven",
        ONE,
        ONE_ROW,
        grpc=invalid("Tensors class and score should match in dim_size(1). Got 2 vs. 1"),
    ),
)

REGRESS = (
    head(
        "regress",
        "[n]",
        "row",
        TWO,
        TWO_ROWS,
        grpc=regressed("row", 0.25, 0.75),
        rest={"results": [0.25, 0.75]},
    ),
    head(
        "regress",
        "[n, 1]",
        "column",
        TWO,
        TWO_ROWS,
        grpc=regressed("column", 0.25, 0.75),
        rest={"results": [0.25, 0.75]},
    ),
    head(
        "regress",
        "a context",
        "row",
        WITH_CONTEXT,
        CONTEXT_ROWS,
        grpc=regressed("row", 0.5, 7.0),
        rest={"results": [0.5, 7.0]},
    ),
    head("regress", "an unknown signature", "lost", ONE, ONE_ROW, grpc=NOT_FOUND),
    empty("regress", "row"),
    head(
        "regress",
        "[n, 2]",
        "wide",
        ONE,
        ONE_ROW,
        grpc=invalid(
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got [1,2]"
        ),
    ),
    head(
        "regress",
        "an answer that is no float",
        "numbered",
        ONE,
        ONE_ROW,
        grpc=invalid("Expected output Tensor of DT_FLOAT.  Got: DT_INT32"),
    ),
    head(
        "regress",
        "fewer answers than Examples",
        "summed",
        TWO,
        TWO_ROWS,
        grpc=invalid("Input batch size did not match output batch size: 2 vs. 1"),
    ),
    head("regress", "two outputs", "both", ONE, ONE_ROW, grpc=invalid("Expected one output Tensor.")),
    head(
        "regress",
        "an output under another name",
        "unlike",
        ONE,
        ONE_ROW,
        grpc=invalid("No regression outputs found in SignatureDef: ", is_part=True),
    ),
)

CONTEXT_ALONE = Case(
    "a context without an Example",
    Call(
        "Classify",
        spec("odd", "both") + f"input {{ example_list_with_context {{ context {{ {feature(1)} }} }} }}",
        invalid("Input is empty."),
    ),
    None,
)


def task(signature: str, verb: str, model: str = "odd", chosen: str = "") -> str:
    """A task of a MultiInferenceRequest."""
    return f'tasks {{ {spec(model, signature, chosen)} method_name: "tensorflow/serving/{verb}" }} '


def multi(meaning: str, text: str, answer: object) -> Case:
    """A row of MultiInference."""
    return Case(f"several tasks: {meaning}", Call("MultiInference", text, answer), None)


def named(signature: str) -> dict[str, str]:
    """Who answered a task."""
    return {"name": "odd", "version": "1", "signature_name": signature}


BOTH_TASKS = task("row", "regress") + task("scores", "classify")
MULTI_INFERENCE = (
    multi(
        "in their order",
        BOTH_TASKS + ONE,
        {
            "results": [
                {"model_spec": named("row"), "regression_result": {"regressions": [{"value": 0.25}]}},
                {
                    "model_spec": named("scores"),
                    "classification_result": {"classifications": [{"classes": [{"score": 0.25}]}]},
                },
            ]
        },
    ),
    multi("none", ONE, invalid("ModelSpec has no name specified.")),
    multi(
        "the later one's version does not count",
        task("row", "regress") + task("scores", "classify", chosen=version(9)) + ONE,
        {
            "results": [
                {"model_spec": named("row"), "regression_result": {"regressions": [{"value": 0.25}]}},
                {
                    "model_spec": named("scores"),
                    "classification_result": {"classifications": [{"classes": [{"score": 0.25}]}]},
                },
            ]
        },
    ),
    multi(
        "of two models",
        task("row", "regress") + task("both", "classify", model="m") + ONE,
        invalid("All ModelSpecs in a MultiInferenceRequest must access the same model name."),
    ),
    multi(
        "one without a model",
        task("row", "regress") + task("both", "classify", model="") + ONE,
        invalid("Found ModelSpec with an empty model name."),
    ),
    multi("one twice", task("row", "regress") * 2 + ONE, invalid("Duplicate evaluation of signature: row")),
    multi(
        "an unknown signature",
        task("lost", "regress") + ONE,
        invalid("Requested signature not found in model graph: lost"),
    ),
    multi(
        "an unknown method",
        task("row", "predict") + ONE,
        Refused("UNIMPLEMENTED", "Unsupported signature method_name: tensorflow/serving/predict"),
    ),
    multi(
        "one fails, all fail",
        BOTH_TASKS + task("wide", "regress") + ONE,
        invalid("Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got [1,2]"),
    ),
)

FED = 'feed { name: "x" tensor { dtype: DT_FLOAT tensor_shape { dim { size: 1 } } float_val: 2 } } '
SESSION_RUN = (
    Case(
        "a tensor of the graph",
        Call(
            "SessionRun",
            spec("heads") + FED + 'fetch: "doubled"',
            {
                "tensor": [
                    {
                        "name": "doubled",
                        "tensor": {
                            "dtype": "DT_FLOAT",
                            "tensor_shape": {"dim": [{"size": "1"}]},
                            "float_val": [4.0],
                        },
                    }
                ],
                "model_spec": {"name": "heads", "version": "1"},
            },
        ),
        None,
    ),
    Case(
        "a tensor that the graph lacks",
        Call(
            "SessionRun",
            spec("heads") + 'fetch: "lost:0"',
            Refused("NOT_FOUND", 'the graph has no tensor "lost:0"'),
        ),
        None,
    ),
    Case(
        "the graph of an unknown model",
        Call(
            "SessionRun",
            spec("lost") + 'fetch: "x"',
            Refused("NOT_FOUND", "Servable not found for request: Latest(lost)"),
        ),
        None,
    ),
)

HEADS = (*CHOICE, *CLASSIFY, *REGRESS, CONTEXT_ALONE, *MULTI_INFERENCE, *SESSION_RUN)
