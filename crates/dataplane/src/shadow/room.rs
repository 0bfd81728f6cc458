//! Whether there is room for a run that nobody waits for, and why there was none.

use std::{
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

/// Rests for a moment; whether the machine let this thread run again in time. The thread has the lowest priority, so
/// that it is late when, and only when, others had use for every core.
pub(super) fn rest(lateness_max: Duration) -> bool {
    let begun = Instant::now();
    thread::sleep(REST);
    begun.elapsed().saturating_sub(REST) <= lateness_max
}
