//! Which batch runs next. Pure: no threads and no clock; time is an argument, and the simulation plays with it.
//!
//! Requests of one loaded version that may run together form a queue (queue.rs). Versions with something ready take
//! turns, and within a version its queues do, so no version and no queue waits for more than one batch of each of
//! the others. At most `threads` batches run at once; one that runs for longer than `patience` is overdue and no
//! longer counted, so that a model that hangs does not keep the threads from the others. Overdue batches are
//! bounded by `running_max` of their version.

use super::{
    queue::{Arrival, Part, Queue, Refusal},
    rules::Rules,
};
use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
    ops::RangeInclusive,
    sync::Arc,
    time::{Duration, Instant},
};

/// What all versions share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Threads {
    /// Batches that run at once, those that are overdue left out.
    pub(crate) count: usize,
    /// How long a batch may run before it is overdue.
    pub(crate) patience: Duration,
}

/// A request that is to run in a batch.
#[derive(Clone, Debug)]
pub(crate) struct Offer<K, T> {
    /// The loaded version; its rules never change.
    pub(crate) version: u64,
    pub(crate) rules: Rules,
    /// Requests of one kind may share a batch, others never do.
    pub(crate) kind: K,
    pub(crate) rows: usize,
    pub(crate) payload: T,
}

/// Where a request waits, for taking it back.
#[derive(Debug)]
pub(crate) struct Ticket<K> {
    version: u64,
    kind: Arc<K>,
    request: u64,
    batches: RangeInclusive<u64>,
}

impl<K> Ticket<K> {
    /// In how many parts the request will run.
    pub(crate) fn parts(&self) -> usize {
        usize::try_from(self.batches.end() - self.batches.start() + 1).unwrap_or(usize::MAX)
    }
}

/// A batch that is to run now.
#[derive(Debug)]
pub(crate) struct Formed<K, T> {
    /// For [`Scheduler::finish`].
    pub(crate) number: u64,
    pub(crate) kind: Arc<K>,
    /// In the order they came; at least one.
    pub(crate) parts: Vec<Part<T>>,
}

/// Every queue, and what runs.
#[derive(Debug)]
pub(crate) struct Scheduler<K, T> {
    threads: Threads,
    versions: HashMap<u64, Version<K, T>>,
    /// Versions that may run a batch now, in the order in which it is their turn.
    turns: BTreeMap<u64, u64>,
    /// Queues whose first batch is still open to others, by when that ends.
    opens: BTreeMap<(Instant, u64), (u64, Arc<K>)>,
    running: HashMap<u64, u64>,
    /// Of those that run the ones that are not overdue, in the order they began.
    timely: BTreeMap<u64, (Instant, u64)>,
    numbers: u64,
}

#[derive(Debug)]
struct Version<K, T> {
    rules: Rules,
    queues: HashMap<Arc<K>, Waiting<T>>,
    /// Queues whose first batch may run, in the order in which it is their turn.
    ready: BTreeMap<u64, Arc<K>>,
    turn: Option<u64>,
    running: usize,
    timely: usize,
}

#[derive(Debug)]
struct Waiting<T> {
    queue: Queue<T>,
    standing: Option<Standing>,
}

/// Where a queue is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Ready(u64),
    Open(Instant, u64),
}

impl<K: Eq + Hash, T: Clone> Scheduler<K, T> {
    pub(crate) fn new(threads: Threads) -> Self {
        Self {
            threads,
            versions: HashMap::new(),
            turns: BTreeMap::new(),
            opens: BTreeMap::new(),
            running: HashMap::new(),
            timely: BTreeMap::new(),
            numbers: 0,
        }
    }

    /// Takes a request whole, or refuses it whole.
    pub(crate) fn add(&mut self, offer: Offer<K, T>, now: Instant) -> Result<Ticket<K>, Refusal> {
        let Offer { version: id, rules, kind, rows, payload } = offer;
        if rows > rules.request_rows_max {
            return Err(Refusal::TooLarge { rows, rows_max: rules.request_rows_max });
        }
        let request = self.number();
        let version = self.versions.entry(id).or_insert_with(|| Version::new(rules));
        let kind = match version.queues.get_key_value(&kind) {
            Some((known, _)) => Arc::clone(known),
            None => Arc::new(kind),
        };
        let waiting = version.queues.entry(Arc::clone(&kind)).or_default();
        let added = waiting.queue.add(Arrival { request, rows, payload }, &rules, now);
        self.list(id, &kind, now);
        let batches = added?;
        Ok(Ticket { version: id, kind, request, batches })
    }

    /// Takes back what still waits of a request; how many parts that was.
    pub(crate) fn cancel(&mut self, ticket: &Ticket<K>, now: Instant) -> usize {
        let version = self.versions.get_mut(&ticket.version);
        let waiting = version.and_then(|version| version.queues.get_mut(&ticket.kind));
        let Some(waiting) = waiting else { return 0 };
        let removed = waiting.queue.remove(ticket.request, &ticket.batches);
        self.list(ticket.version, &ticket.kind, now);
        removed
    }

