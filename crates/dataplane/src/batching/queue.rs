//! One queue: requests that may run together, gathered into batches, oldest first. Pure: time is an argument.

use super::rules::Rules;
use crate::error::Error;
use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    ops::{Range, RangeInclusive},
    time::Instant,
};

/// A request's rows in one batch: all of them, unless it was split.
#[derive(Clone, Debug)]
pub(crate) struct Part<T> {
    /// Which of its request's rows.
    pub(crate) rows: Range<usize>,
    /// What came with the request.
    pub(crate) payload: T,
}

/// Why a request was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It has more rows than any request may have.
    TooLarge { rows: usize, rows_max: usize },
    /// As many batches wait as may.
    Full { batches: usize, batches_max: usize },
    /// There is room left, but not for all the parts of this one.
    TooLittleRoom { rows: usize, room: usize, batches: usize, open_rows: usize, rules: Rules },
}

/// TensorFlow Serving's words (TensorFlow's `core/kernels/batching_util/shared_batch_scheduler.h`).
impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const FULL: &str = "The batch scheduling queue to which this task was submitted is full";
        match self {
            Self::TooLarge { rows, rows_max } => {
                write!(formatter, "Task size {rows} is larger than maximum input batch size {rows_max}")
            }
            Self::Full { batches, batches_max } => write!(
                formatter,
                "{FULL}; currently {batches} batches enqueued and max_enqueued_batches is {batches_max}"
            ),
            Self::TooLittleRoom { rows, room, batches, open_rows, rules } => write!(
                formatter,
                "{FULL}; task size is {rows} but scheduling capacity is only {room} \
                 (num_enqueued_batches={batches}, max_enqueued_batches={}, open_batch_size={open_rows}, \
                 max_execution_batch_size={})",
                rules.batches_max, rules.batch_rows_max
            ),
        }
    }
}

/// A batch as it waits.
#[derive(Debug)]
pub(super) struct Batch<T> {
    number: u64,
    opened: Instant,
    /// A part without rows counts as one, so that a batch is bounded in parts as well.
    rows: usize,
    is_closed: bool,
    /// By request, in the order they came.
    parts: BTreeMap<u64, Part<T>>,
}

impl<T> Batch<T> {
    pub(super) fn into_parts(self) -> Vec<Part<T>> {
        self.parts.into_values().collect()
    }
}

/// The batches of one queue. Only the last may be open; a batch leaves when it runs, or when nothing is left of it.
#[derive(Debug)]
pub(super) struct Queue<T> {
    batches: VecDeque<Batch<T>>,
    begun: u64,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { batches: VecDeque::new(), begun: 0 }
    }
}

/// A request with its number, as it comes.
pub(super) struct Arrival<T> {
    pub(super) request: u64,
    pub(super) rows: usize,
    pub(super) payload: T,
}

impl<T: Clone> Queue<T> {
    /// Takes a request whole, or refuses it whole; the numbers of the batches that it is in.
    pub(super) fn add(
        &mut self,
        arrival: Arrival<T>,
        rules: &Rules,
        now: Instant,
    ) -> Result<RangeInclusive<u64>, Refusal> {
        let rows = arrival.rows.max(1);
        let room = self.open_room(rules);
        if rules.splits && rows > room {
            return self.add_in_parts(arrival, rules, now);
        }
        if rows > room {
            if self.batches.len() >= rules.batches_max {
                return Err(Refusal::Full { batches: self.batches.len(), batches_max: rules.batches_max });
            }
            self.open(now);
        }
        let Arrival { request, rows, payload } = arrival;
        let number = self.put(request, Part { rows: 0..rows, payload }, rules);
        Ok(number..=number)
    }

    /// Fills the open batch up, and as many after it as are needed.
    fn add_in_parts(
        &mut self,
        arrival: Arrival<T>,
        rules: &Rules,
        now: Instant,
    ) -> Result<RangeInclusive<u64>, Refusal> {
        let Arrival { request, rows, payload } = arrival;
        let open = self.open_room(rules);
        let batches_free = rules.batches_max.saturating_sub(self.batches.len());
        let room = batches_free.saturating_mul(rules.batch_rows_max).saturating_add(open);
        if rows.max(1) > room {
            let open_rows = if open == 0 { 0 } else { rules.batch_rows_max - open };
            let batches = self.batches.len();
            return Err(Refusal::TooLittleRoom { rows, room, batches, open_rows, rules: *rules });
        }
        let first = self.begun - u64::from(open > 0);
        let (mut begin, mut size) = (0, open);
        loop {
            if size == 0 {
                self.open(now);
                size = rules.batch_rows_max;
            }
            let end = rows.min(begin + size);
            self.put(request, Part { rows: begin..end, payload: payload.clone() }, rules);
            if end == rows {
                return Ok(first..=self.begun - 1);
            }
            (begin, size) = (end, 0);
        }
    }

    /// Rows that the open batch can still take.
    fn open_room(&self, rules: &Rules) -> usize {
        let open = self.batches.back().filter(|batch| !batch.is_closed);
        open.map_or(0, |batch| rules.batch_rows_max.saturating_sub(batch.rows))
    }

    fn open(&mut self, now: Instant) {
        if let Some(last) = self.batches.back_mut() {
            last.is_closed = true;
        }
        let (number, opened) = (self.begun, now);
        self.batches.push_back(Batch { number, opened, rows: 0, is_closed: false, parts: BTreeMap::new() });
        self.begun += 1;
    }

    /// Puts a part into the last batch; that batch's number.
    fn put(&mut self, request: u64, part: Part<T>, rules: &Rules) -> u64 {
        if let Some(last) = self.batches.back_mut() {
            last.rows += part.rows.len().max(1);
            last.is_closed = last.rows >= rules.batch_rows_max;
            last.parts.insert(request, part);
        }
        self.begun - 1
    }

    /// Takes a request's parts out of those of its batches that still wait; how many there were.
    pub(super) fn remove(&mut self, request: u64, numbers: &RangeInclusive<u64>) -> usize {
        let begin = self.batches.partition_point(|batch| batch.number < *numbers.start());
        let (mut removed, mut is_any_empty) = (0, false);
        for batch in self.batches.iter_mut().skip(begin).take_while(|batch| numbers.contains(&batch.number)) {
            if let Some(part) = batch.parts.remove(&request) {
                batch.rows -= part.rows.len().max(1);
                is_any_empty |= batch.parts.is_empty();
                removed += 1;
            }
        }
        if is_any_empty {
            self.batches.retain(|batch| !batch.parts.is_empty());
        }
        removed
    }

    /// When the first batch may run: at once when it is closed, and when it has been open long enough. None when
    /// nothing waits.
    pub(super) fn due(&self, rules: &Rules) -> Option<Instant> {
        let first = self.batches.front()?;
        Some(if first.is_closed { first.opened } else { first.opened + rules.timeout })
    }

    /// Takes the first batch.
    pub(super) fn pop(&mut self) -> Option<Batch<T>> {
        self.batches.pop_front()
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::TooLarge { .. } => Self::invalid_argument(refusal.to_string()),
            Refusal::Full { .. } | Refusal::TooLittleRoom { .. } => Self::unavailable(refusal.to_string()),
        }
    }
}
