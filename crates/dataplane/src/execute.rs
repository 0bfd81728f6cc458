//! Where and when a request's work runs: in the I/O thread that received it, on a run thread, or not at all.
//!
//! The work (decode, run, encode) is one synchronous job. It is predicted by measurement, per version, signature
//! and size of body (lane.rs): predicted short, it runs in the I/O thread at once (inline.rs says why that is
//! safe); predicted long, or not known, it waits in its version's bounded queue for one of `runs_max` places and
//! then has a thread for itself.
//!
//! # Why a hung model takes no other with it
//!
//! Three things are shared: requests in flight, run threads, I/O threads. Of the first two a version may only have
//! as much as is still *free* besides (and never more than `queue_max` and `runs_max`). So N versions that hang
//! end up with at most a share of 1/(N+1) each, and the same share stays free for all others together, however
//! large N is. Refusing, not waiting, is what a version gets beyond its share. A run whose caller has given up
//! keeps its place, its thread and its `Handle` until it really ends, so a hung version's runs are counted against
//! it and nobody else; Tokio's cap of blocking threads is set above [`RUN_THREADS_MAX`], so a run that has its
//! place never waits for a thread. The I/O threads are inline.rs's business.

use crate::{
    allowance::{Allowance, Taken},
    error::Error,
    inline::Inline,
    lane::{Class, Lane, Width},
    runtime::{Placement, RunOptions},
    servable::Handle,
};
use std::{
    borrow::Borrow,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use tokio::sync::{OwnedSemaphorePermit, TryAcquireError, oneshot};

/// Work that is predicted to take at most this long runs in the I/O thread. Handing it to a run thread and the
/// answer back costs 20 to 60 microseconds and two thread switches; up to ten times that it is better to let the
/// few connections that only this thread can serve wait than to pay the hand-over in every request, and half a
/// millisecond is well below what the network or a scheduler's time slice adds anyway.
pub const INLINE_MAX: Duration = Duration::from_micros(500);

/// Run threads of all versions together; they are started when needed and end when idle.
pub const RUN_THREADS_MAX: usize = 1024;

/// Up to so many bytes are decoded or encoded in the I/O thread: even as JSON that takes less than [`INLINE_MAX`].
const CONVERT_INLINE_BYTES_MAX: usize = 32 << 10;

/// More I/O threads than this are certainly a mistake.
const IO_THREADS_MAX: usize = 1024;

/// Runs of one version at once, when the operator does not say: twice the cores, so that runs that wait inside
/// the model leave no core idle, and at least this many.
const RUNS_AT_LEAST: usize = 4;

/// How much may happen at once. Zeros choose from the machine's cores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Threads that move bytes.
    pub io_threads: usize,
    /// Requests being answered at once.
    pub in_flight_max: usize,
    /// Requests of one version that wait for a run thread.
    pub queue_max: usize,
    /// Runs of one version at once on run threads.
    pub runs_max: usize,
}

impl Limits {
    /// These limits with every choice made; `INVALID_ARGUMENT` for what cannot be. I/O threads: one more than
    /// cores, so that every core can run a model inline while one thread stays with the sockets.
    pub fn resolved(self) -> Result<Self, Error> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let chosen = |asked: usize, from_cores: usize| if asked == 0 { from_cores } else { asked };
        let limits = Self {
            io_threads: chosen(self.io_threads, (cores + 1).min(IO_THREADS_MAX)),
            runs_max: chosen(self.runs_max, (2 * cores).clamp(RUNS_AT_LEAST, RUN_THREADS_MAX)),
            ..self
        };
        let bounds = [
            ("io_threads", limits.io_threads, IO_THREADS_MAX),
            ("runs_max", limits.runs_max, RUN_THREADS_MAX),
            ("in_flight_max", limits.in_flight_max, usize::MAX),
        ];
        match bounds.into_iter().find(|(_, value, most)| *value < 1 || value > most) {
            Some((name, value, most)) => {
                Err(Error::invalid_argument(format!("{name} is {value}; it must be from 1 to {most}")))
            }
            None => Ok(limits),
        }
    }
}

/// Decides where work runs, and runs it.
#[derive(Debug)]
pub struct Executor {
    limits: Limits,
    in_flight: Allowance,
    run_threads: Arc<Allowance>,
    /// Requests of all versions that wait for a run thread.
    waiting: Arc<Allowance>,
    inline: Arc<Inline>,
    panics: Arc<AtomicU64>,
}

/// What the decision is made from.
#[derive(Clone, Copy, Debug)]
pub struct Prospect {
    /// Which requests this one is like.
    pub class: Class,
    /// When the caller stops waiting.
    pub deadline: Option<Instant>,
}

/// How large a conversion is, and until when somebody waits for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) bytes: usize,
    pub(crate) deadline: Option<Instant>,
}

