//! The two forms in which a version brings golden examples with it, read one example after the other.

use crate::{
    error::{Code, Error},
    tfrecord::Records,
    wire::tensorflow::serving::{PredictionLog, prediction_log::LogType},
};
use bytes::Bytes;
use prost::Message;
use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

/// Records of requests with their answers, as request logs are.
pub const RECORDS_FILE: &str = "assets.extra/understudy_golden.tfrecord";
/// A JSON object in each line.
pub const LINES_FILE: &str = "assets.extra/understudy_golden.jsonl";

/// Examples of both files together.
pub const EXAMPLES_MAX: usize = 1_000;
/// Of one file.
pub const FILE_BYTES_MAX: u64 = 256 << 20;
/// Of one line.
pub const LINE_BYTES_MAX: usize = 64 << 20;

/// One example as it stands in its file.
pub(super) enum Written {
    /// A record.
    Record(Box<LogType>),
    /// A line.
    Line(Bytes),
}

/// Where an example is, for people: `record 3 of understudy_golden.tfrecord`.
pub(super) struct Place<'a> {
    noun: &'static str,
    number: usize,
    file: &'a str,
}

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let file = self.file.rsplit('/').next().unwrap_or_default();
        write!(formatter, "{} {} of {file}", self.noun, self.number)
    }
}

/// Hands every example of the version in `directory` to `take`, until it fails; none when there is no such file.
///
/// `DATA_LOSS` for what is no `TFRecord` file, `INVALID_ARGUMENT` for a record that is no `PredictionLog`, for a file
/// that is too large and for too many examples.
pub(super) fn each(
    directory: &Path,
    mut take: impl FnMut(&Place<'_>, Written) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut count = 0;
    let mut counted = |place: &Place<'_>, example: Written| {
        count += 1;
        if count > EXAMPLES_MAX {
            return Err(Error::invalid_argument(format!(
                "there are more than {EXAMPLES_MAX} golden examples; ship those that matter most"
            )));
        }
        take(place, example)
    };
    if let Some((file, bytes)) = open(&directory.join(RECORDS_FILE))? {
        each_record(Records::new(BufReader::new(file), bytes), &mut counted)?;
    }
    match open(&directory.join(LINES_FILE))? {
        Some((file, _)) => each_line(BufReader::new(file), &mut counted),
        None => Ok(()),
    }
}

fn each_record(
    mut records: Records<impl Read>,
    take: &mut impl FnMut(&Place<'_>, Written) -> Result<(), Error>,
) -> Result<(), Error> {
    for number in 1.. {
        let place = Place { noun: "record", number, file: RECORDS_FILE };
        let record = records.next_record().map_err(|error| at(&place, error))?;
        let Some(record) = record else { break };
        let log = PredictionLog::decode(record)
            .map_err(|error| Error::invalid_argument(format!("{place} is no PredictionLog: {error}")))?;
        let kind = log.log_type.ok_or_else(|| Error::invalid_argument(format!("{place} is of no kind")))?;
        take(&place, Written::Record(Box::new(kind)))?;
    }
    Ok(())
}

fn each_line(
    mut lines: impl BufRead,
    take: &mut impl FnMut(&Place<'_>, Written) -> Result<(), Error>,
) -> Result<(), Error> {
    for number in 1.. {
        let place = Place { noun: "line", number, file: LINES_FILE };
        let mut line = Vec::new();
        let read = lines.by_ref().take(LINE_BYTES_MAX as u64 + 1).read_until(b'\n', &mut line);
        let read =
            read.map_err(|error| Error::new(Code::Unknown, format!("cannot read {place}: {error}")))?;
        if read == 0 {
            break;
        }
        if line.len() > LINE_BYTES_MAX {
            return Err(Error::invalid_argument(format!("{place} is longer than {LINE_BYTES_MAX} bytes")));
        }
        if !line.trim_ascii().is_empty() {
            take(&place, Written::Line(line.into()))?;
        }
    }
    Ok(())
}

/// The file and its size; none when there is no such file.
fn open(path: &Path) -> Result<Option<(File, u64)>, Error> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(unreadable(path, &error)),
    };
    // Opening a pipe, for one, could wait for ever.
    if !metadata.is_file() {
        return Err(Error::invalid_argument(format!("{} is not a file", path.display())));
    }
    if metadata.len() > FILE_BYTES_MAX {
        return Err(Error::invalid_argument(format!(
            "{} has {} bytes; golden examples may have {FILE_BYTES_MAX}",
            path.display(),
            metadata.len()
        )));
    }
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    Ok(Some((file, metadata.len())))
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    let code = match error.kind() {
        io::ErrorKind::PermissionDenied => Code::PermissionDenied,
        _ => Code::Unknown,
    };
    Error::new(code, format!("cannot read the golden examples {}: {error}", path.display()))
}

fn at(place: &Place<'_>, Error { code, message }: Error) -> Error {
    Error::new(code, format!("{place}: {message}"))
}
