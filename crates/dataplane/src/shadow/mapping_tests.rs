//! Which of the candidate's names stand for the baseline's, and what cannot be asked of it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // a test may panic

use super::*;
use crate::{
    signature::TensorSpec,
    tensor::{DType, Data},
};
use std::collections::BTreeMap;

/// A signature whose inputs and outputs have these names; a name that begins with a capital is of an integer.
fn signature(name: &str, inputs: &[&str], outputs: &[&str]) -> Signature {
    let spec = |alias: &&str| TensorSpec {
        alias: alias.to_lowercase(),
        name: format!("{alias}:0"),
        dtype_number: if alias.starts_with(char::is_uppercase) { DType::Int32 } else { DType::Float }
            .number(),
        shape: None,
    };
    Signature {
        name: name.to_owned(),
        method_name: String::new(),
        inputs: inputs.iter().map(spec).collect(),
        outputs: outputs.iter().map(spec).collect(),
        defaults: BTreeMap::new(),
    }
}

fn signatures(list: Vec<Signature>) -> Signatures {
    Signatures::new(list, BTreeMap::new())
}

fn scalar(value: f32) -> Tensor {
    Tensor::new(DType::Float, vec![], Data::Packed(value.to_le_bytes().to_vec().into())).unwrap()
}

fn asked(signature: usize, outputs: &[usize], inputs: &[f32]) -> Asked {
    let heads = vec![Head { signature, outputs: outputs.to_vec() }];
    Asked { heads, inputs: inputs.iter().copied().map(scalar).collect() }
}

fn counterpart(
    baseline: Signature,
    candidate: Signature,
    asked: &Asked,
) -> Result<Counterpart, Incomparable> {
    Mapping::new(&signatures(vec![baseline]), &signatures(vec![candidate])).counterpart(asked)
}

#[test]
fn signatures_inputs_and_outputs_are_found_by_name_wherever_they_stand() {
    let baseline = signatures(vec![signature("s", &["b", "c"], &["u", "v", "w"])]);
    let mut theirs = signature("s", &["a", "b", "c"], &["t", "v", "w"]);
    theirs.defaults.insert("a".to_owned(), scalar(7.0));
    let candidate = signatures(vec![signature("r", &["x"], &["y"]), theirs]);
    let mapping = Mapping::new(&baseline, &candidate);
    let found = mapping.counterpart(&asked(0, &[2, 0, 1], &[1.0, 2.0])).unwrap();
    assert_eq!(found.asked.heads, [Head { signature: 1, outputs: vec![2, 1] }]);
    assert_eq!(found.asked.inputs, [scalar(7.0), scalar(1.0), scalar(2.0)]);
    assert_eq!(found.places, [0, 2], "of w, u, v the candidate has w and v");
}

#[test]
fn what_cannot_be_asked_of_the_candidate_is_told_with_its_reason() {
    let cases = [
        (signature("other", &["x"], &["y"]), Incomparable::NoSignature),
        (signature("s", &["x", "more"], &["y"]), Incomparable::Inputs),
        (signature("s", &["z"], &["y"]), Incomparable::Inputs),
        (signature("s", &[], &["y"]), Incomparable::Inputs),
        (signature("s", &["X"], &["y"]), Incomparable::InputTypes),
        (signature("s", &["x"], &["z"]), Incomparable::Outputs),
    ];
    for (candidate, reason) in cases {
        let found = counterpart(signature("s", &["x"], &["y"]), candidate.clone(), &asked(0, &[0], &[1.0]));
        assert_eq!(found.unwrap_err(), reason, "{candidate:?}");
    }
}

#[test]
fn several_signatures_are_asked_together_when_each_is_there() {
    let list = || vec![signature("a", &["inputs"], &["m"]), signature("b", &["inputs"], &["n", "o"])];
    let (baseline, mut reduced) = (signatures(list()), list());
    let heads = vec![Head { signature: 1, outputs: vec![1] }, Head { signature: 0, outputs: vec![0] }];
    let asked = Asked { heads, inputs: vec![scalar(1.0)] };
    let found = Mapping::new(&baseline, &signatures(list())).counterpart(&asked).unwrap();
    assert_eq!((&found.asked.heads, &found.places), (&asked.heads, &vec![0, 1]));
    reduced.pop();
    let missing = Mapping::new(&baseline, &signatures(reduced)).counterpart(&asked);
    assert_eq!(missing.unwrap_err(), Incomparable::NoSignature);
}

#[test]
fn every_reason_has_a_name_of_its_own() {
    let names: std::collections::BTreeSet<_> = Incomparable::ALL.iter().map(|reason| reason.name()).collect();
    assert_eq!(names.len(), Incomparable::ALL.len());
}
