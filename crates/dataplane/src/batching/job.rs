//! One batch on its run thread: put together, run, cut apart. However it ends, each of its requests is answered and
//! its thread is given back.

use super::{
    batcher::{Batching, Kind, Shared, TIMED_OUT},
    observed::Batch,
    pending::Pending,
    scheduler::Formed,
    tensors::{self, Piece},
};
use crate::{
    allowance::{Allowance, Taken},
    error::Error,
    inference::begin_run,
    runtime::{Placement, RunOptions},
    servable::Handle,
    tensor::Tensor,
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

/// A batch that is to run, or runs.
pub(super) struct Job {
    shared: Arc<Shared>,
    formed: Formed<Kind, Arc<Pending>>,
    /// None until it has one; without, it does not run.
    place: Option<Place>,
    is_answered: bool,
}

/// A run thread, and the version's count of those that it uses.
pub(super) struct Place {
    _version: Taken<Arc<Allowance>>,
    _thread: Taken<Arc<Allowance>>,
}

impl Job {
    pub(super) fn new(shared: Arc<Shared>, formed: Formed<Kind, Arc<Pending>>) -> Self {
        Self { shared, formed, place: None, is_answered: false }
    }

    /// Takes a run thread, by the rule of execute.rs: a version may have as many as are still free besides. Where
    /// that is used up, the batch's requests are refused.
    pub(super) fn take_place(&mut self) -> bool {
        let Some((handle, batching)) = self.version() else { return false };
        let slot = handle.slot();
        let run_threads = &self.shared.run_threads;
        let version = Allowance::take(Arc::clone(&batching.running));
        let thread = Allowance::take(Arc::clone(run_threads))
            .filter(|_| batching.running.used() + slot.lane().running() <= run_threads.free() + 1);
        if let (Some(version), Some(thread)) = (version, thread) {
            self.place = Some(Place { _version: version, _thread: thread });
            return true;
        }
        self.fail(&Error::resource_exhausted(format!(
            "{} runs are under way, too many to begin another of version {} of {}; try again later",
            run_threads.used(),
            slot.version(),
            slot.name()
        )));
        false
    }

    /// Runs the batch and answers its requests. A panic fails these and no others.
    pub(super) fn run(&mut self) {
        let outcome = catch_unwind(AssertUnwindSafe(|| self.compute())).unwrap_or_else(|_| {
            self.shared.panics.fetch_add(1, Ordering::Relaxed);
            Err(Error::internal("the batch's work panicked; this is a bug of the server"))
        });
        match outcome {
            Ok(answers) => {
                for (part, answer) in self.formed.parts.iter().zip(answers) {
                    part.payload.settle(&part.rows, Ok(answer));
                }
            }
            Err(error) => self.fail(&error),
        }
        self.is_answered = true;
    }

    /// The answers of its parts, in their order.
    fn compute(&self) -> Result<Vec<Vec<Tensor>>, Error> {
        let (handle, batching) =
            self.version().ok_or_else(|| Error::internal("a batch of a version that is not batched"))?;
        let now = Instant::now();
        let options = self.options(now)?;
        let rows: Vec<usize> = self.formed.parts.iter().map(|part| part.rows.len()).collect();
        let batch = size_up(&rows, batching);
        self.record(batch, batching, now);
        handle.slot().lane().count_pooled();
        let merged = tensors::merge(&self.pieces(), batch.size)?;
        let Kind { signature, outputs, .. } = &*self.formed.kind;
        self.formed.parts.iter().for_each(|part| begin_run(&part.payload.handle));
        let answers = handle.model().run(*signature, &merged, outputs, options)?;
        if answers.len() != outputs.len() {
            return Err(Error::unknown("Predict internal error"));
        }
        tensors::split(&answers, &rows, batch.size)
    }

    /// The longest of its requests' times to run. `RESOURCE_EXHAUSTED` when all are over: nobody waits any more.
    fn options(&self, now: Instant) -> Result<RunOptions, Error> {
        let deadlines: Option<Vec<Instant>> =
            self.formed.parts.iter().map(|part| part.payload.deadline).collect();
        let Some(last) = deadlines.and_then(|deadlines| deadlines.into_iter().max()) else {
            return Ok(RunOptions { placement: Placement::Caller, timeout: None });
        };
        let left = last.saturating_duration_since(now);
        if left == Duration::ZERO {
            return Err(Error::resource_exhausted(TIMED_OUT));
        }
        Ok(RunOptions { placement: Placement::Pool, timeout: Some(left) })
    }

    fn record(&self, batch: Batch, batching: &Batching, now: Instant) {
        self.shared.observed.record_batch(batch);
        batching.observed.record_batch(batch);
        for part in &self.formed.parts {
            let waited = now.saturating_duration_since(part.payload.came);
            self.shared.observed.record_wait(waited);
            batching.observed.record_wait(waited);
        }
    }

    fn pieces(&self) -> Vec<Piece<'_>> {
        let parts = self.formed.parts.iter();
        parts.map(|part| Piece { tensors: &part.payload.inputs, rows: part.rows.clone() }).collect()
    }

    /// The version that all its requests hold.
    fn version(&self) -> Option<(&Handle, &Batching)> {
        let handle = self.formed.parts.first()?.payload.handle.as_ref();
        Some((handle, handle.slot().batching()?))
    }

    fn fail(&self, error: &Error) {
        for part in &self.formed.parts {
            part.payload.settle(&part.rows, Err(error.clone()));
        }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if !self.is_answered {
            let text = "the server has no thread to run the request's batch; try again later";
            self.fail(&Error::resource_exhausted(text));
        }
        self.place = None; // before the next batch may begin, which needs one
        self.shared.core().scheduler.finish(self.formed.number);
    }
}

/// How many rows there are, and how many run.
fn size_up(rows: &[usize], batching: &Batching) -> Batch {
    let rows = rows.iter().sum();
    let size = if rows == 0 { 0 } else { batching.plan.shape.size_for(rows) };
    Batch { rows, size }
}
