//! The thread that runs candidates in the shadow, and who takes its place when a run hangs.
//!
//! One worker runs one job at a time, at the lowest niceness there is. Before each job it rests for a moment, and when
//! the machine lets it run again too late, all that waits is dropped: there is no room. A few runs of each trial need
//! none ([`Floor`](super::room::Floor)), so that a rollout comes to its end on a server that is always full. A run that takes longer than `patience` is overdue: it keeps its thread
//! until it ends, its version gets no further jobs, and another worker goes on with those of other models. The
//! keeper sees to that; it sleeps while nothing runs.

use super::{
    job::{Job, Taken},
    mirror::Shadow,
    queue::Queue,
    room::{self, Shed},
    tally::Tally,
};
use crate::allowance::Allowance;
use arc_swap::ArcSwapOption;
use std::{
    fmt, io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, Thread},
    time::{Duration, Instant},
};
use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy,
    thread_native_id,
};

/// Runs that may be overdue at once, of all versions. Beyond it nothing is run until one of them ends.
const OVERDUE_MAX: usize = 8;

/// How patient the worker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShadowOptions {
    /// A run of a candidate that takes longer is overdue.
    pub patience: Duration,
    /// How late the machine may let the worker run before it counts as busy.
    pub lateness_max: Duration,
    /// A trial that has had no run for so long gets one, however busy the machine is.
    pub floor_every: Duration,
}

impl Default for ShadowOptions {
    fn default() -> Self {
        Self {
            patience: Duration::from_secs(10),
            lateness_max: Duration::from_millis(2),
            floor_every: Duration::from_millis(250),
        }
    }
}

/// The worker, and the way to it.
pub(super) struct Worker {
    queue: Queue,
    options: ShadowOptions,
    panics: Arc<AtomicU64>,
    /// The thread that takes jobs now. Requests wake it without a lock.
    thread: ArcSwapOption<Thread>,
    desk: Mutex<Desk>,
    changed: Condvar,
}

/// Who runs what. Requests never look at it.
#[derive(Debug, Default)]
struct Desk {
    state: State,
    /// Of the worker that takes jobs now. One with another number was replaced.
    number: u64,
    running: Option<Running>,
    overdue: usize,
    /// The keeper waits for something to run.
    is_keeper_idle: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Unstarted,
    Started,
    Stopped,
}

#[derive(Debug)]
struct Running {
    begun: Instant,
    tally: Arc<Tally>,
}