    /// The batch to run next, if there is one and a thread for it.
    pub(crate) fn next(&mut self, now: Instant) -> Option<Formed<K, T>> {
        self.pass_time(now);
        if self.timely.len() >= self.threads.count {
            return None;
        }
        let (_, id) = self.turns.pop_first()?;
        let number = self.number();
        let version = self.versions.get_mut(&id)?;
        version.turn = None;
        let (_, kind) = version.ready.pop_first()?;
        let waiting = version.queues.get_mut(&kind)?;
        waiting.standing = None;
        let batch = waiting.queue.pop()?;
        version.running += 1;
        version.timely += 1;
        self.running.insert(number, id);
        self.timely.insert(number, (now, id));
        self.list(id, &kind, now);
        Some(Formed { number, kind, parts: batch.into_parts() })
    }

    /// A batch has ended, however it did.
    pub(crate) fn finish(&mut self, number: u64) {
        let Some(id) = self.running.remove(&number) else { return };
        let was_timely = self.timely.remove(&number).is_some();
        if let Some(version) = self.versions.get_mut(&id) {
            version.running -= 1;
            version.timely -= usize::from(was_timely);
        }
        self.line_up(id);
    }

    /// When [`Self::next`] is to be asked again, though nothing was added and nothing has ended.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        let opens = self.opens.first_key_value().map(|((due, _), _)| *due);
        let waits = self.versions.values().any(|version| !version.ready.is_empty());
        let overdue = self.timely.first_key_value().map(|(_, (begun, _))| *begun + self.threads.patience);
        opens.into_iter().chain(overdue.filter(|_| waits)).min()
    }

    /// Whether nothing waits and nothing runs.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.versions.is_empty() && self.turns.is_empty() && self.opens.is_empty() && self.running.is_empty()
    }

    /// Lists what has become ready, and counts off what has become overdue.
    fn pass_time(&mut self, now: Instant) {
        while let Some((_, &(begun, id))) = self.timely.first_key_value()
            && begun + self.threads.patience <= now
        {
            self.timely.pop_first();
            if let Some(version) = self.versions.get_mut(&id) {
                version.timely -= 1;
            }
            self.line_up(id);
        }
        while let Some(((due, _), _)) = self.opens.first_key_value()
            && *due <= now
            && let Some((_, (id, kind))) = self.opens.pop_first()
        {
            self.list(id, &kind, now);
        }
    }

    /// Lists a queue where it belongs now; forgets one that is empty.
    fn list(&mut self, id: u64, kind: &Arc<K>, now: Instant) {
        let number = self.number();
        let Some(version) = self.versions.get_mut(&id) else { return };
        let Some(waiting) = version.queues.get_mut(kind) else { return };
        let due = waiting.queue.due(&version.rules);
        let stands = match (waiting.standing, due) {
            (Some(Standing::Ready(_)), Some(due)) => due <= now,
            (Some(Standing::Open(until, _)), Some(due)) => until == due && due > now,
            (standing, due) => standing.is_none() && due.is_none(),
        };
        if !stands {
            match waiting.standing.take() {
                Some(Standing::Ready(turn)) => drop(version.ready.remove(&turn)),
                Some(Standing::Open(until, turn)) => drop(self.opens.remove(&(until, turn))),
                None => {}
            }
            waiting.standing = due.map(|due| {
                if due <= now {
                    version.ready.insert(number, Arc::clone(kind));
                    Standing::Ready(number)
                } else {
                    self.opens.insert((due, number), (id, Arc::clone(kind)));
                    Standing::Open(due, number)
                }
            });
        }
        if due.is_none() {
            version.queues.remove(kind);
        }
        self.line_up(id);
    }

    /// Gives a version its turn when it may run a batch and has none yet; forgets one that is idle.
    fn line_up(&mut self, id: u64) {
        let number = self.number();
        let Some(version) = self.versions.get_mut(&id) else { return };
        match (version.may_run(), version.turn) {
            (true, None) => {
                version.turn = Some(number);
                self.turns.insert(number, id);
            }
            (false, Some(turn)) => {
                version.turn = None;
                self.turns.remove(&turn);
            }
            _ => {}
        }
        if version.queues.is_empty() && version.running == 0 {
            self.versions.remove(&id);
        }
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }
}

impl<K, T> Version<K, T> {
    fn new(rules: Rules) -> Self {
        let (queues, ready) = (HashMap::new(), BTreeMap::new());
        Self { rules, queues, ready, turn: None, running: 0, timely: 0 }
    }

    fn may_run(&self) -> bool {
        !self.ready.is_empty() && self.timely < self.rules.timely_max && self.running < self.rules.running_max
    }
}

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Self { queue: Queue::default(), standing: None }
    }
}

#[cfg(test)]
#[path = "simulation.rs"]
mod simulation;
