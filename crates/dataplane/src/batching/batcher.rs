//! The scheduler at work: requests come in, batches run on run threads, answers go out.
//!
//! No thread waits for a batch. Whoever changes something (a request that comes or goes, a batch that ends, a
//! timer) asks the scheduler what is to run now and starts it; a thread whose batch has ended goes on with the next.
//! A run thread is taken from the same allowance as any run's, by the same rule, so that a model that hangs keeps
//! to its share (docs/decisions/0010).

use super::{
    job::Job,
    observed::{BatchingSnapshot, Observed, VersionBatches, VersionObserved},
    pending::{Brought, Pending, assemble},
    rules::{BatchingOptions, Plan},
    scheduler::{Formed, Offer, Scheduler, Threads, Ticket},
    tensors::{self, Form},
};
use crate::{
    allowance::Allowance,
    error::Error,
    execute::{self, Executor},
    inference::SignatureRun,
    servable::Handle,
    tensor::Tensor,
};
use std::{
    collections::BTreeSet,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// A batch that runs for longer is overdue: another may use its thread. Longer than any batch of a server that
/// answers people, and short enough for the others to wait once.
const PATIENCE: Duration = Duration::from_secs(10);

/// More batch threads than this are certainly a mistake.
const THREADS_MAX: usize = 1024;

/// TensorFlow Serving's words (`batching/batching_session.cc`).
pub(super) const TIMED_OUT: &str = "Run() timeout exceeded while waiting in batching queue";

/// What all versions' batches share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchThreads {
    /// Batches of all versions that run at once; 0: as many as there are cores.
    pub count: i64,
    /// How long a batch may run before it is no longer counted.
    pub patience: Duration,
}

impl Default for BatchThreads {
    fn default() -> Self {
        Self { count: 0, patience: PATIENCE }
    }
}

impl BatchThreads {
    fn resolved(self) -> Result<Threads, Error> {
        let count = match usize::try_from(self.count) {
            Ok(0) => thread::available_parallelism().map_or(1, usize::from),
            Ok(count) if count <= THREADS_MAX => count,
            _ => {
                let text = format!("num_batch_threads is {}; it must be from 1 to {THREADS_MAX}", self.count);
                return Err(Error::invalid_argument(text));
            }
        };
        Ok(Threads { count, patience: self.patience })
    }
}

/// Requests that may share a batch: those of one version that are alike in this.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Kind {
    pub(super) signature: usize,
    pub(super) outputs: Vec<usize>,
    forms: Vec<Form>,
}

/// One version whose requests are batched.
#[derive(Debug)]
pub struct Batching {
    /// Tells it from all other loaded versions.
    number: u64,
    pub(super) plan: Plan,
    /// Requests that wait for a batch or run in one.
    held: Allowance,
    /// Batches that run, those that are overdue included.
    pub(super) running: Arc<Allowance>,
    pub(super) observed: VersionObserved,
}

impl Batching {
    pub(crate) fn snapshot(&self) -> VersionBatches {
        self.observed.snapshot()
    }
}

/// Everything that waits for a batch or runs in one.
pub(crate) struct Batcher(Arc<Shared>);

pub(super) struct Shared {
    core: Mutex<Core>,
    threads: Threads,
    pub(super) run_threads: Arc<Allowance>,
    pub(super) panics: Arc<AtomicU64>,
    pub(super) observed: Observed,
    versions: AtomicU64,
}

pub(super) struct Core {
    pub(super) scheduler: Scheduler<Kind, Arc<Pending>>,
    /// The moments at which somebody will look again: one task waits for each, so none is listed twice.
    wakes: BTreeSet<Instant>,
}

impl fmt::Debug for Batcher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Batcher").field("threads", &self.0.threads).finish_non_exhaustive()
    }
}

/// One request as the path brings it.
pub(super) struct Request<'a> {
    pub(super) handle: &'a Arc<Handle>,
    pub(super) run: &'a SignatureRun,
    pub(super) deadline: Option<Instant>,
    /// Requests that could still be let in by the server as a whole.
    pub(super) in_flight_free: usize,
}

impl Batcher {
    pub(crate) fn new(threads: BatchThreads, executor: &Executor) -> Result<Self, Error> {
        let threads = threads.resolved()?;
        let (run_threads, panics) = executor.shared();
        let core = Mutex::new(Core { scheduler: Scheduler::new(threads), wakes: BTreeSet::new() });
        let (observed, versions) = (Observed::default(), AtomicU64::new(0));
        Ok(Self(Arc::new(Shared { core, threads, run_threads, panics, observed, versions })))
    }

    /// How a version is to be batched; `INVALID_ARGUMENT` when that cannot be.
    pub(crate) fn open(&self, options: &BatchingOptions, executor: &Executor) -> Result<Batching, Error> {
        let limits = executor.limits();
        let running_max = limits.runs_max.max(self.0.threads.count);
        let plan = options.plan(running_max)?;
        let held_max = if plan.adaptive { limits.queue_max } else { limits.in_flight_max };
        Ok(Batching {
            number: self.0.versions.fetch_add(1, Ordering::Relaxed),
            plan,
            held: Allowance::new(held_max),
            running: Arc::new(Allowance::new(running_max)),
            observed: VersionObserved::default(),
        })
    }

