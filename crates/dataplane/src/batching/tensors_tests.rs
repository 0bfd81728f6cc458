//! Joining, filling up and cutting, against plain lists of rows.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // a test may panic

use super::*;
use proptest::prelude::*;

fn floats(shape: &[i64], values: &[f32]) -> Tensor {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    Tensor::new(DType::Float, shape.to_vec(), Data::Packed(bytes.into())).unwrap()
}

fn strings(shape: &[i64], values: &[&'static str]) -> Tensor {
    let strings = values.iter().map(|value| Bytes::from_static(value.as_bytes())).collect();
    Tensor::new(DType::String, shape.to_vec(), Data::Strings(strings)).unwrap()
}

fn whole(tensors: &[Tensor]) -> Piece<'_> {
    Piece { tensors, rows: 0..rows(tensors).unwrap() }
}

/// Where its elements lie; none for strings.
fn begin(tensor: &Tensor) -> Option<usize> {
    match tensor.data() {
        Data::Packed(bytes) => Some(bytes.as_ptr().addr()),
        Data::Strings(_) => None,
    }
}

#[test]
fn a_request_that_cannot_be_batched_is_told_so_in_the_words_of_tensorflow_serving() {
    let text = |inputs: &[Tensor]| rows(inputs).unwrap_err().to_string();
    assert_eq!(text(&[]), "INVALID_ARGUMENT: Batching Run() must have at least one input tensor");
    assert_eq!(
        text(&[floats(&[], &[1.0])]),
        "INVALID_ARGUMENT: Batching Run() input tensors must have at least one dimension"
    );
    assert_eq!(
        text(&[floats(&[1], &[1.0]), floats(&[2], &[1.0, 2.0])]),
        "INVALID_ARGUMENT: Batching Run() input tensors must have equal 0th-dimension size"
    );
}

#[test]
fn a_batch_is_filled_up_with_the_first_row_of_its_last_part() {
    let (one, two) = ([floats(&[1, 2], &[1.0, 2.0])], [floats(&[2, 2], &[3.0, 4.0, 5.0, 6.0])]);
    let merged = merge(&[whole(&one), whole(&two)], 5).unwrap();
    let all = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 3.0, 4.0, 3.0, 4.0];
    assert_eq!(merged, [floats(&[5, 2], &all)]);
    let none = [floats(&[0, 2], &[])];
    let merged = merge(&[whole(&one), whole(&none)], 2).unwrap();
    assert_eq!(merged, [floats(&[2, 2], &[1.0, 2.0, 1.0, 2.0])]);
    assert_eq!(merge(&[whole(&none)], 4).unwrap(), none, "nothing can be copied");
}

#[test]
fn a_request_without_rows_has_no_say_in_how_far_others_are_filled_up() {
    let one = [floats(&[1, 2], &[1.0, 2.0])];
    for width in [3, 1 << 40, i64::MAX] {
        let none = [floats(&[0, width], &[])];
        for pieces in [[whole(&none), whole(&one)], [whole(&one), whole(&none)]] {
            assert_eq!(merge(&pieces, 1).unwrap(), one);
        }
        let other = [floats(&[0, 5], &[])];
        assert_eq!(merge(&[whole(&none), whole(&other)], 0).unwrap(), none);
    }
}

#[test]
fn a_request_alone_is_not_copied() {
    let inputs = [floats(&[2, 1], &[1.0, 2.0])];
    let merged = merge(&[whole(&inputs)], 2).unwrap();
    assert_eq!(begin(&inputs[0]), begin(&merged[0]));
}

#[test]
fn what_is_joined_starts_where_tensorflow_can_be_lent_it() {
    let inputs = [floats(&[1, 3], &[1.0, 2.0, 3.0])];
    let merged = merge(&[whole(&inputs), whole(&inputs)], 2).unwrap();
    assert!(begin(&merged[0]).unwrap().is_multiple_of(ALIGNMENT));
}

