//! One version's lane to the run threads: how many run, how many wait, and how long a run is likely to take.

use crate::allowance::Allowance;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Size classes of a request's body: class n holds bodies of 2^(n-1) to 2^n - 1 bytes. Bodies are bounded by 2^31.
const SIZE_CLASSES: usize = 33;

/// A faster run moves the estimate by this fraction of the difference; a slower one moves it all the way. After
/// one run of 4 ms it takes 16 short ones to trust the class again (see [`crate::execute::INLINE_MAX`]).
const DECAY: u32 = 8;

/// Estimates are kept in units of 100 ns, so that 32 bits reach seven minutes.
const UNIT_NANOS: u128 = 100;

/// Requests whose run times are alike: one signature, bodies of about one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class(usize);

impl Class {
    /// Of a request that is like no other: nothing is known of it, and nothing learnt.
    pub const UNKNOWN: Self = Self(usize::MAX);

    /// The class of a request for this signature (its index) with a body of this size.
    #[must_use]
    pub fn of(signature: usize, body_bytes: usize) -> Self {
        let size_class = (usize::BITS - body_bytes.leading_zeros()) as usize;
        Self(signature * SIZE_CLASSES + size_class.min(SIZE_CLASSES - 1))
    }
}

/// How wide a version's lane is.
#[derive(Clone, Copy, Debug)]
pub struct Width {
    /// Runs at once on run threads.
    pub runs_max: usize,
    /// Requests that may wait for one of them to end.
    pub queue_max: usize,
}

/// A turn in an I/O thread.
#[derive(Debug)]
pub(crate) struct InlineTurn<'a> {
    _run: Option<SemaphorePermit<'a>>,
}

/// One version's lane.
#[derive(Debug)]
pub struct Lane {
    pub(crate) runs: Arc<Semaphore>,
    pub(crate) waiting: Allowance,
    runs_max: usize,
    /// Whether a run in an I/O thread takes one of `runs`, too.
    counts_inline: bool,
    estimates: Box<[AtomicU32]>,
    runs_inline: AtomicU64,
    runs_pooled: AtomicU64,
}

impl Lane {
    /// An empty lane for a model with this many signatures.
    #[must_use]
    pub fn new(signatures: usize, width: Width) -> Self {
        Self {
            runs: Arc::new(Semaphore::new(width.runs_max)),
            waiting: Allowance::new(width.queue_max),
            runs_max: width.runs_max,
            counts_inline: false,
            estimates: (0..signatures * SIZE_CLASSES).map(|_| AtomicU32::new(0)).collect(),
            runs_inline: AtomicU64::new(0),
            runs_pooled: AtomicU64::new(0),
        }
    }

    /// An empty lane for a model that cannot do more than `runs_max` runs at once, wherever they run.
    #[must_use]
    pub fn counting_inline(signatures: usize, width: Width) -> Self {
        Self { counts_inline: true, ..Self::new(signatures, width) }
    }

