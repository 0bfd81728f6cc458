//! What a request's metadata says of its caller: routing key, version asked for, request id, and whether it asks why.
//!
//! gRPC metadata and HTTP headers are the same thing here. Nothing is read before a model whose traffic is split asks
//! for it, so other requests pay nothing.

use super::key::is_key;
use crate::error::Error;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::cell::Cell;

pub(crate) const VERSION: HeaderName = HeaderName::from_static("x-understudy-version");
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const EXPLAIN: HeaderName = HeaderName::from_static("x-understudy-explain");

/// A caller's request id that is longer is replaced.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// A request's metadata.
#[derive(Clone, Debug, Default)]
pub struct Caller(HeaderMap);

impl From<HeaderMap> for Caller {
    fn from(headers: HeaderMap) -> Self {
        Self(headers)
    }
}

impl Caller {
    /// What a split asks of every request. One look at all headers, for they are few: to hash the names that are asked
    /// for costs more.
    pub(super) fn look(&self, key_header: &HeaderName) -> Look<'_> {
        let mut look = Look::default();
        for (name, value) in &self.0 {
            if name == key_header {
                look.key = look.key.or(Some(value.as_bytes()));
            } else if name == EXPLAIN {
                look.asks_why = true;
            }
        }
        look.key = look.key.filter(|bytes| is_key(bytes));
        look
    }

    /// The version asked for, if there is one; `INVALID_ARGUMENT` for what is no version.
    pub(super) fn version(&self) -> Result<Option<i64>, Error> {
        let Some(value) = self.0.get(VERSION) else { return Ok(None) };
        let version = value.to_str().ok().and_then(|text| text.parse().ok()).filter(|version| *version >= 0);
        version.map(Some).ok_or_else(|| {
            Error::invalid_argument(format!("{VERSION} asks for {value:?}, which is no version's number"))
        })
    }

    /// The caller's own request id, or a new one where there is none that can be given back.
    pub(super) fn request_id(&self) -> RequestId {
        let own = self.0.get(REQUEST_ID).filter(|value| is_request_id(value.as_bytes()));
        own.map_or_else(RequestId::make, |value| RequestId::from(value.clone()))
    }
}

/// What a split asks of every request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Look<'a> {
    /// The first value of the key's header, if it can be a key.
    pub(super) key: Option<&'a [u8]>,
    /// Whether it wants to know why it is answered by whom it is; what the header's value is does not matter.
    pub(super) asks_why: bool,
}

/// Printable ASCII without spaces: what both protocols carry, and people can copy.
fn is_request_id(bytes: &[u8]) -> bool {
    (1..=REQUEST_ID_BYTES_MAX).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
}

/// What a request is called: by its caller, or by us. Ground truth comes under this name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(HeaderValue);

thread_local! {
    /// Which ids this thread makes, and how many it has made.
    static MADE: Cell<(u64, u64)> = Cell::new((fastrand::u64(..), 0));
}

impl From<HeaderValue> for RequestId {
    /// Hardly two requests have the same one, so HTTP/2 shall not keep it for the next: each would push out of the
    /// connection's table what other answers do have in common.
    fn from(mut value: HeaderValue) -> Self {
        value.set_sensitive(true);
        Self(value)
    }
}

impl RequestId {
    /// One that nobody else makes: 64 random bits of this thread, and a count, in hexadecimal.
    fn make() -> Self {
        let (thread, count) = MADE.get();
        MADE.set((thread, count.wrapping_add(1)));
        let number = u128::from(thread) << 64 | u128::from(count);
        let mut text = [0; 32];
        for (place, digit) in text.iter_mut().rev().enumerate() {
            let nibble = u8::try_from(number >> (4 * place) & 0xf).unwrap_or_default();
            *digit = if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
        }
        Self::from(HeaderValue::from_bytes(&text).unwrap_or_else(|_| HeaderValue::from_static("0")))
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default() // it is printable ASCII
    }

    pub(super) fn value(&self) -> HeaderValue {
        self.0.clone()
    }
}

#[cfg(test)]
#[path = "caller_tests.rs"]
mod tests;
