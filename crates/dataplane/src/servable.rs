//! One loaded version, the holds that requests have on it, and its orderly end.
//!
//! A [`Slot`]'s life: it is made open; the route table names it; a publish takes it out of the table;
//! [`Slot::retire`] closes it, waits for the last [`Handle`], and frees the model. Between the publish and the
//! close a request may still come by with an older table: it finds the slot open and is served, or closed and
//! looks again in the present table (route.rs). So unloading never fails a request that another version, or a
//! newer table, could answer.
//!
//! Who frees the model: the thread in `retire`, if the last handle is gone by the deadline; otherwise the
//! reaper's thread. Never a request's thread: the model is an `Arc` inside the slot, a handle's copy of it dies
//! before the handle is counted off, and a slot that is dropped with a model still in it sends it to the reaper.

use crate::{
    batching::Batching,
    lane::Lane,
    reaper::{self, Reaper},
    request_log::Drawn,
    runtime::Model,
    stats::Rows,
    traffic::Assignment,
};
use arc_swap::ArcSwapOption;
use std::{
    fmt,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

/// No new handle is given out.
const CLOSED: u64 = 1 << 63;
/// Nobody waits for the last handle any more: it sends the model to the reaper itself.
const ABANDONED: u64 = 1 << 62;
/// The handles that live.
const COUNT: u64 = ABANDONED - 1;

/// The count of handles and the two marks of a slot's end in one word, so that "is it open" and "count me in" are
/// one step. Once closed, the count only falls. On its own cache line: every request writes it, while the rest of
/// the slot is only read.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Gate(AtomicU64);

impl Gate {
    /// Counts a handle in, unless closed.
    fn enter(&self) -> bool {
        self.0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
                (word & CLOSED == 0).then_some(word + 1)
            })
            .is_ok()
    }

    /// Counts a handle off; the word as it is then.
    fn leave(&self) -> u64 {
        self.0.fetch_sub(1, Ordering::AcqRel) - 1
    }

    /// Sets a mark; how many handles there were.
    fn mark(&self, mark: u64) -> u64 {
        self.0.fetch_or(mark, Ordering::AcqRel) & COUNT
    }

    fn count(&self) -> u64 {
        self.0.load(Ordering::Acquire) & COUNT
    }

    fn is_closed(&self) -> bool {
        self.0.load(Ordering::Acquire) & CLOSED != 0
    }
}

/// What tells one loaded version from all others. The number alone does not: when a model's base path moves, its
/// version 3 is loaded anew from there while the former 3 still answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServableId<'a> {
    /// The model.
    pub name: &'a str,
    /// The version's number.
    pub version: i64,
    /// Tells apart what is loaded under the same number; 0 for the first.
    pub incarnation: u64,
}

impl<'a> ServableId<'a> {
    /// The first incarnation of a version.
    #[must_use]
    pub fn first(name: &'a str, version: i64) -> Self {
        Self { name, version, incarnation: 0 }
    }
}

impl fmt::Display for ServableId<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, version, incarnation } = self;
        match incarnation {
            0 => write!(formatter, "version {version} of {name}"),
            _ => write!(formatter, "version {version}, incarnation {incarnation}, of {name}"),
        }
    }
}

/// One loaded version.
pub struct Slot {
    name: Arc<str>,
    version: i64,
    incarnation: u64,
    model: ArcSwapOption<Box<dyn Model>>,
    lane: Lane,
    batching: Option<Batching>,
    rows: Arc<Rows>,
    reaper: Reaper,
    retiring: Mutex<()>,
    last_left: Condvar,
    gate: Gate,
}

/// What a slot is made of besides its model.
pub struct Fittings {
    /// The model's name.
    pub name: Arc<str>,
    /// The version's number.
    pub version: i64,
    /// Tells it from others of this number.
    pub incarnation: u64,
    /// Where its runs queue, and what is known of their length.
    pub lane: Lane,
    /// How its requests are batched; none: each runs by itself.
    pub batching: Option<Batching>,
    /// What is counted of its requests.
    pub rows: Arc<Rows>,
    /// Who frees the model when its unloader could not wait.
    pub reaper: Reaper,
}

impl Slot {
    /// An open slot.
    #[must_use]
    pub fn new(model: Box<dyn Model>, fittings: Fittings) -> Arc<Self> {
        let Fittings { name, version, incarnation, lane, batching, rows, reaper } = fittings;
        Arc::new(Self {
            name,
            version,
            incarnation,
            model: ArcSwapOption::from_pointee(model),
            lane,
            batching,
            rows,
            reaper,
            retiring: Mutex::new(()),
            last_left: Condvar::new(),
            gate: Gate::default(),
        })
    }

