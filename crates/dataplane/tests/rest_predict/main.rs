//! Predict over REST without a server: a body is decoded against a signature, a function stands for the model, and
//! the answer is compared to the byte.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // a test says what it expects

mod extensions;
mod fuzz;
mod refusals;

use bytes::Bytes;
use dataplane::{
    budget::Budget,
    error::{Code, Error},
    inference::{Answered, Codec, Door, Rules},
    rest::{predict_request::RestPredict, reply},
    signature::{Signature, Signatures, TensorSpec},
    tensor::{DType, Data, Tensor},
};
use http_body_util::BodyExt;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

fn spec(alias: &str, dtype_number: i32) -> TensorSpec {
    TensorSpec { alias: alias.to_owned(), name: format!("{alias}:0"), dtype_number, shape: None }
}

/// A signature of these inputs that answers with all of them.
fn echo(inputs: &[(&str, DType)]) -> Signature {
    let specs = inputs.iter().map(|(alias, dtype)| spec(alias, dtype.number())).collect::<Vec<_>>();
    Signature {
        name: "serving_default".to_owned(),
        method_name: "tensorflow/serving/predict".to_owned(),
        inputs: specs.clone(),
        outputs: specs,
        defaults: BTreeMap::new(),
    }
}

fn parse(body: impl Into<Bytes>) -> Result<RestPredict, Error> {
    RestPredict::parse(body.into(), Budget::new(1 << 30, Arc::default()).charge(0).unwrap(), Rules::default())
}

/// What a model has that can be asked this and nothing else.
fn only(signature: &Signature) -> Signatures {
    Signatures::new(vec![signature.clone()], BTreeMap::new())
}

fn decode(signature: &Signature, body: impl Into<Bytes>) -> Result<Vec<Tensor>, Error> {
    parse(body)?.decode(&only(signature)).map(|run| run.inputs.tensors)
}

