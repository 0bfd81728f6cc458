//! What is read of a request, what is refused, and how an answer is written.
#![allow(clippy::unwrap_used)] // a test may panic

use super::*;
use crate::{
    error::Code,
    execute::Limits,
    inference::{Rules, Run},
    runtime::{Model, Placement, RunOptions},
    tensor::{DType, Data},
    traffic::Caller,
    wire::tensorflow::serving::model_spec::VersionChoice,
};
use std::collections::BTreeMap;

fn float(value: f32) -> Tensor {
    let bytes = Bytes::copy_from_slice(&value.to_le_bytes());
    Tensor::new(DType::Float, Vec::new(), Data::Packed(bytes)).unwrap()
}

fn named(name: &str, tensor: &Tensor) -> NamedTensorProto {
    NamedTensorProto { name: name.to_owned(), tensor: Some(tensor_proto::encode(tensor)) }
}

fn request() -> SessionRunRequest {
    SessionRunRequest {
        model_spec: Some(ModelSpec { name: "m".to_owned(), ..ModelSpec::default() }),
        feed: vec![named("x:0", &float(2.0))],
        fetch: vec!["y".to_owned(), "z:1".to_owned()],
        target: vec!["init".to_owned()],
        ..SessionRunRequest::default()
    }
}

fn read(request: &SessionRunRequest) -> SessionRunCodec {
    SessionRunCodec::read(request.encode_to_vec().into()).unwrap().0
}

fn nothing() -> Signatures {
    Signatures::new(Vec::new(), BTreeMap::new())
}

#[test]
fn a_request_becomes_a_run_of_the_graphs_own_names() {
    let run = read(&request()).decode(&nothing()).unwrap();
    let (fetches, targets) = (vec!["y".to_owned(), "z:1".to_owned()], vec!["init".to_owned()]);
    assert_eq!(run, GraphRun { feeds: vec![("x:0".to_owned(), float(2.0))], fetches, targets });
}

#[test]
fn an_answer_has_the_fetches_in_their_order_and_says_who_answered() {
    let mut codec = read(&request());
    let signatures = nothing();
    assert_eq!(codec.choose(&signatures), Ok(None));
    let run = codec.decode(&signatures).unwrap();
    let answered = Answered { version: 7, signatures: &signatures };
    let message = codec.encode(answered, &run, vec![float(3.0), float(4.0)]).unwrap();
    let response = SessionRunResponse::decode(message).unwrap();
    assert_eq!(response.tensor, [named("y", &float(3.0)), named("z:1", &float(4.0))]);
    let version_choice = Some(VersionChoice::Version(7));
    let spec = ModelSpec { name: "m".to_owned(), version_choice, signature_name: String::new() };
    assert_eq!(response.model_spec, Some(spec));
}

#[test]
fn what_cannot_be_run_is_refused() {
    let alias = SessionRunRequest { tensor_name_is_alias: true, ..request() };
    assert_eq!(read(&alias).decode(&nothing()).unwrap_err().code, Code::Unimplemented);
    let typeless = NamedTensorProto { name: "x".to_owned(), tensor: None };
    let typeless = SessionRunRequest { feed: vec![typeless], ..request() };
    let error = read(&typeless).decode(&nothing()).unwrap_err();
    assert_eq!(error, Error::invalid_argument("tensor parsing error: x"));
    let many = SessionRunRequest { fetch: vec![String::new(); NAMES_MAX + 1], ..request() };
    let error = SessionRunCodec::read(many.encode_to_vec().into()).unwrap_err();
    assert_eq!(error.code, Code::InvalidArgument);
    for broken in [&b"\xff"[..], b"\x0a\x01\xff"] {
        let error = SessionRunCodec::read(Bytes::from_static(broken)).unwrap_err();
        assert!(error.message.contains("tensorflow.serving.SessionRunRequest"), "{error}");
    }
}

fn asked(message: &[u8]) -> Asked {
    Asked { message: Bytes::copy_from_slice(message), deadline: None, caller: Caller::default() }
}

#[tokio::test]
async fn it_is_off_unless_the_operator_says_so() {
    let limits = Limits { io_threads: 1, in_flight_max: 1, queue_max: 1, runs_max: 1 };
    let off = Plane::new(limits).unwrap();
    let error = answer(&off, asked(b"\xff")).await.unwrap_err();
    assert_eq!(error.code, Code::Unimplemented);
    assert!(error.message.contains("--enable_session_run"), "{error}");
    let on = Plane::new(limits).unwrap().with_rules(Rules { session_run: true, ..Rules::default() });
    let error = answer(&on, asked(b"")).await.unwrap_err();
    assert_eq!(error, Error::invalid_argument("Missing ModelSpec"));
    let error = answer(&on, asked(&request().encode_to_vec())).await.unwrap().answer.unwrap_err();
    assert_eq!(error, Error::not_found("Servable not found for request: Latest(m)"));
}

/// A model without a graph.
struct Plain(Signatures);

impl Model for Plain {
    fn signatures(&self) -> &Signatures {
        &self.0
    }

    fn run(&self, _: usize, _: &[Tensor], _: &[usize], _: RunOptions) -> Result<Vec<Tensor>, Error> {
        Ok(Vec::new())
    }
}

#[test]
fn a_model_without_a_graph_says_so() {
    let run = read(&request()).decode(&nothing()).unwrap();
    let options = RunOptions { placement: Placement::Caller, timeout: None };
    let error = run.run(&Plain(nothing()), options).unwrap_err();
    assert!(error.code == Code::Unimplemented && error.message.contains("Predict"), "{error}");
}
