//! Status and metadata, held against what protocol buffers' own printer (Python, 7.x) made of the same bytes:
//! `json_format.MessageToJson(..., indent=1, always_print_fields_with_no_presence=True)`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // a test says what it expects

use dataplane::{
    rest::{metadata, status},
    wire::tensorflow::serving::{GetModelStatusResponse, SignatureDefMap},
};
use prost::Message;
use serde_json::Value;

#[test]
fn status_is_printed_to_the_byte() {
    let response = GetModelStatusResponse::decode(&include_bytes!("data/model_status.binpb")[..]).unwrap();
    let printed = status::write(&response.model_version_status);
    assert_eq!(String::from_utf8(printed).unwrap(), include_str!("data/model_status.json"));
}

#[test]
fn a_status_without_versions_is_an_empty_list() {
    assert_eq!(status::write(&[]), b"{\n \"model_version_status\": []\n}\n");
}

/// Python writes `1.0` where C++ writes `1`.
fn with_doubles(value: Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().into(),
        Value::Array(values) => values.into_iter().map(with_doubles).collect(),
        Value::Object(members) => {
            members.into_iter().map(|(key, value)| (key, with_doubles(value))).collect()
        }
        other => other,
    }
}

/// Python prints fields that are set before those that are not; the values are what counts.
#[test]
fn metadata_says_what_protocol_buffers_say() {
    let definitions = SignatureDefMap::decode(&include_bytes!("data/signature_def_map.binpb")[..]).unwrap();
    let printed: Value = serde_json::from_slice(&metadata::write("m/\"1", 123, &definitions)).unwrap();
    let expected: Value = serde_json::from_str(include_str!("data/signature_def_map.json")).unwrap();
    let model_spec = serde_json::json!({"name": "m/\"1", "signature_name": "", "version": "123"});
    assert_eq!(printed["model_spec"], model_spec);
    let expected = serde_json::json!({ "signature_def": expected });
    assert_eq!(with_doubles(printed["metadata"].clone()), with_doubles(expected));
}

#[test]
fn metadata_is_laid_out_as_two_printed_messages_joined_by_hand() {
    let mut definitions = SignatureDefMap::default();
    definitions.signature_def.insert("<f>".to_owned(), dataplane::wire::tensorflow::SignatureDef::default());
    let printed = String::from_utf8(metadata::write("m", -1, &definitions)).unwrap();
    let expected = "{\n\"model_spec\":{\n \"name\": \"m\",\n \"version\": \"-1\",\n \"signature_name\": \"\"\n}\n,\n\"metadata\": \
                    {\"signature_def\": {\n \"signature_def\": {\n  \"\\u003cf\\u003e\": {\n   \"inputs\": {},\n   \"outputs\": \
                    {},\n   \"method_name\": \"\",\n   \"defaults\": {}\n  }\n }\n}\n}\n}\n";
    assert_eq!(printed, expected);
}
