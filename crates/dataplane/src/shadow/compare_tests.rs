//! What counts as a difference, by hand and against a second, slower statement of the rule.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // a test may panic
#![allow(clippy::float_cmp, clippy::cast_precision_loss)] // exact is meant; rounding is the same on both sides

use super::*;
use crate::{shadow::elements::text, tensor::DType};
use bytes::Bytes;
use half::{bf16, f16};
use proptest::prelude::*;

const EXACT: Tolerance = Tolerance { absolute: 0.0, relative: 0.0, top_1: false };
const USUAL: Tolerance = Tolerance { absolute: 1e-5, relative: 1e-3, top_1: false };

fn packed(dtype: DType, shape: &[i64], bytes: Vec<u8>) -> Tensor {
    Tensor::new(dtype, shape.to_vec(), Data::Packed(bytes.into())).unwrap()
}

fn vector(values: &[f32]) -> Tensor {
    matrix(values, values.len())
}

/// Rows of this many columns; a single row is a vector.
fn matrix(values: &[f32], columns: usize) -> Tensor {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let length = |count: usize| i64::try_from(count).unwrap();
    let shape = match values.len() / columns.max(1) {
        0 | 1 => vec![length(values.len())],
        rows => vec![length(rows), length(columns)],
    };
    packed(DType::Float, &shape, bytes)
}

fn words(words: &[&'static str]) -> Tensor {
    let strings = words.iter().map(|word| Bytes::from_static(word.as_bytes())).collect();
    Tensor::new(DType::String, vec![i64::try_from(words.len()).unwrap()], Data::Strings(strings)).unwrap()
}

#[test]
fn floats_agree_up_to_the_tolerance_and_not_beyond() {
    let tolerance = Tolerance { absolute: 0.5, relative: 0.125, top_1: false };
    for (theirs, agrees) in [(9.5, true), (9.501, false), (6.5, true), (6.499, false)] {
        let found = Difference::between(&vector(&[8.0]), &vector(&[theirs]), tolerance);
        assert_eq!((found.agrees, found.severity <= 1.0), (agrees, agrees), "{theirs}");
    }
}

#[test]
fn the_worst_element_is_the_one_that_is_most_tolerances_apart() {
    let (mine, theirs) = (vector(&[1000.0, 1.0, 0.0]), vector(&[1000.5, 1.1, 0.0]));
    let found = Difference::between(&mine, &theirs, USUAL);
    assert_eq!((found.worst, found.agrees), (Some(1), false));
    let largest = found.largest.unwrap();
    assert_eq!(largest.absolute, 0.5);
    assert!((largest.relative - 0.1).abs() < 1e-6, "{largest:?}");
}

#[test]
fn what_is_not_finite_agrees_with_itself_alone() {
    let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1.0];
    let loose = Tolerance { absolute: 1e30, relative: 1e30, top_1: false };
    for (row, mine) in odd.iter().enumerate() {
        for (column, theirs) in odd.iter().enumerate() {
            // A second element that differs keeps the two from being the same bit by bit.
            let found = Difference::between(&vector(&[*mine, 1.0]), &vector(&[*theirs, 1.5]), loose);
            assert_eq!(found.agrees, row == column, "{mine} and {theirs}");
            assert_eq!(found.invalid.baseline, !mine.is_finite());
            assert_eq!(found.invalid.candidate, !theirs.is_finite());
        }
    }
}

#[test]
fn integers_and_booleans_agree_when_they_are_equal() {
    let number = |value: u64| packed(DType::UInt64, &[1], value.to_le_bytes().to_vec());
    let found = Difference::between(&number(0), &number(u64::MAX), USUAL);
    assert!(!found.agrees);
    assert_eq!(found.largest.unwrap(), Gap { absolute: u64::MAX as f64, relative: f64::INFINITY });
    let flag = |byte| packed(DType::Bool, &[1], vec![byte]);
    assert!(!Difference::between(&flag(0), &flag(1), USUAL).agrees);
    assert!(Difference::between(&flag(1), &flag(2), USUAL).agrees, "both are true");
}

