//! `GetModelMetadata`: what a version can be asked.

use super::model_spec;
use crate::{
    error::Error,
    plane::Plane,
    wire::tensorflow::serving::{GetModelMetadataRequest, GetModelMetadataResponse, SignatureDefMap},
};
use bytes::Bytes;
use prost::{Message, Name};
use std::collections::BTreeMap;

/// The only metadata there is.
const SIGNATURE_DEF: &str = "signature_def";

pub(super) fn answer(plane: &Plane, message: Bytes) -> Result<Bytes, Error> {
    let request: GetModelMetadataRequest = model_spec::decode(message)?;
    let spec = request.model_spec.ok_or_else(model_spec::missing)?;
    check_fields(&request.metadata_field)?;
    let target = model_spec::target(spec);
    let found = plane.metadata(&target)?;
    let signatures = prost_types::Any {
        type_url: format!("type.googleapis.com/{}", SignatureDefMap::full_name()),
        value: found.definitions.encode_to_vec(),
    };
    let response = GetModelMetadataResponse {
        model_spec: Some(model_spec::echo(target.model, found.version, "")),
        metadata: BTreeMap::from([(SIGNATURE_DEF.to_owned(), signatures)]),
    };
    Ok(response.encode_to_vec().into())
}

fn check_fields(fields: &[String]) -> Result<(), Error> {
    if fields.is_empty() {
        return Err(Error::invalid_argument(
            "GetModelMetadataRequest must specify at least one metadata_field",
        ));
    }
    match fields.iter().find(|field| *field != SIGNATURE_DEF) {
        None => Ok(()),
        Some(field) => Err(Error::invalid_argument(format!("Metadata field {field} is not supported"))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may panic

    use super::*;
    use crate::execute::Limits;
    use crate::{error::Code, wire::tensorflow::serving::ModelSpec};

    fn plane() -> Plane {
        Plane::new(Limits { io_threads: 1, in_flight_max: 1, queue_max: 1, runs_max: 1 }).unwrap()
    }

    fn refusal(request: &GetModelMetadataRequest) -> Error {
        answer(&plane(), request.encode_to_vec().into()).unwrap_err()
    }

    #[test]
    fn the_request_is_checked_before_the_model_is_looked_up() {
        let spec = || Some(ModelSpec { name: "nobody".to_owned(), ..ModelSpec::default() });
        let fields = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let cases = [
            (None, fields(&[]), "Missing ModelSpec"),
            (spec(), fields(&[]), "GetModelMetadataRequest must specify at least one metadata_field"),
            (spec(), fields(&["signature_def", "size"]), "Metadata field size is not supported"),
        ];
        for (model_spec, metadata_field, text) in cases {
            let error = refusal(&GetModelMetadataRequest { model_spec, metadata_field });
            assert_eq!(error, Error::new(Code::InvalidArgument, text));
        }
    }

    #[test]
    fn bytes_that_are_no_message_are_an_internal_error() {
        let error = answer(&plane(), Bytes::from_static(b"\xff")).unwrap_err();
        assert_eq!(error.code, Code::Internal);
        assert!(error.message.contains("tensorflow.serving.GetModelMetadataRequest"), "{error}");
    }
}
