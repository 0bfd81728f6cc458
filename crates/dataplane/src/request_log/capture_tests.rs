//! Captures: bounded whatever becomes of the requests, spread fairly when that is asked for, gone when they are dropped.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // a test may panic

use super::*;
use crate::{
    error::Code,
    inference::Api,
    request_log::Messages,
    tfrecord::Records,
    wire::tensorflow::serving::{PredictRequest, PredictionLog, prediction_log::LogType},
};
use bytes::Bytes;
use prost::Message;

fn point() -> Arc<CapturePoint> {
    Arc::default()
}

fn open(point: &Arc<CapturePoint>, records: usize) -> OpenCapture {
    let options = CaptureOptions { records, version: None, is_spread: false };
    point.open(&Arc::from("m"), options).unwrap()
}

fn exchange(name: &str) -> Exchange {
    let request = PredictRequest { output_filter: vec![name.to_owned()], ..Default::default() };
    let messages = Messages { request: request.encode_to_vec().into(), response: Bytes::new() };
    Exchange { api: Api::Predict, version: 7, signature: "f".into(), messages }
}

/// The names of the exchanges in a file, and what their first record says of who answered.
fn read(file: &[u8]) -> (Vec<String>, Option<PredictionLog>) {
    let mut records = Records::new(file, file.len() as u64);
    let logs: Vec<_> = std::iter::from_fn(|| records.next_record().unwrap())
        .map(|record| PredictionLog::decode(record).unwrap())
        .collect();
    let name = |log: &PredictionLog| match log.log_type.clone().unwrap() {
        LogType::PredictLog(log) => log.request.unwrap().output_filter.remove(0),
        other => unreachable!("{other:?}"),
    };
    (logs.iter().map(name).collect(), logs.first().cloned())
}

#[test]
fn nothing_is_drawn_unless_somebody_captures_and_nothing_after() {
    let point = point();
    assert!(point.draw(7).is_none());
    let capture = open(&point, 2);
    assert!(point.draw(7).is_some());
    drop(capture);
    assert!(point.draw(7).is_none());
    assert!(open(&point, 1).finish().is_empty());
    assert!(point.draw(7).is_none());
}

#[test]
fn the_first_ones_are_kept_with_who_answered_and_a_request_that_fails_leaves_its_place_to_another() {
    let point = point();
    let capture = open(&point, 2);
    let failing = point.draw(7).unwrap();
    point.draw(7).unwrap().keep(&exchange("a"));
    assert!(point.draw(7).is_none(), "both places are claimed");
    drop(failing);
    point.draw(7).unwrap().keep(&exchange("b"));
    assert!(point.draw(7).is_none());
    assert_eq!(capture.progress(), CaptureProgress { records: 2, seen: 5, too_long: 0 });
    let (mut names, first) = read(&capture.finish());
    names.sort();
    assert_eq!(names, ["a", "b"]);
    let metadata = first.unwrap().log_metadata.unwrap();
    let spec = metadata.model_spec.unwrap();
    assert_eq!((spec.name.as_str(), spec.signature_name.as_str()), ("m", "f"));
    assert!(format!("{:?}", spec.version_choice).contains("Version(7)"));
}

#[test]
fn answers_of_another_version_are_passed_over() {
    let point = point();
    let options = CaptureOptions { records: 5, version: Some(7), is_spread: false };
    let capture = point.open(&Arc::from("m"), options).unwrap();
    assert!(point.draw(8).is_none());
    assert!(point.draw(7).is_some());
    assert_eq!(capture.progress().seen, 1);
}

#[test]
fn one_capture_at_a_time_and_of_as_many_as_may_be() {
    let point = point();
    let model = Arc::from("m");
    for records in [0, RECORDS_MAX + 1] {
        let options = CaptureOptions { records, version: None, is_spread: false };
        assert_eq!(point.open(&model, options).unwrap_err().code, Code::InvalidArgument);
    }
    let first = open(&point, RECORDS_MAX);
    let options = CaptureOptions { records: 1, version: None, is_spread: false };
    assert_eq!(point.open(&model, options).unwrap_err().code, Code::FailedPrecondition);
    drop(first);
    assert!(point.open(&model, options).is_ok());
}

#[test]
fn what_is_spread_gives_each_request_the_same_chance() {
    const ROUNDS: usize = 4_000;
    fastrand::seed(7);
    let mut kept = [0_usize; 10];
    for _ in 0..ROUNDS {
        let point = point();
        let options = CaptureOptions { records: 3, version: None, is_spread: true };
        let capture = point.open(&Arc::from("m"), options).unwrap();
        for name in 0..kept.len() {
            if let Some(claim) = point.draw(7) {
                claim.keep(&exchange(&name.to_string()));
            }
        }
        let (names, _) = read(&capture.finish());
        assert_eq!(names.len(), 3);
        for name in names {
            kept[name.parse::<usize>().unwrap()] += 1;
        }
    }
    // 3 of 10, four standard deviations about it.
    assert!(kept.iter().all(|&count| (1_084..=1_316).contains(&count)), "{kept:?}");
}

#[test]
fn what_is_too_long_for_the_bytes_that_are_left_is_passed_over_and_counted() {
    let point = point();
    let capture = open(&point, 3);
    let huge = Exchange {
        messages: Messages { request: Bytes::from(vec![0; BYTES_MAX]), response: Bytes::new() },
        ..exchange("")
    };
    point.draw(7).unwrap().keep(&huge);
    assert_eq!(capture.progress(), CaptureProgress { records: 0, seen: 1, too_long: 1 });
    for name in ["a", "b", "c"] {
        point.draw(7).unwrap().keep(&exchange(name));
    }
    assert_eq!(capture.progress().records, 3);
}
