//! Predictions that wait for their truth, by request id: within a window of time, in bounded memory.
//!
//! While there is room, every prediction is kept for the whole window. When there is none, a sample is kept by a hash
//! of the request id, halved as often as needed (keys.rs has the same idea): the window stays whole, and no arm is
//! kept rather than another. When there is room again for long enough, the sample grows. What has waited in vain is
//! forgotten, oldest first; its id alone is kept for another window, so that a truth that comes too late is told from
//! one of an unknown request.

use super::{
    share::{Part, Pool},
    values::Values,
};
use crate::traffic::Arm;
use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use xxhash_rust::xxh3::xxh3_128_with_seed;

const SHARDS: usize = 16;
/// Request ids that one trial remembers, those whose window is over included.
const PREDICTIONS_MAX: usize = 1 << 18;
const SHARD_IDS_MAX: usize = PREDICTIONS_MAX / SHARDS;
/// Bytes of one trial's predictions.
const BYTES_MAX: usize = 64 << 20;
/// Of all trials' together.
const BYTES_MAX_IN_ALL: usize = 256 << 20;
/// What an entry takes besides the values: its id, twice, its times, and the tables that hold them.
const ENTRY_BYTES: usize = 256;
/// The bits of an id's hash that choose its shard; the lowest rank it.
const SHARD_SHIFT: u32 = 96;
/// A sample of one in a million is as small as it becomes.
const LEVEL_MAX: u32 = 20;
/// Ids that leave at once when their time is over: a request brings one, and never waits for many.
const LEAVING_MAX: usize = 64;
/// Below a quarter of what there is room for, the sample may grow.
const SPARSE: usize = 4;

/// What a version answered, as far as a truth is compared with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// Who answered.
    pub version: i64,
    /// On which side of the trial.
    pub arm: Arm,
    /// In which epoch.
    pub epoch: u64,
    /// The hash of the request's key; none: it brought none.
    pub key: Option<u64>,
    /// The output's dimensions.
    pub shape: Box<[i64]>,
    /// The output.
    pub values: Values,
    /// Of a classification, its classes, one for each value; empty otherwise.
    pub labels: Values,
}

/// What is known of a request id.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// Its truth is awaited.
    Kept(Arc<Prediction>),
    /// Its truth came already.
    Judged,
    /// Its window is over.
    Late,
    /// It may have been asked, but only a sample is kept, and it is not in that.
    LeftOut,
    /// No request of this id was answered by either arm, or it is long ago.
    Unknown,
}

/// What became of predictions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PredictionCounts {
    /// They wait for their truth.
    pub kept: u64,
    /// Bytes that those take.
    pub bytes: u64,
    /// Nobody told their truth while they were kept.
    pub forgotten: u64,
    /// Another request came with the same id; the later one counts.
    pub replaced: u64,
    /// There was no room for them.
    pub left_out: u64,
}

/// What all trials' predictions share.
#[derive(Clone, Debug)]
pub(super) struct PredictionPool(Arc<Pool>);

impl Default for PredictionPool {
    fn default() -> Self {
        Self(Pool::new(BYTES_MAX_IN_ALL))
    }
}

/// The predictions of one trial.
#[derive(Debug)]
pub(super) struct Predictions {
    shards: Box<[Mutex<Shard>]>,
    /// Of the ids' hash: nobody outside can make two ids the same.
    seed: u64,
    part: Part,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    forgotten: AtomicU64,
    replaced: AtomicU64,
    left_out: AtomicU64,
}

impl Predictions {
    pub(super) fn new(pool: &PredictionPool) -> Self {
        let shards = std::iter::repeat_with(Mutex::default).take(SHARDS).collect();
        Self {
            shards,
            seed: fastrand::u64(..),
            part: Part::new(&pool.0, BYTES_MAX),
            counts: Counts::default(),
        }
    }

    /// Keeps a prediction for so long. A request id that comes again is taken for another try of the same request:
    /// its caller acts on the later answer.
    pub(super) fn remember(&self, id: &[u8], prediction: Prediction, window: Duration) {
        let now = Instant::now();
        self.shard(id, |shard, id| {
            shard.expire(now, &self.part, &self.counts);
            shard.add(id, prediction, Span { now, window }, self);
        });
    }

