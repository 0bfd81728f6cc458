//! Examples as a model takes them, and what it makes of them: what Classify, Regress and `MultiInference` mean.
//!
//! Here Examples become a tensor; `heads` says how a signature answers for them; `results` reads its answer. How any
//! of it is written on a wire is the doors' matter. Checks, their order and their words are TensorFlow Serving's.

mod heads;
mod results;

pub(crate) use heads::{HeadsRun, Task, or_default};
pub(crate) use results::{Answer, Classifications, Regressions};

use crate::{
    error::Error,
    tensor::{DType, Data, Tensor},
    tensor_proto::FILL_BYTES_MAX,
    traffic::Key,
};
use bytes::Bytes;

/// How many Examples a request may have: an empty one is sent in two bytes and takes many times that here.
pub(crate) const EXAMPLES_MAX: usize = 1 << 22;

/// Serialized Examples.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Examples {
    /// Each by itself.
    pub(crate) list: Vec<Bytes>,
    /// What all of them share; empty: nothing.
    pub(crate) context: Bytes,
}

impl Examples {
    /// Adds one.
    pub(crate) fn push(&mut self, example: Bytes) -> Result<(), Error> {
        if self.list.len() == EXAMPLES_MAX {
            return Err(Error::invalid_argument(format!("A request has at most {EXAMPLES_MAX} Examples")));
        }
        self.list.push(example);
        Ok(())
    }

    /// The routing key in this feature of the only Example, or of the context where it has none of its own.
    pub(crate) fn routing_key(&self, feature: &str) -> Option<Key> {
        let [example] = self.list.as_slice() else { return None };
        Key::of_example(example, feature).or_else(|| Key::of_example(&self.context, feature))
    }

    /// How many there are.
    pub(crate) fn count(&self) -> i64 {
        i64::try_from(self.list.len()).unwrap_or(i64::MAX)
    }

    /// What they take.
    pub(crate) fn bytes(&self) -> usize {
        let own = self.list.iter().map(|example| example.len() + size_of::<Bytes>());
        own.sum::<usize>() + self.context.len()
    }

    /// One vector of strings. The context is put in front of each Example: of two features of one name the later one
    /// counts, so an Example's own wins.
    pub(crate) fn into_tensor(self) -> Result<Tensor, Error> {
        if self.list.is_empty() {
            return Err(Error::invalid_argument("Input is empty."));
        }
        let count = self.count();
        let Self { list, context } = self;
        check_repeated(context.len(), list.len())?;
        let strings = if context.is_empty() {
            list
        } else {
            list.iter().map(|example| [&context[..], example].concat().into()).collect()
        };
        Tensor::new(DType::String, vec![count], Data::Strings(strings))
    }
}

/// A small request must not grow out of all proportion: the context is sent once and copied for each Example. The
/// limit is that for elements of a tensor that are sent once and repeated.
fn check_repeated(context_bytes: usize, examples: usize) -> Result<(), Error> {
    match context_bytes.checked_mul(examples.saturating_sub(1)) {
        Some(bytes) if bytes <= FILL_BYTES_MAX => Ok(()),
        _ => Err(Error::invalid_argument(format!(
            "a context of {context_bytes} bytes would be repeated for {examples} Examples; at most \
             {FILL_BYTES_MAX} bytes are repeated"
        ))),
    }
}

#[cfg(test)]
mod tests;
