//! How the messages are taken apart and answered, beside the generated code.
#![allow(clippy::unwrap_used)] // a test may panic

use super::*;
use crate::{
    error::Code,
    signature::{Signature, TensorSpec},
    tensor::{DType, Data},
    wire::tensorflow::{
        Example, Feature, Features, FloatList, feature,
        serving::{ExampleList, ExampleListWithContext, input::Kind, model_spec::VersionChoice},
    },
};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn spec(alias: &str) -> TensorSpec {
    TensorSpec { alias: alias.to_owned(), name: format!("{alias}:0"), dtype_number: 7, shape: None }
}

fn signatures(name: &str, outputs: &[&str]) -> Signatures {
    let signature = Signature {
        name: name.to_owned(),
        method_name: String::new(),
        inputs: vec![spec("inputs")],
        outputs: outputs.iter().map(|alias| spec(alias)).collect(),
        defaults: BTreeMap::new(),
    };
    Signatures::new(vec![signature], BTreeMap::new())
}

fn example(x: f32) -> Example {
    let feature = Feature { kind: Some(feature::Kind::FloatList(FloatList { value: vec![x] })) };
    Example { features: Some(Features { feature: BTreeMap::from([("x".to_owned(), feature)]) }) }
}

fn input(examples: &[f32]) -> Input {
    let examples = examples.iter().copied().map(example).collect();
    Input { kind: Some(Kind::ExampleList(ExampleList { examples })) }
}

fn input_with_context(examples: &[f32], context: f32) -> Input {
    let examples = examples.iter().copied().map(example).collect();
    let list = ExampleListWithContext { examples, context: Some(example(context)) };
    Input { kind: Some(Kind::ExampleListWithContext(list)) }
}

fn codec(task: Task, signature_name: &str, input: Input) -> ExamplesCodec {
    let model_spec =
        ModelSpec { name: "m".to_owned(), signature_name: signature_name.to_owned(), ..Default::default() };
    let request = ClassificationRequest { model_spec: Some(model_spec), input: Some(input) };
    ExamplesCodec::read(task, request.encode_to_vec().into(), Rules::default()).unwrap().0
}

fn floats(shape: &[i64], values: &[f32]) -> Tensor {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    Tensor::new(DType::Float, shape.to_vec(), Data::Packed(bytes.into())).unwrap()
}

#[test]
fn a_name_that_is_no_signature_is_told_and_none_means_the_default_one() {
    let none = Signatures::new(Vec::new(), BTreeMap::new());
    for (sent, named) in [("s", "s"), ("", "serving_default")] {
        let text = format!("No signature was found with the name: {named}");
        let refusal = codec(Task::Regress, sent, input(&[])).choose(&none);
        assert_eq!(refusal, Err(Error::invalid_argument(text)));
    }
}

#[test]
fn a_classification_names_the_version_and_the_signature_that_answered() {
    let signatures = signatures("serving_default", &["classes", "scores"]);
    let mut codec = codec(Task::Classify, "", input(&[1.0]));
    let run = codec.decode(&signatures).unwrap();
    let labels = Data::Strings(vec![Bytes::from_static(b"a"), Bytes::from_static(b"\xff")]);
    let labels = Tensor::new(DType::String, vec![1, 2], labels).unwrap();
    let answered = Answered { version: 7, signatures: &signatures };
    let message = codec.encode(answered, &run, vec![labels, floats(&[1, 2], &[0.5, 0.25])]).unwrap();
    let response = ClassificationResponse::decode(message).unwrap();
    let class = |label: &str, score| Class { label: label.to_owned(), score };
    let classes = vec![class("a", 0.5), class("\u{fffd}", 0.25)];
    let expected = ClassificationResult { classifications: vec![serving::Classifications { classes }] };
    assert_eq!(response.result, Some(expected));
    let spec = response.model_spec.unwrap();
    assert_eq!((spec.name.as_str(), spec.signature_name.as_str()), ("m", "serving_default"));
    assert_eq!(spec.version_choice, Some(VersionChoice::Version(7)));
}

