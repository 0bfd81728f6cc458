//! An answer as HTTP/2 carries it: data and trailers, or a status alone.

use super::{compression::ACCEPTED, message::Framed};
use crate::{
    budget::Charge,
    error::{Code, Error},
    server::{Stage, traffic::RequestUnderWay},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use http_body::{Body, Frame};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::sync::{OwnedSemaphorePermit, watch};

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
/// Of every answer.
pub(super) const CONTENT_TYPE: &str = "application/grpc";

/// Status texts are cut to this many bytes, as TensorFlow Serving does: they travel in a header.
const STATUS_TEXT_BYTES_MAX: usize = 1024;

/// What follows a text that was cut.
const TRUNCATED: &str = "...TRUNCATED";

/// What a status text cannot carry as it is; whatever is not ASCII is encoded always.
const ENCODED: &AsciiSet = &CONTROLS.add(b'%');

/// What an answer holds on to until it is written.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) charge: Charge,
    pub(super) _under_way: RequestUnderWay,
}

/// The body of an answer.
#[derive(Debug)]
pub struct AnswerBody {
    kind: Kind,
    /// Given back when the connection drops the body, which is after its last frame.
    _held: Option<Held>,
}

#[derive(Debug)]
enum Kind {
    Empty,
    Message(Option<Framed>),
    Trailers,
    Stream(Box<ServiceStream>),
}

impl AnswerBody {
    const EMPTY: Self = Self { kind: Kind::Empty, _held: None };

    /// Whether nothing but its client is waited for from here on.
    pub(crate) fn is_whole(&self) -> bool {
        !matches!(self.kind, Kind::Stream(_))
    }
}

/// The body of an answer to a request that went well. `RESOURCE_EXHAUSTED` when it cannot be held until it is
/// written.
pub(super) fn body(message: Bytes, mut held: Held) -> Result<AnswerBody, Error> {
    held.charge.set(message.len())?;
    Ok(AnswerBody { kind: Kind::Message(Some(Framed::message(message)?)), _held: Some(held) })
}

/// An answer, whose metadata is this, the type of its content among it; none: that alone.
pub(super) fn answer(body: Result<AnswerBody, Error>, metadata: Option<HeaderMap>) -> Response<AnswerBody> {
    let metadata = metadata.unwrap_or_else(bare);
    match body {
        Ok(body) => grpc_response(body, metadata),
        Err(cause) => status(&cause, metadata),
    }
}

/// A status and nothing else.
pub(super) fn error(error: &Error) -> Response<AnswerBody> {
    status(error, bare())
}

fn status(error: &Error, metadata: HeaderMap) -> Response<AnswerBody> {
    let mut response = grpc_response(AnswerBody::EMPTY, metadata);
    let headers = response.headers_mut();
    headers.insert(GRPC_STATUS, status_number(error.code));
    if let Ok(text) = HeaderValue::from_str(&status_text(&error.message)) {
        headers.insert(GRPC_MESSAGE, text);
    }
    response
}

/// The status of a request whose compression is not known, with what is.
pub(super) fn unknown_encoding(cause: &Error) -> Response<AnswerBody> {
    let mut response = error(cause);
    response.headers_mut().insert(GRPC_ACCEPT_ENCODING, HeaderValue::from_static(ACCEPTED));
    response
}

/// An answer to what is not gRPC.
pub(super) fn plain_status(status: StatusCode) -> Response<AnswerBody> {
    let mut response = Response::new(AnswerBody::EMPTY);
    *response.status_mut() = status;
    response
}

/// The answer of a generated service. It ends when the server shuts down, so that no watcher holds that up.
pub(super) fn stream(
    response: Response<tonic::body::Body>,
    permit: Option<OwnedSemaphorePermit>,
    mut stage: watch::Receiver<Stage>,
) -> Response<AnswerBody> {
    let closing = Box::pin(async move {
        // An error means that the server is gone.
        let _ = stage.wait_for(|stage| *stage != Stage::Open).await;
    });
    response.map(|body| {
        let stream = ServiceStream { body, closing, ended: false, _permit: permit };
        AnswerBody { kind: Kind::Stream(Box::new(stream)), _held: None }
    })
}

/// What an answer says that says nothing more.
fn bare() -> HeaderMap {
    let mut metadata = HeaderMap::new();
    metadata.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    metadata
}

fn grpc_response(body: AnswerBody, metadata: HeaderMap) -> Response<AnswerBody> {
    let mut response = Response::new(body);
    *response.headers_mut() = metadata;
    response
}

fn status_number(code: Code) -> HeaderValue {
    HeaderValue::from(code.number())
}

/// Percent-encoded, as gRPC asks; cut to a length that every client accepts in a header.
fn status_text(message: &str) -> String {
    let cut = message.get(..message.floor_char_boundary(STATUS_TEXT_BYTES_MAX)).unwrap_or_default();
    let mut text = utf8_percent_encode(cut, ENCODED).to_string();
    if cut.len() < message.len() {
        text.push_str(TRUNCATED);
    }
    text
}

fn trailers(error: Option<&Error>) -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(2);
    trailers.insert(GRPC_STATUS, status_number(error.map_or(Code::Ok, |error| error.code)));
    if let Some(text) = error.and_then(|error| HeaderValue::from_str(&status_text(&error.message)).ok()) {
        trailers.insert(GRPC_MESSAGE, text);
    }
    trailers
}

impl Body for AnswerBody {
    type Data = Framed;
    type Error = tonic::Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Framed>, Self::Error>>> {
        match &mut self.kind {
            Kind::Empty => Poll::Ready(None),
            Kind::Message(framed) => {
                let framed = framed.take();
                self.kind = Kind::Trailers;
                Poll::Ready(framed.map(|framed| Ok(Frame::data(framed))))
            }
            Kind::Trailers => {
                self.kind = Kind::Empty;
                Poll::Ready(Some(Ok(Frame::trailers(trailers(None)))))
            }
            Kind::Stream(stream) => stream.poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Empty => true,
            Kind::Message(_) | Kind::Trailers => false,
            Kind::Stream(stream) => stream.ended || stream.body.is_end_stream(),
        }
    }
}

/// The body of a generated service's answer, until it ends or the server does.
struct ServiceStream {
    body: tonic::body::Body,
    closing: Pin<Box<dyn Future<Output = ()> + Send>>,
    ended: bool,
    _permit: Option<OwnedSemaphorePermit>,
}

impl ServiceStream {
    fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Framed>, tonic::Status>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            return Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(Framed::raw))));
        }
        self.closing.as_mut().poll(context).map(|()| {
            self.ended = true;
            Some(Ok(Frame::trailers(trailers(Some(&Error::unavailable("The server is shutting down"))))))
        })
    }
}

impl std::fmt::Debug for ServiceStream {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ServiceStream").field("ended", &self.ended).finish_non_exhaustive()
    }
}
