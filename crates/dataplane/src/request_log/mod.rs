//! Request logging: a share of a model's requests with their answers, written down as `PredictionLog` records in
//! `TFRecord` files, which are warm-up files as they are. Decision 0035 says where, and what it may cost.
//!
//! `sample` is what the request path sees: one question for each request of a model that is logged, and a record
//! for those that are drawn. Records wait in a bounded queue for `writer`, the one thread that touches files;
//! `record` is what it writes, `files` where. When the queue is full a record is dropped and counted: no request
//! ever waits for a disk.
//!
//! `capture` keeps requests in memory instead, for somebody who waits for them; `keepers` says who keeps one request.

mod capture;
mod files;
mod keepers;
mod record;
mod reports;
mod sample;
mod writer;

pub use capture::{
    BYTES_MAX as CAPTURE_BYTES_MAX, CaptureOptions, CapturePoint, CaptureProgress, Claim, OpenCapture,
    RECORDS_MAX as CAPTURE_RECORDS_MAX,
};
pub use keepers::Drawn;
pub use reports::{Incident, Report};
pub use sample::{Exchange, Messages, ModelLog};

use crate::{budget::Budget, error::Error};
use record::Record;
use reports::Reports;
use sample::Counts;
use std::{
    collections::BTreeMap,
    fs, io,
    path::{self, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, SyncSender},
    },
    thread,
    time::Duration,
};
use writer::Writer;

/// Records that wait for the writer.
const QUEUED_MAX: usize = 4_096;

/// Bytes of requests and answers that wait for the writer.
const QUEUED_BYTES_MAX: usize = 64 << 20;

/// A request that is longer, with its answer, is never logged.
pub const RECORD_BYTES_MAX: usize = QUEUED_BYTES_MAX;

/// Models whose counts are kept; one that is logged no more is forgotten before one that is.
const COUNTED_MAX: usize = 1_024;

/// Where to write and how much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestLogOptions {
    /// Every file is below this directory; it is made when it is not there.
    pub directory: PathBuf,
    /// A file that would become longer is ended, and another one begun.
    pub file_bytes_max: u64,
    /// A file that is older is ended.
    pub file_age_max: Duration,
    /// Of all files together; the oldest are deleted to keep to it.
    pub bytes_max: u64,
    /// Of the versions' graphs: what records say of them.
    pub saved_model_tags: Vec<String>,
}

/// What to log of one model.
#[derive(Clone, Debug, PartialEq)]
pub struct LogSettings {
    /// How the names of its files begin, seen from the directory.
    pub filename_prefix: String,
    /// The share of its requests that is logged, 0 to 1.
    pub sampling_rate: f64,
}

/// What became of the records of one model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogStatistics {
    /// The model.
    pub model: Arc<str>,
    /// They are in a file.
    pub written: u64,
    /// The queue was full, or they were too long for it or for the files.
    pub dropped: u64,
    /// They could not be written.
    pub failed: u64,
}

/// The writer's thread and the way to it.
#[derive(Debug)]
pub struct RequestLog {
    records: SyncSender<Message>,
    waiting: Arc<Budget>,
    models: Mutex<BTreeMap<Arc<str>, Known>>,
    reports: Arc<Reports>,
    stopping: Arc<AtomicBool>,
    stopped: Mutex<mpsc::Receiver<()>>,
}

/// What reaches the writer.
#[derive(Debug)]
enum Message {
    /// Something to write.
    Record(Box<Record>),
    /// Nothing will be written under this prefix for now.
    End(Arc<str>),
    /// Look whether it is time to stop.
    Wake,
}

/// A model that is or was logged.
#[derive(Debug, Default)]
struct Known {
    counts: Arc<Counts>,
    log: Weak<ModelLog>,
}

