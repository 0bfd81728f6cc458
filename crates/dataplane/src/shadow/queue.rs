//! Jobs that wait for the worker: so many, so many bytes, and very few while requests themselves wait.
//!
//! Requests put in without waiting for anybody: who finds the queue in use looks again for a moment, then drops its
//! job. The worker may be kept from running while it takes a job out, and nobody may wait for a thread of the lowest
//! priority.

use super::{
    job::{Job, Taken},
    mirror::Shadow,
    room::Shed,
};
use crate::{
    allowance::Allowance,
    budget::Budget,
    tensor::{Data, Tensor},
};
use bytes::Bytes;
use std::{
    collections::VecDeque,
    hint,
    sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError},
    time::Duration,
};

/// Jobs that wait at once, of all models.
const JOBS_MAX: usize = 64;

/// Bytes of requests and answers that wait or are being compared, of all models.
const BYTES_MAX: usize = 64 << 20;

/// How often a request looks whether the queue is free, about a microsecond: ten times as long as a job takes to be
/// taken out.
const LOOKS: u32 = 64;

/// What a job costs besides the elements of its tensors.
const JOB_BYTES: usize = 1 << 10;

#[derive(Debug)]
pub(super) struct Queue {
    jobs: Mutex<Jobs>,
    bytes: Arc<Budget>,
    /// Requests that wait for a run thread.
    waiting: Arc<Allowance>,
    /// See [`Floor`](super::room::Floor).
    floor_every: Duration,
}

#[derive(Debug, Default)]
struct Jobs {
    waiting: VecDeque<Job>,
    is_closed: bool,
}

impl Queue {
    pub(super) fn new(waiting: Arc<Allowance>, floor_every: Duration) -> Self {
        Self { jobs: Mutex::default(), bytes: Budget::new(BYTES_MAX, Arc::default()), waiting, floor_every }
    }

    /// Whether requests that somebody waits for wait themselves.
    pub(super) fn requests_wait(&self) -> bool {
        self.waiting.used() > 0
    }

    /// Takes a job in, or says why not. Never waits.
    pub(super) fn offer(&self, shadow: &Arc<Shadow>, taken: Taken) -> Result<(), Shed> {
        let Taken { asked, body_bytes, outcome, is_cut, who } = taken;
        let is_due = self.requests_wait();
        if is_due && !shadow.tally.floor().claim(self.floor_every) {
            return Err(Shed::RequestsWait);
        }
        let inputs = sum(&asked.inputs).max(body_bytes);
        let bytes = [JOB_BYTES, inputs, sum(outcome.as_deref().unwrap_or_default())];
        let bytes = bytes.into_iter().fold(0, usize::saturating_add);
        let charge = self.bytes.charge(bytes).map_err(|_| Shed::TooManyBytes)?;
        let outcome = if is_cut { outcome.map(detached) } else { outcome };
        let job = Job { shadow: Arc::clone(shadow), asked, outcome, who, is_due, _charge: charge };
        let mut jobs = self.lock_soon().ok_or(Shed::QueueFull)?;
        if jobs.is_closed {
            return Err(Shed::Stopping);
        }
        if jobs.waiting.len() >= JOBS_MAX {
            return Err(Shed::QueueFull);
        }
        jobs.waiting.push_back(job);
        Ok(())
    }

    fn lock_soon(&self) -> Option<MutexGuard<'_, Jobs>> {
        for _ in 0..LOOKS {
            match self.jobs.try_lock() {
                Ok(jobs) => return Some(jobs),
                Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => hint::spin_loop(),
            }
        }
        None
    }

    pub(super) fn next(&self) -> Option<Job> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).waiting.pop_front()
    }

    /// All that wait, but those that need no room.
    pub(super) fn take_all(&self) -> VecDeque<Job> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let (due, others) = std::mem::take(&mut jobs.waiting).into_iter().partition(|job| job.is_due);
        jobs.waiting = due;
        others
    }

    /// Whether a job may run though there is no room.
    pub(super) fn is_due(&self, job: &Job) -> bool {
        job.is_due || job.shadow.tally.floor().claim(self.floor_every)
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

fn detached(tensors: Vec<Tensor>) -> Vec<Tensor> {
    tensors.into_iter().map(Tensor::detached).collect()
}

fn sum(tensors: &[Tensor]) -> usize {
    tensors.iter().map(bytes_of).fold(0, usize::saturating_add)
}

/// What a tensor's elements take.
fn bytes_of(tensor: &Tensor) -> usize {
    match tensor.data() {
        Data::Packed(bytes) => bytes.len(),
        Data::Strings(strings) => strings.iter().map(|string| size_of::<Bytes>() + string.len()).sum(),
    }
}
