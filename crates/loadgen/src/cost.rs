//! What the generator itself costs: it shares the machine with the server, so its report says how much it took.

use std::{fs, time::Duration};

/// The scheduler's account of this thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ThreadCost {
    /// Time on a processor.
    pub(crate) running: Duration,
    /// Time ready to run with no processor free: a high value says that the machine, not the server, was slow.
    pub(crate) waiting: Duration,
}

impl ThreadCost {
    /// So far; none where the system does not tell.
    pub(crate) fn now() -> Option<Self> {
        let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        let mut nanoseconds = text.split_ascii_whitespace().map_while(|field| field.parse().ok());
        let (running, waiting) = (nanoseconds.next()?, nanoseconds.next()?);
        Some(Self { running: Duration::from_nanos(running), waiting: Duration::from_nanos(waiting) })
    }

    /// What was added since `earlier`.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            running: self.running.saturating_sub(earlier.running),
            waiting: self.waiting.saturating_sub(earlier.waiting),
        }
    }
}
