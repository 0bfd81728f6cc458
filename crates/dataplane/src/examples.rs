//! Examples as a model takes them: the requests of Classify, Regress and `MultiInference` as runs of signatures.
//!
//! What is checked before a run, in TensorFlow Serving's order and words, is checked here; how answers are read
//! from the outputs is not.

use crate::{
    error::Error,
    inference::{Inputs, SignatureRun},
    signature::{DEFAULT_SIGNATURE, Signature, Signatures, TensorSpec},
    tensor::{DType, Data, Tensor},
    tensor_proto::FILL_BYTES_MAX,
    wire::tensorflow::{
        Example,
        serving::{InferenceTask, Input, input::Kind},
    },
};
use bytes::Bytes;
use prost::Message;
use std::collections::BTreeSet;

/// The alias of the one input that takes Examples.
const INPUTS: &str = "inputs";

/// How Examples are to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// With classes, scores, or both.
    Classify,
    /// With one number for each.
    Regress,
}

impl Task {
    /// Of a signature's or an inference task's method name.
    fn from_method_name(name: &str) -> Option<Self> {
        match name {
            "tensorflow/serving/classify" => Some(Self::Classify),
            "tensorflow/serving/regress" => Some(Self::Regress),
            _ => None,
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Self::Classify => "classification",
            Self::Regress => "regression",
        }
    }

    fn output_aliases(self) -> &'static [&'static str] {
        match self {
            Self::Classify => &["classes", "scores"],
            Self::Regress => &["outputs"],
        }
    }

    /// Which outputs of this signature answer, as indexes; `INVALID_ARGUMENT` when it cannot.
    fn outputs(self, signature: &Signature) -> Result<Vec<usize>, Error> {
        let [input] = signature.inputs.as_slice() else {
            return Err(Error::invalid_argument("Expected one input Tensor."));
        };
        let found = signature.outputs.len();
        match self {
            Self::Classify if !(1..=2).contains(&found) => {
                return Err(Error::invalid_argument(format!(
                    "Expected one or two output Tensors, found {found}"
                )));
            }
            Self::Regress if found != 1 => {
                return Err(Error::invalid_argument("Expected one output Tensor."));
            }
            _ => {}
        }
        if input.alias != INPUTS {
            return Err(self.lacks("inputs", &signature.inputs));
        }
        let answers = |spec: &TensorSpec| self.output_aliases().contains(&spec.alias.as_str());
        let declared = signature.outputs.iter().enumerate();
        let outputs: Vec<usize> =
            declared.filter(|(_, spec)| answers(spec)).map(|(index, _)| index).collect();
        if outputs.is_empty() { Err(self.lacks_outputs(&signature.outputs)) } else { Ok(outputs) }
    }

    fn lacks_outputs(self, declared: &[TensorSpec]) -> Error {
        match self {
            Self::Classify => Error::invalid_argument(format!(
                "Expected classification signature outputs to contain at least one of \"classes\" or \
                 \"scores\". Signature was: {}",
                aliases(declared)
            )),
            Self::Regress => self.lacks("outputs", declared),
        }
    }

    fn lacks(self, side: &str, declared: &[TensorSpec]) -> Error {
        let noun = self.noun();
        Error::invalid_argument(format!("No {noun} {side} found in SignatureDef: {}", aliases(declared)))
    }
}

fn aliases(specs: &[TensorSpec]) -> String {
    specs.iter().map(|spec| spec.alias.as_str()).collect::<Vec<_>>().join(",")
}

/// The run of a Classify or Regress request on the signature of this name.
pub(crate) fn run(
    task: Task,
    signatures: &Signatures,
    name: &str,
    input: &Input,
) -> Result<SignatureRun, Error> {
    let name = or_default(name);
    let (signature, declared) = signatures
        .find(name)
        .ok_or_else(|| Error::invalid_argument(format!("No signature was found with the name: {name}")))?;
    let outputs = task.outputs(declared)?;
    Ok(SignatureRun { signature, inputs: Inputs { tensors: vec![tensor(input)?], outputs } })
}

/// The runs of a `MultiInference` request, one for each task. Which model the tasks name is the caller's to judge.
pub(crate) fn runs(
    signatures: &Signatures,
    tasks: &[InferenceTask],
    input: &Input,
) -> Result<Vec<SignatureRun>, Error> {
    let mut seen = BTreeSet::new();
    let mut planned = Vec::new();
    for task in tasks {
        let name = or_default(task.model_spec.as_ref().map_or("", |spec| spec.signature_name.as_str()));
        if !seen.insert(name) {
            return Err(Error::invalid_argument(format!("Duplicate evaluation of signature: {name}")));
        }
        planned.push(plan(signatures, task, name)?);
    }
    let tensor = tensor(input)?;
    let run = |(signature, outputs)| SignatureRun {
        signature,
        inputs: Inputs { tensors: vec![tensor.clone()], outputs },
    };
    Ok(planned.into_iter().map(run).collect())
}

/// The index of the task's signature, and its outputs that answer.
fn plan(signatures: &Signatures, task: &InferenceTask, name: &str) -> Result<(usize, Vec<usize>), Error> {
    let (signature, declared) = signatures.find(name).ok_or_else(|| {
        Error::invalid_argument(format!("Requested signature not found in model graph: {name}"))
    })?;
    let method = task.method_name.as_str();
    let task = Task::from_method_name(method)
        .ok_or_else(|| Error::unimplemented(format!("Unsupported signature method_name: {method}")))?;
    Ok((signature, task.outputs(declared)?))
}

fn or_default(name: &str) -> &str {
    if name.is_empty() { DEFAULT_SIGNATURE } else { name }
}

/// Examples, each serialized, as one vector of strings. A context is put in front of each: of two features of one
/// name the later one counts, so an Example's own wins.
fn tensor(input: &Input) -> Result<Tensor, Error> {
    let (examples, context) = match &input.kind {
        Some(Kind::ExampleList(list)) => (list.examples.as_slice(), None),
        Some(Kind::ExampleListWithContext(list)) => (list.examples.as_slice(), list.context.as_ref()),
        None => (&[][..], None),
    };
    if examples.is_empty() {
        return Err(Error::invalid_argument("Input is empty."));
    }
    let context = context.map(Message::encode_to_vec).unwrap_or_default();
    check_repeated(&context, examples.len())?;
    let serialized = examples.iter().map(|example| serialize(&context, example)).collect();
    let count = i64::try_from(examples.len())
        .map_err(|_| Error::invalid_argument(format!("{} Examples are too many", examples.len())))?;
    Tensor::new(DType::String, vec![count], Data::Strings(serialized))
}

/// A small request must not grow out of all proportion: the context is sent once and copied for each Example. The
/// limit is that for elements of a tensor that are sent once and repeated.
fn check_repeated(context: &[u8], examples: usize) -> Result<(), Error> {
    match context.len().checked_mul(examples.saturating_sub(1)) {
        Some(bytes) if bytes <= FILL_BYTES_MAX => Ok(()),
        _ => Err(Error::invalid_argument(format!(
            "a context of {} bytes would be repeated for {examples} Examples; at most {FILL_BYTES_MAX} bytes are \
             repeated",
            context.len()
        ))),
    }
}

fn serialize(context: &[u8], example: &Example) -> Bytes {
    let own = example.encode_to_vec();
    if context.is_empty() { own.into() } else { [context, &own].concat().into() }
}

#[cfg(test)]
#[path = "examples_tests.rs"]
mod tests;
