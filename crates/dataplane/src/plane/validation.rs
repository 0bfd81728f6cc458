//! What the control plane asks of a version before it may have traffic, and requests that are kept to be golden
//! examples of the next one. Blocks, or may: never call it on a request's thread.

use super::Plane;
use crate::{
    error::Error,
    golden::{self, ValidationReport},
    request_log::{CaptureOptions, OpenCapture},
    servable::{Handle, ServableId},
    traffic::Tolerance,
    wire::tensorflow::serving::SignatureDefMap,
};
use prost::Message;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    time::Duration,
};

/// How to ask a version its golden examples.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidateRequest {
    /// The version's directory.
    pub path: PathBuf,
    /// How far apart answers may be.
    pub tolerance: Tolerance,
    /// How long all of them together may take.
    pub timeout: Duration,
}

impl Plane {
    /// Asks a loaded version its golden examples, in this thread; it need not be routed. `NOT_FOUND` when it is not
    /// loaded; else as [`golden::validate`].
    pub fn validate(&self, id: ServableId<'_>, request: &ValidateRequest) -> Result<ValidationReport, Error> {
        let handle = self.hold(id)?;
        let ValidateRequest { path, tolerance, timeout } = request;
        let settings = golden::Settings { tolerance: *tolerance, rules: self.rules, timeout: *timeout };
        let goes_on = || !handle.slot().is_closed();
        let ask = || golden::validate(handle.model(), id.version, path, settings, goes_on);
        catch_unwind(AssertUnwindSafe(ask))
            .unwrap_or_else(|_| Err(Error::internal("a golden example made the model panic")))
    }

    /// What a loaded version can be asked, defaults included, as a serialized `SignatureDefMap`; it need not be routed.
    /// `NOT_FOUND` when it is not loaded.
    pub fn signatures(&self, id: ServableId<'_>) -> Result<Vec<u8>, Error> {
        let handle = self.hold(id)?;
        let signature_def = handle.model().signatures().definitions().clone();
        Ok(SignatureDefMap { signature_def }.encode_to_vec())
    }

    /// Begins to keep requests of a model with their answers; it ends when what this answers is dropped. `NOT_FOUND`
    /// for a model that is not routed; else as [`CapturePoint::open`].
    ///
    /// [`CapturePoint::open`]: crate::request_log::CapturePoint::open
    pub fn capture(&self, model: &str, options: CaptureOptions) -> Result<OpenCapture, Error> {
        let (model, captures) = self.path.routes.captures(model).ok_or_else(|| {
            Error::not_found(format!("there is no model {model} whose requests could be captured"))
        })?;
        captures.open(&model, options)
    }

    fn hold(&self, id: ServableId<'_>) -> Result<Handle, Error> {
        let slot = self.registry().loaded(id);
        slot.and_then(|slot| slot.acquire()).ok_or_else(|| Error::not_found(format!("{id} is not loaded")))
    }
}
