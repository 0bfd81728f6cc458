//! The order of the checks and their texts, and how a context goes before each Example.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // a test may panic

use super::*;
use crate::{
    error::Code,
    wire::tensorflow::{
        BytesList, Feature, Features, feature,
        serving::{ExampleList, ExampleListWithContext, ModelSpec},
    },
};
use std::collections::BTreeMap;

fn specs(aliases: &[&str]) -> Vec<TensorSpec> {
    let spec = |alias: &&str| TensorSpec {
        alias: (*alias).to_owned(),
        name: format!("{alias}:0"),
        dtype_number: DType::String.number(),
        shape: None,
    };
    aliases.iter().map(spec).collect()
}

fn signatures(named: &[(&str, &[&str], &[&str])]) -> Signatures {
    let signature = |(name, inputs, outputs): &(&str, &[&str], &[&str])| Signature {
        name: (*name).to_owned(),
        method_name: String::new(),
        inputs: specs(inputs),
        outputs: specs(outputs),
        defaults: BTreeMap::new(),
    };
    Signatures::new(named.iter().map(signature).collect(), BTreeMap::new())
}

/// An Example with one feature.
fn example(name: &str, value: &str) -> Example {
    let list = BytesList { value: vec![Bytes::copy_from_slice(value.as_bytes())] };
    let feature = Feature { kind: Some(feature::Kind::BytesList(list)) };
    Example { features: Some(Features { feature: BTreeMap::from([(name.to_owned(), feature)]) }) }
}

fn input(examples: Vec<Example>) -> Input {
    Input { kind: Some(Kind::ExampleList(ExampleList { examples })) }
}

fn input_with_context(examples: Vec<Example>, context: Example) -> Input {
    let list = ExampleListWithContext { examples, context: Some(context) };
    Input { kind: Some(Kind::ExampleListWithContext(list)) }
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
        let signatures = signatures(&[("s", inputs, outputs)]);
        let error = run(task, &signatures, "s", &input(vec![])).unwrap_err();
        assert_eq!(error, Error::invalid_argument(text));
    }
}

#[test]
fn a_name_that_is_no_signature_is_told_and_none_means_the_default_one() {
    let none = signatures(&[]);
    let refusal = |name| run(Task::Regress, &none, name, &input(vec![])).unwrap_err().message;
    assert_eq!(refusal("s"), "No signature was found with the name: s");
    assert_eq!(refusal(""), "No signature was found with the name: serving_default");
}

#[test]
fn at_least_one_example_is_needed_whatever_the_context() {
    let signatures = signatures(&[("s", &["inputs"], &["outputs"])]);
    let context_only = input_with_context(vec![], example("c", "1"));
    for empty in [Input::default(), input(vec![]), context_only] {
        let error = run(Task::Regress, &signatures, "s", &empty).unwrap_err();
        assert_eq!(error, Error::invalid_argument("Input is empty."));
    }
}

#[test]
fn examples_become_a_vector_of_their_bytes_and_the_signatures_answers_are_asked_for() {
    let signatures = signatures(&[("s", &["inputs"], &["extra", "scores"])]);
    let sent = vec![example("a", "1"), Example::default()];
    let run = run(Task::Classify, &signatures, "s", &input(sent.clone())).unwrap();
    assert_eq!((run.signature, run.inputs.outputs), (0, vec![1]));
    assert_eq!(run.inputs.tensors.len(), 1);
    let tensor = &run.inputs.tensors[0];
    assert_eq!(tensor.shape(), [2]);
    assert_eq!(strings(tensor), sent.iter().map(Message::encode_to_vec).collect::<Vec<_>>());
}

#[test]
fn a_context_fills_in_features_that_an_example_lacks_and_overrides_none() {
    let own = vec![example("a", "own"), example("b", "own")];
    let tensor = tensor(&input_with_context(own, example("a", "context"))).unwrap();
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
    let fits = vec![Example::default(); 60];
    assert!(tensor(&input_with_context(fits, context.clone())).is_ok());
    let too_many = vec![Example::default(); 100_000];
    let error = tensor(&input_with_context(too_many, context)).unwrap_err();
    assert_eq!(error.code, Code::InvalidArgument);
    assert!(error.message.contains("at most 67108864 bytes are repeated"), "{error}");
}

fn task(signature: &str, method_name: &str) -> InferenceTask {
    let model_spec = Some(ModelSpec { signature_name: signature.to_owned(), ..ModelSpec::default() });
    InferenceTask { model_spec, method_name: method_name.to_owned() }
}

#[test]
fn tasks_run_in_their_order_on_the_same_examples() {
    let signatures = signatures(&[
        ("c", &["inputs"], &["classes", "scores"]),
        ("serving_default", &["inputs"], &["outputs"]),
    ]);
    let tasks = [task("", "tensorflow/serving/regress"), task("c", "tensorflow/serving/classify")];
    let planned = runs(&signatures, &tasks, &input(vec![example("a", "1")])).unwrap();
    let asked: Vec<_> = planned.iter().map(|run| (run.signature, run.inputs.outputs.clone())).collect();
    assert_eq!(asked, [(1, vec![0]), (0, vec![0, 1])]);
    assert_eq!(planned[0].inputs.tensors, planned[1].inputs.tensors);
}

#[test]
fn a_task_that_cannot_be_done_refuses_them_all() {
    let signatures = signatures(&[("r", &["inputs"], &["outputs"])]);
    let regress = || task("r", "tensorflow/serving/regress");
    let cases = [
        (vec![regress(), regress()], Code::InvalidArgument, "Duplicate evaluation of signature: r"),
        (
            vec![task("lost", "tensorflow/serving/regress")],
            Code::InvalidArgument,
            "Requested signature not found in model graph: lost",
        ),
        (
            vec![task("r", "tensorflow/serving/predict")],
            Code::Unimplemented,
            "Unsupported signature method_name: tensorflow/serving/predict",
        ),
        (vec![task("r", "tensorflow/serving/classify")], Code::InvalidArgument, "Expected classification"),
        (vec![regress()], Code::InvalidArgument, "Input is empty."),
    ];
    for (tasks, code, text) in cases {
        let error = runs(&signatures, &tasks, &Input::default()).unwrap_err();
        assert!(error.code == code && error.message.starts_with(text), "{error}");
    }
}