#[test]
fn of_strings_those_that_differ_are_counted() {
    let found = Difference::between(&words(&["a", "b", "c"]), &words(&["a", "x", "y"]), USUAL);
    assert_eq!((found.agrees, found.severity, found.worst, found.largest), (false, 2.0, Some(1), None));
}

#[test]
fn tensors_that_cannot_be_laid_side_by_side_are_unlike() {
    let int = |values: [i32; 2]| packed(DType::Int32, &[2], values.map(i32::to_le_bytes).concat());
    let long = |value: i64| packed(DType::Int64, &[1], value.to_le_bytes().to_vec());
    let pairs = [
        (vector(&[1.0]), vector(&[1.0, 1.0])),
        (vector(&[1.0]), words(&["1"])),
        (int([1, 2]), vector(&[1.0, 2.0])),
        (long(1), packed(DType::Int32, &[1], 1_i32.to_le_bytes().to_vec())),
    ];
    for (mine, theirs) in pairs {
        let found = Difference::between(&mine, &theirs, USUAL);
        assert!(found.is_unlike && !found.agrees && found.severity.is_infinite(), "{mine:?}");
    }
}

#[test]
fn floats_of_two_widths_are_compared_as_numbers() {
    let half = packed(DType::Half, &[1], f16::from_f32(0.1).to_le_bytes().to_vec());
    let brain = packed(DType::BFloat16, &[1], bf16::from_f32(0.1).to_le_bytes().to_vec());
    let near = Tolerance { absolute: 0.0, relative: 0.01, top_1: false };
    assert!(Difference::between(&vector(&[0.1]), &half, near).agrees);
    assert!(Difference::between(&half, &brain, near).agrees);
    assert!(!Difference::between(&vector(&[0.1]), &brain, EXACT).agrees);
}

#[test]
fn the_worst_of_complex_numbers_is_told_by_its_own_index() {
    let complex = |parts: [f32; 4]| packed(DType::Complex64, &[2], parts.map(f32::to_le_bytes).concat());
    let found = Difference::between(&complex([1.0, 2.0, 3.0, 4.0]), &complex([1.0, 2.0, 3.0, 9.0]), USUAL);
    assert_eq!((found.worst, found.agrees, found.top_1_agrees), (Some(1), false, None));
}

#[test]
fn the_highest_score_of_every_row_must_be_at_the_same_place() {
    let mine = matrix(&[0.1, 0.9, 0.6, 0.4], 2);
    let cases = [([0.2, 0.8, 0.6, 0.4], true), ([0.1, 0.9, 0.4, 0.6], false)];
    for (theirs, same) in cases {
        let found = Difference::between(&mine, &matrix(&theirs, 2), USUAL);
        assert_eq!((found.top_1_agrees, found.agrees), (Some(same), false));
        let lenient = Tolerance { top_1: true, ..USUAL };
        assert_eq!(Difference::between(&mine, &matrix(&theirs, 2), lenient).agrees, same);
    }
    let not_a_number = Difference::between(&mine, &matrix(&[0.1, f32::NAN, 0.6, 0.4], 2), USUAL);
    assert_eq!(not_a_number.top_1_agrees, Some(false));
    assert_eq!(Difference::between(&mine, &mine, USUAL).top_1_agrees, Some(true));
}

#[test]
fn what_has_no_rows_of_scores_has_no_top_1_and_is_held_to_the_tolerance() {
    let lenient = Tolerance { top_1: true, ..USUAL };
    for (mine, theirs) in
        [(vector(&[1.0, 2.0]), vector(&[1.0, 3.0])), (matrix(&[1.0, 2.0], 1), matrix(&[1.0, 3.0], 1))]
    {
        let found = Difference::between(&mine, &theirs, lenient);
        assert_eq!((found.top_1_agrees, found.agrees), (None, false));
    }
}

