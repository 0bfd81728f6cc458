//! gRPC's connections: HTTP/2 with its limits.

use super::{
    Patience, Stage,
    authority::MendedAuthority,
    connection::{Drain, drive},
    lifetime::{Activity, Lifetime},
    preface,
    stalled::StallGuard,
    stream::{self, StreamExecutor},
    transport::Transport,
};
use crate::grpc::{GrpcDoor, Methods, answer::AnswerBody};
use http::Request;
use hyper::{
    body::Incoming,
    rt::{Read, Write},
    server::conn::http2::{Builder, Connection},
    service::{HttpService, service_fn},
};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{convert::Infallible, pin::Pin, sync::Arc};
use tokio::sync::watch;

/// What an operator may change of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Http2Limits {
    /// Calls at once on one connection; clients queue further ones themselves.
    pub streams_max: u32,
    /// Of one request's headers.
    pub header_bytes_max: u32,
    /// How long a connection may last.
    pub lifetime: Lifetime,
}

impl Default for Http2Limits {
    /// As gRPC's own servers allow headers at most.
    fn default() -> Self {
        Self { streams_max: 1_024, header_bytes_max: 16 * 1024, lifetime: Lifetime::default() }
    }
}

/// Bytes that a client may send ahead, of one call and of all: enough for a fast network, and what a connection
/// can make the server hold before it is charged.
const WINDOW_BYTES: u32 = 1024 * 1024;

/// A frame is read whole before it is charged, so it is the protocol's smallest.
const FRAME_BYTES_MAX: u32 = 16 * 1024;

/// Calls that a client may open and reset before they are even taken; past it the connection is closed.
const RESETS_PENDING_MAX: usize = 32;

/// Resets that a client may provoke by breaking the protocol; past it the connection is closed.
const RESETS_PROVOKED_MAX: usize = 1_024;

/// Answers' bytes that wait in one connection's own buffer.
const SEND_BUFFER_BYTES: usize = 1024 * 1024;

/// Serves one connection to its end.
pub(super) async fn serve<M: Methods>(
    io: Transport,
    door: Arc<GrpcDoor<M>>,
    (patience, limits): (Patience, Http2Limits),
    mut stage: watch::Receiver<Stage>,
) {
    let is_unix = io.is_unix();
    let Some(io) = preface::expect(io, patience.head, &mut stage).await else { return };
    let service = service_fn(move |request: Request<Incoming>| {
        let door = Arc::clone(&door);
        async move {
            let response = door.answer(request).await;
            if response.body().is_whole() {
                stream::answered();
            }
            Ok::<_, Infallible>(response)
        }
    });
    let activity = Activity::new();
    let io = MendedAuthority::new(io, is_unix);
    let io = TokioIo::new(StallGuard::new(io, patience.answer_idle));
    let connection = builder(patience, limits, Arc::clone(&activity)).serve_connection(io, service);
    drive(connection, stage, limits.lifetime.wait_over(activity)).await;
}

fn builder(patience: Patience, limits: Http2Limits, activity: Arc<Activity>) -> Builder<StreamExecutor> {
    let mut builder = Builder::new(StreamExecutor { patience: patience.answer_idle, activity });
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(patience.ping_interval)
        .keep_alive_timeout(patience.ping_timeout)
        .max_concurrent_streams(limits.streams_max)
        .max_header_list_size(limits.header_bytes_max)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES_MAX)
        .max_pending_accept_reset_streams(RESETS_PENDING_MAX)
        .max_local_error_reset_streams(RESETS_PROVOKED_MAX)
        .max_send_buf_size(SEND_BUFFER_BYTES)
        .auto_date_header(false);
    builder
}

impl<IO, S> Drain for Connection<IO, S, StreamExecutor>
where
    IO: Read + Write + Unpin + Send + 'static,
    S: HttpService<Incoming, ResBody = AnswerBody>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    S::Future: Send + 'static,
{
    fn drain(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}