#[test]
fn a_regression_has_one_number_for_each_example() {
    let signatures = signatures("r", &["outputs"]);
    let mut codec = codec(Task::Regress, "r", input_with_context(&[1.0, 2.0], 9.0));
    let run = codec.decode(&signatures).unwrap();
    let answered = Answered { version: 7, signatures: &signatures };
    let message = codec.encode(answered, &run, vec![floats(&[2, 1], &[0.5, 1.5])]).unwrap();
    let result = RegressionResponse::decode(message).unwrap().result.unwrap();
    let values: Vec<f32> = result.regressions.iter().map(|regression| regression.value).collect();
    assert_eq!(values, [0.5, 1.5]);
}

#[test]
fn an_answer_for_other_examples_than_were_sent_is_refused() {
    let signatures = signatures("r", &["outputs"]);
    let mut codec = codec(Task::Regress, "r", input(&[1.0, 2.0]));
    let run = codec.decode(&signatures).unwrap();
    let answered = Answered { version: 7, signatures: &signatures };
    let error = codec.encode(answered, &run, vec![floats(&[1], &[0.5])]).unwrap_err();
    assert_eq!(error.message, "Input batch size did not match output batch size: 2 vs. 1");
}

#[test]
fn examples_are_the_bytes_that_came() {
    let sent = [1.0, 2.0].map(example).map(|example| Bytes::from(example.encode_to_vec()));
    let read = read_input(input(&[1.0, 2.0]).encode_to_vec().into()).unwrap();
    assert_eq!((read.list.as_slice(), read.context), (&sent[..], Bytes::new()));
    let read = read_input(input_with_context(&[1.0], 2.0).encode_to_vec().into()).unwrap();
    assert_eq!((read.list.first(), &read.context), (sent.first(), &sent[1]));
}

#[test]
fn of_the_kinds_of_input_the_last_one_counts_and_parts_of_one_kind_add_up() {
    let joined = |inputs: &[Input]| {
        let bytes: Vec<u8> = inputs.iter().flat_map(Message::encode_to_vec).collect();
        let examples = read_input(bytes.into()).unwrap();
        (examples.list.len(), !examples.context.is_empty())
    };
    assert_eq!(joined(&[input(&[1.0]), input(&[2.0, 3.0])]), (3, false));
    assert_eq!(joined(&[input(&[1.0]), input_with_context(&[2.0], 3.0)]), (1, true));
    assert_eq!(joined(&[input_with_context(&[2.0], 3.0), input(&[1.0])]), (1, false));
}

#[test]
fn what_is_no_message_is_an_internal_error_that_names_it() {
    for (task, name) in [(Task::Classify, "ClassificationRequest"), (Task::Regress, "RegressionRequest")] {
        for broken in [&b"\xff"[..], b"\x0a\x01\xff"] {
            let bytes = Bytes::from_static(broken);
            let error = ExamplesCodec::read(task, bytes, Rules::default()).unwrap_err();
            assert_eq!(error.code, Code::Internal);
            assert!(error.message.contains(&format!("tensorflow.serving.{name}")), "{error}");
        }
    }
    let error = read_input(Bytes::from_static(b"\x0a\x02\x0a\x09")).unwrap_err();
    assert!(error.code == Code::Internal && error.message.contains("tensorflow.serving.Input"), "{error}");
}

proptest! {
    /// What the generated decoder reads, serialized again, is what is read here.
    #[test]
    fn an_input_reads_as_the_generated_decoder_reads_it(
        parts in prop::collection::vec((any::<bool>(), prop::collection::vec(-9_i8..9, 0..4)), 0..4),
    ) {
        let part = |(with_context, values): &(bool, Vec<i8>)| {
            let values: Vec<f32> = values.iter().copied().map(f32::from).collect();
            if *with_context { input_with_context(&values, 0.5) } else { input(&values) }.encode_to_vec()
        };
        let bytes: Vec<u8> = parts.iter().flat_map(part).collect();
        let read = read_input(bytes.clone().into()).unwrap();
        let expected = match Input::decode(bytes.as_slice()).unwrap().kind {
            Some(Kind::ExampleList(list)) => list.examples,
            Some(Kind::ExampleListWithContext(list)) => list.examples,
            None => Vec::new(),
        };
        let list: Vec<_> = read.list.into_iter().map(|bytes| Example::decode(bytes).unwrap()).collect();
        prop_assert_eq!(list, expected);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        if let Err(error) = read_input(bytes.into()) {
            prop_assert_eq!(error.code, Code::Internal);
        }
    }
}
