//! Files on a real disk: names, limits, a full disk, what is never touched.
#![allow(clippy::unwrap_used)] // a test may panic

use super::*;
use std::{collections::BTreeSet, os::unix::fs::symlink};
use tempfile::TempDir;

const HOUR: Duration = Duration::from_hours(1);

fn files(directory: &TempDir, file_bytes_max: u64, bytes_max: u64) -> LogFiles {
    let directory = directory.path().to_owned();
    let saved_model_tags = Vec::new();
    LogFiles::find(RequestLogOptions {
        directory,
        file_bytes_max,
        file_age_max: HOUR,
        bytes_max,
        saved_model_tags,
    })
}

/// Files that begin in one second are told apart by their numbers, so each gets a second of its own by name.
fn past(directory: &TempDir, prefix: &str, second: u32, bytes: usize) -> PathBuf {
    let path = directory.path().join(format!("{prefix}-20260102T0304{second:02}Z-000.tfrecord"));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, vec![b'.'; bytes]).unwrap();
    path
}

fn write(files: &mut LogFiles, prefix: &str, bytes: usize) -> io::Result<()> {
    files.write(&Arc::from(prefix), &vec![b'x'; bytes], Instant::now())
}

fn names(directory: &TempDir) -> BTreeSet<String> {
    let entries = fs::read_dir(directory.path()).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_name_says_when_its_file_began_and_gives_its_prefix_back() {
    let new_year = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_599);
    assert_eq!(stamp(new_year), "20251231T235959Z");
    assert_eq!(read_prefix("a/digits-20251231T235959Z-007.tfrecord"), Some("a/digits"));
    for foreign in [
        "digits.tfrecord",
        "-20251231T235959Z-007.tfrecord",
        "digits-20251231T235959Z-007.tfrecord.gz",
        "digits-20251231T235959Z-07.tfrecord",
        "digits_20251231T235959Z-007.tfrecord",
        "d\u{e9}-2025123\u{e9}T235959Z-07.tfrecord",
        "",
    ] {
        assert_eq!(read_prefix(foreign), None, "{foreign}");
    }
}

#[test]
fn what_has_the_name_already_is_left_alone_be_it_a_link_to_elsewhere() {
    let directory = tempfile::tempdir().unwrap();
    let elsewhere = directory.path().join("elsewhere");
    for second in 0..60 {
        let name = format!("m-{}-000.tfrecord", stamp(SystemTime::now() + Duration::from_secs(second)));
        symlink(&elsewhere, directory.path().join(name)).unwrap();
    }
    let mut files = files(&directory, 100, 1_000);
    write(&mut files, "m", 10).unwrap();
    assert!(!elsewhere.exists());
    assert!(names(&directory).iter().any(|name| name.ends_with("-001.tfrecord")));
}

#[test]
fn the_oldest_of_the_prefix_with_most_goes_first_and_nothing_foreign_ever() {
    let directory = tempfile::tempdir().unwrap();
    let quiet = past(&directory, "quiet", 1, 30);
    let (older, newer) = (past(&directory, "deep/busy", 2, 40), past(&directory, "deep/busy", 3, 40));
    let foreign = directory.path().join("notes.txt");
    fs::write(&foreign, vec![b'.'; 500]).unwrap();
    let mut files = files(&directory, 100, 150);
    write(&mut files, "m", 40).unwrap();
    assert_eq!([&quiet, &older, &newer, &foreign].map(|path| path.exists()), [true, true, true, true]);
    write(&mut files, "m", 1).unwrap();
    assert_eq!([&quiet, &older, &newer, &foreign].map(|path| path.exists()), [true, false, true, true]);
}

#[test]
fn a_file_that_is_written_to_is_given_up_when_nothing_else_is_left_and_too_much_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut files = files(&directory, 100, 100);
    write(&mut files, "a", 60).unwrap();
    write(&mut files, "b", 60).unwrap();
    let names = names(&directory);
    assert!(names.len() == 1 && names.first().unwrap().starts_with("b-"), "{names:?}");
    let error = write(&mut files, "b", 101).unwrap_err().to_string();
    assert_eq!(error, "101 bytes are more than all request logs may have, 100");
    assert_eq!(self::names(&directory), names, "nothing was deleted for what cannot be written");
}

#[test]
fn a_full_disk_leaves_whole_records_and_the_next_write_begins_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let mut files = files(&directory, 100, 1_000);
    write(&mut files, "m", 10).unwrap();
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    files.open.get_mut("m").unwrap().file = full;
    let error = write(&mut files, "m", 10).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert!(error.to_string().contains("No space left on device"), "{error}");
    write(&mut files, "m", 20).unwrap();
    let sizes: Vec<_> = names(&directory).iter().map(|name| directory.path().join(name)).collect();
    let sizes: Vec<_> = sizes.iter().map(|path| fs::metadata(path).unwrap().len()).collect();
    assert_eq!(sizes, [10, 20]);
}

#[test]
fn files_are_ended_by_age_and_the_next_end_is_known() {
    let directory = tempfile::tempdir().unwrap();
    let mut files = files(&directory, 100, 1_000);
    let begun = Instant::now();
    assert_eq!(files.next_end(begun), HOUR);
    files.write(&Arc::from("m"), b"record", begun).unwrap();
    assert_eq!(files.next_end(begun + HOUR / 4), HOUR * 3 / 4);
    files.end_old(begun + HOUR / 2);
    assert_eq!(files.open.len(), 1);
    files.end_old(begun + HOUR);
    assert_eq!((files.open.len(), files.past.count, files.past.bytes), (0, 1, 6));
}
