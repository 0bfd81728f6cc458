"""Every `curl` line of TensorFlow Serving's documentation that needs no other model than its own two.

Read on 2026-07-30 in README.md and tensorflow_serving/g3doc. Not here: custom_op.md (a model with an op that
is compiled into the server) and remote_predict (an experiment). Lines that several pages have stand once.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Line:
    """One line, and what the page says it answers.

    Attributes:
        pages: that have it.
        command: as it stands there, without the prompt.
        answer: as JSON data.
        status: of HTTP.
    """

    pages: str
    command: str
    answer: object
    status: int = 200


AVAILABLE = {
    "model_version_status": [
        {"version": "123", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    ]
}

LINES = (
    Line(
        "README.md, docker.md, tensorboard.md",
        """curl -d '{"instances": [1.0, 2.0, 5.0]}' \\
            -X POST http://localhost:8501/v1/models/half_plus_two:predict""",
        {"predictions": [2.5, 3.0, 4.5]},
    ),
    Line(
        "docker.md before 2019",
        """curl -d '{"instances": [1.0, 2.0, 5.0]}' -X POST http://localhost:8501/v1/models/half_plus_three:predict""",
        {"predictions": [3.5, 4.0, 5.5]},
    ),
    Line("api_rest.md", "curl http://localhost:8501/v1/models/saved_model_half_plus_three", AVAILABLE),
    Line(
        "api_rest.md",
        """curl -d '{"instances": [1.0,2.0,5.0]}' -X POST http://localhost:8501/v1/models/saved_model_half_plus_three:predict""",
        {"predictions": [3.5, 4.0, 5.5]},
    ),
    Line(
        "api_rest.md",
        """curl -d '{"signature_name": "tensorflow/serving/regress", "examples": [{"x": 1.0}, {"x": 2.0}]}' \\
            -X POST http://localhost:8501/v1/models/saved_model_half_plus_three:regress""",
        {"results": [3.5, 4.0]},
    ),
    Line(
        "api_rest.md",
        """curl -i -d '{"instances": [1.0,5.0]}' -X POST http://localhost:8501/v1/models/half:predict""",
        {"error": "Servable not found for request: Latest(half)"},
        404,
    ),
    # The forms of URLs that api_rest.md gives, filled in.
    Line("api_rest.md", "curl http://localhost:8501/v1/models/half_plus_three/versions/123", AVAILABLE),
    Line("api_rest.md", "curl http://localhost:8501/v1/models/half_plus_three/labels/stable", AVAILABLE),
    Line(
        "api_rest.md",
        """curl -d '{"inputs": [1.0]}' -X POST http://localhost:8501/v1/models/half_plus_three/versions/123:predict""",
        {"outputs": [3.5]},
    ),
    Line(
        "api_rest.md",
        """curl -d '{"inputs": [1.0]}' -X POST http://localhost:8501/v1/models/half_plus_three/labels/stable:predict""",
        {"outputs": [3.5]},
    ),
)
