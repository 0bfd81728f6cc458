//! The files of request logs: begun, ended by size and age, and deleted, the oldest first, so that all together keep
//! to their limit. Nothing but files with names of this server's own form is ever deleted.

use super::RequestLogOptions;
use std::{
    collections::{BTreeMap, VecDeque},
    fs::{self, DirEntry, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};
use time::OffsetDateTime;

/// Files of all models together; the oldest are deleted to keep to it.
const FILES_MAX: usize = 10_000;

/// Directory entries that are looked at when a server starts.
const ENTRIES_MAX: usize = 100_000;

/// Files of one prefix that begin in one second.
const FILES_PER_SECOND_MAX: u32 = 1_000;

/// Requests are nobody else's business.
const MODE: u32 = 0o640;

const EXTENSION: &str = ".tfrecord";
/// `-20260102T030405Z-000`
const STAMP_LENGTH: usize = 21;

/// Every file below one directory.
#[derive(Debug)]
pub(super) struct LogFiles {
    options: RequestLogOptions,
    open: BTreeMap<Arc<str>, OpenFile>,
    past: Past,
}

/// A file that is written to.
#[derive(Debug)]
struct OpenFile {
    file: File,
    path: PathBuf,
    bytes: u64,
    begun: Instant,
}

/// Files that are ended.
#[derive(Debug, Default)]
struct Past {
    by_prefix: BTreeMap<String, VecDeque<PastFile>>,
    bytes: u64,
    count: usize,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct PastFile {
    path: PathBuf,
    bytes: u64,
}

impl LogFiles {
    /// With what former servers left in the directory.
    pub(super) fn find(options: RequestLogOptions) -> Self {
        let past = Past::find(&options.directory);
        Self { options, open: BTreeMap::new(), past }
    }

    /// Whether so many bytes are more than all files together may have.
    pub(super) fn is_more_than_all(&self, bytes: u64) -> bool {
        bytes > self.options.bytes_max
    }

    /// Whether the prefix's file must be ended before so many more bytes are written.
    pub(super) fn is_too_long(&self, prefix: &str, more: u64) -> bool {
        let bytes = self.open.get(prefix).map_or(0, |file| file.bytes);
        bytes.saturating_add(more) > self.options.file_bytes_max
    }

    /// Writes whole records. When that fails, none of them is in the file.
    pub(super) fn write(&mut self, prefix: &Arc<str>, records: &[u8], now: Instant) -> io::Result<()> {
        self.make_room(records.len() as u64)?;
        if !self.open.contains_key(prefix) {
            let begun = begin(&self.options.directory, prefix, now)?;
            self.open.insert(Arc::clone(prefix), begun);
        }
        let Some(open) = self.open.get_mut(prefix) else { return Ok(()) };
        match open.file.write_all(records) {
            Ok(()) => {
                open.bytes += records.len() as u64;
                Ok(())
            }
            Err(error) => {
                // Half a record would hide all that follow it from a reader.
                let _ = open.file.set_len(open.bytes);
                let error = at(&open.path, &error);
                self.end(prefix);
                Err(error)
            }
        }
    }

    /// Ends the prefix's file, if there is one.
    pub(super) fn end(&mut self, prefix: &str) {
        let Some(OpenFile { path, bytes, .. }) = self.open.remove(prefix) else { return };
        if bytes == 0 {
            let _ = fs::remove_file(path); // of no use to anybody
        } else {
            self.past.add(prefix.to_owned(), PastFile { path, bytes });
        }
    }

    /// Ends files that are old enough.
    pub(super) fn end_old(&mut self, now: Instant) {
        let age_max = self.options.file_age_max;
        let is_old = |file: &OpenFile| now.saturating_duration_since(file.begun) >= age_max;
        let old = self.open.iter().filter(|(_, file)| is_old(file)).map(|(prefix, _)| Arc::clone(prefix));
        for prefix in old.collect::<Vec<_>>() {
            self.end(&prefix);
        }
    }

    /// Ends every file.
    pub(super) fn end_all(&mut self) {
        for prefix in self.open.keys().cloned().collect::<Vec<_>>() {
            self.end(&prefix);
        }
    }

    /// How long until a file is old enough.
    pub(super) fn next_end(&self, now: Instant) -> Duration {
        let age_max = self.options.file_age_max;
        let left = |file: &OpenFile| age_max.saturating_sub(now.saturating_duration_since(file.begun));
        self.open.values().map(left).min().unwrap_or(age_max)
    }

    /// Deletes files until so many bytes more, and one file more, are within the limits.
    fn make_room(&mut self, bytes: u64) -> io::Result<()> {
        let bytes_max = self.options.bytes_max;
        if self.is_more_than_all(bytes) {
            let reason = format!("{bytes} bytes are more than all request logs may have, {bytes_max}");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
        }
        loop {
            let open_bytes: u64 = self.open.values().map(|file| file.bytes).sum();
            let all = open_bytes.saturating_add(self.past.bytes).saturating_add(bytes);
            if all <= bytes_max && self.past.count + self.open.len() < FILES_MAX {
                return Ok(());
            }
            if self.past.delete_one() {
                continue;
            }
            let longest =
                self.open.iter().max_by_key(|(_, file)| file.bytes).map(|(prefix, _)| prefix.clone());
            let Some(longest) = longest else { return Ok(()) };
            self.end(&longest);
        }
    }
}

impl Past {
    fn find(directory: &Path) -> Self {
        let mut past = Self::default();
        let mut directories = VecDeque::from([directory.to_owned()]);
        let mut left = ENTRIES_MAX;
        while let Some(each) = directories.pop_front() {
            for entry in fs::read_dir(each).into_iter().flatten().flatten().take(left) {
                left -= 1;
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => directories.push_back(entry.path()),
                    Ok(kind) if kind.is_file() => past.take_in(directory, &entry),
                    _ => {}
                }
            }
        }
        past.by_prefix.values_mut().for_each(|files| files.make_contiguous().sort());
        past
    }

    fn take_in(&mut self, directory: &Path, entry: &DirEntry) {
        let path = entry.path();
        let name = path.strip_prefix(directory).ok().and_then(Path::to_str);
        if let (Some(prefix), Ok(metadata)) = (name.and_then(read_prefix), entry.metadata()) {
            self.add(prefix.to_owned(), PastFile { path: path.clone(), bytes: metadata.len() });
        }
    }

    fn add(&mut self, prefix: String, file: PastFile) {
        self.bytes += file.bytes;
        self.count += 1;
        self.by_prefix.entry(prefix).or_default().push_back(file);
    }

    /// Deletes the oldest file of the prefix that has most, so that a busy model does not push out a quiet one.
    fn delete_one(&mut self) -> bool {
        let bytes = |files: &VecDeque<PastFile>| files.iter().map(|file| file.bytes).sum::<u64>();
        let most = self.by_prefix.iter_mut().max_by_key(|(_, files)| bytes(files));
        let Some((prefix, oldest)) =
            most.and_then(|(prefix, files)| files.pop_front().map(|oldest| (prefix.clone(), oldest)))
        else {
            return false;
        };
        self.bytes -= oldest.bytes;
        self.count -= 1;
        if self.by_prefix.get(&prefix).is_some_and(VecDeque::is_empty) {
            self.by_prefix.remove(&prefix);
        }
        let _ = fs::remove_file(oldest.path); // somebody else may have done it already
        true
    }
}

/// A new file. What has the name already is left alone, be it a link to somewhere else.
fn begin(directory: &Path, prefix: &str, now: Instant) -> io::Result<OpenFile> {
    let stamp = stamp(SystemTime::now());
    if let Some(parent) = directory.join(prefix).parent() {
        fs::create_dir_all(parent).map_err(|error| at(parent, &error))?;
    }
    for number in 0..FILES_PER_SECOND_MAX {
        let path = directory.join(format!("{prefix}-{stamp}-{number:03}{EXTENSION}"));
        match OpenOptions::new().write(true).create_new(true).mode(MODE).open(&path) {
            Ok(file) => return Ok(OpenFile { file, path, bytes: 0, begun: now }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(at(&path, &error)),
        }
    }
    Err(io::Error::other(format!("{prefix} began {FILES_PER_SECOND_MAX} files within a second")))
}

fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// A time as file names have it: sorted by name, files are sorted by age.
fn stamp(time: SystemTime) -> String {
    let utc = OffsetDateTime::from(time);
    format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
        utc.year(),
        u8::from(utc.month()),
        utc.day(),
        utc.hour(),
        utc.minute(),
        utc.second()
    )
}

/// The prefix of a file that has a name as `begin` gives them.
fn read_prefix(name: &str) -> Option<&str> {
    let stem = name.strip_suffix(EXTENSION)?;
    let (prefix, stamp) = stem.split_at_checked(stem.len().checked_sub(STAMP_LENGTH)?)?;
    let is_right = |(index, byte): (usize, u8)| match index {
        0 | 17 => byte == b'-',
        9 => byte == b'T',
        16 => byte == b'Z',
        _ => byte.is_ascii_digit(),
    };
    (!prefix.is_empty() && stamp.bytes().enumerate().all(is_right)).then_some(prefix)
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
