//! Files that TensorFlow's converter wrote (tests/litert/models.py), whole and damaged.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // a test that panics has failed

use super::*;
use crate::{error::Code, runtime::litert::declared::declare, tensor::DType};
use proptest::prelude::*;

const HALF_PLUS_TWO: &[u8] = include_bytes!("../../../testdata/half_plus_two.tflite");
const TWO_SIGNATURES: &[u8] = include_bytes!("../../../testdata/two_signatures.tflite");
const NO_SIGNATURE: &[u8] = include_bytes!("../../../testdata/no_signature.tflite");

fn described(port: &Port) -> (Option<&str>, &str, Option<DType>, &[i32]) {
    let dtype = port.element.map(|element| element.dtype);
    (port.alias.as_deref(), &port.tensor, dtype, &port.shape)
}

#[test]
fn a_signature_names_tensors_and_their_sizes() {
    let entries = read(HALF_PLUS_TWO).unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].key.as_deref(), Some("serving_default"));
    let float = Some(DType::Float);
    assert_eq!(described(&entries[0].inputs[0]), (Some("x"), "serving_default_x:0", float, [-1].as_slice()));
    assert_eq!(described(&entries[0].outputs[0]), (Some("y"), "PartitionedCall:0", float, [-1].as_slice()));
}

#[test]
fn signatures_are_sorted_for_clients_and_keep_their_places_in_the_file() {
    let entries = read(TWO_SIGNATURES).unwrap();
    let declared = declare(&entries).unwrap();
    for (signature, place) in declared.signatures.list().iter().zip(&declared.places) {
        let entry = &entries[place.entry];
        assert_eq!(entry.key.as_ref(), Some(&signature.name));
        for (spec, &port) in signature.inputs.iter().zip(&place.inputs) {
            assert_eq!(entry.inputs[port].alias.as_ref(), Some(&spec.alias));
        }
        for (spec, &port) in signature.outputs.iter().zip(&place.outputs) {
            assert_eq!(entry.outputs[port].alias.as_ref(), Some(&spec.alias));
        }
        assert!(signature.inputs.is_sorted_by_key(|spec| &spec.alias));
    }
    let names: Vec<&str> = declared.signatures.list().iter().map(|each| each.name.as_str()).collect();
    assert_eq!(names, ["serving_default", "times"]);
}

#[test]
fn a_file_without_signatures_gets_one_with_the_names_of_its_tensors() {
    let entries = read(NO_SIGNATURE).unwrap();
    assert_eq!(entries[0].key, None);
    let declared = declare(&entries).unwrap();
    let (_, signature) = declared.signatures.find("").unwrap();
    assert_eq!(signature.method_name, "tensorflow/serving/predict");
    assert_eq!(signature.inputs[0].alias, "serving_default_x");
    assert_eq!(signature.inputs[0].name, "serving_default_x:0");
    assert_eq!(signature.inputs[0].shape, Some(vec![1, 2]));
}

#[test]
fn two_tensors_whose_short_names_are_one_keep_their_long_ones() {
    let port = |tensor: &str| Port { alias: None, tensor: tensor.into(), element: None, shape: vec![] };
    let entry = Entry { key: None, inputs: vec![], outputs: vec![port("call:0"), port("call:1")] };
    let declared = declare(&[entry]).unwrap();
    let outputs = &declared.signatures.list()[0].outputs;
    assert_eq!(outputs.iter().map(|spec| spec.alias.as_str()).collect::<Vec<_>>(), ["call:0", "call:1"]);
}

#[test]
fn what_is_no_such_file_or_is_cut_off_is_data_loss() {
    for length in 0..HALF_PLUS_TWO.len() / 2 {
        let error = read(&HALF_PLUS_TWO[..length]).unwrap_err();
        assert_eq!(error.code, Code::DataLoss, "{error}");
    }
    assert_eq!(read(b"{\"a\": 1, \"b\": 2}").unwrap_err().code, Code::DataLoss);
}

proptest! {
    #[test]
    fn no_damage_makes_reading_it_fail_in_another_way_than_by_an_error(
        damages in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..9),
    ) {
        let mut bytes = TWO_SIGNATURES.to_vec();
        for (index, value) in damages {
            let length = bytes.len();
            bytes[index.index(length)] = value;
        }
        if let Ok(entries) = read(&bytes) {
            let _ = declare(&entries);
        }
    }
}
