//! A REST request and its answer as the gRPC service's messages: what a request log keeps of them.

use crate::{
    examples::Answer,
    grpc,
    inference::{Answered, SignatureRun},
    request_log::{Messages, RECORD_BYTES_MAX},
    signature::{Signature, TensorSpec},
    tensor::{Data, Tensor},
    tensor_proto,
    wire::tensorflow::{
        TensorProto,
        serving::{
            ClassificationRequest, ModelSpec, PredictRequest, PredictResponse, model_spec::VersionChoice,
        },
    },
};
use bytes::Bytes;
use prost::{
    Message,
    encoding::{self, WireType},
};
use std::collections::BTreeMap;

/// The fields of a `ClassificationRequest` and a `RegressionRequest` that hold an `Input`, of that which hold an
/// `ExampleList`, and of that which hold Examples.
const INPUT: u32 = 2;
const EXAMPLE_LIST: u32 = 1;
const EXAMPLES: u32 = 1;

/// What a request named.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) model: &'a str,
    /// As it was sent; empty when it was not.
    pub(super) signature_name: &'a str,
}

impl Asked<'_> {
    fn spec(self) -> ModelSpec {
        let (name, signature_name) = (self.model.to_owned(), self.signature_name.to_owned());
        ModelSpec { name, signature_name, version_choice: None }
    }

    fn answered_by(self, version: i64, signature: &Signature) -> ModelSpec {
        let (name, signature_name) = (self.model.to_owned(), signature.name.clone());
        ModelSpec { name, signature_name, version_choice: Some(VersionChoice::Version(version)) }
    }
}

/// Of a Predict request; none when they would be too long for a log.
pub(super) fn predict(
    asked: Asked<'_>,
    answered: Answered<'_>,
    run: &SignatureRun,
    outputs: &[Tensor],
) -> Option<Messages> {
    let inputs = &run.inputs.tensors;
    if inputs.iter().chain(outputs).map(data_bytes).sum::<usize>() > RECORD_BYTES_MAX {
        return None;
    }
    let signature = answered.signature(run).ok()?;
    let chosen: Vec<_> =
        run.inputs.outputs.iter().filter_map(|&index| signature.outputs.get(index)).collect();
    let is_all = chosen.iter().copied().eq(&signature.outputs);
    let filter = if is_all { Vec::new() } else { chosen.iter().map(|spec| spec.alias.clone()).collect() };
    let request = PredictRequest {
        model_spec: Some(asked.spec()),
        inputs: named(signature.inputs.iter().zip(inputs)),
        output_filter: filter,
    };
    let response = PredictResponse {
        model_spec: Some(asked.answered_by(answered.version, signature)),
        outputs: named(chosen.into_iter().zip(outputs)),
    };
    Some(Messages { request: request.encode_to_vec().into(), response: response.encode_to_vec().into() })
}

/// Of a Classify or Regress request; none when they would be too long for a log.
pub(super) fn examples(
    asked: Asked<'_>,
    answered: Answered<'_>,
    run: &SignatureRun,
    answer: &Answer<'_>,
) -> Option<Messages> {
    let tensor = run.inputs.tensors.first().filter(|tensor| data_bytes(tensor) <= RECORD_BYTES_MAX)?;
    let Data::Strings(list) = tensor.data() else { return None };
    let signature = answered.signature(run).ok()?;
    let mut examples = Vec::new();
    for example in list {
        append(EXAMPLES, example, &mut examples);
    }
    let mut input = Vec::new();
    append(EXAMPLE_LIST, &examples, &mut input);
    // The two requests are the same on the wire.
    let head = ClassificationRequest { model_spec: Some(asked.spec()), input: None };
    let mut request = head.encode_to_vec();
    append(INPUT, &input, &mut request);
    let response = grpc::examples_response(answer, asked.answered_by(answered.version, signature));
    Some(Messages { request: request.into(), response })
}

fn append(number: u32, value: &[u8], message: &mut Vec<u8>) {
    encoding::encode_key(number, WireType::LengthDelimited, message);
    encoding::encode_varint(value.len() as u64, message);
    message.extend_from_slice(value);
}

fn named<'a>(tensors: impl Iterator<Item = (&'a TensorSpec, &'a Tensor)>) -> BTreeMap<String, TensorProto> {
    tensors.map(|(spec, tensor)| (spec.alias.clone(), tensor_proto::encode(tensor))).collect()
}

fn data_bytes(tensor: &Tensor) -> usize {
    match tensor.data() {
        Data::Packed(bytes) => bytes.len(),
        Data::Strings(strings) => strings.iter().map(Bytes::len).sum(),
    }
}
