//! Which routing keys a trial has seen, and which of them have met something bad: exact as long as they are few, a
//! fair sample of them beyond that.
//!
//! The sample is adaptive (Wegman 1984; Flajolet, "On adaptive sampling", Computing 43, 1990). A second hash, which
//! has nothing to do with the one that chose the key's arm, gives each key a rank: half of all keys have rank 0, a
//! quarter 1, and so on. When there is no more room, the lowest rank leaves, for good. So a key is counted for each
//! thing at most once, and which keys are counted depends neither on their arm nor on what they met: counts of the
//! arms stay comparable, as they are, without scaling. Scaling would make one key look like several independent
//! ones, which no test survives.
//!
//! Requests touch one of [`SHARDS`] tables for some tens of nanoseconds each; not those of a key that was here a short
//! while ago, which is found without a lock.

use super::share::{Part, Pool};
use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

const SHARDS: usize = 64;
/// Keys of one shard: a table of 16,384 places, seven eighths full.
const SHARD_KEYS_MAX: usize = 14_336;
/// Keys that were here last, in 8 KiB.
const RECENT: usize = 1_024;
/// Keys that one trial remembers, in at most 18 MiB: 17 bytes a place.
const KEYS_MAX: usize = SHARDS * SHARD_KEYS_MAX;
/// Keys that all trials together remember.
const KEYS_MAX_IN_ALL: usize = 4 * KEYS_MAX;
/// A sample of one in a million is as small as it becomes; then further keys are not counted.
const LEVEL_MAX: u32 = 20;
/// The bits of the second hash that choose the shard, and above them those that rank. A table looks at the lowest
/// and the seven highest.
const SHARD_SHIFT: u32 = 20;
const RANK_SHIFT: u32 = 26;

/// Things that a key is counted for once in a trial.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Marks(u16);

impl Marks {
    pub(super) const NONE: Self = Self(0);
    /// Not a key's misfortune, but that the split gave it to a version: once in the trial.
    pub(super) const ASSIGNED: Self = Self::of(4);

    /// The mark of this number, below 16; a higher one is none.
    pub(super) const fn of(number: u32) -> Self {
        Self(match 1_u16.checked_shl(number) {
            Some(bit) => bit,
            None => 0,
        })
    }

    pub(super) fn has(self, mark: Self) -> bool {
        self.0 & mark.0 != 0
    }

    #[must_use]
    pub(super) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[must_use]
    fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// What was new about a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Visit {
    /// It is seen for the first time in the epoch.
    pub(super) is_first_in_epoch: bool,
    /// What it is marked with for the first time in the trial.
    pub(super) first: Marks,
}

/// What is known of a key as a request of it comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Assigned {
    /// None of it came before in the trial.
    pub(super) is_first: bool,
    /// One of it has ended in the epoch.
    pub(super) has_ended: bool,
}

/// What all trials' keys share.
#[derive(Clone, Debug)]
pub(super) struct KeyPool(Arc<Pool>);

impl Default for KeyPool {
    fn default() -> Self {
        Self(Pool::new(KEYS_MAX_IN_ALL))
    }
}

/// The keys of one trial.
#[derive(Debug)]
pub(super) struct Keys {
    shards: Box<[Shard]>,
    /// Each key has one place, and leaves there that it is marked as assigned and was seen in an epoch.
    recent: Box<[AtomicU64]>,
    /// Of the second hash: nobody outside can choose keys that crowd a table.
    seed: u64,
    part: Part,
}

/// On cache lines of its own: threads that look for different keys do not disturb each other.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Shard(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    keys: HashMap<u64, Seen, BuildHasherDefault<AsItIs>>,
    /// Keys of a lower rank do not count any more.
    level: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// The last epoch it was seen in, and one; 0: none.
    epoch: u32,
    marks: Marks,
}

impl Keys {
    pub(super) fn new(pool: &KeyPool) -> Self {
        let shards = std::iter::repeat_with(Shard::default).take(SHARDS).collect();
        let recent = std::iter::repeat_with(AtomicU64::default).take(RECENT).collect();
        Self { shards, recent, seed: fastrand::u64(..), part: Part::new(&pool.0, KEYS_MAX) }
    }

    /// A request of this key in this epoch, and the marks it brought.
    pub(super) fn visit(&self, key: u64, epoch: u64, marks: Marks) -> Visit {
        let hash = self.hash(key);
        let (visit, is_assigned) =
            self.look(hash, |seen| (seen.visit(Seen::number(epoch), marks), seen.marks.has(Marks::ASSIGNED)));
        if let Some(place) = self.recent(hash).filter(|_| is_assigned) {
            place.store(footprint(hash, epoch), Ordering::Relaxed);
        }
        visit
    }

