//! When each request is due: at once (closed loop), at its own moment whatever the server does (open loop), or at once
//! when it is its side's turn.
//!
//! In the open loop a request's latency counts from when it was due. A server that stalls for a second at 1,000
//! requests a second has then delayed 1,000 requests, not one: nothing is omitted because nobody was there to
//! send it. <https://www.scylladb.com/2021/04/22/on-coordinated-omission/> explains the mistake.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use tokio::sync::Semaphore;

use crate::{
    latencies::lossy,
    turns::{TurnLength, Turns},
};

/// How long the pacing thread sleeps at least: requests due within so short a time become due together, for more
/// wake-ups would cost more than they tell.
const NAP_MIN: Duration = Duration::from_micros(50);
/// How long it sleeps at most, so that it notices the end.
const NAP_MAX: Duration = Duration::from_millis(50);

/// What makes a request due.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Loop {
    /// A worker is free.
    Closed,
    /// Its time has come: so many are due each second.
    Open { rate: f64 },
    /// A worker is free, and it is its side's turn.
    Turns { sides: usize, length: TurnLength },
}

/// A request that may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) at: Instant,
    /// The side's number in the plan.
    pub(crate) side: usize,
    /// How many were due before it.
    pub(crate) index: u64,
}

/// Hands out due times to the workers, in order, until told to stop.
#[derive(Debug)]
pub(crate) struct Pace {
    start: Instant,
    requests: u64,
    rate: Option<f64>,
    turns: Option<Mutex<Turns>>,
    /// How many have been marked as due, each by a permit; by the pacing thread, or by a worker that comes for its next one.
    marked: AtomicU64,
    issued: AtomicU64,
    due: Semaphore,
    stopped: AtomicBool,
}

impl Pace {
    /// Begins now. With a rate, a thread of its own wakes workers when requests are due: the runtime's timer counts
    /// whole milliseconds, which would be most of a fast server's latency.
    pub(crate) fn begin(requests: u64, kind: Loop) -> Result<Arc<Self>, String> {
        let (rate, turns) = match kind {
            Loop::Closed => (None, None),
            Loop::Open { rate } => (Some(rate), None),
            Loop::Turns { sides, length } => (None, Some(Turns::begin(sides, length, Instant::now()))),
        };
        let first_turn = turns.as_ref().map_or(0, Turns::permits);
        let pace = Arc::new(Self {
            start: Instant::now(),
            requests,
            rate,
            turns: turns.map(Mutex::new),
            marked: AtomicU64::new(0),
            issued: AtomicU64::new(0),
            due: Semaphore::new(first_turn),
            stopped: AtomicBool::new(false),
        });
        if let Some(rate) = rate {
            let pacing = Arc::clone(&pace);
            let thread = thread::Builder::new().name("pace".to_owned());
            thread
                .spawn(move || pacing.keep_marking(rate))
                .map_err(|error| format!("cannot start: {error}"))?;
        }
        Ok(pace)
    }

    /// When it began.
    pub(crate) fn start(&self) -> Instant {
        self.start
    }

    /// Waits for the next request to be due and says when that was; none: there is nothing more to send.
    pub(crate) async fn next(&self) -> Option<Due> {
        if let Some(rate) = self.rate {
            self.mark_due(rate);
        }
        if self.rate.is_some() || self.turns.is_some() {
            self.due.acquire().await.ok()?.forget();
        }
        if self.stopped.load(Ordering::Relaxed) {
            return None;
        }
        let index = self.issued.fetch_add(1, Ordering::Relaxed);
        if index + 1 >= self.requests {
            self.due.close(); // nobody waits for a request after the last
        }
        if index >= self.requests {
            return None;
        }
        Some(Due {
            at: self.rate.map_or_else(Instant::now, |rate| self.due_at(rate, index)),
            side: self.turns().map_or(0, |turns| turns.side_of(index)),
            index,
        })
    }

