//! Every request of this door, counted once under TensorFlow Serving's names: also what is malformed, what asks for
//! no inference, and a browser's question. What is outside this door is nobody's request.

use super::{path, path_of};
use crate::{
    error::Code,
    metrics::{CountedApi, Entry},
    plane::Plane,
};
use bytes::Bytes;
use http::{Method, Request};
use std::time::Instant;

/// Counts when it is dropped: a future that is dropped before its end was cancelled by the client.
pub(super) struct Counted<'a> {
    plane: &'a Plane,
    model: String,
    entry: Entry,
    begun: Instant,
    /// What the request was answered with.
    pub(super) code: Code,
}

impl<'a> Counted<'a> {
    /// Begins where TensorFlow Serving does: when the body is there.
    pub(super) fn begin(plane: &'a Plane, request: &Request<Bytes>) -> Self {
        let (model, verb) = path::named(request.method(), path_of(request));
        let entry = entry(request.method(), verb);
        Self { plane, model, entry, begun: Instant::now(), code: Code::Cancelled }
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.plane.counts(&self.model).record_request(self.entry, self.code, self.begun.elapsed());
    }
}

fn entry(method: &Method, verb: &str) -> Entry {
    match (method, verb) {
        (&Method::POST, "predict") => Entry::Rest(CountedApi::Predict),
        (&Method::POST, "classify") => Entry::Rest(CountedApi::Classify),
        (&Method::POST, "regress") => Entry::Rest(CountedApi::Regress),
        _ => Entry::RestOther,
    }
}
