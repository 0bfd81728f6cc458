//! The tables of what is checked of outputs, and what is read from good ones.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // a test may panic

use super::*;
use crate::examples::tests::signature;
use proptest::prelude::*;

const EXAMPLES: i64 = 2;

fn floats(shape: &[i64]) -> Tensor {
    let count = usize::try_from(shape.iter().product::<i64>()).unwrap();
    let values = (0_u8..).take(count).flat_map(|value| f32::from(value).to_le_bytes()).collect::<Vec<_>>();
    Tensor::new(DType::Float, shape.to_vec(), Data::Packed(values.into())).unwrap()
}

fn labels(shape: &[i64]) -> Tensor {
    let count = usize::try_from(shape.iter().product::<i64>()).unwrap();
    let texts = (b'a'..).take(count).map(|letter| Bytes::copy_from_slice(&[letter])).collect();
    Tensor::new(DType::String, shape.to_vec(), Data::Strings(texts)).unwrap()
}

fn ints(shape: &[i64]) -> Tensor {
    let count = usize::try_from(shape.iter().product::<i64>()).unwrap();
    Tensor::new(DType::Int64, shape.to_vec(), Data::Packed(vec![0; count * 8].into())).unwrap()
}

/// The rows of a good answer: labels as text.
fn classified(aliases: &[&str], tensors: &[Tensor]) -> Result<Vec<Vec<(String, f32)>>, Error> {
    let signature = signature(&["inputs"], aliases);
    let outputs: Vec<usize> = (0..tensors.len()).collect();
    match Answer::read(Task::Classify, &signature, &outputs, tensors, EXAMPLES)? {
        Answer::Classifications(found) => {
            let text = |(label, score)| (String::from_utf8_lossy(label).into_owned(), score);
            Ok(found.rows().map(|classes| classes.map(text).collect()).collect())
        }
        Answer::Regressions(_) => Ok(Vec::new()),
    }
}

fn regressed(tensor: &Tensor) -> Result<Vec<f32>, Error> {
    let signature = signature(&["inputs"], &["outputs"]);
    match Answer::read(Task::Regress, &signature, &[0], std::slice::from_ref(tensor), EXAMPLES)? {
        Answer::Regressions(found) => Ok(found.values().collect()),
        Answer::Classifications(_) => Ok(Vec::new()),
    }
}

#[test]
fn labels_and_scores_go_together_and_either_may_be_left_out() {
    let row = |pairs: &[(&str, f32)]| pairs.iter().map(|&(label, score)| (label.to_owned(), score)).collect();
    let both = classified(&["classes", "scores"], &[labels(&[2, 2]), floats(&[2, 2])]);
    assert_eq!(both, Ok(vec![row(&[("a", 0.0), ("b", 1.0)]), row(&[("c", 2.0), ("d", 3.0)])]));
    assert_eq!(classified(&["scores"], &[floats(&[2, 1])]), Ok(vec![row(&[("", 0.0)]), row(&[("", 1.0)])]));
    assert_eq!(
        classified(&["classes"], &[labels(&[2, 1])]),
        Ok(vec![row(&[("a", 0.0)]), row(&[("b", 0.0)])])
    );
    assert_eq!(classified(&["scores"], &[floats(&[2, 0])]), Ok(vec![row(&[]), row(&[])]));
}

#[test]
fn classes_and_scores_that_do_not_fit_are_refused_in_the_words_and_order_of_tensorflow_serving() {
    let both = &["classes", "scores"][..];
    let cases: [(&[&str], Vec<Tensor>, &str); 9] = [
        (&["scores"], vec![floats(&[2])], "Expected Tensor shape: [batch_size num_classes] but got [2]"),
        (&["classes"], vec![labels(&[])], "Expected Tensor shape: [batch_size num_classes] but got []"),
        (
            both,
            vec![labels(&[2, 1]), floats(&[2, 1, 1])],
            "Expected Tensor shape: [batch_size num_classes] but got [2,1,1]",
        ),
        (both, vec![ints(&[1, 2]), floats(&[2])], "Expected classes Tensor of DT_STRING. Got: DT_INT64"),
        (both, vec![labels(&[2, 1]), ints(&[1, 2])], "Expected scores Tensor of DT_FLOAT. Got: DT_INT64"),
        (both, vec![labels(&[3, 1]), ints(&[2])], "Expected classes output batch size of 2. Got: 3"),
        (both, vec![labels(&[2, 1]), floats(&[1, 1])], "Expected scores output batch size of 2. Got: 1"),
        (
            both,
            vec![labels(&[2, 1]), floats(&[2, 3])],
            "Tensors class and score should match in dim_size(1). Got 1 vs. 3",
        ),
        (&["scores"], vec![labels(&[2, 1])], "Expected scores Tensor of DT_FLOAT. Got: DT_STRING"),
    ];
    for (aliases, tensors, text) in cases {
        assert_eq!(classified(aliases, &tensors), Err(Error::invalid_argument(text)));
    }
}

#[test]
fn a_number_for_each_example_may_stand_alone_or_in_a_row_of_its_own() {
    assert_eq!(regressed(&floats(&[2])), Ok(vec![0.0, 1.0]));
    assert_eq!(regressed(&floats(&[2, 1])), Ok(vec![0.0, 1.0]));
}

#[test]
fn numbers_that_do_not_fit_are_refused_in_the_words_and_order_of_tensorflow_serving() {
    let shape = "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got";
    let cases = [
        (floats(&[]), format!("{shape} []")),
        (ints(&[2, 2]), format!("{shape} [2,2]")),
        (ints(&[3]), "Input batch size did not match output batch size: 2 vs. 3".to_owned()),
        (ints(&[2]), "Expected output Tensor of DT_FLOAT.  Got: DT_INT64".to_owned()),
        (labels(&[2, 1]), "Expected output Tensor of DT_FLOAT.  Got: DT_STRING".to_owned()),
    ];
    for (tensor, text) in cases {
        assert_eq!(regressed(&tensor), Err(Error::invalid_argument(text)));
    }
}

fn tensor() -> impl Strategy<Value = Tensor> {
    let shape = prop::collection::vec(0_i64..4, 0..4);
    (shape, 0..3).prop_map(|(shape, kind)| match kind {
        0 => floats(&shape),
        1 => labels(&shape),
        _ => ints(&shape),
    })
}

proptest! {
    #[test]
    fn any_outputs_are_read_whole_or_refused(first in tensor(), second in tensor()) {
        let _ = regressed(&first);
        if let Ok(rows) = classified(&["classes", "scores"], &[first, second.clone()]) {
            prop_assert_eq!(rows.len(), 2);
            let widths: Vec<i64> = rows.iter().map(|row| i64::try_from(row.len()).unwrap()).collect();
            prop_assert_eq!(&widths, &[second.shape()[1]; 2]);
        }
    }
}
