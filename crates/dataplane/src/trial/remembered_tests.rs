//! Of an answer, the output is remembered that a truth is compared with, if it is small enough.

#![allow(clippy::unwrap_used)] // a test may panic

use super::*;
use crate::{
    inference::{Inputs, SignatureRun},
    signature::{PREDICT_METHOD, Signatures, TensorSpec},
    tensor::{DType, Data},
};
use bytes::Bytes;
use std::collections::BTreeMap;

fn signatures(method: &str, outputs: &[&str]) -> Signatures {
    let spec = |alias: &&str| TensorSpec {
        alias: (*alias).to_owned(),
        name: format!("{alias}:0"),
        dtype_number: DType::Float.number(),
        shape: None,
    };
    let signature = Signature {
        name: "serving_default".to_owned(),
        method_name: method.to_owned(),
        inputs: Vec::new(),
        outputs: outputs.iter().map(spec).collect(),
        defaults: BTreeMap::new(),
    };
    Signatures::new(vec![signature], BTreeMap::new())
}

fn floats(count: usize) -> Tensor {
    let shape = vec![1, i64::try_from(count).unwrap()];
    Tensor::new(DType::Float, shape, Data::Packed(vec![0; 4 * count].into())).unwrap()
}

fn strings(texts: &[&'static str]) -> Tensor {
    let shape = vec![1, i64::try_from(texts.len()).unwrap()];
    let strings = texts.iter().map(|text| Bytes::from_static(text.as_bytes())).collect();
    Tensor::new(DType::String, shape, Data::Strings(strings)).unwrap()
}

/// What is remembered of an answer that holds these outputs, by their indexes.
fn remembered(
    signatures: &Signatures,
    output: Option<&str>,
    answered: &[(usize, Tensor)],
) -> Option<(usize, usize)> {
    let outputs = answered.iter().map(|(index, _)| *index).collect();
    let run = SignatureRun { signature: 0, inputs: Inputs { tensors: Vec::new(), outputs } };
    let tensors: Vec<Tensor> = answered.iter().map(|(_, tensor)| tensor.clone()).collect();
    let remembering = Remembering { output: output.map(str::to_owned), window_s: 1.0 };
    let observed = Observed { signatures, run: Some(&run), outputs: &tensors };
    find(&remembering, observed).map(|(values, _, labels)| (values.len(), labels.len()))
}

#[test]
fn the_only_output_needs_no_name_and_one_of_several_does() {
    let one = signatures(PREDICT_METHOD, &["y"]);
    assert_eq!(remembered(&one, None, &[(0, floats(3))]), Some((3, 0)));
    let two = signatures(PREDICT_METHOD, &["a", "b"]);
    let answered = [(0, floats(1)), (1, floats(2))];
    assert_eq!(remembered(&two, None, &answered), None);
    assert_eq!(remembered(&two, Some("b"), &answered), Some((2, 0)));
    assert_eq!(remembered(&two, Some("b"), &answered[..1]), None, "the caller did not ask for it");
    assert_eq!(remembered(&two, Some("c"), &answered), None);
}

#[test]
fn of_a_classification_scores_and_the_names_of_their_places_are_remembered() {
    let both = signatures(CLASSIFY_METHOD, &["classes", "scores"]);
    let answered = [(0, strings(&["cat", "dog"])), (1, floats(2))];
    assert_eq!(remembered(&both, None, &answered), Some((2, 2)));
    let classes = signatures(CLASSIFY_METHOD, &["classes"]);
    assert_eq!(remembered(&classes, None, &[(0, strings(&["cat"]))]), Some((1, 1)));
    let uneven = [(0, strings(&["cat"])), (1, floats(2))];
    assert_eq!(remembered(&both, None, &uneven), Some((2, 0)));
}

#[test]
fn what_is_too_large_is_not_remembered() {
    let one = signatures(PREDICT_METHOD, &["y"]);
    assert_eq!(remembered(&one, None, &[(0, floats(ELEMENTS_MAX))]), Some((ELEMENTS_MAX, 0)));
    assert_eq!(remembered(&one, None, &[(0, floats(ELEMENTS_MAX + 1))]), None);
    let long = Tensor::new(DType::String, vec![1], Data::Strings(vec![vec![b'a'; STRING_BYTES_MAX].into()]));
    assert_eq!(remembered(&one, None, &[(0, long.unwrap())]), None);
}