    /// A request's hold on this version; none when it is closed: look again in the present route table.
    #[must_use]
    pub fn acquire(self: &Arc<Self>) -> Option<Handle> {
        if !self.gate.enter() {
            return None;
        }
        let hold = Hold(Arc::clone(self));
        let model = self.model.load_full()?;
        Some(Handle { model, drawn: None, assignment: None, hold })
    }

    /// Closes the slot, waits for its last handle or for the deadline, and lets the model be freed: in this
    /// thread, or by the reaper once the last handle is gone. Answers how many handles were left.
    ///
    /// May block: never call it on a request's thread.
    pub fn retire(&self, deadline: Instant) -> u64 {
        self.gate.mark(CLOSED);
        self.wait_for_last_handle(deadline);
        self.reaper.expect();
        let left = self.gate.mark(ABANDONED);
        if left == 0 {
            self.reaper.settle();
            if let Some(model) = self.model.swap(None) {
                reaper::free(model);
            }
        }
        left
    }

    fn wait_for_last_handle(&self, deadline: Instant) {
        let mut waiting = self.retiring.lock().unwrap_or_else(PoisonError::into_inner);
        while self.gate.count() > 0 {
            let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
            else {
                return;
            };
            waiting = self.last_left.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Called by each handle as it goes.
    fn leave(&self) {
        let word = self.gate.leave();
        if word & COUNT > 0 || word & CLOSED == 0 {
            return;
        }
        if word & ABANDONED == 0 {
            // Under the lock, so that it cannot fall between the waiter's look and its sleep.
            let _waiting = self.retiring.lock().unwrap_or_else(PoisonError::into_inner);
            self.last_left.notify_all();
        } else if let Some(model) = self.model.swap(None) {
            self.reaper.settle();
            self.reaper.hand_over(model);
        }
    }

    /// The model's name.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The version's number.
    #[must_use]
    pub fn version(&self) -> i64 {
        self.version
    }

    /// What tells it from all others.
    #[must_use]
    pub fn id(&self) -> ServableId<'_> {
        ServableId { name: &self.name, version: self.version, incarnation: self.incarnation }
    }

    /// Where its runs queue.
    #[must_use]
    pub fn lane(&self) -> &Lane {
        &self.lane
    }

    /// How its requests are batched; none: each runs by itself.
    pub(crate) fn batching(&self) -> Option<&Batching> {
        self.batching.as_ref()
    }

    /// What is counted of its requests.
    #[must_use]
    pub fn rows(&self) -> &Arc<Rows> {
        &self.rows
    }

    /// Whether it gives out no handles any more: whoever holds one for long should let it go.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.gate.is_closed()
    }

    /// Handles that live.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.gate.count()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(model) = self.model.swap(None) {
            self.reaper.hand_over(model);
        }
    }
}

/// A request's hold on a version: while it lives, the model does.
pub struct Handle {
    // Order matters: fields drop in the order they stand, and the model's copy must be gone before the hold is
    // counted off, or the copy could turn out to be the last one.
    model: Arc<Box<dyn Model>>,
    drawn: Option<Box<Drawn>>,
    assignment: Option<Arc<Assignment>>,
    hold: Hold,
}

struct Hold(Arc<Slot>);

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.leave();
    }
}

impl Handle {
    /// The model held.
    #[must_use]
    pub fn model(&self) -> &dyn Model {
        self.model.as_ref().as_ref()
    }

    /// Who keeps this request with its answer; none for most.
    #[must_use]
    pub fn log(&self) -> Option<&Drawn> {
        self.drawn.as_deref()
    }

    /// The same hold, of a request that was drawn, or was not.
    #[must_use]
    pub(crate) fn logged(self, drawn: Option<Box<Drawn>>) -> Self {
        Self { drawn, ..self }
    }

    /// What this request is for its model's trial; none where traffic is not split, or the request named its version.
    #[must_use]
    pub fn assignment(&self) -> Option<&Arc<Assignment>> {
        self.assignment.as_ref()
    }

    /// The same hold, of a request with this assignment.
    #[must_use]
    pub(crate) fn assigned(self, assignment: Assignment) -> Self {
        Self { assignment: Some(Arc::new(assignment)), ..self }
    }

    /// The version held.
    #[must_use]
    pub fn slot(&self) -> &Slot {
        &self.hold.0
    }
}

#[cfg(test)]
#[path = "servable_tests.rs"]
mod tests;
