//! `ModelSpec`: what a request asks for, and what its answer says of who answered.

use crate::{
    error::Error,
    inference::{Target, VersionChoice},
    metrics::{CountedApi, Entry},
    plane::Plane,
    wire::tensorflow::serving::{ModelSpec, model_spec},
};
use bytes::Bytes;
use prost::{Message, Name};
use std::time::Duration;

/// What to say when a request names no model at all.
pub(super) fn missing() -> Error {
    Error::invalid_argument("Missing ModelSpec")
}

/// What a request for inference says it is for; one that says nothing is counted as one for no model that is here.
pub(super) fn required(plane: &Plane, api: CountedApi, spec: Option<ModelSpec>) -> Result<ModelSpec, Error> {
    spec.ok_or_else(|| {
        let error = missing();
        plane.counts("").record_request(Entry::Grpc(api), error.code, Duration::ZERO);
        error
    })
}

/// What a request asks for.
pub(super) fn target(spec: ModelSpec) -> Target {
    let version = match spec.version_choice {
        Some(model_spec::VersionChoice::Version(version)) => VersionChoice::Version(version),
        Some(model_spec::VersionChoice::VersionLabel(label)) => VersionChoice::Label(label),
        None => VersionChoice::Default,
    };
    Target { model: spec.name, version }
}

/// Who answered: the concrete version, never the label.
pub(super) fn echo(name: String, version: i64, signature_name: &str) -> ModelSpec {
    ModelSpec {
        name,
        signature_name: signature_name.to_owned(),
        version_choice: Some(model_spec::VersionChoice::Version(version)),
    }
}

/// Reads a request's message; `INTERNAL`, gRPC's code for a message that is none.
pub(super) fn decode<M: Message + Name + Default>(message: Bytes) -> Result<M, Error> {
    M::decode(message).map_err(|error| unreadable::<M>(&error))
}

/// Says that a message is not one.
pub(super) fn unreadable<M: Name>(reason: &impl std::fmt::Display) -> Error {
    Error::internal(format!("Cannot parse {}: {reason}", M::full_name()))
}
