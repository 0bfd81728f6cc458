//! What warm-ups took, by the version's directory and by what came of them. Bounded; locked once a load.

use super::{counts::whole_micros, latency_histogram};
use crate::{
    error::{Code, Error},
    histogram::{ExponentialHistogram, HistogramSnapshot},
};
use std::{
    collections::{BTreeMap, VecDeque},
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// How many pairs of directory and status are kept; beyond it those that came first are forgotten.
const SERIES_MAX: usize = 16_384;

/// How much of a failure's text is kept: a status is a label's value here.
const STATUS_BYTES_MAX: usize = 256;

/// Directory and status, as the labels tell them.
type Key = (String, String);

/// All of them.
#[derive(Debug, Default)]
pub struct WarmUps {
    series: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    by_key: BTreeMap<Key, Taken>,
    in_order: VecDeque<Key>,
}

#[derive(Debug)]
struct Taken {
    latency: ExponentialHistogram,
    records: u64,
}

/// One directory's at one moment.
#[derive(Debug)]
pub(super) struct WarmUpSeries {
    pub(super) labels: [String; 2],
    pub(super) latency: HistogramSnapshot,
    pub(super) records: u64,
}

impl WarmUps {
    /// Counts a warm-up that came to the end of its file, or to a place where it could not be read.
    pub fn record(&self, directory: &Path, outcome: Result<(), &Error>, records: usize, took: Duration) {
        let key = (directory.display().to_string(), status(outcome));
        let mut kept = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        let Kept { by_key, in_order } = &mut *kept;
        let taken = by_key.entry(key).or_insert_with_key(|key| {
            in_order.push_back(key.clone());
            Taken { latency: latency_histogram(), records: 0 }
        });
        taken.latency.record(whole_micros(took));
        taken.records += records as u64;
        if in_order.len() > SERIES_MAX
            && let Some(oldest) = in_order.pop_front()
        {
            by_key.remove(&oldest);
        }
    }

    /// All of them, by their labels.
    pub(super) fn read(&self) -> Vec<WarmUpSeries> {
        let kept = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        let read = |((directory, status), taken): (&Key, &Taken)| WarmUpSeries {
            labels: [directory.clone(), status.clone()],
            latency: taken.latency.snapshot(),
            records: taken.records,
        };
        kept.by_key.iter().map(read).collect()
    }
}

/// A status as TensorFlow writes one: its code, and its text unless it is OK.
fn status(outcome: Result<(), &Error>) -> String {
    match outcome {
        Ok(()) => Code::Ok.name().to_owned(),
        Err(error) => {
            let mut text = format!("{}: {}", error.code.name(), error.message);
            text.truncate(text.floor_char_boundary(STATUS_BYTES_MAX));
            text
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test may panic
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_is_loaded_again_is_counted_on() {
        let warm_ups = WarmUps::default();
        let directory = Path::new("/models/m/1");
        for _ in 0..2 {
            warm_ups.record(directory, Ok(()), 3, Duration::from_micros(50));
        }
        let failed = Error::new(Code::DataLoss, "é".repeat(400));
        warm_ups.record(directory, Err(&failed), 1, Duration::from_micros(7));
        let read = warm_ups.read();
        let [broken, good] = read.first_chunk().unwrap();
        assert!(broken.labels[1].starts_with("DATA_LOSS: é") && broken.labels[1].len() <= STATUS_BYTES_MAX);
        assert_eq!(good.labels, ["/models/m/1".to_owned(), "OK".to_owned()]);
        assert_eq!((good.records, good.latency.count(), good.latency.sum), (6, 2, 100.0));
    }

    #[test]
    fn only_so_many_directories_are_remembered() {
        let warm_ups = WarmUps::default();
        for number in 0..SERIES_MAX + 2 {
            warm_ups.record(Path::new(&format!("/{number}")), Ok(()), 1, Duration::ZERO);
        }
        let read = warm_ups.read();
        assert_eq!(read.len(), SERIES_MAX);
        assert!(!read.iter().any(|series| series.labels[0] == "/1"));
    }
}