/// A place on a run thread.
struct Place {
    _run: OwnedSemaphorePermit,
    _thread: Taken<Arc<Allowance>>,
}

impl Executor {
    /// An executor with these limits; starts the watchdog of inline runs.
    pub fn start(limits: Limits) -> Result<Self, Error> {
        let limits = limits.resolved()?;
        // At most half of what may be in flight, so that runs alone never use that up.
        let run_threads_max = RUN_THREADS_MAX.min(limits.in_flight_max.div_ceil(2));
        Ok(Self {
            limits,
            in_flight: Allowance::new(limits.in_flight_max),
            run_threads: Arc::new(Allowance::new(run_threads_max)),
            waiting: Arc::new(Allowance::new(usize::MAX)), // each version's own is the limit
            inline: Inline::start(limits.io_threads - 1)
                .map_err(|error| Error::internal(format!("cannot start a thread: {error}")))?,
            panics: Arc::default(),
        })
    }

    /// What it was made with, with every choice made.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// A lane for a version with this many signatures, whose model can do `model_runs_max` runs at once; none: as
    /// many as come.
    #[must_use]
    pub fn lane(&self, signatures: usize, model_runs_max: Option<usize>) -> Lane {
        let Limits { runs_max, queue_max, .. } = self.limits;
        match model_runs_max {
            None => Lane::new(signatures, Width { runs_max, queue_max }),
            Some(most) => {
                Lane::counting_inline(signatures, Width { runs_max: runs_max.min(most), queue_max })
            }
        }
    }

    /// Counts a request in until the answer is dropped; `RESOURCE_EXHAUSTED` when too many are in flight.
    pub fn admit(&self) -> Result<Taken<&Allowance>, Error> {
        Allowance::take(&self.in_flight).ok_or_else(|| {
            Error::resource_exhausted(format!(
                "the server is answering {} requests, as many as it may; try again later",
                self.in_flight.max()
            ))
        })
    }

    /// Requests being answered.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.used()
    }

    /// Requests that could still be let in.
    pub(crate) fn in_flight_free(&self) -> usize {
        self.in_flight.free()
    }

    /// What batches use, too: the allowance of run threads, and the count of panics.
    pub(crate) fn shared(&self) -> (Arc<Allowance>, Arc<AtomicU64>) {
        (Arc::clone(&self.run_threads), Arc::clone(&self.panics))
    }

    /// Requests of all versions that wait for a run thread.
    pub(crate) fn waiting(&self) -> Arc<Allowance> {
        Arc::clone(&self.waiting)
    }

    /// Run threads in use, abandoned runs included.
    #[must_use]
    pub fn run_threads_used(&self) -> usize {
        self.run_threads.used()
    }

    /// Jobs that panicked. Always 0, unless there is a bug.
    #[must_use]
    pub fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }

    /// Does `job` where it is best done. Dropping the future takes it out of the queue; once it runs, it runs to
    /// its end, and its result is dropped.
    pub async fn execute<H, J, R>(&self, handle: H, prospect: Prospect, job: J) -> Result<R, Error>
    where
        H: Borrow<Handle> + Send + 'static,
        J: FnOnce(&Handle, RunOptions) -> Result<R, Error> + Send + 'static,
        R: Send + 'static,
    {
        remaining(prospect.deadline)?;
        let lane = handle.borrow().slot().lane();
        if lane.estimate(prospect.class).is_some_and(|estimate| estimate <= INLINE_MAX)
            && let Some(_turn) = lane.inline_turn()
            && let Some(_place) = self.inline.enter()
        {
            lane.count_inline();
            let options = RunOptions { placement: Placement::Caller, timeout: None };
            return perform(handle.borrow(), prospect.class, &self.panics, |handle| job(handle, options));
        }
        let counted = move |handle: &Handle, options: RunOptions| {
            handle.slot().lane().count_pooled();
            job(handle, options)
        };
        Box::pin(self.execute_on_run_thread(handle, prospect, counted)).await
    }

    /// Does `job`, which runs no model and takes time by these bytes: in this thread when they are few. Few bytes can
    /// stand for many (elements that are sent once and repeated), so it takes its place among the inline runs.
    pub(crate) async fn convert<J, R>(&self, handle: Arc<Handle>, size: Size, job: J) -> Result<R, Error>
    where
        J: FnOnce(&Handle) -> Result<R, Error> + Send + 'static,
        R: Send + 'static,
    {
        let Size { bytes, deadline } = size;
        remaining(deadline)?;
        if bytes <= CONVERT_INLINE_BYTES_MAX
            && let Some(_place) = self.inline.enter()
        {
            return perform(&handle, Class::UNKNOWN, &self.panics, job);
        }
        let prospect = Prospect { class: Class::UNKNOWN, deadline };
        Box::pin(self.execute_on_run_thread(handle, prospect, |handle, _options| job(handle))).await
    }

    /// Boxed by its callers: most requests never come here, and each would carry the room for it.
    async fn execute_on_run_thread<H, J, R>(&self, handle: H, prospect: Prospect, job: J) -> Result<R, Error>
    where
        H: Borrow<Handle> + Send + 'static,
        J: FnOnce(&Handle, RunOptions) -> Result<R, Error> + Send + 'static,
        R: Send + 'static,
    {
        let place = by_deadline(prospect.deadline, self.place(handle.borrow())).await??;
        let panics = Arc::clone(&self.panics);
        let (reply, answer) = oneshot::channel();
        spawn(move || {
            if reply.is_closed() {
                return; // the caller went away before a thread was there
            }
            let outcome = perform(handle.borrow(), prospect.class, &panics, |handle| {
                let timeout = remaining(prospect.deadline)?;
                // The pool enforces a timeout; without one, this thread does the work without a further hand-over.
                let placement = if timeout.is_some() { Placement::Pool } else { Placement::Caller };
                job(handle, RunOptions { placement, timeout })
            });
            drop(handle);
            drop(place);
            let _ = reply.send(outcome); // nobody waits any more: the answer is dropped
        })?;
        let answer = by_deadline(prospect.deadline, answer).await?;
        answer.unwrap_or_else(|_| Err(Error::unavailable("the server is stopping")))
    }

    /// Waits in the version's queue for a place to run; refuses at once when the queue or the version's share of
    /// what all versions have together is used up.
    async fn place(&self, handle: &Handle) -> Result<Place, Error> {
        let slot = handle.slot();
        let lane = slot.lane();
        let run = match Arc::clone(&lane.runs).try_acquire_owned() {
            Ok(run) => run,
            Err(TryAcquireError::Closed) => return Err(Error::unavailable("the version is closed")),
            Err(TryAcquireError::NoPermits) => {
                let waiting = Allowance::take(&lane.waiting)
                    .filter(|_| lane.waiting.used() <= self.in_flight.free())
                    .ok_or_else(|| {
                        Error::resource_exhausted(format!(
                            "{} requests wait for version {} of {} already; try again later",
                            lane.waiting.used(),
                            slot.version(),
                            slot.name()
                        ))
                    })?;
                let among_all = Allowance::take(&*self.waiting);
                let run = Arc::clone(&lane.runs).acquire_owned().await;
                drop((waiting, among_all));
                run.map_err(|_| Error::unavailable("the version is closed"))?
            }
        };
        let thread = Allowance::take(Arc::clone(&self.run_threads))
            .filter(|_| lane.running() <= self.run_threads.free() + 1)
            .ok_or_else(|| {
                Error::resource_exhausted(format!(
                    "{} runs are under way, too many to begin another of version {} of {}; try again later",
                    self.run_threads.used(),
                    slot.version(),
                    slot.name()
                ))
            })?;
        Ok(Place { _run: run, _thread: thread })
    }
}

