//! The order of the checks and their texts, against signatures made by hand.

#![allow(clippy::unwrap_used)] // a test may panic

use super::*;
use crate::{
    error::Code,
    tensor::{DType, Data},
    wire::tensorflow::TensorProto,
};
use proptest::prelude::*;

fn specs(aliases: &[&str]) -> Vec<TensorSpec> {
    let spec = |alias: &&str| TensorSpec {
        alias: (*alias).to_owned(),
        name: format!("{alias}:0"),
        dtype_number: DType::Float.number(),
        shape: None,
    };
    aliases.iter().map(spec).collect()
}

fn float() -> Tensor {
    Tensor::new(DType::Float, vec![], Data::Packed(Bytes::from_static(&[0; 4]))).unwrap()
}

fn signature(inputs: &[&str], outputs: &[&str], defaults: &[&str]) -> Signature {
    Signature {
        name: "serving_default".to_owned(),
        method_name: "tensorflow/serving/predict".to_owned(),
        inputs: specs(inputs),
        outputs: specs(outputs),
        defaults: defaults.iter().map(|&alias| (alias.to_owned(), float())).collect(),
    }
}

/// A request whose tensors cannot be parsed: their type is not set.
fn codec(inputs: &[&str], output_filter: &[&str]) -> PredictCodec {
    PredictCodec {
        rules: Rules::default(),
        model: "m".to_owned(),
        signature_name: String::new(),
        inputs: inputs.iter().map(|&name| (name.to_owned(), Bytes::new())).collect(),
        output_filter: output_filter.iter().map(|&name| name.to_owned()).collect(),
        encoding: TensorEncoding::default(),
    }
}

fn refusal(signature: &Signature, mut codec: PredictCodec) -> String {
    let error = codec.inputs(signature).unwrap_err();
    assert_eq!(error.code, Code::InvalidArgument);
    error.message.into_owned()
}

fn signatures(signature: Signature) -> Signatures {
    Signatures::new(vec![signature], BTreeMap::new())
}

#[test]
fn an_unknown_signature_is_named_and_an_empty_name_means_the_default_one() {
    let nothing = Signatures::new(Vec::new(), BTreeMap::new());
    for (sent, named) in [("other", "other"), ("", "serving_default")] {
        let codec = PredictCodec { signature_name: sent.to_owned(), ..codec(&[], &[]) };
        let text = format!("Serving signature key \"{named}\" not found.");
        assert_eq!(codec.choose(&nothing), Err(Error::failed_precondition(text)));
    }
    assert_eq!(codec(&[], &[]).choose(&signatures(signature(&[], &["y"], &[]))), Ok(Some(0)));
}

#[test]
fn a_wrong_number_of_inputs_lists_what_is_too_much_and_what_is_missing() {
    assert_eq!(
        refusal(&signature(&["x"], &["y"], &[]), codec(&["b", "a"], &[])),
        "input size does not match signature: 2!=1 len({a,b}) != len({x}). Sent extra: {a,b}. \
         Missing but required: {x}."
    );
    assert_eq!(
        refusal(&signature(&["w", "x"], &["y"], &[]), codec(&["w"], &[])),
        "input size does not match signature: 1!=2 len({w}) != len({w,x}). Sent extra: {}. \
         Missing but required: {x}."
    );
}

#[test]
fn fewer_inputs_are_fine_where_there_are_defaults() {
    let signature = signature(&["w", "x"], &["y", "z"], &["w", "x"]);
    let inputs = codec(&[], &[]).inputs(&signature).unwrap();
    assert_eq!(inputs.tensors, [float(), float()]);
    assert_eq!(inputs.outputs, [0, 1]);
}

#[test]
fn a_signature_without_inputs_can_be_asked() {
    let inputs = codec(&[], &["z"]).inputs(&signature(&[], &["y", "z"], &[])).unwrap();
    assert!(inputs.tensors.is_empty());
    assert_eq!(inputs.outputs, [1]);
}

#[test]
fn the_right_number_under_the_wrong_name_misses_the_input() {
    assert_eq!(
        refusal(&signature(&["x"], &["y"], &[]), codec(&["a"], &[])),
        "Signature input alias: x(feed name: x:0) not found in request and no default value provided. Inputs \
         expected to be in the request {a}, or default input alias set: "
    );
}

#[test]
fn a_tensor_that_cannot_be_parsed_is_named() {
    assert_eq!(
        refusal(&signature(&["x"], &["y"], &[]), codec(&["x"], &["nothing"])),
        "tensor parsing error: x"
    );
}

#[test]
fn bytes_that_are_no_tensor_are_an_internal_error_as_any_message_that_cannot_be_read() {
    let mut codec = codec(&["x"], &[]);
    codec.inputs.insert("x".to_owned(), Bytes::from_static(b"\xff"));
    let error = codec.inputs(&signature(&["x"], &["y"], &[])).unwrap_err();
    assert_eq!(error.code, Code::Internal);
    assert!(error.message.contains("tensorflow.serving.PredictRequest"), "{error}");
}

