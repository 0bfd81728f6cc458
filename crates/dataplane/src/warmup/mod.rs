//! Warm-up: the recorded requests that a version brings with it are run before it answers its first one, so that
//! no client pays for what a model does only once. Decision 0017 says what a failing record means.
//!
//! tfrecord.rs reads the file, `replay` turns one recorded request into runs. Where the model came from, and what
//! becomes of it, is not known here.

mod replay;

use crate::{
    error::{Code, Error},
    inference::Rules,
    metrics::{ModelCounts, WarmUps},
    runtime::Model,
    tfrecord::Records,
    wire::tensorflow::serving::PredictionLog,
};
use bytes::Bytes;
use prost::Message;
use replay::Replay;
use std::{
    fs::{self, File},
    io::{self, BufReader, Read},
    num::NonZeroU32,
    path::Path,
    time::{Duration, Instant},
};

/// Where a version keeps its records, seen from its directory.
pub const FILE: &str = "assets.extra/tf_serving_warmup_requests";

/// How many records a file may have.
pub const RECORDS_MAX: usize = 1000;

/// So many bytes of a record that is no `PredictionLog` are shown.
const SHOWN_BYTES_MAX: usize = 64;

/// How to warm up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WarmupOptions {
    /// How often each record is run.
    pub iterations: NonZeroU32,
}

/// What is around a warm-up.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// What a client's request would have to keep to.
    pub rules: Rules,
    /// Where the runs of the model are counted.
    pub counts: &'a ModelCounts,
    /// Where the warm-up itself is.
    pub warm_ups: &'a WarmUps,
}

/// What a warm-up did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Warmed {
    /// Records in the file; 0 when there is none.
    pub records: usize,
    /// How long it took.
    pub duration: Duration,
}

/// Runs every record of the version in `directory` on its model, in this thread. No file: nothing to do.
///
/// The first record that is not right or fails ends it: with the run's code, `DATA_LOSS` for what is no `TFRecord`
/// file, `INVALID_ARGUMENT` for what is no `PredictionLog` and for too many, `UNIMPLEMENTED` for a kind that cannot
/// be replayed. The text names file and record.
pub fn warm_up(
    model: &dyn Model,
    directory: &Path,
    options: WarmupOptions,
    setting: Setting<'_>,
) -> Result<Warmed, Error> {
    let begun = Instant::now();
    let path = directory.join(FILE);
    let Some((file, bytes)) = open(&path)? else { return Ok(Warmed::default()) };
    let records = Records::new(BufReader::new(file), bytes);
    let Setting { rules, counts, warm_ups } = setting;
    let replay = Replay { model, rules, iterations: options.iterations, counts };
    let End { records, outcome } = run_all(replay, records, &path)?;
    // As in TensorFlow Serving, one that a record ended is not counted.
    warm_ups.record(directory, outcome.as_ref().copied(), records, begun.elapsed());
    outcome.map_err(|error| at(verify(error), records + 1, &path))?;
    Ok(Warmed { records, duration: begun.elapsed() })
}

/// Where a file's records were all run.
#[derive(Debug)]
struct End {
    /// How many there were.
    records: usize,
    /// The file's end, or a place where it cannot be read.
    outcome: Result<(), Error>,
}

/// Runs the records until one fails; `path` is for the errors.
fn run_all(replay: Replay<'_>, mut records: Records<impl Read>, path: &Path) -> Result<End, Error> {
    let mut count = 0;
    loop {
        let record = match records.next_record() {
            Ok(Some(record)) => record,
            Ok(None) => return Ok(End { records: count, outcome: Ok(()) }),
            Err(error) => return Ok(End { records: count, outcome: Err(error) }),
        };
        count += 1;
        let log = PredictionLog::decode(record.clone()).map_err(|_| unparsable(&record, count, path))?;
        if let Some(log) = log.log_type {
            replay.run(log).map_err(|error| at(error, count, path))?;
        }
        if count > RECORDS_MAX {
            return Err(Error::invalid_argument(format!(
                "Number of warmup records exceeds the maximum ({RECORDS_MAX}) at {}",
                path.display()
            )));
        }
    }
}

/// The file and its size; none when there is no such file.
fn open(path: &Path) -> Result<Option<(File, u64)>, Error> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(unreadable(path, &error)),
    };
    // Opening a pipe, for one, could wait for ever.
    if !metadata.is_file() {
        return Err(Error::invalid_argument(format!(
            "{} is not a file; put warm-up records there, or nothing",
            path.display()
        )));
    }
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    Ok(Some((file, metadata.len())))
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    let code = match error.kind() {
        io::ErrorKind::PermissionDenied => Code::PermissionDenied,
        _ => Code::Unknown,
    };
    Error::new(code, format!("cannot read the warm-up records {}: {error}", path.display()))
}

fn unparsable(bytes: &Bytes, record: usize, path: &Path) -> Error {
    let shown = bytes.get(..SHOWN_BYTES_MAX).unwrap_or(bytes).escape_ascii();
    let path = path.display();
    Error::invalid_argument(format!("Failed to parse warmup record: {shown} from {path} (record {record})"))
}

/// What TensorFlow Serving says of a file that is none.
fn verify(error: Error) -> Error {
    match error.code {
        Code::DataLoss => Error::data_loss(format!(
            "{}. Please verify your warmup data is in TFRecord format.",
            error.message
        )),
        _ => error,
    }
}

/// Says where an error comes from, after its own words.
fn at(error: Error, record: usize, path: &Path) -> Error {
    let Error { code, message } = error;
    Error::new(code, format!("{message} (record {record} of {})", path.display()))
}

#[cfg(test)]
mod tests;