#[test]
fn nothing_differs_where_there_is_nothing() {
    let found = Difference::between(&vector(&[]), &vector(&[]), EXACT);
    assert!(found.agrees && found.worst.is_none());
}

/// A fixed-size type and so many elements of it, as bytes.
fn any_packed() -> impl Strategy<Value = (DType, Vec<u8>)> {
    let sized: Vec<_> = DType::ALL.into_iter().filter_map(|dtype| Some((dtype, dtype.size()?))).collect();
    (prop::sample::select(sized), 1..8_usize).prop_flat_map(|((dtype, size), count)| {
        (Just(dtype), prop::collection::vec(any::<u8>(), size * count))
    })
}

/// The rule once more, for floats of one row, element by element.
fn plain_rule(mine: &[f32], theirs: &[f32], tolerance: Tolerance) -> bool {
    mine.iter().zip(theirs).all(|(mine, theirs)| {
        let (mine, theirs) = (f64::from(*mine), f64::from(*theirs));
        if mine.is_nan() || theirs.is_nan() {
            return mine.is_nan() && theirs.is_nan();
        }
        if mine.is_infinite() || theirs.is_infinite() {
            return mine == theirs;
        }
        (mine - theirs).abs() <= tolerance.absolute + tolerance.relative * mine.abs()
    })
}

proptest! {
    #[test]
    fn whatever_its_type_a_tensor_agrees_with_itself((dtype, bytes) in any_packed()) {
        let length = i64::try_from(bytes.len() / dtype.size().unwrap()).unwrap();
        let tensor = packed(dtype, &[length], bytes);
        let found = Difference::between(&tensor, &tensor.clone(), EXACT);
        prop_assert!(found.agrees && found.worst.is_none() && !found.is_unlike);
    }

    #[test]
    fn whatever_its_type_a_tensor_whose_numbers_differ_is_told_from_it_at_that_element(
        (dtype, bytes) in any_packed(), place in any::<prop::sample::Index>(), bits in 1..=255_u8,
    ) {
        let size = dtype.size().unwrap();
        let length = i64::try_from(bytes.len() / size).unwrap();
        let at = place.index(bytes.len());
        let mut changed = bytes.clone();
        changed[at] ^= bits;
        let (mine, theirs) = (packed(dtype, &[length], bytes), packed(dtype, &[length], changed));
        let found = Difference::between(&mine, &theirs, EXACT);
        let texts = [&mine, &theirs].map(|tensor| text(tensor, at / size).unwrap());
        if found.agrees {
            // Two patterns of bits may be one number: both NaN, both true, zeros of two signs.
            let [mine, theirs] = texts.map(|text| text.replace(['-', '+'], ""));
            prop_assert!(found.worst.is_none() && mine == theirs, "{mine} {theirs}");
        } else {
            prop_assert_eq!(found.worst, Some(at / size));
            prop_assert_ne!(&texts[0], &texts[1]);
        }
    }

    #[test]
    fn floats_are_judged_as_the_plain_rule_says(
        pairs in prop::collection::vec((any::<f32>(), any::<f32>(), any::<bool>()), 1..20),
        absolute in 0.0..10.0_f64, relative in 0.0..1.0_f64,
    ) {
        let mine: Vec<f32> = pairs.iter().map(|(mine, ..)| *mine).collect();
        let theirs: Vec<f32> =
            pairs.iter().map(|(mine, theirs, near)| if *near { mine * 1.001 } else { *theirs }).collect();
        let tolerance = Tolerance { absolute, relative, top_1: false };
        let found = Difference::between(&vector(&mine), &vector(&theirs), tolerance);
        prop_assert_eq!(found.agrees, plain_rule(&mine, &theirs, tolerance));
        prop_assert_eq!(found.invalid.candidate && !found.invalid.baseline,
            theirs.iter().any(|value| !value.is_finite()) && mine.iter().all(|value| value.is_finite()));
    }
}