    /// A request of this key comes in this epoch: whether it is the key's first in the trial.
    pub(super) fn assign(&self, key: u64, epoch: u64) -> Assigned {
        let hash = self.hash(key);
        if self.recent(hash).is_some_and(|place| place.load(Ordering::Relaxed) == footprint(hash, epoch)) {
            return Assigned { is_first: false, has_ended: true };
        }
        self.look(hash, |seen| {
            let has_ended = seen.epoch >= Seen::number(epoch);
            Assigned { is_first: seen.mark(Marks::ASSIGNED).has(Marks::ASSIGNED), has_ended }
        })
    }

    /// Something that came to light later of a request of this key; what it is marked with for the first time.
    pub(super) fn mark(&self, key: u64, marks: Marks) -> Marks {
        self.look(self.hash(key), |seen| seen.mark(marks))
    }

    /// Forgets all of them, in this thread.
    pub(super) fn clear(&self) {
        for shard in &self.shards {
            let keys = shard.table(|table| std::mem::take(&mut table.keys));
            self.part.give_back(keys.len());
        }
    }

    /// Which share of keys counts, at the least; 1 as long as all do.
    pub(super) fn share(&self) -> f64 {
        let level = self.shards.iter().map(|shard| shard.table(|table| table.level)).max();
        0.5_f64.powi(level.and_then(|level| i32::try_from(level).ok()).unwrap_or(0))
    }

    fn hash(&self, key: u64) -> u64 {
        mix(key ^ self.seed)
    }

    fn recent(&self, hash: u64) -> Option<&AtomicU64> {
        let index = usize::try_from(hash & (RECENT as u64 - 1)).ok()?;
        self.recent.get(index)
    }

    /// The default of what is asked for of a key that does not count.
    fn look<R: Default>(&self, hash: u64, ask: impl FnOnce(&mut Seen) -> R) -> R {
        let index = usize::try_from(hash >> SHARD_SHIFT).unwrap_or(0) % SHARDS;
        let Some(shard) = self.shards.get(index) else { return R::default() };
        shard.table(|table| table.find(hash, &self.part).map(ask).unwrap_or_default())
    }
}

impl Shard {
    fn table<R>(&self, use_it: impl FnOnce(&mut Table) -> R) -> R {
        use_it(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Table {
    /// The key's entry, made where there is none; none of a key that does not count.
    fn find(&mut self, hash: u64, part: &Part) -> Option<&mut Seen> {
        if rank(hash) < self.level {
            return None;
        }
        if !self.keys.contains_key(&hash) {
            while self.keys.len() >= SHARD_KEYS_MAX || !part.take(1) {
                self.raise(part);
                if rank(hash) < self.level || self.level == LEVEL_MAX {
                    return None;
                }
            }
        }
        Some(self.keys.entry(hash).or_default())
    }

    /// Half of the keys leave.
    fn raise(&mut self, part: &Part) {
        self.level = (self.level + 1).min(LEVEL_MAX);
        let before = self.keys.len();
        self.keys.retain(|hash, _| rank(*hash) >= self.level);
        part.give_back(before - self.keys.len());
    }
}

impl Seen {
    /// As an entry says it.
    fn number(epoch: u64) -> u32 {
        u32::try_from(epoch).unwrap_or(u32::MAX).saturating_add(1)
    }

    fn visit(&mut self, epoch: u32, marks: Marks) -> Visit {
        let is_first_in_epoch = epoch > self.epoch;
        self.epoch = self.epoch.max(epoch);
        Visit { is_first_in_epoch, first: self.mark(marks) }
    }

    /// What is new of these.
    fn mark(&mut self, marks: Marks) -> Marks {
        let first = marks.without(self.marks);
        self.marks = self.marks.with(marks);
        first
    }
}

/// Of a key in an epoch; none is 0 for long: a place that nobody left has that.
fn footprint(hash: u64, epoch: u64) -> u64 {
    hash.wrapping_add(epoch).max(1)
}

fn rank(hash: u64) -> u32 {
    (hash >> RANK_SHIFT).trailing_zeros()
}

/// The finalizer of `MurmurHash3` (Appleby): one to one, and every bit of it depends on every bit given.
fn mix(key: u64) -> u64 {
    let key = (key ^ (key >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let key = (key ^ (key >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    key ^ (key >> 33)
}

/// Of numbers that are hashes already.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, _bytes: &[u8]) {} // only whole numbers come

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
