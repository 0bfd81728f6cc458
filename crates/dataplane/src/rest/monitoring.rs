//! The metrics page on this door, at the path that the configuration says; as TensorFlow Serving answers it.

use super::{Reply, path_of, reply};
use crate::{error::Error, plane::Plane};
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use std::sync::Arc;

/// Where the page is, unless the configuration says otherwise.
pub const DEFAULT_PATH: &str = "/monitoring/prometheus/metrics";

/// The answer to a request for the page; none when it is for something else.
pub(super) async fn answer(
    plane: &Arc<Plane>,
    request: &Request<Bytes>,
    path: Option<&str>,
) -> Option<Reply> {
    let path = path.filter(|path| request.uri().path() == *path && is_known(request.method()))?;
    let asked = path_of(request);
    if asked != path {
        let text = format!("Unexpected path: {asked}. Should be {path}");
        return Some(reply::text(StatusCode::BAD_REQUEST, text));
    }
    let page = plane.metrics_page().await;
    Some(page.map_or_else(refused, |page| reply::text(StatusCode::OK, page)))
}

/// Any method will do, but for those that this door knows nowhere.
fn is_known(method: &Method) -> bool {
    !matches!(*method, Method::TRACE | Method::CONNECT)
}

fn refused(error: Error) -> Reply {
    let status = StatusCode::from_u16(error.code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    reply::text(status, error.message.into_owned())
}
