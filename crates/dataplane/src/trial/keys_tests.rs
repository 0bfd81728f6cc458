//! Keys are counted once for each thing, by any number of threads, and a full set samples both arms alike.

use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};

const ERROR: Marks = Marks::of(0);
const SLOW: Marks = Marks::of(1);

fn keys() -> Keys {
    Keys::new(&KeyPool::default())
}

fn small(keys_max: usize) -> Keys {
    let pool = Pool::new(2 * keys_max);
    Keys { part: Part::new(&pool, keys_max), seed: 1, ..keys() }
}

#[test]
fn a_key_is_first_once_in_each_epoch_and_marked_once_in_the_trial() {
    let keys = keys();
    let visit = |is_first_in_epoch, first| Visit { is_first_in_epoch, first };
    assert_eq!(keys.visit(7, 0, Marks::NONE), visit(true, Marks::NONE));
    assert_eq!(keys.visit(7, 0, ERROR), visit(false, ERROR));
    assert_eq!(keys.visit(7, 1, ERROR.with(SLOW)), visit(true, SLOW));
    assert_eq!(keys.visit(8, 1, SLOW), visit(true, SLOW));
}

#[test]
fn a_request_that_ends_in_a_later_epoch_than_its_own_is_not_first_in_the_earlier() {
    let keys = keys();
    keys.visit(7, 2, Marks::NONE);
    assert_eq!(keys.visit(7, 1, ERROR), Visit { first: ERROR, ..Visit::default() });
    assert!(!keys.visit(7, 2, Marks::NONE).is_first_in_epoch);
}

#[test]
fn a_mark_that_comes_without_a_request_leaves_the_key_unseen() {
    let keys = keys();
    assert_eq!(keys.mark(7, ERROR), ERROR);
    assert_eq!(keys.mark(7, ERROR), Marks::NONE);
    assert!(keys.visit(7, 0, Marks::NONE).is_first_in_epoch);
}

#[test]
fn a_key_that_was_here_lately_is_known_as_one_that_is_looked_up() {
    let keys = keys();
    let assigned = |is_first, has_ended| Assigned { is_first, has_ended };
    assert_eq!(keys.assign(7, 1), assigned(true, false));
    assert_eq!(keys.assign(7, 1), assigned(false, false), "none has ended");
    keys.visit(7, 1, Marks::NONE);
    assert_eq!(keys.assign(7, 1), assigned(false, true));
    let others = 8..8 + 4 * RECENT as u64;
    for key in others.clone() {
        assert_eq!(keys.assign(key, 1), assigned(true, false), "whoever's place it has");
        keys.visit(key, 1, Marks::NONE);
    }
    for key in others.chain([7]) {
        assert_eq!(keys.assign(key, 1), assigned(false, true), "its place may be another's now");
    }
    assert_eq!(keys.assign(7, 2), assigned(false, false), "of another epoch");
    keys.visit(9, 2, Marks::NONE);
    assert_eq!(keys.assign(9, 1), assigned(false, true), "an earlier one, whose requests still come");
}

#[test]
fn a_key_that_was_not_assigned_is_not_taken_for_one_that_was() {
    let keys = keys();
    keys.visit(7, 1, ERROR);
    assert_eq!(keys.assign(7, 1), Assigned { is_first: true, has_ended: true });
}

#[test]
fn threads_that_see_the_same_keys_count_each_once() {
    let keys = keys();
    let (seen, marked) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let (keys, seen, marked) = (&keys, &seen, &marked);
            scope.spawn(move || {
                for key in 0..20_000_u64 {
                    let visit = keys.visit((key + thread * 5_000) % 20_000, 0, ERROR);
                    seen.fetch_add(usize::from(visit.is_first_in_epoch), Ordering::Relaxed);
                    marked.fetch_add(usize::from(visit.first.has(ERROR)), Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!((seen.into_inner(), marked.into_inner()), (20_000, 20_000));
    assert!((keys.share() - 1.0).abs() < f64::EPSILON);
}

#[test]
fn more_keys_than_there_is_room_for_are_sampled_within_the_bound() {
    let keys = small(4_096);
    for key in 0..100_000 {
        keys.visit(key, 0, Marks::NONE);
    }
    let held: usize = keys.shards.iter().map(|shard| shard.table(|table| table.keys.len())).sum();
    assert_eq!(held, keys.part.used());
    assert!(held <= 4_096 && held > 512, "{held}");
    assert!(keys.share() < 0.1, "{}", keys.share());
}

/// A key that has left never counts again, or a full set would count the same user twice.
#[test]
fn a_key_is_counted_at_most_once_even_when_it_has_left_the_sample() {
    let keys = small(1_000);
    let mut marked = vec![0_u32; 20_000];
    for _ in 0..3 {
        for (key, count) in (0_u64..).zip(marked.iter_mut()) {
            *count += u32::from(keys.visit(key, 0, ERROR).first.has(ERROR));
        }
    }
    assert!(marked.iter().all(|count| *count <= 1));
}

/// One key in ten is a candidate's and one in a hundred fails, on both sides. What is counted once the set is full
/// keeps both shares, to within four standard deviations.
#[test]
#[allow(clippy::cast_precision_loss)] // counts of a test
fn a_full_set_keeps_the_shares_of_the_arms() {
    let keys = small(20_000);
    let arm = |key: u64| usize::from(key.is_multiple_of(10));
    let (mut seen, mut failed) = ([0_usize; 2], [0_usize; 2]);
    for key in 0..400_000_u64 {
        let marks = if key % 97 == 0 { ERROR } else { Marks::NONE };
        let visit = keys.visit(mix(key), 0, marks);
        if let (Some(seen), Some(failed)) = (seen.get_mut(arm(key)), failed.get_mut(arm(key))) {
            *seen += usize::from(visit.is_first_in_epoch);
            *failed += usize::from(visit.first.has(ERROR));
        }
    }
    let share = |counts: [usize; 2]| {
        let total = (counts[0] + counts[1]) as f64;
        ((counts[1] as f64) / total - 0.1).abs() * (total / 0.09).sqrt()
    };
    assert!(share(seen) < 4.0 && share(failed) < 4.0, "{seen:?} {failed:?}");
    assert!(seen[0] + seen[1] < 100_000, "it was sampled: {seen:?}");
}

#[test]
fn trials_share_what_there_is() {
    let pool = KeyPool(Pool::new(3_000));
    let trials = [(); 2].map(|()| Keys::new(&pool));
    for key in 0..10_000 {
        for keys in &trials {
            keys.visit(key, 0, Marks::NONE);
        }
    }
    assert!(trials.iter().all(|keys| keys.part.used() > 100 && keys.part.used() <= 1_500));
    drop(trials);
    assert_eq!(pool.0.used(), 0);
}
