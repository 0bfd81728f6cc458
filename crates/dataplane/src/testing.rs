//! What tests and benchmarks of the request path share: the plainest codec, and synthetic versions on disk.
//! The server itself uses nothing of it.

use crate::{
    error::Error,
    inference::{Answered, Api, Call, Codec, Door, Inputs, SignatureRun, Target, VersionChoice},
    route::ReadyVersion,
    runtime::synthetic,
    signature::{Signature, Signatures},
    tensor::{DType, Data, Tensor},
    tfrecord,
    traffic::{BucketRange, Caller, TrafficSettings},
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

impl FloatCodec {
    fn find<'a>(&self, signatures: &'a Signatures) -> Result<(usize, &'a Signature), Error> {
        let name = &self.signature;
        signatures
            .find(name)
            .ok_or_else(|| Error::failed_precondition(format!("Serving signature key \"{name}\" not found.")))
    }
}

impl Codec for FloatCodec {
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

    fn decode(&mut self, signatures: &Signatures) -> Result<SignatureRun, Error> {
        if self.broken {
            return Err(Error::invalid_argument("tensor parsing error: x"));
        }
        let (index, signature) = self.find(signatures)?;
        let wanted = |alias: &String| self.outputs.is_empty() || self.outputs.contains(alias);
        let declared = signature.outputs.iter().enumerate();
        let outputs = declared.filter(|(_, spec)| wanted(&spec.alias)).map(|(index, _)| index).collect();
        let data = Data::Packed(Bytes::copy_from_slice(&self.x.to_le_bytes()));
        let tensors = vec![Tensor::new(DType::Float, vec![1], data)?];
        Ok(SignatureRun { signature: index, inputs: Inputs { tensors, outputs } })
    }

    fn encode(self, answered: Answered<'_>, _: &SignatureRun, outputs: Vec<Tensor>) -> Result<Bytes, Error> {
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
    let target = Target { model: model.to_owned(), version };
    Call { target, codec, message: None, body_bytes: 64, deadline: None, caller: Caller::default() }
}

/// The same with a deadline.
#[must_use]
pub fn call_until(model: &str, codec: FloatCodec, deadline: Instant) -> Call<FloatCodec> {
    Call { deadline: Some(deadline), ..call(model, VersionChoice::Default, codec) }
}

/// A split that gives the first buckets to a candidate, under the salt `salt`.
#[must_use]
pub fn traffic(candidate: i64, weight: u16) -> TrafficSettings {
    let range = BucketRange { version: candidate, start: 0, stop: weight };
    TrafficSettings {
        trial: "m-2-1".to_owned(),
        epoch: 0,
        candidate: Some(candidate),
        salt: "salt".to_owned(),
        key_header: "x-routing-key".to_owned(),
        key_input: None,
        ranges: if weight == 0 { Vec::new() } else { vec![range] },
        may_override: false,
        shadow: None,
        slow_after_s: Vec::new(),
        remembering: None,
    }
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
    tfrecord::frame(&PredictionLog { log_metadata: None, log_type }.encode_to_vec())
}

/// Writes a synthetic version's directory; `json` as the synthetic runtime reads it.
pub fn write_version(directory: &Path, json: &str) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    fs::write(directory.join(synthetic::FILE), json)
}
