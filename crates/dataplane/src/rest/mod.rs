//! The REST door: a request whose body is whole, to an answer.

use crate::{error::Error, plane::Plane};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::Full;
use std::{sync::Arc, time::Duration};

/// How the REST door answers.
#[derive(Clone, Copy, Debug)]
pub struct RestOptions {
    /// A run's time; none: no limit.
    pub timeout: Option<Duration>,
    /// Answers carry the headers that let browsers of other origins read them.
    pub cors: bool,
}

/// Answers one request.
#[allow(clippy::unused_async)]
pub async fn handle(
    _plane: &Arc<Plane>,
    _request: Request<Bytes>,
    options: &RestOptions,
) -> Response<Full<Bytes>> {
    error_response(&Error::unimplemented("rest"), options.cors)
}

/// An error as this door writes it.
#[must_use]
pub fn error_response(error: &Error, _cors: bool) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(format!("{{\n    \"error\": {:?}\n}}", error.message)));
    *response.status_mut() = StatusCode::from_u16(error.code.http_status()).unwrap_or_default();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
