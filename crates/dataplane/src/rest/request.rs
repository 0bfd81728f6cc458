//! What the bodies of all methods have in common: one JSON object, which may name a signature.

use super::json::{Document, Value, dump};
use crate::{budget::Charge, error::Error};
use bytes::Bytes;

const SIGNATURE_KEY: &str = "signature_name";

/// A body that was parsed and not looked into further.
#[derive(Debug)]
pub(super) struct JsonRequest {
    pub(super) document: Document,
    /// Empty: the default one.
    pub(super) signature_name: String,
    /// What the document was charged.
    pub(super) tape_bytes: usize,
}

impl JsonRequest {
    /// Parses a body. `INVALID_ARGUMENT` for what is no JSON object or names a signature that is no string;
    /// `RESOURCE_EXHAUSTED` when `charge` cannot grow by what the document takes.
    pub(super) fn parse(body: Bytes, charge: &mut Charge) -> Result<Self, Error> {
        if body.is_empty() {
            return Err(Error::invalid_argument("JSON Parse error: The document is empty"));
        }
        let tape_bytes = Document::tape_bytes(&body);
        charge.grow(tape_bytes)?;
        let document = Document::parse(body)
            .map_err(|error| Error::invalid_argument(format!("JSON Parse error: {error}")))?;
        let root = document.root();
        if !root.is_object() {
            return Err(value_error(root, "Is not object"));
        }
        let signature_name = match root.member(SIGNATURE_KEY) {
            None => String::new(),
            Some(name) => String::from_utf8_lossy(&name.text().ok_or_else(|| {
                value_error(root, "not formatted correctly. 'signature_name' key must be a string value.")
            })?)
            .into_owned(),
        };
        Ok(Self { document, signature_name, tape_bytes })
    }
}

/// `JSON Value: <the value, cut> <text>`.
pub(super) fn value_error(value: Value<'_>, text: &str) -> Error {
    Error::invalid_argument(format!("JSON Value: {} {text}", dump(value)))
}