    /// What is known of this request id.
    pub(super) fn find(&self, id: &[u8]) -> Found {
        let now = Instant::now();
        self.shard(id, |shard, id| shard.find(&id, now)).unwrap_or(Found::Unknown)
    }

    /// The same, and from now on the prediction counts as judged, if it was awaited: of several who ask, one gets it.
    pub(super) fn take(&self, id: &[u8]) -> Found {
        let now = Instant::now();
        let take = |shard: &mut Shard, id: Id| {
            let found = shard.find(&id, now);
            if matches!(found, Found::Kept(_)) {
                shard.release(&id, State::Judged, &self.part);
            }
            found
        };
        self.shard(id, take).unwrap_or(Found::Unknown)
    }

    /// Forgets all of them, in this thread.
    pub(super) fn clear(&self) {
        for shard in &self.shards {
            let taken = std::mem::take(&mut *shard.lock().unwrap_or_else(PoisonError::into_inner));
            self.part.give_back(taken.entries.values().map(|entry| entry.bytes).sum());
        }
    }

    /// Forgets what is over, and counts.
    pub(super) fn read(&self) -> PredictionCounts {
        let now = Instant::now();
        let mut kept = 0;
        for shard in &self.shards {
            // A few at a time: requests may wait for the shard, and this thread may have to wait for a core.
            loop {
                let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
                if shard.expire(now, &self.part, &self.counts) < LEAVING_MAX {
                    kept += shard.kept;
                    break;
                }
            }
        }
        let Counts { forgotten, replaced, left_out } = &self.counts;
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        PredictionCounts {
            kept,
            bytes: u64::try_from(self.part.used()).unwrap_or(u64::MAX),
            forgotten: read(forgotten),
            replaced: read(replaced),
            left_out: read(left_out),
        }
    }

    fn shard<R>(&self, id: &[u8], use_it: impl FnOnce(&mut Shard, Id) -> R) -> Option<R> {
        let id = Id(xxh3_128_with_seed(id, self.seed));
        let index = usize::try_from(id.0 >> SHARD_SHIFT).ok()? % SHARDS;
        let mut shard = self.shards.get(index)?.lock().unwrap_or_else(PoisonError::into_inner);
        Some(use_it(&mut shard, id))
    }
}

/// A request id's hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Id(u128);

impl Id {
    /// Half of all ids have rank 0, a quarter 1, and so on.
    fn rank(self) -> u32 {
        self.0.trailing_zeros()
    }
}

#[derive(Clone, Copy, Debug)]
struct Span {
    now: Instant,
    window: Duration,
}

#[derive(Debug)]
enum State {
    Kept(Arc<Prediction>),
    Judged,
    Late,
}

#[derive(Debug)]
struct Entry {
    state: State,
    bytes: usize,
    until: Instant,
    /// When its id is forgotten, too.
    gone: Instant,
}

#[derive(Debug, Default)]
struct Shard {
    entries: HashMap<Id, Entry>,
    /// Ids by the end of their window, and by the end of their memory; one that was replaced is in them twice.
    waiting: VecDeque<(Instant, Id)>,
    over: VecDeque<(Instant, Id)>,
    kept: u64,
    /// Ids of a lower rank are not kept.
    level: u32,
    /// When the sample last became smaller or larger.
    changed: Option<Instant>,
}

impl Shard {
    fn find(&self, id: &Id, now: Instant) -> Found {
        match self.entries.get(id) {
            Some(Entry { state: State::Kept(prediction), until, .. }) if now < *until => {
                Found::Kept(Arc::clone(prediction))
            }
            Some(Entry { state: State::Judged, .. }) => Found::Judged,
            Some(_) => Found::Late,
            None if id.rank() < self.level => Found::LeftOut,
            None => Found::Unknown,
        }
    }

