//! Responses: headers, the error object, and the pages for what is outside this door.

use super::json::Writer;
use crate::{error::Error, traffic};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;

/// Headers that a script may send. A routing key under a name of the model's own needs a proxy that allows it.
const ASKED_WITH: &str = "Content-Type, X-Routing-Key, X-Understudy-Version, X-Request-Id";

/// Headers that a script may read, of an answer that has them.
const ANSWERED_WITH: &str = "X-Understudy-Version, X-Understudy-Arm, X-Request-Id";

/// The content type of answers to clients of TensorFlow Serving.
pub const JSON: &str = "application/json";

/// What every answer of this door is.
pub type Reply = Response<Full<Bytes>>;

/// 200 with a JSON body.
#[must_use]
pub fn json(body: impl Into<Bytes>) -> Reply {
    json_saying(body, of_type(JSON))
}

/// The same with these headers, [`JSON`] as the content type among them.
#[must_use]
pub fn json_saying(body: impl Into<Bytes>, headers: HeaderMap) -> Reply {
    with_headers(StatusCode::OK, body.into(), headers)
}

/// The error as clients of TensorFlow Serving read it: its code as the HTTP status, its text in a JSON object.
#[must_use]
pub fn error(error: &Error) -> Reply {
    error_saying(error, of_type(JSON))
}

/// The same with these headers, [`JSON`] as the content type among them.
#[must_use]
pub fn error_saying(error: &Error, headers: HeaderMap) -> Reply {
    let mut writer = Writer::default();
    writer.start_object();
    writer.string(b"error");
    writer.string(error.message.as_bytes());
    writer.end_object();
    let status = StatusCode::from_u16(error.code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    with_headers(status, writer.finish().into(), headers)
}

/// An empty body and no content type: what OPTIONS is answered with.
#[must_use]
pub fn empty(status: StatusCode) -> Reply {
    let mut reply = Response::new(Full::default());
    *reply.status_mut() = status;
    reply
}

/// A small HTML page, after which the connection closes: for paths and methods that this door does not know.
#[must_use]
pub fn page(status: StatusCode) -> Reply {
    let text = format!("<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>\n");
    let mut reply = with_headers(status, text.into(), of_type("text/html"));
    reply.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    reply
}

/// Text for people and for Prometheus.
#[must_use]
pub fn text(status: StatusCode, text: impl Into<Bytes>) -> Reply {
    with_headers(status, text.into(), of_type("text/plain"))
}

/// Lets a browser's script of any origin read the answer.
#[must_use]
pub fn with_cors(mut reply: Reply) -> Reply {
    let headers = reply.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST, GET"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(ASKED_WITH));
    if headers.contains_key(traffic::VERSION) {
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(ANSWERED_WITH));
    }
    reply
}

fn of_type(content_type: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers
}

fn with_headers(status: StatusCode, body: Bytes, headers: HeaderMap) -> Reply {
    let mut reply = Response::new(Full::new(body));
    *reply.status_mut() = status;
    *reply.headers_mut() = headers;
    reply
}
