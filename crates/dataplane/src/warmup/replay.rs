//! One recorded request becomes runs of a model. Model and version that it names are those of the server that
//! recorded it and mean nothing here; its signature counts.

use crate::{
    error::Error,
    examples::{self, Task},
    grpc::PredictCodec,
    inference::{Codec, Run, SignatureRun},
    runtime::{Model, Placement, RunOptions},
    signature::Signatures,
    wire::tensorflow::serving::{
        Input, ModelSpec, MultiInferenceRequest, PredictRequest, prediction_log::LogType,
    },
};
use prost::Message;
use std::num::NonZeroU32;

/// In this thread, as the runs of requests without a deadline.
const OPTIONS: RunOptions = RunOptions { placement: Placement::Caller, timeout: None };

/// The field numbers of the kinds that stock refuses, too.
const SESSION_RUN_LOG: u32 = 5;
const PREDICT_STREAMED_LOG: u32 = 7;

/// Runs a recorded request so many times; the answers are dropped.
pub(super) fn replay(model: &dyn Model, log: LogType, iterations: NonZeroU32) -> Result<(), Error> {
    let runs = runs(model.signatures(), log)?;
    for _ in 0..iterations.get() {
        for run in &runs {
            run.run(model, OPTIONS)?;
        }
    }
    Ok(())
}

fn runs(signatures: &Signatures, log: LogType) -> Result<Vec<SignatureRun>, Error> {
    match log {
        LogType::PredictLog(log) => Ok(vec![predict_run(signatures, &log.request.unwrap_or_default())?]),
        LogType::ClassifyLog(log) => {
            let request = log.request.unwrap_or_default();
            examples_run(Task::Classify, signatures, request.model_spec, request.input)
        }
        LogType::RegressLog(log) => {
            let request = log.request.unwrap_or_default();
            examples_run(Task::Regress, signatures, request.model_spec, request.input)
        }
        LogType::MultiInferenceLog(log) => inference_runs(signatures, log.request.unwrap_or_default()),
        LogType::SessionRunLog(_) => Err(unsupported(SESSION_RUN_LOG)),
        LogType::PredictStreamedLog(_) => Err(unsupported(PREDICT_STREAMED_LOG)),
    }
}

fn unsupported(number: u32) -> Error {
    Error::unimplemented(format!("Unsupported log_type for warmup: {number}"))
}

/// Read by the codec that reads requests, so that a record is taken just when a client's request would be.
fn predict_run(signatures: &Signatures, request: &PredictRequest) -> Result<SignatureRun, Error> {
    let (mut codec, _model) = PredictCodec::read(request.encode_to_vec().into())?;
    codec.decode(signatures)
}

fn examples_run(
    task: Task,
    signatures: &Signatures,
    spec: Option<ModelSpec>,
    input: Option<Input>,
) -> Result<Vec<SignatureRun>, Error> {
    let name = spec.unwrap_or_default().signature_name;
    Ok(vec![examples::run(task, signatures, &name, &input.unwrap_or_default())?])
}

fn inference_runs(
    signatures: &Signatures,
    request: MultiInferenceRequest,
) -> Result<Vec<SignatureRun>, Error> {
    if request.tasks.is_empty() {
        return Err(Error::invalid_argument("ModelSpec has no name specified."));
    }
    examples::runs(signatures, &request.tasks, &request.input.unwrap_or_default())
}
