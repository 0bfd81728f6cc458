"""A client for Understudy and TensorFlow Serving: NumPy in, NumPy out, over gRPC; no TensorFlow needed.

It needs `grpcio` and `numpy`, which the server does not: `pip install 'understudy[client]'`.
"""

try:
    import grpc  # noqa: F401 - asked for here, where what is missing can be said
    import numpy as np  # noqa: F401 - the same
except ImportError as error:
    raise ImportError(
        f"understudy.client needs the package {error.name}: pip install 'understudy[client]'", name=error.name
    ) from error

from understudy.buckets import BucketRange
from understudy.client.answers import (
    Class,
    Classification,
    ClientCounts,
    Inferences,
    ModelMetadata,
    ModelStatus,
    Prediction,
    Regression,
    Served,
    VersionState,
    VersionStatus,
)
from understudy.client.asking import EXPLAIN_METADATA, ROUTING_KEY_METADATA
from understudy.client.assignment import Assignment
from understudy.client.asynchronous import AsyncClient
from understudy.client.blocking import Client
from understudy.client.channel import Tls
from understudy.client.errors import (
    AccessDeniedError,
    AnswerError,
    CallCancelledError,
    ClientError,
    ClosedError,
    DeadlineExceededError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    ServerError,
    TensorError,
    UnavailableError,
    UnimplementedError,
)
from understudy.client.examples import ExampleLike, FeatureValue
from understudy.client.retry import NO_RETRIES, RetryPolicy
from understudy.client.tensors import Tensor, TensorLike
from understudy.errors import Code
from understudy.signatures import Signature, TensorSpec

__all__ = [
    "EXPLAIN_METADATA",
    "NO_RETRIES",
    "ROUTING_KEY_METADATA",
    "AccessDeniedError",
    "AnswerError",
    "Assignment",
    "AsyncClient",
    "BucketRange",
    "CallCancelledError",
    "Class",
    "Classification",
    "Client",
    "ClientCounts",
    "ClientError",
    "ClosedError",
    "Code",
    "DeadlineExceededError",
    "ExampleLike",
    "FeatureValue",
    "Inferences",
    "InvalidRequestError",
    "ModelMetadata",
    "ModelStatus",
    "NotFoundError",
    "OverloadedError",
    "Prediction",
    "Regression",
    "RetryPolicy",
    "Served",
    "ServerError",
    "Signature",
    "Tensor",
    "TensorError",
    "TensorLike",
    "TensorSpec",
    "Tls",
    "UnavailableError",
    "UnimplementedError",
    "VersionState",
    "VersionStatus",
]