/// Does the job, learns how long it takes, and turns a panic into an error.
fn perform<R>(
    handle: &Handle,
    class: Class,
    panics: &AtomicU64,
    job: impl FnOnce(&Handle) -> Result<R, Error>,
) -> Result<R, Error> {
    let begun = Instant::now();
    let outcome = catch_unwind(AssertUnwindSafe(|| job(handle))).unwrap_or_else(|_| {
        panics.fetch_add(1, Ordering::Relaxed);
        Err(Error::internal("the request's work panicked; this is a bug of the server"))
    });
    handle.slot().lane().learn(class, begun.elapsed(), outcome.is_ok());
    outcome
}

/// Starts `work` on a run thread. Tokio panics when the operating system gives it no thread and it has none.
pub(crate) fn spawn(work: impl FnOnce() + Send + 'static) -> Result<(), Error> {
    catch_unwind(AssertUnwindSafe(|| drop(tokio::task::spawn_blocking(work))))
        .map_err(|_| Error::resource_exhausted("the operating system gives the server no further thread"))
}

/// What is left until the deadline; `DEADLINE_EXCEEDED` when nothing is.
pub(crate) fn remaining(deadline: Option<Instant>) -> Result<Option<Duration>, Error> {
    let Some(deadline) = deadline else { return Ok(None) };
    match deadline.checked_duration_since(Instant::now()) {
        Some(left) if !left.is_zero() => Ok(Some(left)),
        _ => Err(too_late()),
    }
}

async fn by_deadline<T>(deadline: Option<Instant>, work: impl Future<Output = T>) -> Result<T, Error> {
    match deadline {
        None => Ok(work.await),
        Some(deadline) => tokio::time::timeout_at(deadline.into(), work).await.map_err(|_| too_late()),
    }
}

pub(crate) fn too_late() -> Error {
    Error::deadline_exceeded("the deadline passed before the answer was there")
}

#[cfg(test)]
#[path = "execute_tests.rs"]
mod tests;