#[test]
fn an_input_nobody_declared_is_refused_once_the_others_are_there() {
    assert_eq!(
        refusal(&signature(&["w", "x"], &["y"], &["w", "x"]), codec(&["b", "a"], &[])),
        "Inputs contains invalid name. Used request inputs: , request input: a,b"
    );
}

#[test]
fn an_output_must_be_declared_and_named_once() {
    let signature = signature(&[], &["y", "z"], &[]);
    assert_eq!(
        refusal(&signature, codec(&[], &["y", "a"])),
        "output tensor alias not found in signature: a Outputs expected to be in the set {y,z}."
    );
    assert_eq!(refusal(&signature, codec(&[], &["z", "y", "z"])), "duplicate output tensor alias: z");
}

#[test]
fn outputs_are_chosen_in_the_filters_order() {
    let inputs = codec(&[], &["z", "y"]).inputs(&signature(&[], &["y", "z"], &[])).unwrap();
    assert_eq!(inputs.outputs, [1, 0]);
}

#[test]
fn the_answer_names_the_version_and_the_signature_that_answered() {
    let signatures = signatures(signature(&[], &["y", "z"], &[]));
    let mut codec = codec(&[], &["z"]);
    let run = codec.decode(&signatures).unwrap();
    let answered = Answered { version: 7, signatures: &signatures };
    let response = PredictResponse::decode(codec.encode(answered, &run, vec![float()]).unwrap()).unwrap();
    assert_eq!(response.outputs.keys().collect::<Vec<_>>(), ["z"]);
    let spec = response.model_spec.unwrap();
    assert_eq!((spec.name.as_str(), spec.signature_name.as_str()), ("m", "serving_default"));
    assert_eq!(
        spec.version_choice,
        Some(crate::wire::tensorflow::serving::model_spec::VersionChoice::Version(7))
    );
}

#[test]
fn more_names_than_any_model_has_are_refused() {
    let output_filter = vec![String::new(); NAMES_MAX + 1];
    let message = PredictRequest { output_filter, ..PredictRequest::default() }.encode_to_vec();
    assert_eq!(Request::read(message.into()).unwrap_err().code, Code::InvalidArgument);
}

#[test]
fn a_tensor_sent_in_two_parts_is_their_concatenation() {
    let entry = b"\x0a\x01x\x12\x02\x08\x01\x12\x04\x2a\x02\0\0";
    let (name, tensor) = read_input(Bytes::from_static(entry)).unwrap();
    assert_eq!((name.as_str(), tensor.as_ref()), ("x", &b"\x08\x01\x2a\x02\0\0"[..]));
}

#[test]
fn a_signature_that_no_method_fits_is_refused_when_the_operator_wants_it() {
    let rules = Rules { check_method_names: true, session_run: false };
    let named = |method: &str| Signature { method_name: method.to_owned(), ..signature(&[], &["y"], &[]) };
    let asked = |method: &str| PredictCodec { rules, ..codec(&[], &[]) }.choose(&signatures(named(method)));
    assert_eq!(
        asked("mine"),
        Err(Error::internal(
            "Expected prediction signature method_name to be one of {tensorflow/serving/predict, \
             tensorflow/serving/classify, tensorflow/serving/regress}. Was: mine"
        ))
    );
    for method in ["predict", "classify", "regress"] {
        assert_eq!(asked(&format!("tensorflow/serving/{method}")), Ok(Some(0)));
    }
    assert_eq!(codec(&[], &[]).choose(&signatures(named("mine"))), Ok(Some(0)));
}

/// Were each part copied with all before it, this would copy a terabyte.
#[test]
fn a_tensor_may_come_in_a_million_parts() {
    let parts = 1_000_000;
    let entry = [&b"\x0a\x01x"[..], &b"\x12\x02\x08\x01".repeat(parts)].concat();
    let (_name, tensor) = read_input(entry.into()).unwrap();
    assert_eq!(tensor.len(), 2 * parts);
}

proptest! {
    #[test]
    fn a_request_reads_as_the_generated_decoder_reads_it(
        name: String,
        inputs: BTreeMap<String, Vec<u8>>,
        output_filter: Vec<String>,
    ) {
        let tensor = |content: Vec<u8>| TensorProto { tensor_content: content.into(), ..TensorProto::default() };
        let sent = PredictRequest {
            model_spec: Some(ModelSpec { name, ..ModelSpec::default() }),
            inputs: inputs.into_iter().map(|(name, content)| (name, tensor(content))).collect(),
            output_filter,
        };
        let read = Request::read(sent.encode_to_vec().into()).unwrap();
        prop_assert_eq!(read.model_spec, sent.model_spec);
        prop_assert_eq!(read.output_filter, sent.output_filter);
        let tensors: BTreeMap<_, _> = read
            .inputs
            .into_iter()
            .map(|(name, bytes)| (name, TensorProto::decode(bytes).unwrap()))
            .collect();
        prop_assert_eq!(tensors, sent.inputs);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        if let Err(error) = Request::read(bytes.into()) {
            prop_assert_eq!(error.code, Code::Internal);
        }
    }
}
