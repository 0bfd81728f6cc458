//! `MultiInference` on gRPC's wire: several signatures of one model on the same Examples, in one run.

use super::{
    examples::{classification_result, read_input, regression_result, routing_key},
    fields::{Fields, Parts},
    methods::Asked,
    model_spec,
};
use crate::{
    error::Error,
    examples::{Answer, HeadsRun, Task, or_default},
    inference::{Answered, Api, Call, Codec, Door, Outcome, Rules},
    plane::Plane,
    runtime::Head,
    signature::Signatures,
    tensor::Tensor,
    traffic::Key,
    wire::tensorflow::serving::{
        InferenceResult, InferenceTask, ModelSpec, MultiInferenceRequest, MultiInferenceResponse,
        inference_result,
    },
};
use bytes::Bytes;
use prost::Message;
use std::collections::BTreeSet;

/// How many tasks a request may have: an empty one is sent in two bytes and takes many times that here. No two may be
/// of one signature, so a request that can be answered has no more than its model has signatures.
const TASKS_MAX: usize = 65_536;

pub(super) async fn answer(plane: &Plane, asked: Asked) -> Result<Outcome, Error> {
    let Asked { message, deadline, caller } = asked;
    let body_bytes = message.len();
    let (codec, spec) = MultiInferenceCodec::read(message.clone(), plane.rules())?;
    let (target, message) = (model_spec::target(spec), Some(message));
    Ok(plane.infer(Call { target, codec, message, body_bytes, deadline, caller }).await)
}

/// One `MultiInference` request.
#[derive(Debug)]
pub(crate) struct MultiInferenceCodec {
    rules: Rules,
    tasks: Vec<InferenceTask>,
    /// An `Input` message.
    input: Bytes,
    /// How many Examples there are, once they are decoded.
    examples: i64,
}

impl MultiInferenceCodec {
    /// Takes a request apart; what it asks for comes beside: what its first task says, for that alone counts.
    pub(crate) fn read(message: Bytes, rules: Rules) -> Result<(Self, ModelSpec), Error> {
        let (mut tasks, mut input) = (Vec::new(), Parts::default());
        for field in Fields(message) {
            match field.map_err(|fault| unreadable(&fault))? {
                (1, _) if tasks.len() == TASKS_MAX => {
                    return Err(Error::invalid_argument(format!("A request has at most {TASKS_MAX} tasks")));
                }
                (1, task) => tasks.push(InferenceTask::decode(task).map_err(|error| unreadable(&error))?),
                (2, part) => input.push(part),
                _ => {}
            }
        }
        let first: Option<&InferenceTask> = tasks.first();
        let spec = first.and_then(|task| task.model_spec.clone()).unwrap_or_default();
        Ok((Self { rules, tasks, input: input.into_whole(), examples: 0 }, spec))
    }

    /// How each task is to be done, in their order.
    fn heads(&self, signatures: &Signatures) -> Result<Vec<(Task, Head)>, Error> {
        let model = self.tasks.first().map(|task| name_of(task).0);
        let mut seen = BTreeSet::new();
        let head = |task| {
            let (name, signature_name) = name_of(task);
            if name.is_empty() {
                return Err(Error::invalid_argument("Found ModelSpec with an empty model name."));
            }
            if model != Some(name) {
                return Err(Error::invalid_argument(
                    "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
                ));
            }
            if !seen.insert(signature_name) {
                return Err(Error::invalid_argument(format!(
                    "Duplicate evaluation of signature: {signature_name}"
                )));
            }
            self.head(task, signature_name, signatures)
        };
        self.tasks.iter().map(head).collect()
    }

    fn head(
        &self,
        asked: &InferenceTask,
        signature_name: &str,
        signatures: &Signatures,
    ) -> Result<(Task, Head), Error> {
        let (signature, declared) = signatures.find(signature_name).ok_or_else(|| {
            Error::invalid_argument(format!("Requested signature not found in model graph: {signature_name}"))
        })?;
        let method = &asked.method_name;
        let task = Task::from_method_name(method)
            .ok_or_else(|| Error::unimplemented(format!("Unsupported signature method_name: {method}")))?;
        Ok((task, Head { signature, outputs: task.outputs(declared, self.rules)? }))
    }
}

fn unreadable(reason: &impl std::fmt::Display) -> Error {
    model_spec::unreadable::<MultiInferenceRequest>(reason)
}

/// The model's name that a task gives, and its signature's.
fn name_of(task: &InferenceTask) -> (&str, &str) {
    let spec = task.model_spec.as_ref();
    let signature_name = spec.map_or("", |spec| spec.signature_name.as_str());
    (spec.map_or("", |spec| spec.name.as_str()), or_default(signature_name))
}

impl Codec for MultiInferenceCodec {
    type Run = HeadsRun;

    fn api(&self) -> Api {
        Api::MultiInference
    }

    fn door(&self) -> Door {
        Door::Grpc
    }

    fn choose(&self, signatures: &Signatures) -> Result<Option<usize>, Error> {
        let heads = self.heads(signatures)?;
        Ok(heads.first().map(|(_, head)| head.signature))
    }

    fn routing_key(&self, feature: &str) -> Option<Key> {
        routing_key(&self.input, feature)
    }

    fn decode(&mut self, signatures: &Signatures) -> Result<HeadsRun, Error> {
        if self.tasks.is_empty() {
            return Err(Error::invalid_argument("ModelSpec has no name specified."));
        }
        let heads = self.heads(signatures)?.into_iter().map(|(_, head)| head).collect();
        let examples = read_input(std::mem::take(&mut self.input))?;
        self.examples = examples.count();
        Ok(HeadsRun { heads, examples: examples.into_tensor()? })
    }

    fn examples_counted(&self) -> Option<usize> {
        usize::try_from(self.examples).ok()
    }

    fn encode(self, answered: Answered<'_>, run: &HeadsRun, outputs: Vec<Tensor>) -> Result<Bytes, Error> {
        let mut left = outputs.as_slice();
        let mut results = Vec::with_capacity(run.heads.len());
        for (asked, head) in self.tasks.iter().zip(&run.heads) {
            let own = left.split_off(..head.outputs.len()).unwrap_or_default();
            results.push(self.result(answered, asked, head, own)?);
        }
        Ok(MultiInferenceResponse { results }.encode_to_vec().into())
    }
}

impl MultiInferenceCodec {
    /// What one task is answered with; `outputs` are its own.
    fn result(
        &self,
        answered: Answered<'_>,
        asked: &InferenceTask,
        head: &Head,
        outputs: &[Tensor],
    ) -> Result<InferenceResult, Error> {
        let gone = || Error::internal("a task that was run is not there");
        let task = Task::from_method_name(&asked.method_name).ok_or_else(gone)?;
        let signature = answered.signatures.get(head.signature).ok_or_else(gone)?;
        let result = match Answer::read(task, signature, &head.outputs, outputs, self.examples)? {
            Answer::Classifications(found) => {
                inference_result::Result::ClassificationResult(classification_result(&found))
            }
            Answer::Regressions(found) => {
                inference_result::Result::RegressionResult(regression_result(&found))
            }
        };
        let (model, signature_name) = name_of(asked);
        let model_spec = Some(model_spec::echo(model.to_owned(), answered.version, signature_name));
        Ok(InferenceResult { model_spec, result: Some(result) })
    }
}

#[cfg(test)]
#[path = "multi_inference_tests.rs"]
mod tests;
