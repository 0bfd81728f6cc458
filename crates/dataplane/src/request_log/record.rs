//! One record: a request with its answer becomes the bytes of a `PredictionLog`. Request and answer are messages
//! already and are not looked into.

use super::sample::{Exchange, Messages, ModelLog};
use crate::{
    budget::Charge,
    inference::Api,
    tfrecord,
    wire::tensorflow::serving::{LogMetadata, ModelSpec, PredictionLog, SamplingConfig, model_spec},
};
use prost::{Message, encoding};
use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

/// The fields of `ClassifyLog` and its like.
const REQUEST: u32 = 1;
const RESPONSE: u32 = 2;

/// The field of `PredictionLog` that holds a request of this method.
fn field(api: Api) -> u32 {
    match api {
        Api::Classify => 2,
        Api::Regress => 3,
        Api::MultiInference => 4,
        Api::SessionRun => 5,
        Api::Predict => 6,
    }
}

/// A request that was drawn, on its way to the writer.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) log: Arc<ModelLog>,
    pub(super) exchange: Exchange,
    pub(super) at: SystemTime,
    /// For the bytes of request and answer, until they are written.
    pub(super) _charge: Charge,
}

impl Record {
    /// Appends the record as a `TFRecord`.
    pub(super) fn append(&self, saved_model_tags: &[String], file: &mut Vec<u8>) {
        let log_metadata = LogMetadata {
            sampling_config: Some(SamplingConfig {
                sampling_rate: self.log.settings().sampling_rate,
                ..SamplingConfig::default()
            }),
            saved_model_tags: saved_model_tags.to_vec(),
            ..metadata(self.log.model(), &self.exchange, self.at)
        };
        append(&self.exchange, log_metadata, file);
    }
}

/// Appends a request with its answer as a `TFRecord`.
pub(super) fn append(exchange: &Exchange, metadata: LogMetadata, file: &mut Vec<u8>) {
    let Exchange { api, messages: Messages { request, response }, .. } = exchange;
    let mut head = PredictionLog { log_metadata: Some(metadata), log_type: None }.encode_to_vec();
    let (mut before_request, mut before_response) = (Vec::new(), Vec::new());
    encode_head(REQUEST, request.len(), &mut before_request);
    encode_head(RESPONSE, response.len(), &mut before_response);
    let length = before_request.len() + request.len() + before_response.len() + response.len();
    encode_head(field(*api), length, &mut head);
    tfrecord::append(&[&head, &before_request, request, &before_response, response], file);
}

/// Who answered, and when.
pub(super) fn metadata(model: &str, exchange: &Exchange, at: SystemTime) -> LogMetadata {
    let since_1970 = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    LogMetadata {
        model_spec: Some(ModelSpec {
            name: model.to_owned(),
            signature_name: exchange.signature.clone(),
            version_choice: Some(model_spec::VersionChoice::Version(exchange.version)),
        }),
        timestamp_secs: i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX),
        ..LogMetadata::default()
    }
}

/// What stands before a message that is a field of another.
fn encode_head(number: u32, length: usize, buffer: &mut Vec<u8>) {
    encoding::encode_key(number, encoding::WireType::LengthDelimited, buffer);
    encoding::encode_varint(length as u64, buffer);
}
