"""Calls about models and the server, which run no model; and the reload. Bytes both ways. Pure."""

from typing import Final, cast

from google.protobuf import text_format, wrappers_pb2
from google.protobuf.message import DecodeError

from understudy.client import messages
from understudy.client.answers import ModelMetadata, ModelStatus, VersionState, VersionStatus
from understudy.client.asking import Target
from understudy.client.call import HEALTH_SERVICE, MODEL_SERVICE, PREDICTION_SERVICE, Call
from understudy.client.dtypes import BY_NUMBER
from understudy.client.errors import AnswerError, InvalidRequestError, build_error
from understudy.client.messages import build_message, parse_message, serialize
from understudy.errors import Code
from understudy.signatures import UNKNOWN, Signature, TensorSpec
from understudy.wire import descriptor_pool

_SERVING: Final = 1
"""`HealthCheckResponse.ServingStatus.SERVING`."""


def metadata(target: Target) -> Call[ModelMetadata]:
    """GetModelMetadata."""
    request = cast(messages.MetadataRequest, build_message("tensorflow.serving.GetModelMetadataRequest"))
    target.write(request.model_spec)
    request.metadata_field.append("signature_def")

    def decode(payload: bytes) -> ModelMetadata:
        name = "tensorflow.serving.GetModelMetadataResponse"
        response = cast(messages.MetadataResponse, parse_message(name, payload))
        definitions = response.metadata["signature_def"].value
        name = "tensorflow.serving.SignatureDefMap"
        signatures = cast(messages.SignatureDefMap, parse_message(name, definitions)).signature_def
        return ModelMetadata(
            response.model_spec.name,
            response.model_spec.version.value,
            {key: _signature(value) for key, value in sorted(signatures.items())},
        )

    return Call(PREDICTION_SERVICE + "GetModelMetadata", serialize(request), decode, target.model)


def status(target: Target) -> Call[ModelStatus]:
    """GetModelStatus."""
    request = cast(messages.StatusRequest, build_message("tensorflow.serving.GetModelStatusRequest"))
    target.write(request.model_spec)

    def decode(payload: bytes) -> ModelStatus:
        name = "tensorflow.serving.GetModelStatusResponse"
        response = cast(messages.StatusResponse, parse_message(name, payload))
        return ModelStatus(
            target.model,
            tuple(
                VersionStatus(
                    each.version, _state(each.state), _code(each.status.error_code), each.status.error_message
                )
                for each in response.model_version_status
            ),
        )

    return Call(MODEL_SERVICE + "GetModelStatus", serialize(request), decode, target.model)


def reload_config(text: str) -> Call[None]:
    """HandleReloadConfigRequest; never sent twice, since somebody else may have changed it in between."""
    request = cast(messages.ReloadRequest, build_message("tensorflow.serving.ReloadConfigRequest"))
    request.config.SetInParent()
    try:
        text_format.Parse(text, request.config, descriptor_pool=descriptor_pool())
    except text_format.ParseError as error:
        raise InvalidRequestError(
            Code.INVALID_ARGUMENT, f"The text is no ModelServerConfig: {error}"
        ) from error

    def decode(payload: bytes) -> None:
        name = "tensorflow.serving.ReloadConfigResponse"
        state = cast(messages.ReloadResponse, parse_message(name, payload)).status
        if state.error_code:  # the specification allows a refusal inside an OK answer
            raise build_error(_code(state.error_code), state.error_message, model="", attempts=1)

    return Call(MODEL_SERVICE + "HandleReloadConfigRequest", serialize(request), decode, is_repeatable=False)


def health(service: str) -> Call[bool]:
    """Health's Check, whose messages have one field each: the same bytes as protobuf's own wrappers."""

    def decode(payload: bytes) -> bool:
        try:
            return wrappers_pb2.Int32Value.FromString(payload).value == _SERVING
        except DecodeError as error:
            raise AnswerError(f"The server's answer is not a HealthCheckResponse: {error}") from error

    request = wrappers_pb2.StringValue(value=service).SerializeToString()
    return Call(HEALTH_SERVICE + "Check", request, decode, service)


def _signature(definition: messages.SignatureDef) -> Signature:
    return Signature(
        definition.method_name,
        {name: _spec(info) for name, info in sorted(definition.inputs.items())},
        {name: _spec(info) for name, info in sorted(definition.outputs.items())},
        frozenset(definition.defaults),
    )


def _spec(info: messages.TensorInfo) -> TensorSpec:
    kind = BY_NUMBER.get(info.dtype)
    name = f"type {info.dtype}" if kind is None else kind.name  # resources and variants, inside the model
    if info.tensor_shape.unknown_rank:
        return TensorSpec(name, None)
    return TensorSpec(name, tuple(max(dim.size, UNKNOWN) for dim in info.tensor_shape.dim))


def _state(number: int) -> VersionState:
    return VersionState(number) if number in {each.value for each in VersionState} else VersionState.UNKNOWN


def _code(number: int) -> Code:
    return Code(number) if number in set(Code) else Code.UNKNOWN
