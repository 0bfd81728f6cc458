//! What counting a request for its trial costs the request: `cargo bench -p understudy-dataplane --bench trial_cost`.
//!
//! A request is counted twice, as it comes and as it ends. The cost of a key is that of two looks at one of 64 tables.

#![allow(missing_docs, clippy::unwrap_used, clippy::cast_precision_loss)] // a program that measures

use dataplane::{
    error::Code,
    testing::traffic,
    traffic::{Arm, Reason, Stage, TrafficSettings},
    trial::{Ended, Epoch, Trials},
};
use std::{
    hint::black_box,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

const ITERATIONS: u64 = 2_000_000;
const THREADS: u64 = 2;

fn main() {
    measure("no key", &|_| None, 1);
    measure("the same key", &|_| Some(7), 1);
    measure("one of 10,000 keys", &|number| Some(spread(number % 10_000)), 1);
    measure("a new key, until the table samples", &|number| Some(spread(number)), 1);
    measure("no key, two threads", &|_| None, THREADS);
    measure("one of 10,000 keys, two threads", &|number| Some(spread(number % 10_000)), THREADS);
}

/// A key's hash.
fn spread(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn measure(name: &str, key: &(impl Fn(u64) -> Option<u64> + Sync), threads: u64) {
    let trials = Trials::default();
    let slow_after_s = vec![("slow:p99".to_owned(), 1.0), ("slow:p50".to_owned(), 0.001)];
    let epoch = trials.open(&Arc::from("m"), &TrafficSettings { slow_after_s, ..traffic(2, 1_000) });
    let begun = Instant::now();
    thread::scope(|scope| {
        for thread in 0..threads {
            let epoch = &epoch;
            scope.spawn(move || {
                (0..ITERATIONS).for_each(|number| count(epoch, key(number.wrapping_add(thread * 5_000))));
            });
        }
    });
    let nanos = begun.elapsed().as_nanos() as f64 / ITERATIONS as f64;
    println!("{name:<44} {nanos:>8.1} ns");
}

fn count(epoch: &Epoch, key: Option<u64>) {
    let (assigned, reason) = (Arm::Baseline, Reason::Sticky);
    let is_key_known = epoch.assign(assigned, reason, key);
    epoch.record(&Ended {
        assigned,
        reason,
        key,
        is_key_known,
        stage: Stage::Ran,
        is_invalid: false,
        code: Code::Ok,
        took: black_box(Duration::from_micros(700)),
    });
}
