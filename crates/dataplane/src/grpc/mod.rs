//! The gRPC door: HTTP/2 requests in, answers of the serving methods and of the standard services out.
//!
//! The transport of unary calls is ours, for one reason above all: a request's bytes are charged to one budget as
//! they arrive. A library that takes memory for the length that a client promises can be exhausted by promises.

use crate::{
    budget::Charge,
    error::Error,
    inference::Outcome,
    plane::Plane,
    server::{Stage, traffic::Traffic},
    traffic::Caller,
};
use answer::{AnswerBody, Held};
use bytes::Bytes;
use compression::Encoding;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body;
use message::MessageLimits;
use standard::{Standard, StandardMethod};
use std::{
    fmt::Display,
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::watch, time::timeout_at};

pub mod answer;
mod compression;
mod examples;
mod fields;
mod health;
mod message;
mod metadata;
pub mod methods;
mod model_spec;
mod model_status;
mod multi_inference;
mod predict;
mod session_run;
mod standard;
mod timeout;

pub(crate) use examples::{ExamplesCodec, response as examples_response};
pub(crate) use fields::Fields;
pub use methods::{Asked, Methods, ServingMethods};
pub(crate) use multi_inference::MultiInferenceCodec;
pub(crate) use predict::PredictCodec;

const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");

/// What a request costs beside its message: its headers and what is kept to answer it.
const REQUEST_BYTES: usize = 4 * 1024;

/// What the door allows.
#[derive(Clone, Copy, Debug)]
pub struct DoorLimits {
    /// Of one request's message.
    pub message_bytes_max: usize,
    /// How long a request's bytes may pause.
    pub body_idle: Duration,
}

/// What answers gRPC, whatever connection it comes by.
#[derive(Debug)]
pub struct GrpcDoor<M> {
    methods: M,
    standard: Standard,
    limits: DoorLimits,
    traffic: Arc<Traffic>,
}

impl<M: Methods> GrpcDoor<M> {
    /// A door to `methods`, with health and reflection that tell of `plane`.
    pub fn new(
        methods: M,
        plane: Arc<Plane>,
        limits: DoorLimits,
        traffic: Arc<Traffic>,
        stage: watch::Receiver<Stage>,
    ) -> Result<Self, Error> {
        let standard = Standard::new(plane, limits.body_idle, stage)?;
        Ok(Self { methods, standard, limits, traffic })
    }

    /// Answers one request. Dropping the future, as a connection does when its client resets the stream or goes
    /// away, cancels what has not begun to run.
    pub async fn answer<B>(&self, request: Request<B>) -> Response<AnswerBody>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Display,
    {
        if let Some(refusal) = refuse_what_is_not_grpc(&request) {
            return refusal;
        }
        if let Some(method) = self.methods.find(request.uri().path()) {
            let (head, body) = request.into_parts();
            return match Encoding::of(&head.headers) {
                Ok(encoding) => self.answer_unary(method, head.headers, body, encoding).await,
                Err(error) => answer::unknown_encoding(&error),
            };
        }
        match StandardMethod::find(request.uri().path()) {
            Some(method) => self.standard.call(method, request.map(tonic::body::Body::new)).await,
            None => answer::error(&Error::unimplemented(format!("Unknown method {}", request.uri().path()))),
        }
    }

    async fn answer_unary<B>(
        &self,
        method: M::Method,
        headers: HeaderMap,
        body: B,
        encoding: Encoding,
    ) -> Response<AnswerBody>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: Display,
    {
        let under_way = self.traffic.begin_request();
        let answered = match timeout::deadline(&headers, Instant::now()) {
            Ok(deadline) => {
                let caller = Caller::from(headers);
                let work = pin!(self.run(method, Sent { body, encoding }, deadline, caller));
                within(deadline, work).await
            }
            Err(error) => Err(error),
        };
        let (outcome, charge) = match answered {
            Ok(answered) => answered,
            Err(error) => return answer::error(&error),
        };
        let held = Held { charge, _under_way: under_way };
        let body = outcome.answer.and_then(|message| answer::body(message, held));
        let served = outcome.served.filter(|served| served.assignment.is_some());
        let said = served.and_then(|served| match &body {
            Ok(_) => served.headers_beside_message(answer::CONTENT_TYPE),
            Err(_) => Some(served.headers(answer::CONTENT_TYPE)),
        });
        answer::answer(body, said)
    }

    async fn run<B>(
        &self,
        method: M::Method,
        sent: Sent<B>,
        deadline: Option<Instant>,
        caller: Caller,
    ) -> Result<(Outcome, Charge), Error>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: Display,
    {
        let bytes_max = self.limits.message_bytes_max.min(self.methods.message_bytes_max(method));
        let limits = MessageLimits { bytes_max, idle: self.limits.body_idle };
        let charge = self.traffic.budget().charge(REQUEST_BYTES)?;
        let (message, charge) = message::read(sent.body, sent.encoding, limits, charge).await?;
        let outcome = self.methods.call(method, Asked { message, deadline, caller }).await;
        Ok((outcome, charge))
    }
}

/// A request's body as it comes.
struct Sent<B> {
    body: B,
    encoding: Encoding,
}

/// The work's result, or `DEADLINE_EXCEEDED` when the caller has stopped waiting, and then the work is dropped.
async fn within<T>(
    deadline: Option<Instant>,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let Some(deadline) = deadline else { return work.await };
    let exceeded = || Err(Error::deadline_exceeded("Deadline Exceeded"));
    if deadline <= Instant::now() {
        return exceeded();
    }
    timeout_at(deadline.into(), work).await.unwrap_or_else(|_| exceeded())
}

/// gRPC is POST with a content type of its own.
fn refuse_what_is_not_grpc<B>(request: &Request<B>) -> Option<Response<AnswerBody>> {
    if request.method() != Method::POST {
        let mut refusal = answer::plain_status(StatusCode::METHOD_NOT_ALLOWED);
        refusal.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
        return Some(refusal);
    }
    let refused = !is_grpc(request.headers());
    refused.then(|| answer::plain_status(StatusCode::UNSUPPORTED_MEDIA_TYPE))
}

/// `application/grpc` or `application/grpc+proto`, with or without parameters; not grpc-web, not JSON.
fn is_grpc(headers: &HeaderMap) -> bool {
    let Some(rest) = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.as_bytes().strip_prefix(b"application/grpc"))
    else {
        return false;
    };
    let rest = rest.strip_prefix(b"+proto").unwrap_or(rest);
    rest.is_empty() || rest.starts_with(b";") || rest.starts_with(b" ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may panic

    use super::*;

    #[test]
    fn only_grpcs_own_content_types_are_taken() {
        let is_taken =
            |text| is_grpc(&HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(text))]));
        for taken in ["application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8"] {
            assert!(is_taken(taken), "{taken}");
        }
        for refused in ["application/grpc-web", "application/grpc+json", "application/json", "", "grpc"] {
            assert!(!is_taken(refused), "{refused}");
        }
        assert!(!is_grpc(&HeaderMap::new()));
    }
}
