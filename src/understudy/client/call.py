"""One call, ready to be sent; made by inference.py and questions.py."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from understudy.client.answers import Served

Answer = TypeVar("Answer")

PREDICTION_SERVICE: Final = "/tensorflow.serving.PredictionService/"
MODEL_SERVICE: Final = "/tensorflow.serving.ModelService/"
HEALTH_SERVICE: Final = "/grpc.health.v1.Health/"


@dataclass(frozen=True, slots=True)
class Call(Generic[Answer]):
    """One call, ready to be sent any number of times.

    Attributes:
        path: of the method.
        request: serialized.
        decode: the answer's bytes to what the caller gets; raises AnswerError.
        model: that is asked; empty for a question about the server.
        is_repeatable: whether asking twice is the same as asking once.
        explain: puts into the answer what the server says of it; none: it runs no model, and nothing is said.
    """

    path: str
    request: bytes
    decode: Callable[[bytes], Answer]
    model: str = ""
    is_repeatable: bool = True
    explain: Callable[[Answer, Served], Answer] | None = None
