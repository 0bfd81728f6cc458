//! What is kept of one output's differences, and how they are counted by size.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::float_cmp)] // a test may panic; exact is meant

use super::*;
use crate::{
    tensor::{DType, Data, Tensor},
    traffic::Tolerance,
};

fn scalar(value: f64) -> Tensor {
    Tensor::new(DType::Double, vec![], Data::Packed(value.to_le_bytes().to_vec().into())).unwrap()
}

/// A baseline's 1 and a candidate's 1 and this much more, as a request of this name.
fn verdict(more: f64, name: &str) -> Verdict {
    let tolerance = Tolerance { absolute: 0.5, relative: 0.0, top_1: false };
    let difference = Difference::between(&scalar(1.0), &scalar(1.0 + more), tolerance);
    let (severity, request_id) = (difference.severity, name.to_owned());
    let (baseline, candidate, inputs) = Default::default();
    let sample = Sample { request_id, key: None, element: None, baseline, candidate, severity, inputs };
    Verdict { difference, sample: Some(sample) }
}

fn report(tally: &OutputTally) -> OutputReport {
    tally.report(&("s".into(), "y".into()))
}

#[test]
fn the_worst_are_kept_in_order_and_of_equal_ones_the_first() {
    let mut tally = OutputTally::default();
    for number in 0..100 {
        tally.record(verdict(f64::from(number % 50), &number.to_string()));
    }
    let kept: Vec<_> = report(&tally).worst.into_iter().map(|sample| sample.request_id).collect();
    let expected: Vec<_> =
        (42..50).rev().flat_map(|number| [number, number + 50]).map(|number| number.to_string()).collect();
    assert_eq!(kept, expected);
    assert_eq!(kept.len(), SAMPLES_MAX);
}

#[test]
fn requests_are_counted_by_the_size_of_their_difference() {
    let mut tally = OutputTally::default();
    for more in [0.0, 0.0, 0.25, 1.0, 3.0, f64::NAN, 1e9] {
        tally.record(verdict(more, ""));
    }
    let told = report(&tally);
    assert_eq!((told.compared, told.disagreed, told.unlike), (7, 4, 0));
    let mut expected = vec![0; DIFFERENCE_BOUNDS.len() + 2];
    (expected[0], expected[10], expected[11], expected[14]) = (2, 2, 1, 2);
    assert_eq!(told.absolute, expected);
    assert_eq!(told.largest.0, f64::INFINITY);
}

#[test]
fn unlike_tensors_are_counted_and_have_no_size() {
    let mut tally = OutputTally::default();
    let vector =
        Tensor::new(DType::Double, vec![1], Data::Packed(1.0_f64.to_le_bytes().to_vec().into())).unwrap();
    let tolerance = Tolerance { absolute: 0.0, relative: 0.0, top_1: false };
    tally.record(Verdict { difference: Difference::between(&scalar(1.0), &vector, tolerance), sample: None });
    let told = report(&tally);
    assert_eq!((told.compared, told.disagreed, told.unlike), (1, 1, 1));
    assert_eq!(told.absolute.iter().sum::<u64>(), 0);
}
