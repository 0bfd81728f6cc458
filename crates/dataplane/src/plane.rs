//! The data plane as one object: what the doors ask of it, and what the control plane orders.

use crate::{
    error::Error,
    predict::{Call, Codec, Target},
    wire::tensorflow::serving::ModelVersionStatus,
};
use bytes::Bytes;

/// Everything behind the doors. Shared by all of them as an `Arc`.
#[derive(Debug)]
pub struct Plane {}

impl Plane {
    /// Answers one Predict request. Dropping the future cancels what has not begun to run.
    #[allow(clippy::unused_async)]
    pub async fn predict<C: Codec>(&self, _call: Call<C>) -> Result<Bytes, Error> {
        Err(Error::unimplemented("predict"))
    }

    /// Every version of a model that was ever seen, descending, or the one asked for.
    /// `NOT_FOUND` as behaviour 7.6 words it; a label is ignored, as there.
    pub fn status(&self, _target: &Target) -> Result<Vec<ModelVersionStatus>, Error> {
        Err(Error::unimplemented("status"))
    }

    /// The version chosen and its signatures' definitions, for metadata.
    pub fn metadata(&self, _target: &Target) -> Result<Metadata, Error> {
        Err(Error::unimplemented("metadata"))
    }
}

/// What GetModelMetadata tells.
#[derive(Debug)]
pub struct Metadata {
    /// The version chosen.
    pub version: i64,
    /// `SignatureDef`s by name, defaults included.
    pub definitions: crate::wire::tensorflow::serving::SignatureDefMap,
}
