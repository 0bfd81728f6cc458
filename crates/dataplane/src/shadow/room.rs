//! Whether there is room for a run that nobody waits for, why there was none, and the few runs that need no room.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

/// How long the worker rests before each run. It is also what it asks of the machine: to be let run again then.
const REST: Duration = Duration::from_micros(50);

/// Why a request that was drawn was dropped before the candidate was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shed {
    /// As many requests wait as may.
    QueueFull,
    /// As many bytes wait as may.
    TooManyBytes,
    /// Requests that somebody waits for wait themselves.
    RequestsWait,
    /// The machine has no time to spare.
    MachineBusy,
    /// The candidate can only do so many runs at once, and does.
    CandidateBusy,
    /// A run of the candidate hangs.
    CandidateHangs,
    /// The server ends.
    Stopping,
}

impl Shed {
    /// All there are.
    pub const ALL: [Self; 7] = [
        Self::QueueFull,
        Self::TooManyBytes,
        Self::RequestsWait,
        Self::MachineBusy,
        Self::CandidateBusy,
        Self::CandidateHangs,
        Self::Stopping,
    ];

    /// As statistics say it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::TooManyBytes => "too_many_bytes",
            Self::RequestsWait => "requests_wait",
            Self::MachineBusy => "machine_busy",
            Self::CandidateBusy => "candidate_busy",
            Self::CandidateHangs => "candidate_hangs",
            Self::Stopping => "stopping",
        }
    }
}

/// A few runs of one trial that need no room: a server that is full all day would never compare anything, and its
/// rollout would wait for ever.
#[derive(Debug)]
pub(super) struct Floor {
    begun: Instant,
    /// When a run last began, or was claimed, after `begun`.
    last_ms: AtomicU64,
}

impl Default for Floor {
    fn default() -> Self {
        Self { begun: Instant::now(), last_ms: AtomicU64::new(0) }
    }
}

impl Floor {
    /// Whether the trial has had no run for so long; then the one who asks has the right to the next.
    pub(super) fn claim(&self, every: Duration) -> bool {
        let (now, last) = (self.now_ms(), self.last_ms.load(Ordering::Relaxed));
        let is_due = Duration::from_millis(now.saturating_sub(last)) >= every;
        is_due && self.last_ms.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// A run begins.
    pub(super) fn note_run(&self) {
        self.last_ms.store(self.now_ms(), Ordering::Relaxed);
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Rests for a moment; whether the machine let this thread run again in time. The thread yields to all
/// others, so that it is late when, and only when, they had use for every core.
pub(super) fn rest(lateness_max: Duration) -> bool {
    let begun = Instant::now();
    thread::sleep(REST);
    begun.elapsed().saturating_sub(REST) <= lateness_max
}
