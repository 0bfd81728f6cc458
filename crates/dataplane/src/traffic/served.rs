//! What an answer says of the version that made it: gRPC metadata, or HTTP headers.

use super::{
    assignment::Assignment,
    caller::{REQUEST_ID, VERSION},
};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::sync::Arc;

const ARM: HeaderName = HeaderName::from_static("x-understudy-arm");
const REASON: HeaderName = HeaderName::from_static("x-understudy-reason");

/// All that an answer may say.
#[must_use]
pub fn answer_header_names() -> [HeaderName; 4] {
    [VERSION, ARM, REASON, REQUEST_ID]
}

/// Who answered a request.
#[derive(Clone, Debug)]
pub struct Served {
    /// The version.
    pub version: i64,
    /// Why this one; none where traffic is not split, or the request named its version itself.
    pub assignment: Option<Arc<Assignment>>,
}

impl Served {
    /// Puts version, arm, reason and request id into the headers of an answer.
    pub(crate) fn put_into(&self, headers: &mut HeaderMap) {
        headers.insert(VERSION, HeaderValue::from(self.version));
        if let Some(assignment) = &self.assignment {
            headers.insert(ARM, HeaderValue::from_static(assignment.arm().name()));
            headers.insert(REASON, HeaderValue::from_static(assignment.reason().name()));
            headers.insert(REQUEST_ID, assignment.request_id().value());
        }
    }
}
