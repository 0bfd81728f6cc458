"""Status and metadata through both doors: which model, version or label; what TensorFlow Serving ignores."""

from tests.wire.both_doors.rows import Ask, Call, Case, Json, Refused, invalid, label, spec, version

SIGNATURES = 'metadata_field: "signature_def"'


def available(*numbers: int) -> Json:
    """The status of versions that serve, as both doors write it once defaults are left out."""
    return {
        "model_version_status": [
            {"version": str(each), "state": "AVAILABLE", "status": {}} for each in numbers
        ]
    }


def told(*numbers: int) -> Json:
    """The same as REST writes it: defaults too."""
    good = {"error_code": "OK", "error_message": ""}
    return {
        "model_version_status": [
            {"version": str(each), "state": "AVAILABLE", "status": good} for each in numbers
        ]
    }


def status(meaning: str, text: str, path: str, grpc: Json, rest: Json = None) -> Case:
    """A row; both doors refuse alike when `rest` is left out."""
    asked = Ask(path, None, grpc if rest is None else rest)
    return Case(f"status of {meaning}", Call("GetModelStatus", text, grpc), asked)


STATUS = (
    status("all versions, the newest first", spec("m"), "m", available(2, 1), told(2, 1)),
    status("one version", spec("m", chosen=version(1)), "m/versions/1", available(1), told(1)),
    status(
        "a label, which is ignored",
        spec("m", chosen=label("stable")),
        "m/labels/stable",
        available(2, 1),
        told(2, 1),
    ),
    status(
        "an unknown label, which is too",
        spec("m", chosen=label("lost")),
        "m/labels/lost",
        available(2, 1),
        told(2, 1),
    ),
    status(
        "an unknown version",
        spec("m", chosen=version(9)),
        "m/versions/9",
        Refused("NOT_FOUND", "Could not find version 9 of model m"),
    ),
    status(
        "an unknown model",
        spec("lost"),
        "lost",
        Refused("NOT_FOUND", "Could not find any versions of model lost"),
    ),
    status(
        "a version of an unknown model",
        spec("lost", chosen=version(1)),
        "lost/versions/1",
        Refused("NOT_FOUND", "Could not find version 1 of model lost"),
    ),
    Case("status of nothing", Call("GetModelStatus", "", invalid("Missing ModelSpec")), None),
    Case("status of no name", None, Ask("", None, invalid("Malformed request: GET /v1/models/"))),
)


def tensor(name: str) -> Json:
    """What a signature says of a vector of floats."""
    return {"dtype": "DT_FLOAT", "tensor_shape": {"dim": [{"size": "-1"}]}, "name": name}


def described(number: int) -> Json:
    """What both doors must tell of `m`'s default signature."""
    answered = {"name": "m", "version": str(number)}
    signature = {
        "inputs": {"x": tensor("serving_default_x:0")},
        "outputs": {"y": tensor("StatefulPartitionedCall:0")},
        "method_name": "tensorflow/serving/predict",
    }
    return {"model_spec": answered, "signature": signature}


def metadata(meaning: str, chosen: str, path: str, answer: Json, model: str = "m") -> Case:
    """A row about metadata."""
    call = Call("GetModelMetadata", spec(model, chosen=chosen) + SIGNATURES, answer)
    return Case(f"metadata of {meaning}", call, Ask(f"{path}/metadata", None, answer))


METADATA = (
    metadata("the latest version", "", "m", described(2)),
    metadata("a version", version(1), "m/versions/1", described(1)),
    metadata("a label", label("stable"), "m/labels/stable", described(1)),
    metadata(
        "an unknown model",
        "",
        "lost",
        Refused("NOT_FOUND", "Servable not found for request: Latest(lost)"),
        model="lost",
    ),
    metadata(
        "an unknown version",
        version(9),
        "m/versions/9",
        Refused("NOT_FOUND", "Servable not found for request: Specific(m, 9)"),
    ),
    metadata(
        "an unknown label",
        label("lost"),
        "m/labels/lost",
        invalid("Unrecognized servable version label: lost"),
    ),
    Case("metadata of nothing", Call("GetModelMetadata", SIGNATURES, invalid("Missing ModelSpec")), None),
    Case(
        "metadata without a field",
        Call(
            "GetModelMetadata",
            spec("m"),
            invalid("GetModelMetadataRequest must specify at least one metadata_field"),
        ),
        None,
    ),
    Case(
        "a field that there is not, of a model that there is not",
        Call(
            "GetModelMetadata",
            spec("lost") + 'metadata_field: "lost"',
            invalid("Metadata field lost is not supported"),
        ),
        None,
    ),
)

MODELS = (*STATUS, *METADATA)
