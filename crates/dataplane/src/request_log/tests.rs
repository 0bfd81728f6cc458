//! A request log with its thread and real files: what is offered is read back, or counted and told of.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // a test may panic

use super::*;
use crate::{
    inference::Api,
    tfrecord::Records,
    wire::tensorflow::serving::{PredictRequest, PredictResponse, PredictionLog, prediction_log::LogType},
};
use bytes::Bytes;
use prost::Message;
use std::{fs::File, path::Path};
use tempfile::TempDir;

const SOON: Duration = Duration::from_secs(20);

fn options(directory: &Path) -> RequestLogOptions {
    RequestLogOptions {
        directory: directory.join("log"),
        file_bytes_max: 1 << 20,
        file_age_max: Duration::from_hours(1),
        bytes_max: 1 << 30,
        saved_model_tags: vec!["serve".into()],
    }
}

fn settings(filename_prefix: &str) -> LogSettings {
    LogSettings { filename_prefix: filename_prefix.into(), sampling_rate: 1.0 }
}

fn exchange(filter: &str) -> Exchange {
    let request = PredictRequest { output_filter: vec![filter.into()], ..PredictRequest::default() };
    Exchange {
        api: Api::Predict,
        version: 7,
        signature: "f".into(),
        messages: Messages {
            request: request.encode_to_vec().into(),
            response: PredictResponse::default().encode_to_vec().into(),
        },
    }
}

/// The records of every file, by the files' names.
fn read(directory: &TempDir) -> Vec<(String, Vec<PredictionLog>)> {
    let mut files: Vec<_> = fs::read_dir(directory.path().join("log"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            let mut records =
                Records::new(File::open(entry.path()).unwrap(), entry.metadata().unwrap().len());
            let logs = std::iter::from_fn(|| records.next_record().unwrap());
            let logs = logs.map(|record| PredictionLog::decode(record).unwrap()).collect();
            (entry.file_name().into_string().unwrap(), logs)
        })
        .collect();
    files.sort_by(|one, other| one.0.cmp(&other.0));
    files
}

fn filters(logs: &[PredictionLog]) -> Vec<String> {
    let filter = |log: &PredictionLog| match log.log_type.clone().unwrap() {
        LogType::PredictLog(log) => log.request.unwrap().output_filter.remove(0),
        other => unreachable!("{other:?}"),
    };
    logs.iter().map(filter).collect()
}

#[test]
fn what_is_offered_is_read_back_in_order_with_who_answered_and_when() {
    let directory = tempfile::tempdir().unwrap();
    let log = RequestLog::start(options(directory.path())).unwrap();
    let model = log.open(&Arc::from("m"), &settings("m")).unwrap();
    let names: Vec<_> = (0..300).map(|number| number.to_string()).collect();
    for name in &names {
        model.offer(exchange(name));
    }
    assert!(log.close(SOON));
    let files = read(&directory);
    assert_eq!(filters(&files[0].1), names);
    let metadata = files[0].1[0].log_metadata.clone().unwrap();
    let spec = metadata.model_spec.unwrap();
    assert_eq!((spec.name.as_str(), spec.signature_name.as_str()), ("m", "f"));
    assert!(format!("{:?}", spec.version_choice).contains("Version(7)"));
    assert_eq!(metadata.saved_model_tags, ["serve"]);
    assert!(metadata.timestamp_secs > 1_700_000_000);
    assert!((metadata.sampling_config.unwrap().sampling_rate - 1.0).abs() < f64::EPSILON);
    let statistics = log.statistics().remove(0);
    assert_eq!((statistics.written, statistics.dropped, statistics.failed), (300, 0, 0));
}

#[test]
fn a_file_that_would_become_too_long_is_followed_by_another_and_records_stay_whole() {
    let directory = tempfile::tempdir().unwrap();
    let small = RequestLogOptions { file_bytes_max: 200, ..options(directory.path()) };
    let log = RequestLog::start(small).unwrap();
    let model = log.open(&Arc::from("m"), &settings("m")).unwrap();
    for number in 0..9 {
        model.offer(exchange(&number.to_string()));
    }
    model.offer(exchange(&"long".repeat(100)));
    assert!(log.close(SOON));
    let files = read(&directory);
    assert!(files.len() >= 4, "{files:?}");
    let all: Vec<_> = files.iter().flat_map(|(_, logs)| filters(logs)).map(|name| name.len()).collect();
    assert_eq!(all, [1, 1, 1, 1, 1, 1, 1, 1, 1, 400]);
}

#[test]
fn other_settings_end_the_file_and_equal_ones_go_on_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let log = RequestLog::start(options(directory.path())).unwrap();
    let name = Arc::from("m");
    let first = log.open(&name, &settings("a")).unwrap();
    assert!(Arc::ptr_eq(&first, &log.open(&name, &settings("a")).unwrap()));
    first.offer(exchange("1"));
    let second = log.open(&name, &settings("b")).unwrap();
    drop(first);
    second.offer(exchange("2"));
    assert!(log.close(SOON));
    let files = read(&directory);
    let begins: Vec<_> = files.iter().map(|(name, logs)| (name.starts_with("a-"), filters(logs))).collect();
    assert_eq!(begins, [(true, vec!["1".to_owned()]), (false, vec!["2".to_owned()])]);
    assert_eq!(log.statistics()[0].written, 2);
}

