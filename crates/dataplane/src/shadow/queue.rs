//! Jobs that wait for the worker: so many, so many bytes, and not at all while requests themselves wait.
//!
//! Requests put in without waiting for anybody: who finds the queue in use drops its job. The worker may be kept from
//! running while it takes a job out, and nobody may wait for a thread of the lowest priority.

use super::{
    job::{Job, Who},
    mapping::Asked,
    mirror::Shadow,
    room::Shed,
};
use crate::{
    allowance::Allowance,
    budget::Budget,
    error::Error,
    tensor::{Data, Tensor},
};
use bytes::Bytes;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError, TryLockError},
};

/// Jobs that wait at once, of all models.
const JOBS_MAX: usize = 64;

/// Bytes of requests and answers that wait or are being compared, of all models.
const BYTES_MAX: usize = 64 << 20;

/// What a job costs besides the elements of its tensors.
const JOB_BYTES: usize = 1 << 10;

#[derive(Debug)]
pub(super) struct Queue {
    jobs: Mutex<Jobs>,
    bytes: Arc<Budget>,
    /// Requests that wait for a run thread.
    waiting: Arc<Allowance>,
}

#[derive(Debug, Default)]
struct Jobs {
    waiting: VecDeque<Job>,
    is_closed: bool,
}

impl Queue {
    pub(super) fn new(waiting: Arc<Allowance>) -> Self {
        Self { jobs: Mutex::default(), bytes: Budget::new(BYTES_MAX, Arc::default()), waiting }
    }

    /// Whether requests that somebody waits for wait themselves.
    pub(super) fn requests_wait(&self) -> bool {
        self.waiting.used() > 0
    }

    /// Takes a job in, or says why not. Never waits.
    pub(super) fn offer(
        &self,
        shadow: &Arc<Shadow>,
        asked: Asked,
        outcome: Result<Vec<Tensor>, Error>,
        who: Who,
    ) -> Result<(), Shed> {
        if self.requests_wait() {
            return Err(Shed::RequestsWait);
        }
        let outputs = outcome.as_deref().unwrap_or_default();
        let bytes = asked.inputs.iter().chain(outputs).map(bytes_of).fold(JOB_BYTES, usize::saturating_add);
        let charge = self.bytes.charge(bytes).map_err(|_| Shed::TooManyBytes)?;
        let job = Job { shadow: Arc::clone(shadow), asked, outcome, who, _charge: charge };
        let mut jobs = match self.jobs.try_lock() {
            Ok(jobs) => jobs,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(Shed::QueueFull),
        };
        if jobs.is_closed {
            return Err(Shed::Stopping);
        }
        if jobs.waiting.len() >= JOBS_MAX {
            return Err(Shed::QueueFull);
        }
        jobs.waiting.push_back(job);
        Ok(())
    }

    pub(super) fn next(&self) -> Option<Job> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).waiting.pop_front()
    }

    /// All that wait.
    pub(super) fn take_all(&self) -> VecDeque<Job> {
        std::mem::take(&mut self.jobs.lock().unwrap_or_else(PoisonError::into_inner).waiting)
    }

    /// Takes nothing in any more; what waits is dropped.
    pub(super) fn close(&self) {
        let waiting = {
            let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
            jobs.is_closed = true;
            std::mem::take(&mut jobs.waiting)
        };
        for job in waiting {
            job.shed(Shed::Stopping);
        }
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes.bytes()
    }
}

/// What a tensor keeps in memory.
fn bytes_of(tensor: &Tensor) -> usize {
    match tensor.data() {
        Data::Packed(bytes) => bytes.len(),
        Data::Strings(strings) => strings.iter().map(|string| size_of::<Bytes>() + string.len()).sum(),
    }
}