impl fmt::Debug for Worker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Worker").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Worker {
    /// A worker whose threads have not begun. `waiting`: requests that wait for a run thread; `panics`: where to
    /// count runs that panic.
    pub(super) fn new(options: ShadowOptions, waiting: Arc<Allowance>, panics: Arc<AtomicU64>) -> Arc<Self> {
        Arc::new(Self {
            queue: Queue::new(waiting, options.floor_every),
            options,
            panics,
            thread: ArcSwapOption::empty(),
            desk: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    /// Starts the threads, once.
    pub(super) fn start(self: &Arc<Self>) -> io::Result<()> {
        let mut desk = self.desk();
        if desk.state == State::Unstarted {
            self.spawn(&mut desk)?;
            let keeper = Arc::clone(self);
            thread::Builder::new().name("shadow-keeper".into()).spawn(move || keeper.keep())?;
            desk.state = State::Started;
        }
        Ok(())
    }

    /// Lets the threads end; one whose run hangs ends with it.
    pub(super) fn stop(&self) {
        self.desk().state = State::Stopped;
        self.queue.close();
        self.changed.notify_all();
        self.wake();
    }

    /// Takes a job in, or says why not. Never waits.
    pub(super) fn offer(&self, shadow: &Arc<Shadow>, taken: Taken) -> Result<(), Shed> {
        self.queue.offer(shadow, taken)?;
        self.wake();
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.queue.bytes()
    }

    fn wake(&self) {
        if let Some(thread) = &*self.thread.load() {
            thread.unpark();
        }
    }

    /// Another worker, in the place of the one there is.
    fn spawn(self: &Arc<Self>, desk: &mut Desk) -> io::Result<()> {
        let (worker, number) = (Arc::clone(self), desk.number + 1);
        let thread = thread::Builder::new().name("shadow".into()).spawn(move || worker.work(number))?;
        desk.number = number;
        self.thread.store(Some(Arc::new(thread.thread().clone())));
        Ok(())
    }

    /// The worker with this number, until it is replaced.
    fn work(&self, number: u64) {
        yield_to_all();
        while self.is_current(number) {
            match self.queue.next() {
                None => thread::park(),
                Some(job) => match self.find_room() {
                    Err(why) if !self.queue.is_due(&job) => self.shed(&job, why),
                    _ => self.run(job, number),
                },
            }
        }
    }

    fn find_room(&self) -> Result<(), Shed> {
        if self.queue.requests_wait() {
            return Err(Shed::RequestsWait);
        }
        if room::rest(self.options.lateness_max) { Ok(()) } else { Err(Shed::MachineBusy) }
    }

    /// Drops a job, and those that wait behind it.
    fn shed(&self, job: &Job, why: Shed) {
        job.shed(why);
        self.queue.take_all().iter().for_each(|job| job.shed(why));
    }

    fn is_current(&self, number: u64) -> bool {
        let desk = self.desk();
        desk.state != State::Stopped && desk.number == number
    }

    fn run(&self, job: Job, number: u64) {
        let tally = Arc::clone(&job.shadow.tally);
        tally.floor().note_run();
        self.begin(&tally);
        let panicked = catch_unwind(AssertUnwindSafe(|| job.run())).unwrap_or(true);
        if panicked {
            self.panics.fetch_add(1, Ordering::Relaxed);
        }
        self.end(&tally, number);
    }

    fn begin(&self, tally: &Arc<Tally>) {
        let mut desk = self.desk();
        desk.running = Some(Running { begun: Instant::now(), tally: Arc::clone(tally) });
        if desk.is_keeper_idle {
            self.changed.notify_all();
        }
    }

    fn end(&self, tally: &Tally, number: u64) {
        let mut desk = self.desk();
        if desk.number == number {
            desk.running = None;
        } else {
            desk.overdue -= 1;
            tally.end_overdue();
            self.changed.notify_all();
        }
    }

    /// Replaces the worker whenever its run is overdue.
    fn keep(self: &Arc<Self>) {
        let mut desk = self.desk();
        while desk.state != State::Stopped {
            let left = desk
                .running
                .as_ref()
                .map(|running| self.options.patience.saturating_sub(running.begun.elapsed()));
            desk = match left {
                Some(Duration::ZERO) if desk.overdue < OVERDUE_MAX => {
                    self.replace(&mut desk);
                    desk
                }
                Some(Duration::ZERO) | None => self.idle(desk),
                Some(left) => self.changed.wait_timeout(desk, left).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
    }

    /// Until something runs, or an overdue run ends.
    fn idle<'a>(&self, mut desk: MutexGuard<'a, Desk>) -> MutexGuard<'a, Desk> {
        desk.is_keeper_idle = true;
        desk = self.changed.wait(desk).unwrap_or_else(PoisonError::into_inner);
        desk.is_keeper_idle = false;
        desk
    }

    fn replace(self: &Arc<Self>, desk: &mut Desk) {
        let Some(running) = desk.running.take() else { return };
        if self.spawn(desk).is_ok() {
            desk.overdue += 1;
            running.tally.begin_overdue();
        } else {
            // The operating system gives no thread: looked at again after as long a time.
            desk.running = Some(Running { begun: Instant::now(), ..running });
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives the calling thread the lowest niceness, for good, and lets it interrupt nobody when it wakes. Where the system
/// does not let it, it competes with requests like any thread, one at a time. Not `SCHED_IDLE`: on a machine that is
/// full all the time such a thread never runs, and what it holds meanwhile, in the allocator or the runtime, requests
/// may need.
fn yield_to_all() {
    let policy = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Batch);
    let _ = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, policy);
}
