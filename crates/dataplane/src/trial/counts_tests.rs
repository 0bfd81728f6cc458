//! Each end of a request is counted where it belongs, exactly, by any number of threads.

#![allow(clippy::indexing_slicing)] // a test may panic

use super::{super::keys::KeyPool, *};

const MS: Duration = Duration::from_millis(1);

fn thresholds() -> Vec<Threshold> {
    let threshold = |number, name: &str, millis| {
        let mark = Threshold::mark(number);
        Threshold { name: name.into(), after: MS * millis, mark }
    };
    vec![threshold(0, "p50", 5), threshold(1, "p99", 50)]
}

fn course(code: Code, outcome: Outcome, took: Duration) -> Course {
    Course { code, outcome, took, is_invalid: false, is_key_known: false }
}

fn keys() -> Keys {
    Keys::new(&KeyPool::default())
}

/// Of requests with keys.
const fn keyed(events: u64, keys: u64) -> CountSnapshot {
    CountSnapshot { events, keys, keyless: 0 }
}

/// Of requests without.
const fn keyless(events: u64) -> CountSnapshot {
    CountSnapshot { events, keys: 0, keyless: events }
}

#[test]
fn requests_that_say_nothing_of_the_version_are_counted_apart() {
    let arm = ArmCounts::default();
    let keys = keys();
    let visitor = Some(Visitor { keys: &keys, key: 1, epoch: 0 });
    arm.record(course(Code::InvalidArgument, Outcome::CallersMistake, 90 * MS), visitor, &thresholds());
    arm.record(course(Code::ResourceExhausted, Outcome::Refused, 90 * MS), visitor, &thresholds());
    let read = arm.read(&thresholds());
    assert_eq!((read.callers_mistakes, read.refused, read.requests), (1, 1, keyed(0, 0)));
    assert_eq!(read.slow, [("p50".into(), keyed(0, 0)), ("p99".into(), keyed(0, 0))]);
}

#[test]
fn one_request_may_be_bad_in_several_ways() {
    let arm = ArmCounts::default();
    arm.record(course(Code::Internal, Outcome::Failed, 60 * MS), None, &thresholds());
    let invalid = Course { is_invalid: true, ..course(Code::Ok, Outcome::Answered, 6 * MS) };
    arm.record(invalid, None, &thresholds());
    let read = arm.read(&thresholds());
    assert_eq!((read.requests, read.errors, read.invalid_outputs), (keyless(2), keyless(1), keyless(1)));
    assert_eq!(read.slow, [("p50".into(), keyless(2)), ("p99".into(), keyless(1))]);
    assert_eq!((read.by_code[0], read.by_code[13]), (1, 1));
}

#[test]
fn a_key_counts_in_the_epoch_of_its_first_bad_request_only() {
    let keys = keys();
    let epochs = [ArmCounts::default(), ArmCounts::default()];
    for (epoch, arm) in (0..).zip(&epochs) {
        for _ in 0..3 {
            let visitor = Some(Visitor { keys: &keys, key: 5, epoch });
            arm.record(course(Code::Unknown, Outcome::Failed, MS), visitor, &[]);
        }
    }
    let [first, second] = epochs.map(|arm| arm.read(&[]));
    assert_eq!((first.errors, first.requests), (keyed(3, 1), keyed(3, 1)));
    assert_eq!((second.errors, second.requests), (keyed(3, 0), keyed(3, 1)));
}

#[test]
fn a_key_is_assigned_once_in_the_trial_and_a_request_without_one_each_time() {
    let keys = keys();
    let epochs = [ArmCounts::default(), ArmCounts::default()];
    for arm in &epochs {
        for visitor in [Some(Visitor { keys: &keys, key: 1, epoch: 0 }); 2].into_iter().chain([None]) {
            assert!(!arm.assign(visitor), "none has ended");
        }
    }
    let [first, second] = epochs.map(|arm| arm.read(&[]));
    assert_eq!(first.assigned, CountSnapshot { events: 3, keys: 1, keyless: 1 });
    assert_eq!(second.assigned, CountSnapshot { events: 3, keys: 0, keyless: 1 });
}

#[test]
fn truths_give_wrong_predictions_and_the_moments_of_scores() {
    let (arm, keys) = (ArmCounts::default(), keys());
    let measured = |score| Some(("log_loss".to_owned(), score));
    let truth = |is_wrong, score| Truth { is_wrong: Some(is_wrong), score: measured(score) };
    arm.record_truth(&truth(true, 2.0), Some((&keys, 1)));
    arm.record_truth(&truth(true, 1.0), Some((&keys, 1)));
    arm.record_truth(&truth(false, 0.5), Some((&keys, 2)));
    arm.record_truth(&Truth { is_wrong: None, score: measured(f64::NAN) }, None);
    let read = arm.read(&[]);
    let truths = CountSnapshot { events: 4, keys: 2, keyless: 1 };
    assert_eq!((read.wrong, read.truths), (keyed(2, 1), truths));
    assert_eq!(read.scores["log_loss"], Moments { count: 3, total: 3.5, total_of_squares: 5.25 });
}

#[test]
fn measures_are_bounded_in_number() {
    let arm = ArmCounts::default();
    for number in 0..100 {
        arm.record_truth(&Truth { is_wrong: None, score: Some((number.to_string(), 1.0)) }, None);
    }
    assert_eq!(arm.read(&[]).scores.len(), MEASURES_MAX);
}

#[test]
fn nothing_is_lost_when_threads_count_and_no_snapshot_has_more_bad_than_requests() {
    let (arm, keys, thresholds) = (ArmCounts::default(), keys(), thresholds());
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4_u64)
            .map(|thread| {
                let (arm, keys, thresholds) = (&arm, &keys, &thresholds);
                scope.spawn(move || {
                    for request in 0..5_000 {
                        let visitor = Some(Visitor { keys, key: (request + thread) % 1_000, epoch: 0 });
                        arm.record(course(Code::Internal, Outcome::Failed, 70 * MS), visitor, thresholds);
                    }
                })
            })
            .collect();
        while writers.iter().any(|writer| !writer.is_finished()) {
            let read = arm.read(&thresholds);
            let requests = read.requests.events;
            assert!(read.errors.events <= requests && read.slow[1].1.events <= requests);
        }
    });
    let read = arm.read(&thresholds);
    assert_eq!((read.requests, read.errors), (keyed(20_000, 1_000), keyed(20_000, 1_000)));
    assert_eq!((read.slow[1].1, read.by_code[13]), (keyed(20_000, 1_000), 20_000));
}