    /// A request was answered, or failed: the last one of a turn makes those of the next one due.
    pub(crate) fn add_answer(&self, now: Instant) {
        let Some(mut turns) = self.turns() else { return };
        if turns.add_answer(now) {
            self.due.add_permits(turns.permits());
        }
    }

    /// How long the turns took, round by round; none: nobody takes turns.
    pub(crate) fn rounds(&self) -> Option<Vec<Vec<Duration>>> {
        self.turns().map(|turns| turns.rounds())
    }

    /// Nothing more is sent from now on. Answers how many requests were due and never sent, because every worker
    /// was still waiting for an answer.
    pub(crate) fn stop(&self) -> u64 {
        let was_due = self.rate.map_or(0, |rate| self.due_by(rate, Instant::now()));
        self.stopped.store(true, Ordering::Relaxed);
        self.due.close();
        was_due.saturating_sub(self.issued.load(Ordering::Relaxed).min(self.requests))
    }

    /// The lock is never contended: there is one thread.
    fn turns(&self) -> Option<MutexGuard<'_, Turns>> {
        self.turns.as_ref().map(|turns| turns.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn keep_marking(&self, rate: f64) {
        while !self.due.is_closed() {
            let next = self.due_at(rate, self.mark_due(rate));
            thread::sleep(next.saturating_duration_since(Instant::now()).clamp(NAP_MIN, NAP_MAX));
        }
    }

    /// Marks what is due now; how many have been, in all.
    fn mark_due(&self, rate: f64) -> u64 {
        let due = self.due_by(rate, Instant::now());
        let before = self.marked.fetch_max(due, Ordering::Relaxed);
        self.due.add_permits(usize::try_from(due.saturating_sub(before)).unwrap_or(0));
        due
    }

    fn due_at(&self, rate: f64, index: u64) -> Instant {
        self.start + Duration::from_secs_f64(lossy(index) / rate)
    }

    fn due_by(&self, rate: f64, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.start).as_secs_f64();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        // bounded: an hour at RATE_MAX is 3.6e9
        let due = (elapsed * rate).floor() as u64 + 1;
        due.min(self.requests)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may fail by panicking

    use super::*;
    use tokio::time::timeout;

    #[tokio::test]
    async fn due_times_do_not_depend_on_when_anyone_asks_for_them() {
        let pace = Pace::begin(5, Loop::Open { rate: 1_000.0 }).unwrap();
        for index in 0..5 {
            let at = pace.start() + Duration::from_millis(index);
            assert_eq!(pace.next().await, Some(Due { at, side: 0, index }));
        }
        assert_eq!(pace.next().await, None);
    }

    #[tokio::test]
    async fn a_closed_loop_ends_with_its_last_request() {
        let pace = Pace::begin(2, Loop::Closed).unwrap();
        assert!(pace.next().await.is_some());
        assert!(pace.next().await.is_some());
        assert_eq!(pace.next().await, None);
        assert_eq!(pace.stop(), 0);
    }

    #[tokio::test]
    async fn requests_that_were_due_and_never_sent_are_admitted() {
        let pace = Pace::begin(10, Loop::Open { rate: 1_000_000.0 }).unwrap();
        assert!(pace.next().await.is_some());
        let all_due = pace.start() + Duration::from_micros(20);
        while Instant::now() < all_due {
            tokio::task::yield_now().await;
        }
        assert_eq!(pace.stop(), 9);
        assert_eq!(pace.next().await, None);
    }

    #[tokio::test]
    async fn a_turn_waits_for_the_last_answer_of_the_one_before() {
        let length = TurnLength { requests: 2, warm_up: 0 };
        let pace = Pace::begin(100, Loop::Turns { sides: 2, length }).unwrap();
        for sides in [[0, 0], [1, 1], [1, 1], [0, 0]] {
            for side in sides {
                assert_eq!(pace.next().await.unwrap().side, side);
            }
            pace.add_answer(Instant::now());
            assert!(timeout(Duration::from_millis(1), pace.next()).await.is_err());
            pace.add_answer(Instant::now());
        }
        assert_eq!(pace.rounds().unwrap().len(), 2);
    }
}
