//! How a context goes before each Example, and how signatures are judged, in order and in words.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // a test may panic

use super::*;
use crate::{
    error::Code,
    inference::Rules,
    signature::{Signature, TensorSpec},
    wire::tensorflow::{BytesList, Example, Feature, Features, feature},
};
use prost::Message;
use std::collections::BTreeMap;

const CHECKED: Rules = Rules { check_method_names: true, session_run: false };

fn specs(aliases: &[&str]) -> Vec<TensorSpec> {
    let spec = |alias: &&str| TensorSpec {
        alias: (*alias).to_owned(),
        name: format!("{alias}:0"),
        dtype_number: DType::String.number(),
        shape: None,
    };
    aliases.iter().map(spec).collect()
}

pub(super) fn signature(inputs: &[&str], outputs: &[&str]) -> Signature {
    Signature {
        name: "s".to_owned(),
        method_name: "tensorflow/serving/predict".to_owned(),
        inputs: specs(inputs),
        outputs: specs(outputs),
        defaults: BTreeMap::new(),
    }
}

/// A serialized Example with one feature.
fn example(name: &str, value: &str) -> Bytes {
    let list = BytesList { value: vec![Bytes::copy_from_slice(value.as_bytes())] };
    let feature = Feature { kind: Some(feature::Kind::BytesList(list)) };
    let features = Features { feature: BTreeMap::from([(name.to_owned(), feature)]) };
    Example { features: Some(features) }.encode_to_vec().into()
}

fn strings(tensor: &Tensor) -> &[Bytes] {
    match tensor.data() {
        Data::Strings(strings) => strings,
        Data::Packed(_) => &[],
    }
}

#[test]
fn a_signature_that_cannot_answer_is_refused_in_the_order_and_words_of_tensorflow_serving() {
    let cases: [(Task, &[&str], &[&str], &str); 9] = [
        (Task::Classify, &["a", "b"], &["classes"], "Expected one input Tensor."),
        (Task::Regress, &[], &["outputs"], "Expected one input Tensor."),
        (Task::Classify, &["a"], &[], "Expected one or two output Tensors, found 0"),
        (Task::Classify, &["a"], &["a", "b", "c"], "Expected one or two output Tensors, found 3"),
        (Task::Regress, &["a"], &["a", "outputs"], "Expected one output Tensor."),
        (Task::Classify, &["a"], &["classes"], "No classification inputs found in SignatureDef: a"),
        (Task::Regress, &["a"], &["outputs"], "No regression inputs found in SignatureDef: a"),
        (
            Task::Classify,
            &["inputs"],
            &["a", "b"],
            "Expected classification signature outputs to contain at least one of \"classes\" or \"scores\". \
             Signature was: a,b",
        ),
        (Task::Regress, &["inputs"], &["a"], "No regression outputs found in SignatureDef: a"),
    ];
    for (task, inputs, outputs, text) in cases {
        let refusal = task.outputs(&signature(inputs, outputs), Rules::default());
        assert_eq!(refusal, Err(Error::invalid_argument(text)));
    }
}

#[test]
fn the_method_name_is_checked_first_of_all_and_only_by_order_of_the_operator() {
    let cases = [
        (
            Task::Classify,
            "Expected classification signature method_name to be tensorflow/serving/classify. Was: \
             tensorflow/serving/predict",
        ),
        (
            Task::Regress,
            "Expected regression signature method_name to be tensorflow/serving/regress. Was: \
             tensorflow/serving/predict",
        ),
    ];
    for (task, text) in cases {
        assert_eq!(task.outputs(&signature(&[], &[]), CHECKED), Err(Error::invalid_argument(text)));
    }
    let fitting = Signature {
        method_name: "tensorflow/serving/regress".to_owned(),
        ..signature(&["inputs"], &["outputs"])
    };
    assert_eq!(Task::Regress.outputs(&fitting, CHECKED), Ok(vec![0]));
}

#[test]
fn the_outputs_that_answer_are_asked_for_and_no_other() {
    let asked = |task: Task, outputs| task.outputs(&signature(&["inputs"], outputs), Rules::default());
    assert_eq!(asked(Task::Classify, &["extra", "scores"]), Ok(vec![1]));
    assert_eq!(asked(Task::Classify, &["classes", "scores"]), Ok(vec![0, 1]));
    assert_eq!(asked(Task::Regress, &["outputs"]), Ok(vec![0]));
}

#[test]
fn at_least_one_example_is_needed_whatever_the_context() {
    for context in [Bytes::new(), example("c", "1")] {
        let error = Examples { list: Vec::new(), context }.into_tensor().unwrap_err();
        assert_eq!(error, Error::invalid_argument("Input is empty."));
    }
}

#[test]
fn examples_become_a_vector_of_their_bytes() {
    let list = vec![example("a", "1"), Bytes::new()];
    let tensor = Examples { list: list.clone(), context: Bytes::new() }.into_tensor().unwrap();
    assert_eq!(tensor.shape(), [2]);
    assert_eq!(strings(&tensor), list);
}

#[test]
fn a_context_fills_in_features_that_an_example_lacks_and_overrides_none() {
    let list = vec![example("a", "own"), example("b", "own")];
    let tensor = Examples { list, context: example("a", "context") }.into_tensor().unwrap();
    let read = |bytes: &Bytes| {
        let features = Example::decode(bytes.clone()).unwrap().features.unwrap().feature;
        let text = |feature: Feature| match feature.kind {
            Some(feature::Kind::BytesList(list)) => list.value[0].clone(),
            _ => Bytes::new(),
        };
        features.into_iter().map(|(name, feature)| (name, text(feature))).collect::<Vec<_>>()
    };
    let pair = |name: &str, value: &'static str| (name.to_owned(), Bytes::from_static(value.as_bytes()));
    let found: Vec<_> = strings(&tensor).iter().map(read).collect();
    assert_eq!(found, [vec![pair("a", "own")], vec![pair("a", "context"), pair("b", "own")]]);
}

#[test]
fn a_context_is_not_repeated_without_end() {
    let context = example("c", &"x".repeat(1 << 20));
    let repeated = |count| Examples { list: vec![Bytes::new(); count], context: context.clone() };
    assert!(repeated(60).into_tensor().is_ok());
    let error = repeated(100_000).into_tensor().unwrap_err();
    assert_eq!(error.code, Code::InvalidArgument);
    assert!(error.message.contains("at most 67108864 bytes are repeated"), "{error}");
}

#[test]
fn more_examples_than_anybody_sends_are_refused() {
    let mut examples = Examples { list: vec![Bytes::new(); EXAMPLES_MAX - 1], context: Bytes::new() };
    assert_eq!(examples.push(Bytes::new()), Ok(()));
    assert_eq!(examples.push(Bytes::new()).unwrap_err().message, "A request has at most 4194304 Examples");
}
