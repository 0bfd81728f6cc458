//! REST's connections: HTTP/1.1 with its limits, and each request's body read whole before the door sees it.

use super::{
    Patience, Stage,
    body::{BodyError, Gathered, next_data},
    connection::{Drain, drive},
    stalled::StallGuard,
    traffic::{RequestUnderWay, Traffic},
    transport::Transport,
};
use crate::{
    budget::Charge,
    error::Error,
    plane::Plane,
    rest::{self, RestOptions},
};
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use hyper::{
    body::Incoming,
    rt::{Read, Write},
    server::conn::http1::{Builder, Connection},
    service::{HttpService, service_fn},
};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{
    convert::Infallible,
    future::pending,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::sync::watch;

/// Of one request's line and headers together.
const HEADER_BYTES_MAX: usize = 64 * 1024;

/// How many headers a request may have.
const HEADERS_MAX: usize = 128;

/// What one connection reads ahead.
const BUFFER_BYTES_MAX: usize = 128 * 1024;

/// What a request costs beside its body.
const REQUEST_BYTES: usize = 4 * 1024;

/// What REST's connections share.
#[derive(Debug)]
pub(super) struct RestDoor {
    pub(super) plane: Arc<Plane>,
    pub(super) traffic: Arc<Traffic>,
    pub(super) options: RestOptions,
    pub(super) message_bytes_max: usize,
    pub(super) body_idle: Duration,
}

/// Serves one connection to its end.
pub(super) async fn serve(
    io: Transport,
    door: Arc<RestDoor>,
    patience: Patience,
    stage: watch::Receiver<Stage>,
) {
    let service = service_fn(move |request| {
        let door = Arc::clone(&door);
        async move { Ok::<_, Infallible>(door.answer(request).await) }
    });
    let connection = Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience.head)
        .max_header_size(HEADER_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .max_buf_size(BUFFER_BYTES_MAX)
        .serve_connection(TokioIo::new(StallGuard::new(io, patience.answer_idle)), service);
    drive(connection, stage, pending()).await;
}

impl<IO, S> Drain for Connection<IO, S>
where
    IO: Read + Write + Unpin + 'static,
    S: HttpService<Incoming, ResBody = HeldBody>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn drain(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// An answer's body and what it holds on to until the connection has taken it.
#[derive(Debug)]
struct HeldBody {
    body: Full<Bytes>,
    _charge: Option<Charge>,
    _under_way: RequestUnderWay,
}

impl Body for HeldBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl RestDoor {
    async fn answer(&self, request: Request<Incoming>) -> Response<HeldBody> {
        let under_way = self.traffic.begin_request();
        let (head, body) = request.into_parts();
        let (response, charge) = match self.read(body).await {
            Ok((bytes, charge)) => {
                let request = Request::from_parts(head, bytes);
                self.pay(rest::handle(&self.plane, request, &self.options).await, charge)
            }
            Err(error) => (self.refuse(error), None),
        };
        response.map(|body| HeldBody { body, _charge: charge, _under_way: under_way })
    }

    /// The charge for a request becomes that for its answer, or the answer a refusal when it cannot be held.
    fn pay(
        &self,
        response: Response<Full<Bytes>>,
        mut charge: Charge,
    ) -> (Response<Full<Bytes>>, Option<Charge>) {
        let bytes = response.body().size_hint().lower();
        match charge.set(usize::try_from(bytes).unwrap_or(usize::MAX)) {
            Ok(()) => (response, Some(charge)),
            Err(error) => (rest::error_response(&error, self.options.cors), None),
        }
    }

    async fn read(&self, mut body: Incoming) -> Result<(Bytes, Charge), BodyError> {
        let promised = body.size_hint();
        let promised_at_least = usize::try_from(promised.lower()).unwrap_or(usize::MAX);
        self.check_size(promised_at_least)?;
        let charge = self.traffic.budget().charge(REQUEST_BYTES).map_err(BodyError::Refused)?;
        let mut gathered = Gathered::new(charge);
        let expected = promised.exact().and_then(|bytes| usize::try_from(bytes).ok());
        while let Some(chunk) = next_data(&mut body, self.body_idle).await? {
            self.check_size(gathered.bytes().len().saturating_add(chunk.len()))?;
            gathered.push(chunk, expected.unwrap_or(self.message_bytes_max))?;
        }
        Ok(gathered.finish())
    }

    fn check_size(&self, bytes: usize) -> Result<(), BodyError> {
        let bytes_max = self.message_bytes_max;
        if bytes > bytes_max { Err(BodyError::TooLarge { bytes, bytes_max }) } else { Ok(()) }
    }

    /// HTTP has its own words for two of these: a body too large will be so the next time as well (413, where 429
    /// would invite another try), and a body that stops arriving is the client's timeout (408, not the server's).
    /// The rest of the body is not read, so the connection cannot be used again.
    fn refuse(&self, cause: BodyError) -> Response<Full<Bytes>> {
        let status = match &cause {
            BodyError::TooLarge { .. } => Some(StatusCode::PAYLOAD_TOO_LARGE),
            BodyError::Idle(_) => Some(StatusCode::REQUEST_TIMEOUT),
            BodyError::Broken(_) => Some(StatusCode::BAD_REQUEST),
            BodyError::Refused(_) => None,
        };
        let mut response = rest::error_response(&Error::from(cause), self.options.cors);
        if let Some(status) = status {
            *response.status_mut() = status;
        }
        response.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
        response
    }
}
