//! The one path of a Predict request: choose the version, find the signature, decode, run, encode.
//!
//! A door brings a [`Codec`], which knows its wire and nothing of versions; this file knows versions and nothing
//! of wires. Classify, Regress and MultiInference join here as further codecs.

use crate::{error::Error, signature::Signature, tensor::Tensor};
use bytes::Bytes;
use std::time::Instant;

/// Which version a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionChoice {
    /// Exactly this one.
    Version(i64),
    /// The one that this label names.
    Label(String),
    /// The model's default version.
    Default,
}

/// What a request asks for: `ModelSpec` or a REST path, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The model's name, as sent (an empty one is refused by the path).
    pub model: String,
    /// Which of its versions.
    pub version: VersionChoice,
}

/// The protocol that a request came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Door {
    /// gRPC.
    Grpc,
    /// REST.
    Rest,
}

/// What the path found, for the answer's `model_spec`.
#[derive(Clone, Copy, Debug)]
pub struct Answered<'a> {
    /// The version that answered.
    pub version: i64,
    /// The signature that was run; `serving_default` when none was named.
    pub signature: &'a Signature,
}

/// What to run a signature on.
#[derive(Debug)]
pub struct Inputs {
    /// One tensor for each declared input, in the signature's (sorted) order.
    pub tensors: Vec<Tensor>,
    /// Which declared outputs to compute, as indexes into the signature's outputs.
    pub outputs: Vec<usize>,
}

/// One request on its door's wire. `decode` and `encode` may be called on a run thread.
pub trait Codec: Send + 'static {
    /// By which door it came, for statistics.
    fn door(&self) -> Door;

    /// The signature it names; empty: the default one.
    fn signature_name(&self) -> &str;

    /// How this door words an unknown signature.
    fn unknown_signature(&self, name: &str) -> Error;

    /// The request's tensors, checked against the signature's names.
    fn decode(&mut self, signature: &Signature) -> Result<Inputs, Error>;

    /// The answer's body. `outputs` are the tensors of `indexes`, in that order.
    fn encode(self, answered: Answered<'_>, indexes: &[usize], outputs: Vec<Tensor>) -> Result<Bytes, Error>;
}

/// One request and its limits.
#[derive(Debug)]
pub struct Call<C> {
    /// What it asks for.
    pub target: Target,
    /// Its body.
    pub codec: C,
    /// Size of its body on the wire; the path predicts from it how long the work will take.
    pub body_bytes: usize,
    /// When the caller stops waiting.
    pub deadline: Option<Instant>,
}