    fn add(&mut self, id: Id, prediction: Prediction, span: Span, all: &Predictions) {
        let Span { now, window } = span;
        self.grow(span);
        self.tidy();
        let bytes = ENTRY_BYTES + prediction.bytes();
        if !self.make_room(id, bytes, now, all) {
            all.counts.left_out.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let (until, gone) = (now + window, now + 2 * window);
        let entry = Entry { state: State::Kept(Arc::new(prediction)), bytes, until, gone };
        if let Some(before) = self.entries.insert(id, entry) {
            self.forget(&before, &all.part);
            all.counts.replaced.fetch_add(1, Ordering::Relaxed);
        }
        self.kept += 1;
        self.waiting.push_back((until, id));
    }

    /// Whether there is room: for one more, where ids whose window is over give way first, then half of the sample.
    fn make_room(&mut self, id: Id, bytes: usize, now: Instant, all: &Predictions) -> bool {
        loop {
            if id.rank() < self.level {
                return false;
            }
            if self.waiting.len() + self.over.len() < SHARD_IDS_MAX && all.part.take(bytes) {
                return true;
            }
            if let Some(oldest) = self.over.pop_front() {
                self.drop_over(oldest, &all.part);
            } else if self.level < LEVEL_MAX {
                self.shrink(now, all);
            } else {
                return false;
            }
        }
    }

    fn shrink(&mut self, now: Instant, all: &Predictions) {
        self.level += 1;
        self.changed = Some(now);
        let level = self.level;
        self.waiting.retain(|(_, id)| id.rank() >= level);
        let kept = self.kept;
        let leaving: Vec<Id> = self.entries.keys().filter(|id| id.rank() < level).copied().collect();
        for id in &leaving {
            self.drop_id(id, &all.part);
        }
        all.counts.left_out.fetch_add(kept - self.kept, Ordering::Relaxed);
    }

    /// Lets more ids in when there has been room for a whole window.
    fn grow(&mut self, span: Span) {
        let is_long_ago =
            self.changed.is_none_or(|changed| span.now.saturating_duration_since(changed) > span.window);
        if self.level > 0 && is_long_ago && self.entries.len() < SHARD_IDS_MAX / SPARSE {
            self.level -= 1;
            self.changed = Some(span.now);
        }
    }

    /// Lets some ids go whose time is over; how many.
    fn expire(&mut self, now: Instant, part: &Part, counts: &Counts) -> usize {
        let mut left = LEAVING_MAX;
        while left > 0
            && let Some((until, id)) = self.waiting.pop_front_if(|(until, _)| *until <= now)
        {
            left -= 1;
            let Some(entry) = self.entries.get(&id).filter(|entry| entry.until == until) else { continue };
            let gone = entry.gone;
            if matches!(entry.state, State::Kept(_)) {
                self.release(&id, State::Late, part);
                counts.forgotten.fetch_add(1, Ordering::Relaxed);
            }
            self.over.push_back((gone, id));
        }
        while left > 0
            && let Some(oldest) = self.over.pop_front_if(|(gone, _)| *gone <= now)
        {
            left -= 1;
            self.drop_over(oldest, part);
        }
        LEAVING_MAX - left
    }

    /// Forgets where ids stood that a later request has brought again, once they are half of all: one caller who sends
    /// the same id all the time takes no room from others.
    fn tidy(&mut self) {
        let places = self.waiting.len() + self.over.len();
        if places < SHARD_IDS_MAX || places < 2 * self.entries.len() {
            return;
        }
        let entries = &self.entries;
        self.waiting.retain(|(until, id)| entries.get(id).is_some_and(|entry| entry.until == *until));
        self.over.retain(|(gone, id)| entries.get(id).is_some_and(|entry| entry.gone == *gone));
    }

    /// Forgets an id, unless a later request has brought it again.
    fn drop_over(&mut self, (gone, id): (Instant, Id), part: &Part) {
        if self.entries.get(&id).is_some_and(|entry| entry.gone == gone) {
            self.drop_id(&id, part);
        }
    }

    /// What is kept of the id from now on is this, without its prediction.
    fn release(&mut self, id: &Id, state: State, part: &Part) {
        if let Some(entry) = self.entries.get_mut(id) {
            entry.state = state;
            part.give_back(entry.bytes - ENTRY_BYTES);
            entry.bytes = ENTRY_BYTES;
            self.kept -= 1;
        }
    }

    fn drop_id(&mut self, id: &Id, part: &Part) {
        if let Some(entry) = self.entries.remove(id) {
            self.forget(&entry, part);
        }
    }

    fn forget(&mut self, entry: &Entry, part: &Part) {
        part.give_back(entry.bytes);
        self.kept -= u64::from(matches!(entry.state, State::Kept(_)));
    }
}

impl Prediction {
    fn bytes(&self) -> usize {
        size_of_val(&*self.shape) + self.values.bytes() + self.labels.bytes()
    }
}

#[cfg(test)]
#[path = "predictions_tests.rs"]
mod tests;
