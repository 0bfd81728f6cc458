//! `SessionRun` on gRPC's wire: tensors of a model's graph by their own names, not by a signature's.
//!
//! It can run any operation of the graph, also one that writes files, so it is there only where the operator has
//! allowed it (decision 0028).

use super::{fields::Fields, methods::Asked, model_spec};
use crate::{
    error::Error,
    inference::{Answered, Api, Call, Codec, Door, Outcome},
    output_filter::NAMES_MAX,
    plane::Plane,
    runtime::GraphRun,
    signature::Signatures,
    tensor::Tensor,
    tensor_proto,
    wire::tensorflow::{
        NamedTensorProto,
        serving::{ModelSpec, SessionRunRequest, SessionRunResponse},
    },
};
use bytes::Bytes;
use prost::Message;

pub(super) async fn answer(plane: &Plane, asked: Asked) -> Result<Outcome, Error> {
    if !plane.rules().session_run {
        return Err(Error::unimplemented(
            "SessionRun is off, because it can run any operation of a model's graph, also one that writes files. Use \
             Predict, or start the server with --enable_session_run (understudy serve: --enable-session-run)",
        ));
    }
    let Asked { message, deadline, caller } = asked;
    let body_bytes = message.len();
    let (codec, spec) = SessionRunCodec::read(message)?;
    let spec = spec.ok_or_else(model_spec::missing)?;
    // Not for the request log: its files warm up later versions, and no warm-up runs such a record.
    let (target, message) = (model_spec::target(spec), None);
    Ok(plane.infer(Call { target, codec, message, body_bytes, deadline, caller }).await)
}

/// One `SessionRun` request.
#[derive(Debug)]
struct SessionRunCodec {
    model: String,
    /// The whole request, which is not parsed in an I/O thread.
    message: Bytes,
}

impl SessionRunCodec {
    /// Looks for what a request asks for, none when it does not say; `INVALID_ARGUMENT` when it names more than any
    /// graph would be asked for: each name costs many times the bytes it is sent in.
    fn read(message: Bytes) -> Result<(Self, Option<ModelSpec>), Error> {
        let (mut spec, mut names) = (None::<ModelSpec>, 0);
        for field in Fields(message.clone()) {
            match field.map_err(|fault| unreadable(&fault))? {
                (1, value) => {
                    spec.get_or_insert_default().merge(value).map_err(|error| unreadable(&error))?;
                }
                (2..=4, _) => names += 1,
                _ => {}
            }
        }
        if names > NAMES_MAX {
            return Err(Error::invalid_argument(format!(
                "A request has at most {NAMES_MAX} feeds, fetches and targets"
            )));
        }
        let model = spec.as_ref().map(|spec| spec.name.clone()).unwrap_or_default();
        Ok((Self { model, message }, spec))
    }
}

fn unreadable(reason: &impl std::fmt::Display) -> Error {
    model_spec::unreadable::<SessionRunRequest>(reason)
}

fn feed(named: NamedTensorProto) -> Result<(String, Tensor), Error> {
    let NamedTensorProto { name, tensor } = named;
    match tensor_proto::decode(tensor.unwrap_or_default()) {
        Ok(tensor) => Ok((name, tensor)),
        Err(_) => Err(Error::invalid_argument(format!("tensor parsing error: {name}"))),
    }
}

impl Codec for SessionRunCodec {
    type Run = GraphRun;

    fn api(&self) -> Api {
        Api::SessionRun
    }

    fn door(&self) -> Door {
        Door::Grpc
    }

    fn choose(&self, _signatures: &Signatures) -> Result<Option<usize>, Error> {
        Ok(None)
    }

    fn decode(&mut self, _signatures: &Signatures) -> Result<GraphRun, Error> {
        let message = std::mem::take(&mut self.message);
        let request = SessionRunRequest::decode(message).map_err(|error| unreadable(&error))?;
        if request.tensor_name_is_alias {
            return Err(Error::unimplemented(
                "tensor_name_is_alias is not supported: name tensors as the graph does, or use Predict, which takes a \
                 signature's names",
            ));
        }
        let feeds = request.feed.into_iter().map(feed).collect::<Result<_, _>>()?;
        Ok(GraphRun { feeds, fetches: request.fetch, targets: request.target })
    }

    fn encode(self, answered: Answered<'_>, run: &GraphRun, outputs: Vec<Tensor>) -> Result<Bytes, Error> {
        let named = |(name, tensor): (&String, &Tensor)| NamedTensorProto {
            name: name.clone(),
            tensor: Some(tensor_proto::encode(tensor)),
        };
        let response = SessionRunResponse {
            tensor: run.fetches.iter().zip(&outputs).map(named).collect(),
            model_spec: Some(model_spec::echo(self.model, answered.version, "")),
        };
        drop(outputs);
        Ok(response.encode_to_vec().into())
    }
}

#[cfg(test)]
#[path = "session_run_tests.rs"]
mod tests;