/// The whole path with a model that computes `model`.
fn predict(
    signature: &Signature,
    body: impl Into<Bytes>,
    model: impl Fn(Vec<Tensor>) -> Vec<Tensor>,
) -> Result<String, Error> {
    let (mut codec, signatures) = (parse(body)?, only(signature));
    let run = codec.decode(&signatures)?;
    let outputs = model(run.inputs.tensors.clone());
    let answer = codec.encode(Answered { version: 1, signatures: &signatures }, &run, outputs)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn echoed(inputs: &[(&str, DType)], body: &str) -> String {
    predict(&echo(inputs), body.to_owned(), |tensors| tensors).unwrap()
}

fn floats(shape: &[i64], values: &[f32]) -> Tensor {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>();
    Tensor::new(DType::Float, shape.to_vec(), Data::Packed(bytes.into())).unwrap()
}

fn ints(shape: &[i64], values: &[i32]) -> Tensor {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>();
    Tensor::new(DType::Int32, shape.to_vec(), Data::Packed(bytes.into())).unwrap()
}

fn strings(shape: &[i64], values: &[&[u8]]) -> Tensor {
    let values = values.iter().map(|value| Bytes::copy_from_slice(value)).collect();
    Tensor::new(DType::String, shape.to_vec(), Data::Strings(values)).unwrap()
}

const X: &[(&str, DType)] = &[("x", DType::Float)];
const AB: &[(&str, DType)] = &[("a", DType::Float), ("b", DType::Int32)];
const S: &[(&str, DType)] = &[("s", DType::String)];

#[test]
fn rows_of_one_input_may_be_plain_or_named() {
    let expected = "{\n    \"predictions\": [[2.5, 3.0], [3.5, 4.0]\n    ]\n}";
    assert_eq!(echoed(X, r#"{"instances": [[2.5, 3], [3.5, 4e0]]}"#), expected);
    assert_eq!(echoed(X, r#"{"instances": [{"x": [2.5, 3]}, {"x": [3.5, 4]}]}"#), expected);
}

#[test]
fn scalars_lists_and_lists_of_lists_are_rows() {
    assert_eq!(echoed(X, r#"{"instances": [1, 2.5]}"#), "{\n    \"predictions\": [1.0, 2.5\n    ]\n}");
    assert_eq!(
        echoed(X, r#"{"instances": [[[1], [2]]]}"#),
        "{\n    \"predictions\": [[[1.0], [2.0]]\n    ]\n}"
    );
    assert_eq!(echoed(X, r#"{"instances": [[], []]}"#), "{\n    \"predictions\": [[], []\n    ]\n}");
}

#[test]
fn rows_of_several_inputs_are_objects_in_question_and_answer() {
    let body = r#"{"instances": [{"b": 3, "a": [1.0]}, {"a": [2.0], "b": 4}]}"#;
    let expected = "{\n    \"predictions\": [\n        {\n            \"a\": [1.0],\n            \"b\": 3\n        },\n        \
                    {\n            \"a\": [2.0],\n            \"b\": 4\n        }\n    ]\n}";
    assert_eq!(echoed(AB, body), expected);
}

#[test]
fn columns_are_tensors_whole() {
    assert_eq!(
        echoed(X, r#"{"inputs": [2.5, 3]}"#),
        "{\n    \"outputs\": [\n        2.5,\n        3.0\n    ]\n}"
    );
    assert_eq!(echoed(X, r#"{"inputs": {"x": 2.5, "y": "ignored"}}"#), "{\n    \"outputs\": 2.5\n}");
    assert_eq!(echoed(X, r#"{"inputs": []}"#), "{\n    \"outputs\": []\n}");
    let expected = "{\n    \"outputs\": {\n        \"a\": [\n            1.0\n        ],\n        \"b\": [\n            \
                    [\n                1,\n                2\n            ]\n        ]\n    }\n}";
    assert_eq!(echoed(AB, r#"{"inputs": {"b": [[1, 2]], "a": [1]}}"#), expected);
}

#[test]
fn strings_travel_as_text_or_base64() {
    let body = r#"{"instances": ["é\n", {"b64": "AP8="}, {"b64": "YWI"}, {"b64": " Y\tWI= "}]}"#;
    let expected = strings(&[4], &["é\n".as_bytes(), b"\x00\xFF", b"ab", b"ab"]);
    assert_eq!(decode(&echo(S), body).unwrap(), [expected]);
    assert_eq!(decode(&echo(S), r#"{"inputs": {"b64": "YWI="}}"#).unwrap(), [strings(&[], &[b"ab"])]);
    assert_eq!(
        echoed(S, r#"{"inputs": ["\u0000\"é"]}"#),
        "{\n    \"outputs\": [\n        \"\\u0000\\\"é\"\n    ]\n}"
    );
}

#[test]
fn an_output_named_bytes_is_written_as_base64() {
    let row = echoed(&[("s_bytes", DType::String)], r#"{"instances": ["ab", ""]}"#);
    let expected = "{\n    \"predictions\": [{\n            \"b64\": \"YWI=\"\n        }, {\n            \"b64\": \"\"\n        }\n    ]\n}";
    assert_eq!(row, expected);
    let column = echoed(&[("s_bytes", DType::String)], r#"{"inputs": "ab"}"#);
    assert_eq!(column, "{\n    \"outputs\": {\n        \"b64\": \"YWI=\"\n    }\n}");
}

#[test]
fn each_element_type_has_its_numbers() {
    let cases = [
        (
            DType::Float,
            "[1, 2.5, 1e40, -Infinity, NaN, 1e-50]",
            "1.0,\n2.5,\nInfinity,\n-Infinity,\nNaN,\n0.0",
        ),
        (DType::Double, "[0.1, 12345678901234567890123]", "0.1,\n1.2345678901234568e+22"),
        (DType::Int32, "[-2147483648, 2147483647, -0]", "-2147483648,\n2147483647,\n0"),
        (DType::Int16, "[-1, 65537]", "-1,\n1"),
        (DType::Int8, "[-128, 257]", "-128,\n1"),
        (DType::UInt8, "[255, -1, 256]", "255,\n255,\n0"),
        (
            DType::Int64,
            "[9223372036854775807, -9223372036854775808]",
            "9223372036854775807,\n-9223372036854775808",
        ),
        (DType::UInt32, "[4294967295, -0]", "4294967295,\n0"),
        (DType::UInt64, "[18446744073709551615]", "18446744073709551615"),
        (DType::Bool, "[true, false]", "true,\nfalse"),
    ];
    for (dtype, values, expected) in cases {
        let lines = expected.replace('\n', "\n        ");
        let answer = echoed(&[("x", dtype)], &format!("{{\"inputs\": {values}}}"));
        assert_eq!(answer, format!("{{\n    \"outputs\": [\n        {lines}\n    ]\n}}"), "{dtype:?}");
    }
}

#[test]
fn a_value_of_another_type_is_refused_with_its_type() {
    let cases = [
        (DType::Float, r#""1""#, "JSON Value: \"1\" Type: String is not of expected type: float"),
        (DType::Float, "true", "JSON Value: true Type: True is not of expected type: float"),
        (DType::Double, "null", "JSON Value: null Type: Null is not of expected type: double"),
        (
            DType::Double,
            r#"{"b64": 1}"#,
            "JSON Value: {\n    \"b64\": 1\n} Type: Object is not of expected type: double",
        ),
        (DType::Int32, "1.0", "JSON Value: 1.0 Type: Number is not of expected type: int32"),
        (DType::Int32, "1e2", "JSON Value: 100.0 Type: Number is not of expected type: int32"),
        (DType::Int8, "2147483648", "JSON Value: 2147483648 Type: Number is not of expected type: int8"),
        (
            DType::Int64,
            "9223372036854775808",
            "JSON Value: 9223372036854775808 Type: Number is not of expected type: int64",
        ),
        (DType::UInt32, "-1", "JSON Value: -1 Type: Number is not of expected type: uint32"),
        (DType::UInt64, "-1", "JSON Value: -1 Type: Number is not of expected type: uint64"),
        (DType::Bool, "0", "JSON Value: 0 Type: Number is not of expected type: bool"),
        (DType::String, "1", "JSON Value: 1 Type: Number is not of expected type: string"),
        (DType::Bool, "false, null", "JSON Value: null Type: Null is not of expected type: bool"),
    ];
    for (dtype, values, expected) in cases {
        let error =
            decode(&echo(&[("x", dtype)]), format!("{{\"inputs\": {{\"x\": [{values}]}}}}")).unwrap_err();
        assert_eq!(error, Error::invalid_argument(expected));
    }
}

#[test]
fn element_types_that_json_cannot_say_are_unimplemented_in_columns_and_invalid_in_rows() {
    for dtype in [DType::QInt8, DType::QUInt8, DType::QInt16, DType::QUInt16, DType::QInt32] {
        let text = format!("Conversion of JSON Value: 1 to type: {}", dtype.name());
        let signature = echo(&[("x", dtype)]);
        assert_eq!(decode(&signature, r#"{"inputs": [1]}"#).unwrap_err(), Error::unimplemented(text.clone()));
        let text = format!("Failed to process element: 0 of 'instances' list. Error: UNIMPLEMENTED: {text}");
        assert_eq!(decode(&signature, r#"{"instances": [1]}"#).unwrap_err(), Error::invalid_argument(text));
        let text = format!("Conversion of JSON Value: {{}} to type: {}", dtype.name());
        assert_eq!(decode(&signature, r#"{"inputs": [{}]}"#).unwrap_err(), Error::unimplemented(text));
        assert!(decode(&signature, r#"{"inputs": []}"#).is_ok());
    }
    let mut signature = echo(X);
    signature.inputs[0].dtype_number = 20;
    let error = decode(&signature, r#"{"inputs": [1]}"#).unwrap_err();
    assert_eq!(error, Error::unimplemented("Conversion of JSON Value: 1 to type: resource"));
}

#[test]
fn element_types_that_json_cannot_say_are_invalid_as_outputs() {
    let quantized =
        |_| vec![Tensor::new(DType::QInt8, vec![1], Data::Packed(Bytes::from_static(&[0]))).unwrap()];
    for body in [r#"{"inputs": [1]}"#, r#"{"instances": [1]}"#] {
        let error = predict(&echo(X), body, quantized).unwrap_err();
        assert_eq!(error, Error::invalid_argument("Failed to write JSON value for tensor type: qint8"));
    }
}

#[test]
fn the_json_is_judged_before_the_signature_and_the_signature_before_the_tensors() {
    let mut none = echo(&[]);
    assert_eq!(decode(&none, "x").unwrap_err().message, "JSON Parse error: Invalid value. at offset: 0");
    assert_eq!(decode(&none, "{}").unwrap_err().message, "Failed to get input map for signature: DEFAULT");
    none.name = "f".to_owned();
    let error = decode(&none, r#"{"signature_name": "f", "inputs": 1}"#).unwrap_err();
    assert_eq!(error.message, "Failed to get input map for signature: f");
}

#[test]
fn a_request_names_its_signature_and_an_empty_name_is_the_default() {
    let signatures = only(&echo(X));
    for (body, name) in [(r#"{"signature_name": "f"}"#, "f"), ("{}", "serving_default")] {
        let text = format!("Serving signature name: \"{name}\" not found in signature def");
        let nothing = Signatures::new(Vec::new(), BTreeMap::new());
        assert_eq!(parse(body).unwrap().choose(&nothing), Err(Error::invalid_argument(text)));
    }
    let unnamed = parse(r#"{"signature_name": ""}"#).unwrap();
    assert_eq!((unnamed.choose(&signatures), unnamed.door()), (Ok(Some(0)), Door::Rest));
}

#[test]
fn of_members_of_one_name_the_first_counts() {
    let rows = decode(&echo(X), r#"{"instances": [{"x": 1, "x": "no"}], "instances": 7}"#).unwrap();
    assert_eq!(rows, [floats(&[1], &[1.0])]);
    assert_eq!(decode(&echo(X), r#"{"inputs": {"x": 1, "x": 2}}"#).unwrap(), [floats(&[], &[1.0])]);
}

#[test]
fn rows_of_outputs_need_one_batch_size() {
    let answer = |outputs: Vec<Tensor>| {
        predict(&echo(AB), r#"{"instances": [{"a": 1, "b": 1}]}"#, move |_| outputs.clone())
    };
    let error = answer(vec![floats(&[], &[1.0]), ints(&[1], &[1])]).unwrap_err();
    assert_eq!(error, Error::invalid_argument("Tensor name: a has no shape information "));
    let error = answer(vec![floats(&[2], &[1.0, 2.0]), ints(&[1], &[1])]).unwrap_err();
    assert_eq!(error, Error::invalid_argument("Tensor name: b has inconsistent batch size: 1 expecting: 2"));
    let empty = answer(vec![floats(&[0, 3], &[]), ints(&[0], &[])]).unwrap();
    assert_eq!(empty, "{\n    \"predictions\": []\n}");
    assert!(
        answer(vec![floats(&[2], &[1.0, 2.0]), ints(&[2], &[1, 2])]).is_ok(),
        "it need not be the request's"
    );
}

#[test]
fn an_answer_of_nothing_or_of_endless_empty_lists_is_refused() {
    let mut signature = echo(X);
    signature.outputs.clear();
    let error = predict(&signature, r#"{"inputs": [1]}"#, |_| Vec::new()).unwrap_err();
    assert_eq!(error, Error::invalid_argument("Cannot convert empty tensor map to JSON"));
    for body in [r#"{"inputs": [1]}"#, r#"{"instances": [1]}"#] {
        let error = predict(&echo(X), body, |_| vec![floats(&[1 << 40, 0], &[])]).unwrap_err();
        assert_eq!(error.code, Code::InvalidArgument);
    }
    assert!(predict(&echo(X), r#"{"inputs": [1]}"#, |_| vec![floats(&[0, 1 << 40], &[])]).is_ok());
}

#[test]
fn nesting_is_bounded_by_what_a_tensor_can_have() {
    let nested = |depth: usize| format!("{{\"inputs\": {}1{}}}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(decode(&echo(X), nested(254)).unwrap()[0].shape(), [1; 254]);
    for depth in [255, 500_000] {
        let error = decode(&echo(X), nested(depth)).unwrap_err();
        assert_eq!(error, Error::invalid_argument("tensor parsing error: x"));
    }
    let uneven = format!("{{\"inputs\": [1, {}1{}]}}", "[".repeat(500_000), "]".repeat(500_000));
    let error = decode(&echo(X), uneven).unwrap_err();
    assert_eq!(error.message, "Encountered list at unexpected level: 1 expected < 1");
}

#[test]
fn a_shape_that_claims_much_more_than_was_sent_takes_no_memory() {
    let thousand = |first: String| format!("[{first}{}]", ",0".repeat(999));
    let body = format!("{{\"inputs\": {}}}", thousand(thousand(thousand(thousand("0".to_owned())))));
    let error = decode(&echo(X), body).unwrap_err();
    assert!(error.message.starts_with("JSON Value: 0 found at incorrect level: 4 "), "{error}");
}

#[test]
fn a_document_without_room_is_refused_and_room_is_given_back_after_the_answer() {
    let body = Bytes::from(format!("{{\"inputs\": [{}1]}}", "1,".repeat(10_000)));
    let small = Budget::new(50_000, Arc::default());
    let refused = RestPredict::parse(body.clone(), small.charge(0).unwrap(), Rules::default()).unwrap_err();
    assert_eq!((refused.code, small.bytes()), (Code::ResourceExhausted, 0));
    let budget = Budget::new(1 << 20, Arc::default());
    let mut codec = RestPredict::parse(body, budget.charge(0).unwrap(), Rules::default()).unwrap();
    let signatures = only(&echo(X));
    let run = codec.decode(&signatures).unwrap();
    assert!(budget.bytes() > 10_000 * 4);
    let outputs = run.inputs.tensors.clone();
    codec.encode(Answered { version: 1, signatures: &signatures }, &run, outputs).unwrap();
    assert_eq!(budget.bytes(), 0);
}

#[tokio::test]
async fn an_error_is_an_object_of_one_key() {
    let response = reply::error(&Error::not_found("no \"model\"\nhere"));
    assert_eq!(response.status(), 404);
    assert_eq!(response.headers()["content-type"], "application/json");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "{\n    \"error\": \"no \\\"model\\\"\\nhere\"\n}");
}

/// A tensor of any element type that JSON can say, and its rank.
fn tensor() -> impl Strategy<Value = Tensor> {
    let dtype = prop_oneof![
        Just(DType::Float),
        Just(DType::Double),
        Just(DType::Int32),
        Just(DType::Int16),
        Just(DType::Int8),
        Just(DType::UInt8),
        Just(DType::Int64),
        Just(DType::UInt32),
        Just(DType::UInt64),
        Just(DType::Bool),
        Just(DType::String),
    ];
    (dtype, prop::collection::vec(0_i64..4, 1..4)).prop_flat_map(|(dtype, shape)| {
        let count = usize::try_from(shape.iter().product::<i64>()).unwrap();
        prop::collection::vec(any::<[u8; 8]>(), count).prop_map(move |seeds| build(dtype, &shape, &seeds))
    })
}

fn build(dtype: DType, shape: &[i64], seeds: &[[u8; 8]]) -> Tensor {
    let data = match dtype.size() {
        None => Data::Strings(
            seeds.iter().map(|seed| Bytes::from(String::from_utf8_lossy(seed).into_owned())).collect(),
        ),
        Some(size) => Data::Packed(seeds.iter().flat_map(|seed| element(dtype, &seed[..size])).collect()),
    };
    Tensor::new(dtype, shape.to_vec(), data).unwrap()
}

/// The seed, unless it is a truth value other than 0 and 1 or a NaN, whose payload no text tells.
fn element(dtype: DType, seed: &[u8]) -> Vec<u8> {
    let is_nan = match dtype {
        DType::Float => f32::from_le_bytes(seed.try_into().unwrap()).is_nan(),
        DType::Double => f64::from_le_bytes(seed.try_into().unwrap()).is_nan(),
        _ => false,
    };
    match dtype {
        DType::Bool => vec![seed[0] & 1],
        _ if is_nan => vec![0; seed.len()],
        _ => seed.to_vec(),
    }
}

/// An answer is a question once its key is renamed.
fn as_request(answer: &str) -> String {
    answer.replacen("\"predictions\"", "\"instances\"", 1).replacen("\"outputs\"", "\"inputs\"", 1)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_tensor_survives_being_an_answer_and_then_a_question(tensor in tensor(), is_row in any::<bool>()) {
        // An empty list does not say what it is empty of: those below it, and a batch of none, have no question.
        prop_assume!(tensor.shape().iter().rev().skip(1).all(|&size| size > 0));
        let empty_batch = tensor.shape()[0] == 0;
        prop_assume!(!is_row || !empty_batch);
        let signature = echo(&[("x", tensor.dtype())]);
        let first = if is_row { r#"{"instances": [[]]}"# } else { r#"{"inputs": []}"# };
        let answer = predict(&signature, first, |_| vec![tensor.clone()]).unwrap();
        prop_assert_eq!(decode(&signature, as_request(&answer)).unwrap(), vec![tensor.clone()]);
        let is_finite = !answer.contains("Infinity");
        if is_finite {
            prop_assert!(serde_json::from_str::<serde_json::Value>(&answer).is_ok());
        }
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(body in prop::collection::vec(any::<u8>(), 0..64), wrap in 0..3) {
        let body = match wrap {
            0 => body,
            1 => [b"{\"instances\": ", body.as_slice(), b"}"].concat(),
            _ => [b"{\"inputs\": [", body.as_slice(), b"]}"].concat(),
        };
        for inputs in [X, AB, S] {
            let _ = decode(&echo(inputs), body.clone());
        }
    }

    #[test]
    fn any_lists_are_whole_tensors_or_refused(body in "(\\[|\\]|,|1|\\{\"x\":|\\}|\"a\"| ){0,24}") {
        for form in ["instances", "inputs"] {
            if let Ok(tensors) = decode(&echo(X), format!("{{\"{form}\": [{body}]}}")) {
                prop_assert_eq!(tensors.len(), 1);
            }
        }
    }
}
