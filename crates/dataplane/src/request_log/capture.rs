//! A capture: some requests of one model with their answers, kept in memory until somebody takes them. Golden examples
//! are made of them. Nothing is captured unless somebody asked for it, and then never more than was asked for.
//!
//! A request that is drawn gets a [`Claim`] on one of the places; if it is answered, its record goes there, otherwise
//! the place is free again. So no more requests are kept than there are places, whatever becomes of them.

use super::{record, sample::Exchange};
use crate::error::Error;
use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::SystemTime,
};

/// Records of one capture.
pub const RECORDS_MAX: usize = 1_000;

/// Bytes of one capture; what is longer than what is left of them is passed over.
pub const BYTES_MAX: usize = 64 << 20;

/// What to capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaptureOptions {
    /// How many records, at most.
    pub records: usize,
    /// Answers of this version alone; none: of any.
    pub version: Option<i64>,
    /// Every request has the same chance, until the capture is taken; otherwise the first ones are kept.
    pub is_spread: bool,
}

/// Where one model's requests are captured, if they are.
#[derive(Debug, Default)]
pub struct CapturePoint {
    /// So that requests of a model that is not captured pay for one load of a byte that nobody writes.
    is_open: AtomicBool,
    capture: Mutex<Option<Arc<Capture>>>,
}

impl CapturePoint {
    /// Begins a capture; `FAILED_PRECONDITION` when one is under way, `INVALID_ARGUMENT` for none or too many records.
    pub fn open(self: &Arc<Self>, model: &Arc<str>, options: CaptureOptions) -> Result<OpenCapture, Error> {
        if !(1..=RECORDS_MAX).contains(&options.records) {
            return Err(Error::invalid_argument(format!(
                "{} requests cannot be captured; from 1 to {RECORDS_MAX} can",
                options.records
            )));
        }
        let mut present = self.lock();
        if present.is_some() {
            return Err(Error::failed_precondition(format!(
                "requests of {model} are being captured already; wait for that to end"
            )));
        }
        let capture = Arc::new(Capture {
            model: Arc::clone(model),
            options,
            kept: Mutex::new(Kept { free: (0..options.records).rev().collect(), ..Kept::default() }),
        });
        *present = Some(Arc::clone(&capture));
        self.is_open.store(true, Ordering::Release);
        Ok(OpenCapture { point: Arc::clone(self), capture })
    }

    /// A place for this request, if requests are captured and it is drawn.
    #[must_use]
    pub fn draw(&self, version: i64) -> Option<Claim> {
        if !self.is_open.load(Ordering::Relaxed) {
            return None;
        }
        let capture = self.lock().clone()?;
        let place = capture.draw(version)?;
        Some(Claim { capture, place, is_used: AtomicBool::new(false) })
    }

    fn close(&self) {
        self.is_open.store(false, Ordering::Release);
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Capture>>> {
        self.capture.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is captured of one model.
struct Capture {
    model: Arc<str>,
    options: CaptureOptions,
    kept: Mutex<Kept>,
}

impl fmt::Debug for Capture {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Capture").field("model", &self.model).finish_non_exhaustive()
    }
}

/// The records so far.
#[derive(Default)]
struct Kept {
    /// By place. A place without a record is claimed, or free.
    records: BTreeMap<usize, Vec<u8>>,
    free: Vec<usize>,
    bytes: usize,
    /// Requests that could have been drawn.
    seen: u64,
    /// Records that there was no room for.
    too_long: u64,
}

impl Capture {
    fn draw(&self, version: i64) -> Option<usize> {
        if self.options.version.is_some_and(|wanted| wanted != version) {
            return None;
        }
        let mut kept = self.kept();
        kept.seen += 1;
        if let Some(place) = kept.free.pop() {
            return Some(place);
        }
        // Vitter's algorithm R: the request takes the place of an earlier one with the right probability.
        let place =
            self.options.is_spread.then(|| usize::try_from(fastrand::u64(0..kept.seen)).ok()).flatten();
        place.filter(|&place| place < self.options.records)
    }

    fn keep(&self, place: usize, exchange: &Exchange) {
        let mut bytes = Vec::new();
        let at = SystemTime::now();
        record::append(exchange, record::metadata(&self.model, exchange, at), &mut bytes);
        let mut kept = self.kept();
        let before = kept.records.get(&place).map_or(0, Vec::len);
        let after = kept.bytes - before + bytes.len();
        if after > BYTES_MAX {
            kept.too_long += 1;
            return kept.release(place);
        }
        kept.bytes = after;
        kept.records.insert(place, bytes);
    }

    fn release(&self, place: usize) {
        self.kept().release(place);
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// A claim came to nothing. The place of a record that it would have replaced is not free.
    fn release(&mut self, place: usize) {
        if !self.records.contains_key(&place) {
            self.free.push(place);
        }
    }
}

/// A drawn request's place. Dropped unused, it is free for another one.
#[derive(Debug)]
pub struct Claim {
    capture: Arc<Capture>,
    place: usize,
    is_used: AtomicBool,
}

impl Claim {
    /// Keeps the request with its answer.
    pub(super) fn keep(&self, exchange: &Exchange) {
        if !self.is_used.swap(true, Ordering::Relaxed) {
            self.capture.keep(self.place, exchange);
        }
    }

    pub(super) fn model(&self) -> &Arc<str> {
        &self.capture.model
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.is_used.load(Ordering::Relaxed) {
            self.capture.release(self.place);
        }
    }
}

/// How far a capture is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaptureProgress {
    /// Records that are kept.
    pub records: usize,
    /// Requests that could have been drawn.
    pub seen: u64,
    /// Records that were too long for what was left.
    pub too_long: u64,
}

/// A capture under way; it ends when this is dropped.
#[derive(Debug)]
pub struct OpenCapture {
    point: Arc<CapturePoint>,
    capture: Arc<Capture>,
}

impl OpenCapture {
    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> CaptureProgress {
        let kept = self.capture.kept();
        CaptureProgress { records: kept.records.len(), seen: kept.seen, too_long: kept.too_long }
    }

    /// Ends it: the records so far, as a `TFRecord` file.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.point.close();
        let records = std::mem::take(&mut self.capture.kept().records);
        records.into_values().flatten().collect()
    }
}

impl Drop for OpenCapture {
    fn drop(&mut self) {
        self.point.close();
    }
}

#[cfg(test)]
#[path = "capture_tests.rs"]
mod tests;
