//! `Classify` and `Regress` on gRPC's wire, and what `MultiInference` shares with them: how Examples are read, and
//! how answers for them are written.
//!
//! Examples go to the model as the bytes that came; none is parsed here.

use super::{
    fields::{Fault, Fields, Parts},
    methods::Asked,
    model_spec,
};
use crate::{
    error::Error,
    examples::{Answer, Classifications, Examples, Regressions, Task},
    inference::{Answered, Api, Call, Codec, Door, Outcome, Rules, SignatureRun},
    plane::Plane,
    signature::Signatures,
    tensor::Tensor,
    traffic::{EXAMPLE_BYTES_MAX, Key},
    wire::tensorflow::serving::{
        self, Class, ClassificationRequest, ClassificationResponse, ClassificationResult, Input, ModelSpec,
        Regression, RegressionRequest, RegressionResponse, RegressionResult,
    },
};
use bytes::Bytes;
use prost::Message;

pub(super) async fn answer(plane: &Plane, task: Task, asked: Asked) -> Result<Outcome, Error> {
    let Asked { message, deadline, caller } = asked;
    let body_bytes = message.len();
    let (codec, spec) = ExamplesCodec::read(task, message.clone(), plane.rules())?;
    let spec = model_spec::required(plane, task.into(), spec)?;
    let (target, message) = (model_spec::target(spec), Some(message));
    Ok(plane.infer(Call { target, codec, message, body_bytes, deadline, caller }).await)
}

/// One Classify or Regress request.
#[derive(Debug)]
pub(crate) struct ExamplesCodec {
    task: Task,
    rules: Rules,
    model: String,
    signature_name: String,
    /// An `Input` message.
    input: Bytes,
    /// How many Examples there are, once they are decoded.
    examples: i64,
}

impl ExamplesCodec {
    /// Takes a `ClassificationRequest` or a `RegressionRequest` apart, which are the same on the wire; what it asks for
    /// comes beside, none when it does not say.
    pub(crate) fn read(task: Task, message: Bytes, rules: Rules) -> Result<(Self, Option<ModelSpec>), Error> {
        let (mut spec, mut input) = (None::<ModelSpec>, Parts::default());
        for field in Fields(message) {
            match field.map_err(|fault| unreadable(task, fault))? {
                (1, value) => {
                    let merged = spec.get_or_insert_default().merge(value);
                    merged.map_err(|_| unreadable(task, "model_spec is not a ModelSpec"))?;
                }
                (2, value) => input.push(value),
                _ => {}
            }
        }
        let ModelSpec { name: model, signature_name, .. } = spec.clone().unwrap_or_default();
        let input = input.into_whole();
        Ok((Self { task, rules, model, signature_name, input, examples: 0 }, spec))
    }
}

impl Codec for ExamplesCodec {
    type Run = SignatureRun;

    fn api(&self) -> Api {
        self.task.api()
    }

    fn door(&self) -> Door {
        Door::Grpc
    }

    fn choose(&self, signatures: &Signatures) -> Result<Option<usize>, Error> {
        let head = self.task.head(signatures, &self.signature_name, self.rules)?;
        Ok(Some(head.signature))
    }

    fn routing_key(&self, feature: &str) -> Option<Key> {
        routing_key(&self.input, feature)
    }

    fn decode(&mut self, signatures: &Signatures) -> Result<SignatureRun, Error> {
        let head = self.task.head(signatures, &self.signature_name, self.rules)?;
        let examples = read_input(std::mem::take(&mut self.input))?;
        self.examples = examples.count();
        Ok((head, examples.into_tensor()?).into())
    }

    fn encode(
        self,
        answered: Answered<'_>,
        run: &SignatureRun,
        outputs: Vec<Tensor>,
    ) -> Result<Bytes, Error> {
        let signature = answered.signature(run)?;
        let answer = Answer::read(self.task, signature, &run.inputs.outputs, &outputs, self.examples)?;
        Ok(response(&answer, model_spec::echo(self.model, answered.version, &signature.name)))
    }
}

/// The answer's message, from the one that `model_spec` says.
pub(crate) fn response(answer: &Answer<'_>, model_spec: ModelSpec) -> Bytes {
    let model_spec = Some(model_spec);
    let message = match answer {
        Answer::Classifications(found) => {
            ClassificationResponse { result: Some(classification_result(found)), model_spec }.encode_to_vec()
        }
        Answer::Regressions(found) => {
            RegressionResponse { result: Some(regression_result(found)), model_spec }.encode_to_vec()
        }
    };
    message.into()
}

fn unreadable(task: Task, fault: Fault) -> Error {
    match task {
        Task::Classify => model_spec::unreadable::<ClassificationRequest>(&fault),
        Task::Regress => model_spec::unreadable::<RegressionRequest>(&fault),
    }
}

/// The Examples of an `Input` message. Of its two kinds the one that comes last counts, as for any choice of fields.
pub(super) fn read_input(input: Bytes) -> Result<Examples, Error> {
    let mut kind = 0;
    let (mut examples, mut context) = (Examples::default(), Parts::default());
    for field in Fields(input) {
        let (number, list) = field.map_err(|fault| model_spec::unreadable::<Input>(&fault))?;
        if !matches!(number, 1 | 2) {
            continue;
        }
        if number != kind {
            (kind, examples, context) = (number, Examples::default(), Parts::default());
        }
        for field in Fields(list) {
            match field.map_err(|fault| model_spec::unreadable::<Input>(&fault))? {
                (1, example) => examples.push(example)?,
                (2, part) if kind == 2 => context.push(part),
                _ => {}
            }
        }
    }
    Ok(Examples { context: context.into_whole(), ..examples })
}

/// The routing key in this feature of the only Example of an `Input` message.
pub(super) fn routing_key(input: &Bytes, feature: &str) -> Option<Key> {
    let is_short = input.len() <= EXAMPLE_BYTES_MAX;
    is_short.then(|| read_input(input.clone())).and_then(Result::ok)?.routing_key(feature)
}

pub(super) fn classification_result(found: &Classifications<'_>) -> ClassificationResult {
    // A label that is no UTF-8 could not be read by any client.
    let class = |(label, score): (&[u8], f32)| Class { label: String::from_utf8_lossy(label).into(), score };
    let rows = found.rows().map(|classes| serving::Classifications { classes: classes.map(class).collect() });
    ClassificationResult { classifications: rows.collect() }
}

pub(super) fn regression_result(found: &Regressions<'_>) -> RegressionResult {
    RegressionResult { regressions: found.values().map(|value| Regression { value }).collect() }
}

#[cfg(test)]
#[path = "examples_tests.rs"]
mod tests;
