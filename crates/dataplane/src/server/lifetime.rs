//! How long a gRPC connection may last: by its age, and by how long nobody has called on it.

use std::{
    future::pending,
    hash::{BuildHasher, Hasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::time::{Instant, sleep, sleep_until};

/// Ages are spread by a tenth either way, as gRPC does: connections opened together must not end together.
const JITTER_DIVISOR: u32 = 10;

/// The limits; none: no limit.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lifetime {
    /// Of a connection; then its client is told to open another.
    pub age_max: Option<Duration>,
    /// How long its calls may then still take.
    pub age_grace: Option<Duration>,
    /// Without a call; then its client is told the same.
    pub idle_max: Option<Duration>,
}

/// What an idle connection is measured by: its calls, counted by their tasks.
#[derive(Debug)]
pub(super) struct Activity {
    began: Instant,
    calls: AtomicUsize,
    /// When the last one ended, in milliseconds after `began`.
    ended_ms: AtomicU64,
}

/// One call, until it is dropped.
#[derive(Debug)]
pub(super) struct Call(Arc<Activity>);

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { began: Instant::now(), calls: AtomicUsize::new(0), ended_ms: AtomicU64::new(0) })
    }

    pub(super) fn begin_call(self: &Arc<Self>) -> Call {
        self.calls.fetch_add(1, Ordering::AcqRel);
        Call(Arc::clone(self))
    }

    /// When the connection will have been idle for so long, if nobody calls until then.
    fn idle_at(&self, idle: Duration) -> Instant {
        if self.calls.load(Ordering::Acquire) > 0 {
            return Instant::now() + idle;
        }
        self.began + Duration::from_millis(self.ended_ms.load(Ordering::Acquire)) + idle
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let ended = u64::try_from(self.0.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.ended_ms.fetch_max(ended, Ordering::AcqRel);
        self.0.calls.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Lifetime {
    /// Waits until the connection is to end in good order; how long its calls may then still take.
    pub(super) async fn wait_over(self, activity: Arc<Activity>) -> Option<Duration> {
        tokio::select! {
            () = wait_old(self.age_max) => self.age_grace,
            () = wait_idle(self.idle_max, &activity) => None,
        }
    }
}

/// Waits for as long; for ever when there is no such time.
pub(super) async fn wait(duration: Option<Duration>) {
    match duration {
        Some(duration) => sleep(duration).await,
        None => pending().await,
    }
}

async fn wait_old(age_max: Option<Duration>) {
    // A hasher's keys are random: as much chance as this needs.
    wait(age_max.map(|age| spread(age, RandomState::new().build_hasher().finish()))).await;
}

async fn wait_idle(idle_max: Option<Duration>, activity: &Activity) {
    let Some(idle) = idle_max else { return pending().await };
    loop {
        let at = activity.idle_at(idle);
        if at <= Instant::now() {
            return;
        }
        sleep_until(at).await;
    }
}

fn spread(age: Duration, chance: u64) -> Duration {
    let tenth = age / JITTER_DIVISOR;
    let share = Duration::from_nanos(chance.checked_rem(nanos(tenth) * 2 + 1).unwrap_or_default());
    age.saturating_sub(tenth) + share
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 4)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may panic

    use super::*;

    #[test]
    fn ages_are_spread_by_a_tenth_at_most() {
        let age = Duration::from_secs(100);
        assert_eq!(spread(age, 0), Duration::from_secs(90));
        assert_eq!(spread(age, 20_000_000_000), Duration::from_secs(110));
        for chance in [1, 7, u64::MAX / 3, u64::MAX] {
            assert!((90..=110).contains(&spread(age, chance).as_secs()), "{chance}");
        }
        assert_eq!(spread(Duration::from_nanos(1), u64::MAX), Duration::from_nanos(1));
    }

    #[tokio::test]
    async fn a_connection_is_idle_from_its_last_calls_end() {
        let activity = Activity::new();
        let idle = Duration::from_secs(1_000);
        assert_eq!(activity.idle_at(idle), activity.began + idle);
        let call = activity.begin_call();
        let other = activity.begin_call();
        drop(call);
        assert!(activity.idle_at(idle) > activity.began + idle, "one is under way");
        drop(other);
        activity.ended_ms.store(5, Ordering::Release);
        assert_eq!(activity.idle_at(idle), activity.began + Duration::from_millis(5) + idle);
    }
}