#[test]
fn what_does_not_fit_the_queue_is_dropped_and_counted() {
    let directory = tempfile::tempdir().unwrap();
    let log = RequestLog::start(options(directory.path())).unwrap();
    let model = log.open(&Arc::from("m"), &settings("m")).unwrap();
    let mut huge = exchange("");
    huge.messages.request = Bytes::from(vec![0; RECORD_BYTES_MAX + 1]);
    model.offer(huge);
    assert!(log.close(SOON));
    model.offer(exchange("after the end"));
    let statistics = log.statistics().remove(0);
    assert_eq!((statistics.written, statistics.dropped, statistics.failed), (0, 2, 0));
    assert!(read(&directory).is_empty());
}

#[test]
fn a_record_longer_than_all_files_may_be_is_dropped_and_costs_nobody_else_theirs() {
    let directory = tempfile::tempdir().unwrap();
    let small = RequestLogOptions { file_bytes_max: 1_000, bytes_max: 1_000, ..options(directory.path()) };
    let log = RequestLog::start(small).unwrap();
    let model = log.open(&Arc::from("m"), &settings("m")).unwrap();
    for name in ["before", &"long".repeat(500), "after"] {
        model.offer(exchange(name));
    }
    assert!(log.close(SOON));
    let files = read(&directory);
    let all: Vec<_> = files.iter().flat_map(|(_, logs)| filters(logs)).collect();
    assert_eq!(all, ["before", "after"]);
    let statistics = log.statistics().remove(0);
    assert_eq!((statistics.written, statistics.dropped, statistics.failed), (2, 1, 0));
    assert_eq!(log.next_report(Duration::ZERO), None);
}

#[test]
fn a_log_that_cannot_be_written_is_told_of_once_and_again_when_it_can() {
    let directory = tempfile::tempdir().unwrap();
    let log = RequestLog::start(options(directory.path())).unwrap();
    let blocker = directory.path().join("log/blocked");
    fs::write(&blocker, "a file where a directory is needed").unwrap();
    let model = log.open(&Arc::from("m"), &settings("blocked/m")).unwrap();
    model.offer(exchange("lost"));
    let report = log.next_report(SOON).unwrap();
    assert_eq!(&*report.model, "m");
    assert!(matches!(&report.incident, Incident::Failed(text) if text.contains("blocked")), "{report:?}");
    fs::remove_file(blocker).unwrap();
    let recovered = std::iter::from_fn(|| {
        model.offer(exchange("try"));
        Some(log.next_report(Duration::from_millis(100)))
    });
    let report = recovered.take(200).flatten().next().unwrap();
    let Incident::Recovered(lost) = report.incident else { unreachable!("{report:?}") };
    assert!(log.close(SOON));
    let statistics = log.statistics().remove(0);
    assert!(lost > 0 && statistics.failed == lost && statistics.written > 0, "{lost} {statistics:?}");
    assert_eq!(log.next_report(Duration::ZERO), None);
}

#[test]
fn the_share_that_is_drawn_is_the_one_that_was_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let log = RequestLog::start(options(directory.path())).unwrap();
    fastrand::seed(7);
    for (rate, least, most) in [(0.0, 0, 0), (0.25, 24_000, 26_000), (1.0, 100_000, 100_000)] {
        let settings = LogSettings { sampling_rate: rate, ..settings("m") };
        let model = log.open(&Arc::from("m"), &settings).unwrap();
        let drawn = (0..100_000).filter(|_| model.draws()).count();
        assert!((least..=most).contains(&drawn), "{drawn} at {rate}");
    }
}

#[test]
fn a_prefix_that_leads_out_of_the_directory_and_a_share_that_is_none_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let log = RequestLog::start(options(directory.path())).unwrap();
    for prefix in ["", "/", "/etc/m", "../m", "a/../../m", "a/..", "a/", "."] {
        assert!(log.open(&Arc::from("m"), &settings(prefix)).is_err(), "{prefix}");
    }
    for sampling_rate in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
        let settings = LogSettings { sampling_rate, ..settings("m") };
        assert!(log.open(&Arc::from("m"), &settings).is_err(), "{sampling_rate}");
    }
}

#[test]
fn a_directory_that_cannot_be_made_and_limits_that_cannot_be_kept_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("log"), "").unwrap();
    let error = RequestLog::start(options(directory.path())).unwrap_err();
    assert!(error.message.starts_with("requests cannot be logged in "), "{error:?}");
    let options = RequestLogOptions { bytes_max: 10, ..options(directory.path()) };
    assert!(RequestLog::start(options).unwrap_err().message.contains("give all at least as much as one"));
}

#[test]
fn models_that_are_logged_no_more_are_forgotten_before_those_that_are() {
    let directory = tempfile::tempdir().unwrap();
    let log = RequestLog::start(options(directory.path())).unwrap();
    let kept = log.open(&Arc::from("kept"), &settings("kept")).unwrap();
    for number in 0..COUNTED_MAX + 10 {
        drop(log.open(&Arc::from(format!("m{number}")), &settings("m")).unwrap());
    }
    let statistics = log.statistics();
    assert!(statistics.len() <= COUNTED_MAX);
    assert!(statistics.iter().any(|each| each.model == *kept.model()));
}
