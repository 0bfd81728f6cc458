//! `Predict` on gRPC's wire: the request's parts, its tensors checked against a signature, the answer's message.
//!
//! The request is taken apart in two steps. The first, on the thread that received it, finds the model and slices
//! out each tensor's bytes; it copies and parses none of them. The second, [`Codec::decode`], may happen on a run
//! thread: so a large request never holds up the connections of others. Texts and order of the checks are
//! TensorFlow Serving's.

use super::{
    fields::{Fault, Fields, Parts},
    methods::Asked,
    model_spec,
};
use crate::{
    error::Error,
    inference::{Answered, Api, Call, Codec, Door, Inputs, Outcome, Rules, SignatureRun},
    metrics::CountedApi,
    output_filter::{self, NAMES_MAX, aliases, list},
    plane::Plane,
    signature::{DEFAULT_SIGNATURE, Signature, Signatures, TensorSpec},
    tensor::Tensor,
    tensor_proto::TensorEncoding,
    tensor_wire::{self, LENGTH_DELIMITED, Unreadable, Written},
    traffic::Key,
    wire::tensorflow::serving::{ModelSpec, PredictRequest, PredictResponse},
};
use bytes::Bytes;
use prost::{
    Message,
    encoding::{encode_varint, encoded_len_varint},
};
use std::collections::{BTreeMap, BTreeSet};

pub(super) async fn answer(plane: &Plane, asked: Asked, encoding: TensorEncoding) -> Result<Outcome, Error> {
    let Asked { message, deadline, caller } = asked;
    let body_bytes = message.len();
    let (codec, spec) = PredictCodec::read(message.clone(), plane.rules())?;
    let codec = PredictCodec { encoding, ..codec };
    let spec = model_spec::required(plane, CountedApi::Predict, spec)?;
    let (target, message) = (model_spec::target(spec), Some(message));
    Ok(plane.infer(Call { target, codec, message, body_bytes, deadline, caller }).await)
}

/// A `PredictRequest` whose tensors are bytes still.
#[derive(Debug, Default)]
struct Request {
    model_spec: Option<ModelSpec>,
    inputs: BTreeMap<String, Bytes>,
    output_filter: Vec<String>,
}

impl Request {
    fn read(message: Bytes) -> Result<Self, Error> {
        let mut request = Self::default();
        for field in Fields(message) {
            field
                .and_then(|(number, value)| request.add(number, value))
                .map_err(|fault| model_spec::unreadable::<PredictRequest>(&fault))?;
        }
        if request.inputs.len() > NAMES_MAX || request.output_filter.len() > NAMES_MAX {
            return Err(Error::invalid_argument(format!(
                "A request names at most {NAMES_MAX} inputs and as many outputs"
            )));
        }
        Ok(request)
    }

