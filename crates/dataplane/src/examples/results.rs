//! What a head's output tensors say of each Example.

use super::Task;
use crate::{
    error::Error,
    signature::Signature,
    tensor::{DType, Data, Tensor},
};
use bytes::Bytes;

/// The answer to one task, read from the tensors that the model gave.
#[derive(Debug)]
pub(crate) enum Answer<'a> {
    /// To Classify.
    Classifications(Classifications<'a>),
    /// To Regress.
    Regressions(Regressions<'a>),
}

impl<'a> Answer<'a> {
    /// Reads `tensors`, which are those of the signature's `outputs`; `INVALID_ARGUMENT` when they do not answer for
    /// so many Examples.
    pub(crate) fn read(
        task: Task,
        signature: &Signature,
        outputs: &[usize],
        tensors: &'a [Tensor],
        examples: i64,
    ) -> Result<Self, Error> {
        let named = |alias: &str| {
            let is_it = |&index: &usize| signature.outputs.get(index).is_some_and(|spec| spec.alias == alias);
            tensors.get(outputs.iter().position(is_it)?)
        };
        match task {
            Task::Classify => {
                Classifications::read(named("classes"), named("scores"), examples).map(Self::Classifications)
            }
            Task::Regress => {
                let output = named("outputs")
                    .ok_or_else(|| Error::invalid_argument("Could not find output tensor 'outputs'"))?;
                Regressions::read(output, examples).map(Self::Regressions)
            }
        }
    }
}

/// For each Example its classes: a label and a score each, either of which the model may leave out.
#[derive(Debug)]
pub(crate) struct Classifications<'a> {
    labels: Option<&'a [Bytes]>,
    scores: Option<&'a [u8]>,
    examples: usize,
    classes: usize,
}

impl<'a> Classifications<'a> {
    fn read(labels: Option<&'a Tensor>, scores: Option<&'a Tensor>, examples: i64) -> Result<Self, Error> {
        let label_width = labels.map(|tensor| check_classes(tensor, CLASSES, examples)).transpose()?;
        let score_width = scores.map(|tensor| check_classes(tensor, SCORES, examples)).transpose()?;
        if let (Some(labels), Some(scores)) = (label_width, score_width)
            && labels != scores
        {
            return Err(Error::invalid_argument(format!(
                "Tensors class and score should match in dim_size(1). Got {labels} vs. {scores}"
            )));
        }
        Ok(Self {
            labels: labels.and_then(strings),
            scores: scores.and_then(packed),
            examples: count(examples),
            classes: count(label_width.or(score_width).unwrap_or_default()),
        })
    }

    /// How many classes there are, of all Examples together.
    pub(crate) fn len(&self) -> usize {
        self.examples * self.classes
    }

    /// The classes of each Example, in its order.
    pub(crate) fn rows(&self) -> impl Iterator<Item = impl Iterator<Item = (&[u8], f32)>> {
        let class = |index: usize| {
            let label = self.labels.and_then(|labels| labels.get(index)).map_or(&[][..], |label| label);
            (label, self.scores.map_or(0.0, |scores| float(scores, index)))
        };
        (0..self.examples)
            .map(move |example| (0..self.classes).map(move |offset| class(example * self.classes + offset)))
    }
}

/// One number for each Example.
#[derive(Debug)]
pub(crate) struct Regressions<'a> {
    values: &'a [u8],
}

impl<'a> Regressions<'a> {
    fn read(output: &'a Tensor, examples: i64) -> Result<Self, Error> {
        let batch = match *output.shape() {
            [batch] | [batch, 1] => batch,
            ref shape => {
                return Err(Error::invalid_argument(format!(
                    "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got {}",
                    shape_text(shape)
                )));
            }
        };
        if batch != examples {
            return Err(Error::invalid_argument(format!(
                "Input batch size did not match output batch size: {examples} vs. {batch}"
            )));
        }
        let values = packed(output).filter(|_| output.dtype() == DType::Float).ok_or_else(|| {
            let found = dtype_text(output.dtype());
            Error::invalid_argument(format!("Expected output Tensor of DT_FLOAT.  Got: {found}"))
        })?;
        Ok(Self { values })
    }

    /// In the order of the Examples.
    pub(crate) fn values(&self) -> impl ExactSizeIterator<Item = f32> {
        self.values.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes))
    }
}

/// One of the two outputs that classify: its alias, and the type that it must have.
type Classified = (&'static str, DType);

const CLASSES: Classified = ("classes", DType::String);
const SCORES: Classified = ("scores", DType::Float);

/// How many classes an output has for each Example.
fn check_classes(output: &Tensor, (alias, dtype): Classified, examples: i64) -> Result<i64, Error> {
    let &[batch, classes] = output.shape() else {
        return Err(Error::invalid_argument(format!(
            "Expected Tensor shape: [batch_size num_classes] but got {}",
            shape_text(output.shape())
        )));
    };
    if output.dtype() != dtype {
        let (wanted, found) = (dtype_text(dtype), dtype_text(output.dtype()));
        return Err(Error::invalid_argument(format!("Expected {alias} Tensor of {wanted}. Got: {found}")));
    }
    if batch != examples {
        return Err(Error::invalid_argument(format!(
            "Expected {alias} output batch size of {examples}. Got: {batch}"
        )));
    }
    Ok(classes)
}

/// A shape as TensorFlow prints it: `[2,3]`.
fn shape_text(shape: &[i64]) -> String {
    let sizes: Vec<String> = shape.iter().map(i64::to_string).collect();
    format!("[{}]", sizes.join(","))
}

/// An element type as the enum `DataType` names it.
fn dtype_text(dtype: DType) -> String {
    format!("DT_{}", dtype.name().to_ascii_uppercase())
}

fn count(size: i64) -> usize {
    usize::try_from(size).unwrap_or_default()
}

fn strings(tensor: &Tensor) -> Option<&[Bytes]> {
    match tensor.data() {
        Data::Strings(strings) => Some(strings),
        Data::Packed(_) => None,
    }
}

fn packed(tensor: &Tensor) -> Option<&[u8]> {
    match tensor.data() {
        Data::Packed(bytes) => Some(bytes),
        Data::Strings(_) => None,
    }
}

fn float(packed: &[u8], index: usize) -> f32 {
    packed.as_chunks::<4>().0.get(index).map_or(0.0, |&bytes| f32::from_le_bytes(bytes))
}

#[cfg(test)]
#[path = "results_tests.rs"]
mod tests;