    pub(crate) fn snapshot(&self) -> BatchingSnapshot {
        self.0.observed.snapshot()
    }

    /// Runs one request in a batch. Dropping the future takes it out of the queue; once its batch runs, that goes on.
    pub(super) async fn run(&self, batching: &Batching, request: Request<'_>) -> Result<Vec<Tensor>, Error> {
        let Request { handle, run, deadline, in_flight_free } = request;
        execute::remaining(deadline)?;
        let inputs = &run.inputs.tensors;
        let rows = tensors::rows(inputs)?;
        self.0.observed.record_request(rows, inputs.len());
        let _held = Allowance::take(&batching.held)
            .filter(|_| batching.held.used() <= in_flight_free)
            .ok_or_else(|| too_many(handle, batching.held.used()))?;
        let forms = inputs.iter().map(|tensor| Form::of(tensor, &batching.plan.shape)).collect();
        let kind = Kind { signature: run.signature, outputs: run.inputs.outputs.clone(), forms };
        let (handle, inputs) = (Arc::clone(handle), inputs.clone());
        let (pending, answer) = Pending::new(Brought { handle, inputs, rows, deadline });
        let offer =
            Offer { version: batching.number, rules: batching.plan.rules, kind, rows, payload: pending };
        let mut waiting = self.0.add(offer)?;
        let answer = match deadline {
            None => answer.await,
            Some(deadline) => match tokio::time::timeout_at(deadline.into(), answer).await {
                Ok(answer) => answer,
                Err(_) if waiting.take_back() => return Err(Error::resource_exhausted(TIMED_OUT)),
                Err(_) => return Err(execute::too_late()),
            },
        };
        waiting.ticket = None;
        assemble(answer.unwrap_or_else(|_| Err(Error::unavailable("the server is stopping")))?)
    }
}

fn too_many(handle: &Handle, held: usize) -> Error {
    let slot = handle.slot();
    Error::resource_exhausted(format!(
        "{held} requests wait for batches of version {} of {} already; try again later",
        slot.version(),
        slot.name()
    ))
}

/// A request's place in the queue; dropped, it is taken out.
struct InQueue {
    shared: Arc<Shared>,
    ticket: Option<Ticket<Kind>>,
}

impl InQueue {
    /// Whether nothing of it had begun to run.
    fn take_back(&mut self) -> bool {
        let Some(ticket) = self.ticket.take() else { return false };
        let removed = self.shared.core().scheduler.cancel(&ticket, Instant::now());
        removed == ticket.parts()
    }
}

impl Drop for InQueue {
    fn drop(&mut self) {
        self.take_back();
    }
}

impl Shared {
    pub(super) fn core(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(self: &Arc<Self>, offer: Offer<Kind, Arc<Pending>>) -> Result<InQueue, Error> {
        let added = self.core().scheduler.add(offer, Instant::now());
        let ticket = Some(added.map_err(Error::from)?);
        self.dispatch();
        Ok(InQueue { shared: Arc::clone(self), ticket })
    }

    /// Starts all that is to run now, each batch on a run thread.
    fn dispatch(self: &Arc<Self>) {
        while let Some(job) = self.begin() {
            let shared = Arc::clone(self);
            // A job that gets no thread says so to its requests as it is dropped.
            let _ = execute::spawn(move || shared.work(job));
        }
    }

    /// The next batch with a place to run; batches for which there is none are refused.
    fn begin(self: &Arc<Self>) -> Option<Job> {
        while let Some(formed) = self.next() {
            let mut job = Job::new(Arc::clone(self), formed);
            if job.take_place() {
                return Some(job);
            }
        }
        None
    }

    /// The next batch; when there is none now, somebody will look again when there may be.
    fn next(self: &Arc<Self>) -> Option<Formed<Kind, Arc<Pending>>> {
        let mut core = self.core();
        let formed = core.scheduler.next(Instant::now());
        if formed.is_none()
            && let Some(at) = core.scheduler.wake_at()
            && core.wakes.first().is_none_or(|first| at < *first)
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            core.wakes.insert(at);
            runtime.spawn(look_again(Arc::downgrade(self), at));
        }
        formed
    }

    /// Runs a batch, and those after it for which it has made room.
    fn work(self: &Arc<Self>, first: Job) {
        let mut next = Some(first);
        while let Some(mut job) = next {
            job.run();
            drop(job); // gives the thread back
            next = self.begin();
            self.dispatch();
        }
    }
}

async fn look_again(shared: Weak<Shared>, at: Instant) {
    tokio::time::sleep_until(at.into()).await;
    if let Some(shared) = shared.upgrade() {
        shared.core().wakes.remove(&at);
        shared.dispatch();
    }
}