#[test]
fn unlike_shapes_are_filled_up_with_zeros_and_empty_strings() {
    let (small, large) = ([floats(&[1, 1, 2], &[1.0, 2.0])], [floats(&[1, 2, 1], &[3.0, 4.0])]);
    let merged = merge(&[whole(&small), whole(&large)], 2).unwrap();
    assert_eq!(merged, [floats(&[2, 2, 2], &[1.0, 2.0, 0.0, 0.0, 3.0, 0.0, 4.0, 0.0])]);
    let (short, long) = ([strings(&[2, 1], &["a", "b"])], [strings(&[1, 2], &["c", "d"])]);
    let merged = merge(&[whole(&short), whole(&long)], 3).unwrap();
    assert_eq!(merged, [strings(&[3, 2], &["a", "", "b", "", "c", "d"])]);
    let empty = [floats(&[1, 0, 2], &[])];
    let merged = merge(&[whole(&small), whole(&empty)], 2).unwrap();
    assert_eq!(merged, [floats(&[2, 1, 2], &[1.0, 2.0, 0.0, 0.0])]);
}

#[test]
fn a_batch_that_filling_up_makes_too_large_is_refused_before_memory_is_taken() {
    let row = 1 << 20;
    let inputs = [floats(&[1, row], &vec![0.0; usize::try_from(row).unwrap()])];
    let error = merge(&[whole(&inputs)], 257).unwrap_err();
    assert_eq!(error.code, crate::error::Code::ResourceExhausted);
}

#[test]
fn answers_that_are_not_row_by_row_are_refused_in_the_words_of_tensorflow_serving() {
    let text = |output: Tensor| split(&[output], &[1, 1], 2).unwrap_err().to_string();
    assert_eq!(text(floats(&[], &[1.0])), "FAILED_PRECONDITION: Batched output tensor has 0 dimensions");
    assert_eq!(
        text(floats(&[3], &[1.0, 2.0, 3.0])),
        "FAILED_PRECONDITION: Batched output tensor's 0th dimension does not equal the sum of the 0th dimension \
         sizes of the input tensors"
    );
}

#[test]
fn which_tensors_may_be_joined_is_their_type_and_their_inner_shape_or_their_rank() {
    let (exact, padding) = (Shaping::default(), Shaping { pads_inner: true, ..Shaping::default() });
    let (wide, narrow) = (floats(&[1, 2], &[1.0, 2.0]), floats(&[2, 1], &[1.0, 2.0]));
    assert_ne!(Form::of(&wide, &exact), Form::of(&narrow, &exact));
    assert_eq!(Form::of(&wide, &padding), Form::of(&narrow, &padding));
    assert_ne!(Form::of(&wide, &padding), Form::of(&strings(&[1, 1], &["a"]), &padding));
    assert_ne!(Form::of(&wide, &padding), Form::of(&floats(&[2], &[1.0, 2.0]), &padding));
}

proptest! {
    #[test]
    fn what_is_merged_and_split_again_is_what_it_was(
        sizes in prop::collection::vec(0..5_usize, 1..6),
        width in 0..4_usize,
        fill in 0..4_usize,
    ) {
        let mut next = 0_u8;
        let requests: Vec<[Tensor; 2]> = sizes.iter().map(|&size| {
            let values: Vec<f32> = (0..size * width).map(|_| { next += 1; f32::from(next) }).collect();
            let shape = [i64::try_from(size).unwrap(), i64::try_from(width).unwrap()];
            let names = vec!["s"; size];
            [floats(&shape, &values), strings(&shape[..1], &names)]
        }).collect();
        let pieces: Vec<Piece<'_>> = requests.iter().map(|tensors| whole(tensors)).collect();
        let rows: usize = sizes.iter().sum();
        let size = if rows == 0 { 0 } else { rows + fill };
        let merged = merge(&pieces, size).unwrap();
        let again = split(&merged, &sizes, size).unwrap();
        prop_assert_eq!(again, requests.iter().map(|tensors| tensors.to_vec()).collect::<Vec<_>>());
    }
}
