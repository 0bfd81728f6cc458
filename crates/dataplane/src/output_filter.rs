//! Which of a signature's outputs a request wants, whichever door it came by; the words are TensorFlow Serving's.

use crate::{
    error::Error,
    signature::{Signature, TensorSpec},
};
use std::collections::BTreeSet;

/// How many names a request may list: each costs many times the bytes it is sent in.
pub(crate) const NAMES_MAX: usize = 65_536;

/// A list of names in an error's text ends after this many bytes; a gRPC status text is cut there anyway.
const LIST_BYTES_MAX: usize = 2_048;

/// The outputs that `filter` names, as indexes, in its order; no name means all of them. `INVALID_ARGUMENT` for a
/// name that is not declared or comes twice.
pub(crate) fn choose(signature: &Signature, filter: &[String]) -> Result<Vec<usize>, Error> {
    if filter.is_empty() {
        return Ok((0..signature.outputs.len()).collect());
    }
    let mut seen = BTreeSet::new();
    let choose = |alias: &String| {
        let Ok(index) = signature.outputs.binary_search_by(|output| output.alias.cmp(alias)) else {
            return Err(Error::invalid_argument(format!(
                "output tensor alias not found in signature: {alias} Outputs expected to be in the set {{{}}}.",
                list(aliases(&signature.outputs))
            )));
        };
        if !seen.insert(index) {
            return Err(Error::invalid_argument(format!("duplicate output tensor alias: {alias}")));
        }
        Ok(index)
    };
    filter.iter().map(choose).collect()
}

/// The names of declared inputs or outputs.
pub(crate) fn aliases(specs: &[TensorSpec]) -> impl Iterator<Item = &str> {
    specs.iter().map(|spec| spec.alias.as_str())
}

/// Names joined by commas, as far as anybody will read them.
pub(crate) fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut text = String::new();
    for name in names {
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(name);
        if text.len() > LIST_BYTES_MAX {
            break;
        }
    }
    text
}
