//! The tables of what bodies become and are refused for, and answers to the byte.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // a test says what it expects
#![allow(clippy::unnecessary_wraps)] // kinds as a feature has them

use super::*;
use crate::{
    budget::Budget,
    error::Code,
    signature::{Signature, TensorSpec},
    tensor::{DType, Data},
};
use proptest::prelude::*;
use std::{collections::BTreeMap, sync::Arc};

fn parse(task: Task, body: impl Into<Bytes>) -> Result<RestExamples, Error> {
    let charge = Budget::new(1 << 30, Arc::default()).charge(0).unwrap();
    RestExamples::parse(task, body.into(), charge, Rules::default())
}

fn spec(alias: &str) -> TensorSpec {
    TensorSpec { alias: alias.to_owned(), name: format!("{alias}:0"), dtype_number: 7, shape: None }
}

fn signatures(outputs: &[&str]) -> Signatures {
    let signature = Signature {
        name: "serving_default".to_owned(),
        method_name: String::new(),
        inputs: vec![spec("inputs")],
        outputs: outputs.iter().map(|alias| spec(alias)).collect(),
        defaults: BTreeMap::new(),
    };
    Signatures::new(vec![signature], BTreeMap::new())
}

/// The features of the only Example of this body.
fn features(example: &str) -> BTreeMap<String, Option<feature::Kind>> {
    let codec = parse(Task::Regress, format!(r#"{{"examples": [{example}]}}"#)).unwrap();
    let example = Example::decode(codec.examples.list[0].clone()).unwrap();
    let features = example.features.unwrap_or_default().feature;
    features.into_iter().map(|(name, feature)| (name, feature.kind)).collect()
}

fn ints(value: &[i64]) -> Option<feature::Kind> {
    Some(feature::Kind::Int64List(Int64List { value: value.to_vec() }))
}

fn numbers(value: &[f32]) -> Option<feature::Kind> {
    Some(feature::Kind::FloatList(FloatList { value: value.to_vec() }))
}

fn texts(value: &[&'static [u8]]) -> Option<feature::Kind> {
    let value = value.iter().map(|text| Bytes::from_static(text)).collect();
    Some(feature::Kind::BytesList(BytesList { value }))
}

#[test]
fn a_features_kind_is_that_of_how_its_values_are_written() {
    let cases = [
        ("80", ints(&[80])),
        ("[1, -2, true, false, 9223372036854775807]", ints(&[1, -2, 1, 0, i64::MAX])),
        ("80.0", numbers(&[80.0])),
        ("[1e2, -0.5, 18446744073709551616]", numbers(&[100.0, -0.5, 18_446_744_073_709_551_616.0])),
        ("[Infinity, -Inf, 1e300]", numbers(&[f32::INFINITY, f32::NEG_INFINITY, f32::INFINITY])),
        (r#""a""#, texts(&[b"a"])),
        (r#"["a\u0000b", {"b64": "/w=="}, ""]"#, texts(&[b"a\0b", b"\xff", b""])),
        (r#"{"b64": "YQ"}"#, texts(&[b"a"])),
        ("[]", None),
    ];
    for (value, kind) in cases {
        let expected = BTreeMap::from([("f".to_owned(), kind)]);
        assert_eq!(features(&format!(r#"{{"f": {value}}}"#)), expected, "{value}");
    }
}

#[test]
fn an_example_may_have_any_features_and_of_two_of_one_name_the_last_counts() {
    assert_eq!(features("{}"), BTreeMap::new());
    let expected = BTreeMap::from([("a".to_owned(), ints(&[2])), ("b".to_owned(), texts(&[b"x"]))]);
    assert_eq!(features(r#"{"a": "gone", "b": "x", "a": 2}"#), expected);
}

#[test]
fn a_context_goes_before_each_example() {
    let body = r#"{"context": {"c": 1}, "examples": [{"a": 2}, {"c": 3}]}"#;
    let examples = parse(Task::Classify, body).unwrap().examples;
    let read = |bytes: &Bytes| Example::decode(bytes.clone()).unwrap().features.unwrap().feature["c"].clone();
    assert_eq!((examples.list.len(), read(&examples.context).kind), (2, ints(&[1])));
    let mut codec = parse(Task::Classify, body).unwrap();
    let run = codec.decode(&signatures(&["scores"])).unwrap();
    let Data::Strings(strings) = run.inputs.tensors[0].data() else { return };
    assert_eq!((read(&strings[0]).kind, read(&strings[1]).kind), (ints(&[1]), ints(&[3])));
}

#[test]
fn bodies_are_refused_in_the_words_and_the_order_of_tensorflow_serving() {
    let cases = [
        ("", "JSON Parse error: The document is empty"),
        ("x", "JSON Parse error: Invalid value. at offset: 0"),
        ("[1]", "JSON Value: [1] Is not object"),
        (
            r#"{"signature_name": 1, "context": 1}"#,
            "JSON Value: {\n    \"signature_name\": 1,\n    \"context\": 1\n} not formatted correctly. \
             'signature_name' key must be a string value.",
        ),
        (r#"{"context": 1}"#, "Example must be JSON object but got JSON Number"),
        (r#"{"context": {"f": null}}"#, "Feature: f has element with unexpected JSON type: Null"),
        ("{}", "JSON Value: {} When method is classify, key 'examples' is expected and was not found"),
        (
            r#"{"examples": {}}"#,
            "JSON Value: {\n    \"examples\": {}\n} Expecting 'examples' value to be an list/array",
        ),
        (r#"{"examples": []}"#, "JSON Value: {\n    \"examples\": []\n} 'examples' value is an empty array"),
        (r#"{"examples": [{}, [1]]}"#, "Example must be JSON object but got JSON Array"),
        (r#"{"examples": ["a"]}"#, "Example must be JSON object but got JSON String"),
        (r#"{"examples": [{"f": [1, null]}]}"#, "Feature: f has element with unexpected JSON type: Null"),
        (r#"{"examples": [{"f": [[1]]}]}"#, "Feature: f has element with unexpected JSON type: Array"),
        (
            r#"{"examples": [{"f": [1, {"t": 1}]}]}"#,
            "Feature: f has element with unexpected JSON type: Object",
        ),
        (r#"{"examples": [{"f": {"b64": 1}}]}"#, "Feature: f has element with unexpected JSON type: Object"),
        (r#"{"examples": [{"f": {"b64": "*"}}]}"#, "Unable to base64 decode"),
        (r#"{"examples": [{"f": [1, 1.0]}]}"#, "Unexpected element type in feature: f expecting type: int64"),
        (
            r#"{"examples": [{"f": [1.0, true]}]}"#,
            "Unexpected element type in feature: f expecting type: float",
        ),
        (
            r#"{"examples": [{"f": ["a", 18446744073709551615]}]}"#,
            "Unexpected element type in feature: f expecting type: bytes",
        ),
        (
            r#"{"examples": [{"f": [1.0, {"b64": "*"}]}]}"#,
            "Unexpected element type in feature: f expecting type: float",
        ),
        (
            r#"{"examples": [{"f": 9223372036854775808}]}"#,
            "Feature: f has uint64_t element. Only int64_t is supported.",
        ),
    ];
    for task in [Task::Classify, Task::Regress] {
        for (body, text) in cases {
            assert_eq!(parse(task, body).unwrap_err(), Error::invalid_argument(text), "{body}");
        }
    }
}

#[test]
fn the_signature_is_judged_as_over_grpc() {
    let body = r#"{"signature_name": "s", "examples": [{}]}"#;
    let error = parse(Task::Classify, body).unwrap().choose(&signatures(&["scores"])).unwrap_err();
    assert_eq!(error, Error::invalid_argument("No signature was found with the name: s"));
    let error = parse(Task::Regress, r#"{"examples": [{}]}"#).unwrap().choose(&signatures(&["scores"]));
    let text = "No regression outputs found in SignatureDef: scores";
    assert_eq!(error, Err(Error::invalid_argument(text)));
}

fn floats(shape: &[i64], values: &[f32]) -> Tensor {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    Tensor::new(DType::Float, shape.to_vec(), Data::Packed(bytes.into())).unwrap()
}

/// What is answered for two Examples when the model gives these outputs.
fn answer(task: Task, aliases: &[&str], outputs: Vec<Tensor>) -> Result<String, Error> {
    let signatures = signatures(aliases);
    let mut codec = parse(task, r#"{"examples": [{}, {}]}"#).unwrap();
    let run = codec.decode(&signatures).unwrap();
    let body = codec.encode(Answered { version: 1, signatures: &signatures }, &run, outputs)?;
    Ok(String::from_utf8_lossy(&body).into_owned())
}

#[test]
fn classifications_are_lists_of_labels_and_scores() {
    let labels = [b"x", b"y", b"x", b"\xff"].map(|label| Bytes::from_static(label)).to_vec();
    let labels = Tensor::new(DType::String, vec![2, 2], Data::Strings(labels)).unwrap();
    let scores = floats(&[2, 2], &[0.5, 9e6, 0.1, f32::NAN]);
    assert_eq!(
        answer(Task::Classify, &["classes", "scores"], vec![labels, scores]).unwrap(),
        "{\n    \"results\": [[[\"x\", 0.5], [\"y\", 9e+06]], [[\"x\", 0.1], [\"\u{fffd}\", NaN]]\n    ]\n}"
    );
    assert_eq!(
        answer(Task::Classify, &["scores"], vec![floats(&[2, 1], &[0.5, 3.0])]).unwrap(),
        "{\n    \"results\": [[[\"\", 0.5]], [[\"\", 3.0]]\n    ]\n}"
    );
}

#[test]
fn regressions_are_one_flat_list() {
    let body = answer(Task::Regress, &["outputs"], vec![floats(&[2], &[0.5, 1.0])]).unwrap();
    assert_eq!(body, "{\n    \"results\": [0.5, 1.0]\n}");
}

#[test]
fn outputs_are_judged_as_over_grpc() {
    let error = answer(Task::Regress, &["outputs"], vec![floats(&[1], &[0.5])]).unwrap_err();
    assert_eq!(error.message, "Input batch size did not match output batch size: 2 vs. 1");
}

#[test]
fn what_examples_take_is_charged_until_the_answer_is_written() {
    let body = Bytes::from(format!(r#"{{"examples": [{{}}{}]}}"#, r#", {"f": 1.5}"#.repeat(1_000)));
    let small = Budget::new(50_000, Arc::default());
    let refused =
        RestExamples::regress(body.clone(), small.charge(0).unwrap(), Rules::default()).unwrap_err();
    assert_eq!((refused.code, small.bytes()), (Code::ResourceExhausted, 0));
    let budget = Budget::new(1 << 20, Arc::default());
    let codec = RestExamples::regress(body, budget.charge(0).unwrap(), Rules::default()).unwrap();
    assert_eq!(budget.bytes(), codec.examples.bytes());
    drop(codec);
    assert_eq!(budget.bytes(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_bytes_are_examples_or_refused(body: Vec<u8>, wrap: bool) {
        let body = if wrap { [b"{\"examples\": [{\"f\": ", &body[..], b"}]}"].concat() } else { body };
        if let Err(error) = parse(Task::Classify, body) {
            prop_assert_eq!(error.code, Code::InvalidArgument);
        }
    }

    #[test]
    fn any_values_are_a_whole_feature_or_refused(
        values in "(\\[|\\]|,|1|2.5|\"a\"|null|true|\\{\"b64\":\"YQ\"\\}|\\{|\\}| ){0,16}",
    ) {
        if let Ok(codec) = parse(Task::Classify, format!(r#"{{"examples": [{{"f": [{values}]}}]}}"#)) {
            let example = Example::decode(codec.examples.list[0].clone()).unwrap();
            prop_assert!(example.features.unwrap().feature.contains_key("f"));
        }
    }
}
