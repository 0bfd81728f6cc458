//! What of an answer is remembered until its truth comes.

use super::{profile::Observed, values::Values};
use crate::{
    signature::{CLASSIFY_METHOD, Signature},
    tensor::{Tensor, element_count},
    traffic::Remembering,
};

/// Elements of an output that is remembered: of one that has more, nothing is.
const ELEMENTS_MAX: usize = 1_024;
/// Bytes of all strings of an output that is remembered, together; likewise.
const STRING_BYTES_MAX: usize = 4_096;
/// What a classification's outputs are called.
const CLASSES: &str = "classes";
const SCORES: &str = "scores";

/// The output that a truth is compared with, its shape, and what its scores' places are called; none when the answer
/// lacks it, or it is too large.
pub(super) fn find(
    remembering: &Remembering,
    observed: Observed<'_>,
) -> Option<(Values, Box<[i64]>, Values)> {
    let signature = observed.signatures.get(observed.run?.signature)?;
    let is_classification = signature.method_name == CLASSIFY_METHOD;
    let output = match &remembering.output {
        Some(name) => tensor(signature, observed, name),
        None if is_classification => {
            tensor(signature, observed, SCORES).or_else(|| tensor(signature, observed, CLASSES))
        }
        None => match signature.outputs.as_slice() {
            [only] => tensor(signature, observed, &only.alias),
            _ => None,
        },
    }?;
    let labels = if is_classification { tensor(signature, observed, CLASSES) } else { None };
    let labels = labels.filter(|labels| labels.shape() == output.shape()).and_then(read);
    Some((read(output)?, output.shape().into(), labels.unwrap_or_else(|| Values::Strings([].into()))))
}

fn tensor<'a>(signature: &Signature, observed: Observed<'a>, name: &str) -> Option<&'a Tensor> {
    let declared = signature.outputs.iter().position(|spec| spec.alias == name)?;
    let answered = observed.run?.inputs.outputs.iter().position(|index| *index == declared)?;
    observed.outputs.get(answered)
}

/// A copy of all its elements, if there are not too many.
fn read(tensor: &Tensor) -> Option<Values> {
    if element_count(tensor.shape()).ok()? > ELEMENTS_MAX {
        return None;
    }
    let values = Values::read(tensor, ELEMENTS_MAX)?;
    (values.bytes() <= STRING_BYTES_MAX || !matches!(values, Values::Strings(_))).then(|| values.detached())
}

#[cfg(test)]
#[path = "remembered_tests.rs"]
mod tests;
