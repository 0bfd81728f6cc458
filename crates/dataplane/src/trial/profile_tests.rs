//! Outputs are profiled by name, in bounded memory.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // a test may panic

use super::*;
use crate::{
    inference::Inputs,
    signature::{Signature, TensorSpec},
    tensor::{DType, Data},
};

fn signature(name: &str, outputs: &[(&str, DType)]) -> Signature {
    let spec = |(alias, dtype): &(&str, DType)| TensorSpec {
        alias: (*alias).to_owned(),
        name: format!("{alias}:0"),
        dtype_number: dtype.number(),
        shape: None,
    };
    Signature {
        name: name.to_owned(),
        method_name: String::new(),
        inputs: Vec::new(),
        outputs: outputs.iter().map(spec).collect(),
        defaults: BTreeMap::new(),
    }
}

fn signatures() -> Signatures {
    let default = signature("serving_default", &[("label", DType::String), ("scores", DType::Float)]);
    Signatures::new(vec![default, signature("other", &[("y", DType::Int64)])], BTreeMap::new())
}

fn floats(shape: &[i64], values: &[f32]) -> Tensor {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    Tensor::new(DType::Float, shape.to_vec(), Data::Packed(bytes.into())).unwrap()
}

fn observe(profiles: &Profiles, signature: &str, output: usize, tensor: Tensor) {
    let signatures = signatures();
    let (signature, _) = signatures.find(signature).unwrap();
    let run = SignatureRun { signature, inputs: Inputs { tensors: Vec::new(), outputs: vec![output] } };
    profiles.observe(Observed { signatures: &signatures, run: Some(&run), outputs: &[tensor] });
}

#[test]
fn scores_have_a_mean_quantiles_and_the_shares_of_their_top_class() {
    let profiles = Profiles::default();
    observe(&profiles, "", 1, floats(&[2, 3], &[0.25, 0.5, 0.25, 1.0, 0.0, 0.0]));
    observe(&profiles, "", 1, floats(&[1, 3], &[0.25, 0.75, f32::NAN]));
    let read = profiles.read().outputs;
    assert_eq!(read.len(), 1);
    assert_eq!(
        (read[0].name.as_str(), read[0].values.count(), read[0].values.not_finite()),
        ("scores", 8, 1)
    );
    assert_eq!(read[0].values.mean(), Some(3.0 / 8.0));
    let classes = [(Class::Number(0), 1), (Class::Number(1), 1), (Class::Number(2), 1)];
    assert_eq!(read[0].classes, classes, "a score that is no number is the highest");
}

#[test]
fn integers_and_strings_are_classes_of_their_own_and_signatures_are_told_apart() {
    let profiles = Profiles::default();
    let strings = Data::Strings([&b"cat"[..], b"dog", b"cat"].map(Bytes::from_static).to_vec());
    observe(&profiles, "", 0, Tensor::new(DType::String, vec![3], strings).unwrap());
    let seven = Data::Packed(Bytes::copy_from_slice(&7_i64.to_le_bytes()));
    observe(&profiles, "other", 0, Tensor::new(DType::Int64, vec![1], seven).unwrap());
    let read = profiles.read().outputs;
    assert_eq!(read.iter().map(|each| each.name.as_str()).collect::<Vec<_>>(), ["other/y", "label"]);
    assert_eq!(read[0].classes, [(Class::Number(7), 1)]);
    let text = |text: &'static str| Class::Text(Bytes::from_static(text.as_bytes()));
    assert_eq!(read[1].classes, [(text("cat"), 2), (text("dog"), 1)]);
}

#[test]
fn classes_beyond_the_bound_are_counted_together() {
    let profiles = Profiles::default();
    let numbers: Vec<u8> = (0..200_i64).flat_map(i64::to_le_bytes).collect();
    observe(
        &profiles,
        "other",
        0,
        Tensor::new(DType::Int64, vec![200], Data::Packed(numbers.into())).unwrap(),
    );
    let read = profiles.read().outputs;
    assert_eq!((read[0].classes.len(), read[0].other), (CLASSES_MAX, 200 - 64));
}

#[test]
fn the_first_answers_are_all_looked_at_and_then_some() {
    let profiles = Profiles::default();
    for _ in 0..WHOLE {
        observe(&profiles, "", 1, floats(&[1], &[1.0]));
    }
    assert_eq!(profiles.read().outputs[0].values.count(), WHOLE);
    for _ in 0..64_000 {
        observe(&profiles, "", 1, floats(&[1], &[1.0]));
    }
    let more = profiles.read().outputs[0].values.count() - WHOLE;
    assert!((600..1_500).contains(&more), "about one in 64: {more}");
}
