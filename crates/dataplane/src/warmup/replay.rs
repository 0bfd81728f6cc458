//! One recorded request becomes a run of a model. Model and version that it names are those of the server that
//! recorded it and mean nothing here; its signature counts.

use crate::{
    error::Error,
    examples::Task,
    grpc::{ExamplesCodec, MultiInferenceCodec, PredictCodec},
    inference::{Codec, Rules, Run},
    metrics::{CountedApi, ModelCounts},
    runtime::{Model, Placement, RunOptions},
    wire::tensorflow::serving::prediction_log::LogType,
};
use bytes::Bytes;
use prost::Message;
use std::{num::NonZeroU32, time::Instant};

/// In this thread, as the runs of requests without a deadline.
const OPTIONS: RunOptions = RunOptions { placement: Placement::Caller, timeout: None };

/// The field numbers of the kinds that stock refuses, too.
const SESSION_RUN_LOG: u32 = 5;
const PREDICT_STREAMED_LOG: u32 = 7;

/// How recorded requests are run.
#[derive(Clone, Copy)]
pub(super) struct Replay<'a> {
    /// On which model.
    pub(super) model: &'a dyn Model,
    /// What a client's request would have to keep to.
    pub(super) rules: Rules,
    /// How often each.
    pub(super) iterations: NonZeroU32,
    /// Where the runs are counted.
    pub(super) counts: &'a ModelCounts,
}

impl Replay<'_> {
    /// Runs a recorded request; the answers are dropped.
    ///
    /// It is read by the codec that reads requests, so that a record is taken just when a client's request would be.
    pub(super) fn run(self, log: LogType) -> Result<(), Error> {
        match log {
            LogType::PredictLog(log) => self.decode(PredictCodec::read(bytes(log.request), self.rules)?.0),
            LogType::ClassifyLog(log) => self.examples(Task::Classify, bytes(log.request)),
            LogType::RegressLog(log) => self.examples(Task::Regress, bytes(log.request)),
            LogType::MultiInferenceLog(log) => {
                self.decode(MultiInferenceCodec::read(bytes(log.request), self.rules)?.0)
            }
            LogType::SessionRunLog(_) => Err(unsupported(SESSION_RUN_LOG)),
            LogType::PredictStreamedLog(_) => Err(unsupported(PREDICT_STREAMED_LOG)),
        }
    }

    fn examples(self, task: Task, request: Bytes) -> Result<(), Error> {
        self.decode(ExamplesCodec::read(task, request, self.rules)?.0)
    }

    fn decode(self, mut codec: impl Codec) -> Result<(), Error> {
        let run = codec.decode(self.model.signatures())?;
        for _ in 0..self.iterations.get() {
            let begun = Instant::now();
            run.run(self.model, OPTIONS)?;
            if let Some(api) = CountedApi::of(codec.api()) {
                self.counts.record_run(api, begun.elapsed());
            }
        }
        Ok(())
    }
}

/// A request as it came to the server that recorded it.
fn bytes(request: Option<impl Message + Default>) -> Bytes {
    request.unwrap_or_default().encode_to_vec().into()
}

fn unsupported(number: u32) -> Error {
    Error::unimplemented(format!("Unsupported log_type for warmup: {number}"))
}