    fn add(&mut self, number: u64, value: Bytes) -> Result<(), Fault> {
        match number {
            1 => self
                .model_spec
                .get_or_insert_default()
                .merge(value)
                .map_err(|_| "model_spec is not a ModelSpec"),
            2 if self.inputs.len() <= NAMES_MAX => {
                let (name, tensor) = read_input(value)?;
                self.inputs.insert(name, tensor);
                Ok(())
            }
            3 if self.output_filter.len() <= NAMES_MAX => {
                self.output_filter.push(read_name(value)?);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// One entry of the map of inputs.
fn read_input(entry: Bytes) -> Result<(String, Bytes), Fault> {
    let mut name = String::new();
    let mut tensor = Parts::default();
    for field in Fields(entry) {
        match field? {
            (1, value) => name = read_name(value)?,
            (2, value) => tensor.push(value),
            _ => {}
        }
    }
    Ok((name, tensor.into_whole()))
}

fn read_name(value: Bytes) -> Result<String, Fault> {
    String::from_utf8(value.into()).map_err(|_| "a name is not valid UTF-8")
}

/// One Predict request on its way through the plane.
#[derive(Debug)]
pub(crate) struct PredictCodec {
    rules: Rules,
    model: String,
    signature_name: String,
    inputs: BTreeMap<String, Bytes>,
    output_filter: Vec<String>,
    /// Of the answer's tensors.
    encoding: TensorEncoding,
}

impl Codec for PredictCodec {
    type Run = SignatureRun;

    fn api(&self) -> Api {
        Api::Predict
    }

    fn door(&self) -> Door {
        Door::Grpc
    }

    fn choose(&self, signatures: &Signatures) -> Result<Option<usize>, Error> {
        self.find(signatures).map(|(index, _)| Some(index))
    }

    fn routing_key(&self, input: &str) -> Option<Key> {
        Key::of_tensor_message(self.inputs.get(input)?.clone())
    }

    fn decode(&mut self, signatures: &Signatures) -> Result<SignatureRun, Error> {
        let (index, signature) = self.find(signatures)?;
        Ok(SignatureRun { signature: index, inputs: self.inputs(signature)? })
    }

    fn encode(
        self,
        answered: Answered<'_>,
        run: &SignatureRun,
        outputs: Vec<Tensor>,
    ) -> Result<Bytes, Error> {
        let signature = answered.signature(run)?;
        let named = run.inputs.outputs.iter().zip(&outputs).filter_map(|(&index, tensor)| {
            let output = signature.outputs.get(index)?;
            Some((output.alias.as_str(), Written::new(self.encoding, tensor)))
        });
        let spec = model_spec::echo(self.model, answered.version, &signature.name);
        Ok(response(&named.collect::<Vec<_>>(), spec))
    }
}

/// A `PredictResponse`, written once and as long as it is: elements are copied into it and nowhere else.
fn response(outputs: &[(&str, Written)], spec: ModelSpec) -> Bytes {
    let rest = PredictResponse { outputs: BTreeMap::new(), model_spec: Some(spec) };
    let entries: Vec<usize> =
        outputs.iter().map(|(name, tensor)| field(name.len()) + field(tensor.len())).collect();
    let mut out =
        Vec::with_capacity(entries.iter().map(|&bytes| field(bytes)).sum::<usize>() + rest.encoded_len());
    for ((name, tensor), bytes) in outputs.iter().zip(entries) {
        begin_field(&mut out, 1, bytes);
        begin_field(&mut out, 1, name.len());
        out.extend_from_slice(name.as_bytes());
        begin_field(&mut out, 2, tensor.len());
        tensor.append(&mut out);
    }
    out.extend_from_slice(&rest.encode_to_vec());
    out.into()
}

/// What a field of so many bytes takes with its key and length.
fn field(bytes: usize) -> usize {
    1 + encoded_len_varint(bytes as u64) + bytes
}

fn begin_field(out: &mut Vec<u8>, number: u8, bytes: usize) {
    out.push(number << 3 | LENGTH_DELIMITED);
    encode_varint(bytes as u64, out);
}

impl PredictCodec {
    /// Takes a `PredictRequest` apart; what it asks for comes beside, none when it does not say.
    pub(crate) fn read(message: Bytes, rules: Rules) -> Result<(Self, Option<ModelSpec>), Error> {
        let Request { model_spec, inputs, output_filter } = Request::read(message)?;
        let named =
            |name: fn(&ModelSpec) -> &String| model_spec.as_ref().map(name).cloned().unwrap_or_default();
        let (model, signature_name) = (named(|spec| &spec.name), named(|spec| &spec.signature_name));
        let encoding = TensorEncoding::default();
        Ok((Self { rules, model, signature_name, inputs, output_filter, encoding }, model_spec))
    }

    fn find<'a>(&self, signatures: &'a Signatures) -> Result<(usize, &'a Signature), Error> {
        let name = match self.signature_name.as_str() {
            "" => DEFAULT_SIGNATURE,
            name => name,
        };
        let (index, signature) = signatures.find(name).ok_or_else(|| {
            Error::failed_precondition(format!("Serving signature key \"{name}\" not found."))
        })?;
        self.rules.check_predict(signature)?;
        Ok((index, signature))
    }

    fn inputs(&mut self, signature: &Signature) -> Result<Inputs, Error> {
        self.check_count(signature)?;
        let tensors = self.tensors(signature)?;
        let outputs = output_filter::choose(signature, &self.output_filter)?;
        self.inputs.clear();
        Ok(Inputs { tensors, outputs })
    }

    fn check_count(&self, signature: &Signature) -> Result<(), Error> {
        let (sent, declared) = (self.inputs.len(), signature.inputs.len());
        if sent == declared || (sent < declared && !signature.defaults.is_empty()) {
            return Ok(());
        }
        let sent_names: BTreeSet<&str> = self.inputs.keys().map(String::as_str).collect();
        let declared_names: BTreeSet<&str> = aliases(&signature.inputs).collect();
        Err(Error::invalid_argument(format!(
            "input size does not match signature: {sent}!={declared} len({{{}}}) != len({{{}}}). \
             Sent extra: {{{}}}. Missing but required: {{{}}}.",
            list(sent_names.iter().copied()),
            list(declared_names.iter().copied()),
            list(sent_names.difference(&declared_names).copied()),
            list(declared_names.difference(&sent_names).copied()),
        )))
    }

    fn tensors(&self, signature: &Signature) -> Result<Vec<Tensor>, Error> {
        let tensors: Result<Vec<_>, _> =
            signature.inputs.iter().map(|input| self.tensor(input, signature)).collect();
        let tensors = tensors?;
        let is_known = |name: &&str| signature.inputs.iter().any(|input| input.alias == *name);
        let names = || self.inputs.keys().map(String::as_str);
        if names().all(|name| is_known(&name)) {
            return Ok(tensors);
        }
        Err(Error::invalid_argument(format!(
            "Inputs contains invalid name. Used request inputs: {}, request input: {}",
            list(names().filter(is_known)),
            list(names())
        )))
    }

    fn tensor(&self, input: &TensorSpec, signature: &Signature) -> Result<Tensor, Error> {
        let TensorSpec { alias, name, .. } = input;
        if let Some(bytes) = self.inputs.get(alias) {
            return tensor_wire::read(bytes.clone()).map_err(|fault| match fault {
                Unreadable::Message(error) => model_spec::unreadable::<PredictRequest>(&error),
                Unreadable::Tensor => Error::invalid_argument(format!("tensor parsing error: {alias}")),
            });
        }
        signature.defaults.get(alias).cloned().ok_or_else(|| {
            Error::invalid_argument(format!(
                "Signature input alias: {alias}(feed name: {name}) not found in request and no default value \
                 provided. Inputs expected to be in the request {{{}}}, or default input alias set: {}",
                list(self.inputs.keys().map(String::as_str)),
                list(signature.defaults.keys().map(String::as_str)),
            ))
        })
    }
}

#[cfg(test)]
mod tests;
