//! What an answer says of the version that made it: gRPC metadata, or HTTP headers.

use super::{
    assignment::{Arm, Assignment, Reason},
    caller::{REQUEST_ID, VERSION},
};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use std::{cell::RefCell, sync::Arc};

/// Both in one, as a structured field (RFC 9651): each further header of an answer costs about as much as finding out
/// who answers.
const ARM: HeaderName = HeaderName::from_static("x-understudy-arm");

/// All that an answer may say.
#[must_use]
pub fn answer_header_names() -> [HeaderName; 3] {
    [VERSION, ARM, REQUEST_ID]
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
    /// An answer's headers: the type of its content, version, arm, reason and request id.
    pub(crate) fn headers(&self, content_type: &'static str) -> HeaderMap {
        let why = self.assignment.as_ref().map(|assignment| (assignment.arm(), assignment.reason()));
        self.with_request_id(kept(Said { content_type, version: Some(self.version), why }))
    }

    /// The same of an answer whose message names the version, and which says why to those who ask; none where there
    /// is nothing to say.
    pub(crate) fn headers_beside_message(&self, content_type: &'static str) -> Option<HeaderMap> {
        let assignment = self.assignment.as_ref()?;
        let why = assignment.is_explained().then(|| (assignment.arm(), assignment.reason()));
        let says_more = why.is_some() || assignment.request_id().is_some();
        says_more.then(|| self.with_request_id(kept(Said { content_type, version: None, why })))
    }

    fn with_request_id(&self, mut headers: HeaderMap) -> HeaderMap {
        if let Some(id) = self.assignment.as_ref().and_then(|assignment| assignment.request_id()) {
            headers.insert(REQUEST_ID, id.value());
        }
        headers
    }
}

/// Headers of an answer.
const SAID_MAX: usize = 4;

/// Combinations that one thread keeps.
const KEPT_MAX: usize = 16;

thread_local! {
    /// Few combinations are in use at any time, and a copy costs a third of what hashing the names again does.
    static KEPT: RefCell<Vec<(Said, HeaderMap)>> = const { RefCell::new(Vec::new()) };
}

fn kept(said: Said) -> HeaderMap {
    KEPT.with_borrow_mut(|all| {
        if let Some((_, headers)) = all.iter().find(|(kept, _)| *kept == said) {
            return headers.clone();
        }
        if all.len() == KEPT_MAX {
            all.clear();
        }
        let headers = said.headers();
        all.push((said, headers.clone()));
        headers
    })
}

/// What many answers say alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Said {
    content_type: &'static str,
    version: Option<i64>,
    why: Option<(Arm, Reason)>,
}

impl Said {
    fn headers(self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(SAID_MAX);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        if let Some(version) = self.version {
            headers.insert(VERSION, HeaderValue::from(version));
        }
        if let Some((arm, reason)) = self.why {
            let text = format!("{}; reason={}", arm.name(), reason.name());
            headers.insert(ARM, HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(arm.name())));
        }
        headers
    }
}