    /// What a run in an I/O thread holds while it lasts; none when the model is busy, and the run must queue.
    pub(crate) fn inline_turn(&self) -> Option<InlineTurn<'_>> {
        if !self.counts_inline {
            return Some(InlineTurn { _run: None });
        }
        self.runs.try_acquire().ok().map(|run| InlineTurn { _run: Some(run) })
    }

    /// How long a run of this class is likely to take, from the safe side; none while nothing is known.
    #[must_use]
    pub fn estimate(&self, class: Class) -> Option<Duration> {
        let units = self.estimates.get(class.0)?.load(Ordering::Relaxed);
        (units > 0).then(|| Duration::from_nanos(u64::from(units) * 100))
    }

    /// Learns from a run: a slow one counts at once; a fast one counts little, and only if it `succeeded`
    /// (a refused body says nothing about a good one's run).
    pub fn learn(&self, class: Class, took: Duration, succeeded: bool) {
        let Some(estimate) = self.estimates.get(class.0) else { return };
        let took = u32::try_from(took.as_nanos() / UNIT_NANOS).unwrap_or(u32::MAX).max(1);
        let known = estimate.load(Ordering::Relaxed);
        // Two runs that learn at once may lose one's step down or one's jump up; the next run repairs it.
        if took >= known {
            if succeeded || known > 0 {
                estimate.store(took, Ordering::Relaxed);
            }
        } else if succeeded {
            estimate.store(known - (known - took).div_ceil(DECAY), Ordering::Relaxed);
        }
    }

    /// Runs that hold a place on the run threads now, or are about to.
    #[must_use]
    pub fn running(&self) -> usize {
        self.runs_max.saturating_sub(self.runs.available_permits())
    }

    pub(crate) fn count_inline(&self) {
        self.runs_inline.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_pooled(&self) {
        self.runs_pooled.fetch_add(1, Ordering::Relaxed);
    }

    /// Runs so far in I/O threads, and on run threads.
    #[must_use]
    pub fn runs(&self) -> (u64, u64) {
        (self.runs_inline.load(Ordering::Relaxed), self.runs_pooled.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test may panic
mod tests {
    use super::*;

    fn lane() -> Lane {
        Lane::new(2, Width { runs_max: 2, queue_max: 2 })
    }

    #[test]
    fn a_class_nobody_has_run_is_unknown_and_a_class_beyond_the_signatures_is_never_known() {
        let lane = lane();
        assert_eq!(lane.estimate(Class::of(0, 100)), None);
        lane.learn(Class::of(7, 1), Duration::from_millis(1), true);
        assert_eq!(lane.estimate(Class::of(7, 1)), None);
    }

    #[test]
    fn a_slow_run_counts_at_once_and_fast_ones_win_trust_back_slowly() {
        let (lane, class) = (lane(), Class::of(1, 100));
        lane.learn(class, Duration::from_micros(10), true);
        lane.learn(class, Duration::from_millis(4), true);
        assert_eq!(lane.estimate(class), Some(Duration::from_millis(4)));
        let mut runs = 0;
        while lane.estimate(class).unwrap() > Duration::from_micros(500) {
            lane.learn(class, Duration::from_micros(10), true);
            runs += 1;
        }
        assert_eq!(runs, 16);
    }

    #[test]
    fn an_estimate_comes_all_the_way_down() {
        let (lane, class) = (lane(), Class::of(1, 100));
        lane.learn(class, Duration::from_hours(1), true);
        for _ in 0..400 {
            lane.learn(class, Duration::from_micros(10), true);
        }
        assert_eq!(lane.estimate(class), Some(Duration::from_micros(10)));
    }

    #[test]
    fn requests_that_were_refused_quickly_do_not_make_a_class_look_short() {
        let (lane, class) = (lane(), Class::of(0, 5));
        lane.learn(class, Duration::from_micros(1), false);
        assert_eq!(lane.estimate(class), None);
        lane.learn(class, Duration::from_millis(2), true);
        lane.learn(class, Duration::from_micros(1), false);
        assert_eq!(lane.estimate(class), Some(Duration::from_millis(2)));
    }

    #[test]
    fn a_turn_inline_is_one_of_the_runs_of_a_model_that_cannot_do_more_and_free_for_others() {
        let few = Lane::counting_inline(1, Width { runs_max: 1, queue_max: 2 });
        let turn = few.inline_turn();
        assert!(turn.is_some() && few.inline_turn().is_none());
        assert_eq!(few.running(), 1);
        drop(turn);
        assert!(few.inline_turn().is_some());
        let many = Lane::new(1, Width { runs_max: 1, queue_max: 2 });
        let turns: Vec<_> = (0..9).map(|_| many.inline_turn()).collect();
        assert!(turns.iter().all(Option::is_some));
        assert_eq!(many.running(), 0);
    }

    #[test]
    fn bodies_of_about_one_size_share_a_class_and_signatures_do_not() {
        assert_eq!(Class::of(0, 64), Class::of(0, 127));
        assert_ne!(Class::of(0, 127), Class::of(0, 128));
        assert_ne!(Class::of(0, usize::MAX), Class::of(1, 0));
    }
}
