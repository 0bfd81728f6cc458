//! A truth finds its prediction once, within the window; memory is bounded, and a full one keeps both arms alike.

#![allow(clippy::unwrap_used)] // a test may panic

use super::*;

const HOUR: Duration = Duration::from_hours(1);

fn prediction(arm: Arm, value: f64) -> Prediction {
    Prediction {
        version: 1,
        arm,
        epoch: 0,
        key: None,
        shape: [1].into(),
        values: Values::Floats([value].into()),
        labels: Values::Strings([].into()),
    }
}

fn predictions() -> Predictions {
    Predictions::new(&PredictionPool::default())
}

fn small(bytes: usize) -> Predictions {
    Predictions { part: Part::new(&Pool::new(2 * bytes), bytes), seed: 1, ..predictions() }
}

fn kept(found: Found) -> Option<f64> {
    match found {
        Found::Kept(prediction) => match &prediction.values {
            Values::Floats(floats) => floats.first().copied(),
            _ => None,
        },
        _ => None,
    }
}

#[test]
fn a_prediction_is_found_until_one_takes_it() {
    let all = predictions();
    all.remember(b"a", prediction(Arm::Baseline, 1.0), HOUR);
    assert_eq!(kept(all.find(b"a")), Some(1.0));
    assert_eq!(kept(all.take(b"a")), Some(1.0));
    assert_eq!((all.take(b"a"), all.find(b"a")), (Found::Judged, Found::Judged));
    assert_eq!(all.find(b"b"), Found::Unknown);
    assert_eq!(all.read().kept, 0);
}

#[test]
fn of_two_requests_with_one_id_the_later_counts() {
    let all = predictions();
    all.remember(b"a", prediction(Arm::Baseline, 1.0), HOUR);
    all.remember(b"a", prediction(Arm::Candidate, 2.0), HOUR);
    assert_eq!(kept(all.take(b"a")), Some(2.0));
    let read = all.read();
    assert_eq!((read.kept, read.replaced, read.forgotten), (0, 1, 0));
}

/// A client library that sends one id for ever, or somebody who wants others' predictions out.
#[test]
fn an_id_that_comes_again_and_again_takes_no_room_from_others() {
    let all = predictions();
    all.remember(b"other", prediction(Arm::Baseline, 1.0), HOUR);
    for _ in 0..4 * SHARD_IDS_MAX {
        all.remember(b"same", prediction(Arm::Baseline, 2.0), HOUR);
    }
    let read = all.read();
    assert_eq!((read.kept, read.left_out), (2, 0));
    assert_eq!((kept(all.find(b"same")), kept(all.find(b"other"))), (Some(2.0), Some(1.0)));
}

#[test]
fn a_request_lets_few_go_however_many_are_over() {
    let all = predictions();
    for number in 0..2 * SHARDS * LEAVING_MAX {
        all.remember(number.to_string().as_bytes(), prediction(Arm::Baseline, 1.0), HOUR);
    }
    let later = Instant::now() + 2 * HOUR;
    let mut shard = all.shards.iter().max_by_key(|shard| shard.lock().unwrap().kept).unwrap().lock().unwrap();
    let before = shard.kept;
    assert_eq!(shard.expire(later, &all.part, &all.counts), LEAVING_MAX);
    assert_eq!(before - shard.kept, 64);
    while shard.expire(later, &all.part, &all.counts) > 0 {}
    assert_eq!((shard.kept, shard.entries.len()), (0, 0));
}

#[test]
fn what_is_over_is_forgotten_and_told_from_what_never_was() {
    let all = predictions();
    all.remember(b"a", prediction(Arm::Baseline, 1.0), Duration::ZERO);
    assert_eq!(all.find(b"a"), Found::Late);
    all.remember(b"b", prediction(Arm::Baseline, 1.0), HOUR);
    all.take(b"b");
    let read = all.read();
    assert_eq!((read.kept, read.forgotten), (0, 1));
    assert_eq!(all.find(b"a"), Found::Unknown, "its id was kept for another window, of no length");
    assert_eq!(all.find(b"b"), Found::Judged);
}

#[test]
fn the_bytes_of_what_is_kept_are_counted_and_come_back() {
    let all = predictions();
    let wide = Prediction { values: Values::Floats(vec![0.5; 100].into()), ..prediction(Arm::Baseline, 0.0) };
    all.remember(b"a", wide, HOUR);
    assert_eq!(all.read().bytes, 256 + 800 + 8);
    all.take(b"a");
    assert_eq!(all.read().bytes, 256);
    let other = predictions();
    other.remember(b"a", prediction(Arm::Baseline, 0.0), Duration::ZERO);
    assert_eq!(other.read().bytes, 0);
}

/// One request in ten is the candidate's. Sixty thousand share the memory of four thousand.
#[test]
#[allow(clippy::cast_precision_loss)] // counts of a test
fn a_full_memory_keeps_a_sample_that_favours_no_arm() {
    let all = small(1 << 20);
    let id = |number: u32| format!("request-{number}").into_bytes();
    for number in 0..60_000 {
        let arm = if number % 10 == 0 { Arm::Candidate } else { Arm::Baseline };
        all.remember(&id(number), prediction(arm, 0.0), HOUR);
    }
    let read = all.read();
    assert!(read.bytes <= 1 << 20 && read.kept > 1_000, "{read:?}");
    assert_eq!(read.kept + read.left_out, 60_000);
    let found: Vec<Found> = (0..60_000).map(|number| all.find(&id(number))).collect();
    let candidates = found
        .iter()
        .filter(|found| matches!(found, Found::Kept(prediction) if prediction.arm == Arm::Candidate));
    let share = candidates.count() as f64 / read.kept as f64;
    let deviation = (0.09 / read.kept as f64).sqrt();
    assert!((share - 0.1).abs() < 4.0 * deviation, "{share}");
    assert!(found.iter().all(|found| matches!(found, Found::Kept(_) | Found::LeftOut)));
    let kept_early = found.iter().take(20_000).filter(|found| matches!(found, Found::Kept(_))).count();
    assert!(kept_early > 50, "the oldest are kept like the newest: {kept_early}");
}

#[test]
fn ids_are_bounded_even_when_they_take_no_bytes() {
    let all = predictions();
    for number in 0..(PREDICTIONS_MAX + 1_000) {
        all.remember(number.to_string().as_bytes(), prediction(Arm::Baseline, 0.0), Duration::ZERO);
    }
    let entries: usize = all.shards.iter().map(|shard| shard.lock().unwrap().entries.len()).sum();
    assert!(entries <= PREDICTIONS_MAX, "{entries}");
}

#[test]
fn a_prediction_is_taken_once_however_many_ask() {
    let all = predictions();
    let ids: Vec<Vec<u8>> = (0..5_000).map(|number: u32| number.to_le_bytes().to_vec()).collect();
    let taken = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for id in &ids {
                    all.remember(id, prediction(Arm::Baseline, 0.0), HOUR);
                }
            });
        }
    });
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for id in &ids {
                    taken.fetch_add(u64::from(matches!(all.take(id), Found::Kept(_))), Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(taken.into_inner(), 5_000);
    assert_eq!(all.read().replaced, 15_000);
}
