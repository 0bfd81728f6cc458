//! The path of a request of a version that is batched: decode, run in a batch, encode. The request waits for its
//! batch without a thread.

use super::batcher::{Batcher, Request};
use crate::{
    error::Error,
    execute::{Executor, Prospect, Size},
    inference::{Codec, Run, Sent, answer_alone, encode, end_run, fail},
    lane::Class,
    servable::Handle,
    tensor::{Data, Tensor},
};
use bytes::Bytes;
use std::{sync::Arc, time::Instant};

/// What a request is answered by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Means<'a> {
    pub(crate) executor: &'a Executor,
    pub(crate) batcher: &'a Batcher,
}

/// A request that has come as far as its version.
#[derive(Debug)]
pub(crate) struct Arrived<C> {
    pub(crate) codec: C,
    pub(crate) message: Option<Bytes>,
    pub(crate) body_bytes: usize,
    pub(crate) deadline: Option<Instant>,
}

/// Answers a request of a version that is batched. What cannot run in a batch (several signatures at once) runs by
/// itself.
pub(crate) async fn answer<C: Codec>(
    means: Means<'_>,
    handle: Handle,
    arrived: Arrived<C>,
) -> Result<Bytes, Error> {
    let Arrived { codec, message, body_bytes, deadline } = arrived;
    let handle = Arc::new(handle);
    let executor = means.executor;
    let sent = Sent { codec, message, body_bytes };
    let decode = move |handle: &Handle| sent.decode(handle);
    let decoded = executor.convert(Arc::clone(&handle), Size { bytes: body_bytes, deadline }, decode).await?;
    let (Some(batchable), Some(batching)) = (decoded.run.batchable(), handle.slot().batching()) else {
        let prospect = Prospect { class: Class::UNKNOWN, deadline };
        let job = move |handle: &Handle, options| answer_alone(handle, decoded, options);
        return executor.execute(handle, prospect, job).await;
    };
    let request =
        Request { handle: &handle, run: batchable, deadline, in_flight_free: executor.in_flight_free() };
    let begun = Instant::now();
    let outcome = means.batcher.run(batching, request).await;
    end_run(&handle, &decoded.codec, &decoded.run, &outcome, begun.elapsed());
    let outputs = match outcome {
        Ok(outputs) => outputs,
        Err(error) => return Err(fail(&handle, decoded, error)),
    };
    let bytes = outputs.iter().map(size).sum();
    let encode = move |handle: &Handle| encode(handle, decoded, outputs);
    executor.convert(Arc::clone(&handle), Size { bytes, deadline }, encode).await
}

fn size(tensor: &Tensor) -> usize {
    match tensor.data() {
        Data::Packed(bytes) => bytes.len(),
        Data::Strings(strings) => strings.iter().map(|string| size_of::<Bytes>() + string.len()).sum(),
    }
}