impl RequestLog {
    /// Makes the directory, finds what former servers left in it, and starts the thread.
    ///
    /// `INVALID_ARGUMENT` for options that cannot be, `FAILED_PRECONDITION` when the directory cannot be used.
    pub fn start(options: RequestLogOptions) -> Result<Self, Error> {
        check(&options)?;
        let (records, received) = mpsc::sync_channel(QUEUED_MAX);
        let (ended, stopped) = mpsc::sync_channel(1);
        let (reports, stopping) = (Arc::<Reports>::default(), Arc::<AtomicBool>::default());
        fs::create_dir_all(&options.directory).map_err(|error| unusable(&options, &error))?;
        let writer = Writer::new(options, Arc::clone(&reports), Arc::clone(&stopping));
        thread::Builder::new()
            .name("request-log".into())
            .spawn(move || {
                writer.run(&received);
                drop(received); // whoever knows that it has ended must not be able to offer anything more
                let _ = ended.send(()); // nobody may wait any more
            })
            .map_err(|error| Error::internal(format!("cannot start a thread: {error}")))?;
        Ok(Self {
            records,
            waiting: Budget::new(QUEUED_BYTES_MAX, Arc::default()),
            models: Mutex::default(),
            reports,
            stopping,
            stopped: Mutex::new(stopped),
        })
    }

    /// The log of one model, the same as long as its settings are; its last file is ended when nobody holds it.
    ///
    /// `INVALID_ARGUMENT` for a prefix that leads out of the directory, and for a share that is none.
    pub fn open(&self, model: &Arc<str>, settings: &LogSettings) -> Result<Arc<ModelLog>, Error> {
        check_settings(model, settings)?;
        let mut models = self.models();
        if models.len() >= COUNTED_MAX && !models.contains_key(model) {
            models.retain(|_, known| known.log.strong_count() > 0);
        }
        let known = models.entry(Arc::clone(model)).or_default();
        if let Some(log) = known.log.upgrade().filter(|log| log.settings() == settings) {
            return Ok(log);
        }
        let (records, waiting) = (self.records.clone(), Arc::clone(&self.waiting));
        let log = ModelLog::new(
            Arc::clone(model),
            settings.clone(),
            Arc::clone(&known.counts),
            sample::Way { records, waiting },
        );
        known.log = Arc::downgrade(&log);
        Ok(log)
    }

    /// What became of records so far, by model.
    #[must_use]
    pub fn statistics(&self) -> Vec<LogStatistics> {
        self.models().iter().map(|(model, known)| known.counts.read(model)).collect()
    }

    /// The next thing that an operator should know, or none when `timeout` passes first.
    #[must_use]
    pub fn next_report(&self, timeout: Duration) -> Option<Report> {
        self.reports.next(timeout)
    }

    /// Writes what waits, at most for this long, and ends every file; whether that was time enough.
    pub fn close(&self, timeout: Duration) -> bool {
        self.stopping.store(true, Ordering::Release);
        let _ = self.records.try_send(Message::Wake); // when it is full the writer is awake
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        !matches!(stopped.recv_timeout(timeout), Err(mpsc::RecvTimeoutError::Timeout))
    }

    fn models(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Known>> {
        self.models.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RequestLog {
    fn drop(&mut self) {
        self.close(Duration::ZERO);
    }
}

fn check(options: &RequestLogOptions) -> Result<(), Error> {
    let RequestLogOptions { file_bytes_max, file_age_max, bytes_max, .. } = options;
    if *file_bytes_max == 0 || file_age_max.is_zero() {
        return Err(Error::invalid_argument("a request log's file needs some bytes and some time"));
    }
    if bytes_max < file_bytes_max {
        return Err(Error::invalid_argument(format!(
            "all request logs together may have {bytes_max} bytes, and one file {file_bytes_max}; give all at \
             least as much as one"
        )));
    }
    Ok(())
}

/// The control plane has judged these (`request_logging.py`); they are looked at once more where files are made.
fn check_settings(model: &str, settings: &LogSettings) -> Result<(), Error> {
    let prefix = path::Path::new(&settings.filename_prefix);
    let is_below = prefix.components().all(|part| matches!(part, path::Component::Normal(_)));
    if !is_below || prefix.file_name().is_none() || settings.filename_prefix.ends_with('/') {
        return Err(Error::invalid_argument(format!(
            "the requests of {model} cannot be logged under the prefix {}: it does not stay in the directory",
            settings.filename_prefix
        )));
    }
    if !(0.0..=1.0).contains(&settings.sampling_rate) {
        return Err(Error::invalid_argument(format!(
            "{} is no share of the requests of {model}; shares go from 0 to 1",
            settings.sampling_rate
        )));
    }
    Ok(())
}

fn unusable(options: &RequestLogOptions, error: &io::Error) -> Error {
    Error::failed_precondition(format!(
        "requests cannot be logged in {}: {error}",
        options.directory.display()
    ))
}

#[cfg(test)]
mod tests;
