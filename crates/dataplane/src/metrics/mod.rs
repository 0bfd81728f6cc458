//! Metrics of TensorFlow Serving's names: what is counted, of whom, and the page that tells it.
//!
//! ```text
//! counts       one model's counts, added to without a lock       models    whose counts there are, bounded
//! warm_ups     what warm-ups took, by directory                   families  names, kinds and labels; all values now
//! exposition   the values as Prometheus reads them                pages     one page at a time, however many ask
//! ```
//! Decision 0034 says what is counted when. What Understudy tells of itself by its own names is Python's affair.

mod counts;
mod exposition;
mod families;
mod models;
pub(crate) mod pages;
mod warm_ups;

pub use counts::{CountedApi, Entry, ModelCounts};
pub use exposition::write;
pub use families::{Family, Kind, Series, Value};
pub(crate) use families::{Sources, read};
pub use models::{Held, Models};
pub use pages::METHOD as PAGE_METHOD;
pub use warm_ups::WarmUps;

use crate::histogram::ExponentialHistogram;

/// TensorFlow Serving's buckets for microseconds: from 10 to about 25 minutes.
fn latency_histogram() -> ExponentialHistogram {
    ExponentialHistogram::new(10.0, 1.8, 33)
}

/// TensorFlow Serving's buckets for the examples of a request: from 1 to 16,384.
fn examples_histogram() -> ExponentialHistogram {
    ExponentialHistogram::new(1.0, 2.0, 15)
}
