//! `GetModelStatus`: every version of a model that was ever seen, and the state of each.

use super::model_spec;
use crate::{
    error::Error,
    plane::Plane,
    wire::tensorflow::serving::{GetModelStatusRequest, GetModelStatusResponse},
};
use bytes::Bytes;
use prost::Message;

pub(super) fn answer(plane: &Plane, message: Bytes) -> Result<Bytes, Error> {
    let request: GetModelStatusRequest = model_spec::decode(message)?;
    let spec = request.model_spec.ok_or_else(model_spec::missing)?;
    let model_version_status = plane.status(&model_spec::target(spec))?;
    Ok(GetModelStatusResponse { model_version_status }.encode_to_vec().into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may panic

    use super::*;
    use crate::execute::Limits;

    fn plane() -> Plane {
        Plane::new(Limits { io_threads: 1, in_flight_max: 1, queue_max: 1, runs_max: 1 }).unwrap()
    }

    #[test]
    fn a_request_without_a_model_spec_is_refused() {
        let error = answer(&plane(), Bytes::new()).unwrap_err();
        assert_eq!(error, Error::invalid_argument("Missing ModelSpec"));
    }
}
