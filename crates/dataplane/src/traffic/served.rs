//! What an answer says of the version that made it: gRPC metadata, or HTTP headers.

use super::{
    assignment::{Arm, Assignment, Reason},
    caller::{REQUEST_ID, VERSION},
};
use http::{HeaderMap, HeaderName, HeaderValue};
use std::{cell::RefCell, sync::Arc};

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
    /// What an answer's headers begin with: version, arm, reason and request id.
    pub(crate) fn headers(&self) -> HeaderMap {
        self.headers_saying(Some(self.version))
    }

    /// The same of an answer whose message names the version.
    pub(crate) fn headers_beside_message(&self) -> HeaderMap {
        self.headers_saying(None)
    }

    fn headers_saying(&self, version: Option<i64>) -> HeaderMap {
        let assignment = self.assignment.as_ref();
        let why = assignment.map(|assignment| (assignment.arm(), assignment.reason()));
        let mut headers = kept(Said { version, why });
        if let Some(id) = assignment.and_then(|assignment| assignment.request_id()) {
            headers.insert(REQUEST_ID, id.value());
        }
        headers
    }
}

/// Headers of most answers: these four and the type of their content.
const SAID_MAX: usize = 5;

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
    version: Option<i64>,
    why: Option<(Arm, Reason)>,
}

impl Said {
    fn headers(self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(SAID_MAX);
        if let Some(version) = self.version {
            headers.insert(VERSION, HeaderValue::from(version));
        }
        if let Some((arm, reason)) = self.why {
            headers.insert(ARM, HeaderValue::from_static(arm.name()));
            headers.insert(REASON, HeaderValue::from_static(reason.name()));
        }
        headers
    }
}
