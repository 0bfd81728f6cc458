//! What tests and benchmarks of the request path share: the plainest codec, and synthetic versions on disk.
//! The server itself uses nothing of it.

use crate::{
    error::Error,
    predict::{Answered, Call, Codec, Door, Inputs, Target, VersionChoice},
    route::ReadyVersion,
    runtime::synthetic,
    signature::Signature,
    tensor::{DType, Data, Tensor},
    warmup,
    wire::tensorflow::{
        TensorProto,
        serving::{PredictLog, PredictRequest, PredictionLog, prediction_log},
    },
};
use bytes::Bytes;
use prost::Message;
use std::{collections::BTreeMap, fs, io, path::Path, time::Instant};

/// A codec without a wire: one float in; out come the version that answered and the outputs' bytes.
#[derive(Clone, Debug)]
pub struct FloatCodec {
    /// The input's only element.
    pub x: f32,
    /// The signature; empty: the default one.
    pub signature: String,
    /// Names of outputs; empty: all.
    pub outputs: Vec<String>,
    /// Makes decoding fail.
    pub broken: bool,
}

impl FloatCodec {
    /// Sends `x` to the default signature and wants all outputs.
    #[must_use]
    pub fn new(x: f32) -> Self {
        Self { x, signature: String::new(), outputs: Vec::new(), broken: false }
    }
}

impl Codec for FloatCodec {
    fn door(&self) -> Door {
        Door::Grpc
    }

    fn signature_name(&self) -> &str {
        &self.signature
    }

    fn unknown_signature(&self, name: &str) -> Error {
        Error::failed_precondition(format!("Serving signature key \"{name}\" not found."))
    }

    fn decode(&mut self, signature: &Signature) -> Result<Inputs, Error> {
        if self.broken {
            return Err(Error::invalid_argument("tensor parsing error: x"));
        }
        let wanted = |alias: &String| self.outputs.is_empty() || self.outputs.contains(alias);
        let declared = signature.outputs.iter().enumerate();
        let outputs = declared.filter(|(_, spec)| wanted(&spec.alias)).map(|(index, _)| index).collect();
        let data = Data::Packed(Bytes::copy_from_slice(&self.x.to_le_bytes()));
        Ok(Inputs { tensors: vec![Tensor::new(DType::Float, vec![1], data)?], outputs })
    }

    fn encode(self, answered: Answered<'_>, _: &[usize], outputs: Vec<Tensor>) -> Result<Bytes, Error> {
        let mut body = answered.version.to_le_bytes().to_vec();
        for output in &outputs {
            if let Data::Packed(bytes) = output.data() {
                body.extend_from_slice(bytes);
            }
        }
        Ok(body.into())
    }
}

/// The version and the first output element of what [`FloatCodec`] encoded; none when the body is not that.
#[must_use]
pub fn read_answer(body: &[u8]) -> Option<(i64, f32)> {
    let (version, rest) = body.split_first_chunk()?;
    Some((i64::from_le_bytes(*version), f32::from_le_bytes(*rest.first_chunk()?)))
}

/// A call of `model`'s version with this codec.
#[must_use]
pub fn call(model: &str, version: VersionChoice, codec: FloatCodec) -> Call<FloatCodec> {
    Call { target: Target { model: model.to_owned(), version }, codec, body_bytes: 64, deadline: None }
}

/// The same with a deadline.
#[must_use]
pub fn call_until(model: &str, codec: FloatCodec, deadline: Instant) -> Call<FloatCodec> {
    Call { deadline: Some(deadline), ..call(model, VersionChoice::Default, codec) }
}

/// The first incarnations of these versions, as a route names them.
#[must_use]
pub fn first_incarnations(versions: &[i64]) -> Vec<ReadyVersion> {
    versions.iter().map(|&version| ReadyVersion { version, incarnation: 0 }).collect()
}

/// One record of a warm-up file: a Predict request of `x` for the default signature.
#[must_use]
pub fn warmup_record(x: f32) -> Vec<u8> {
    let tensor = TensorProto { dtype: DType::Float.number(), float_val: vec![x], ..TensorProto::default() };
    let request = PredictRequest { inputs: BTreeMap::from([("x".to_owned(), tensor)]), ..Default::default() };
    let log = PredictLog { request: Some(request), response: None };
    let log_type = Some(prediction_log::LogType::PredictLog(log));
    warmup::frame(&PredictionLog { log_metadata: None, log_type }.encode_to_vec())
}

/// Writes a synthetic version's directory; `json` as the synthetic runtime reads it.
pub fn write_version(directory: &Path, json: &str) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    fs::write(directory.join(synthetic::FILE), json)
}
