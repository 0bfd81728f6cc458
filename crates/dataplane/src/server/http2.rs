//! gRPC's connections: HTTP/2 with its limits.

use super::{
    Patience, Stage,
    connection::{Drain, drive},
    preface,
    stalled::StallGuard,
    stream::{self, StreamExecutor},
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
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
};

/// Calls at once on one connection; clients queue further ones themselves.
const STREAMS_MAX: u32 = 1_024;

/// Of one request's headers, as gRPC's own servers allow at most.
const HEADER_BYTES_MAX: u32 = 16 * 1024;

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
pub(super) async fn serve<IO, M>(
    io: IO,
    door: Arc<GrpcDoor<M>>,
    patience: Patience,
    mut stage: watch::Receiver<Stage>,
) where
    IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    M: Methods,
{
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
    drive(
        builder(patience).serve_connection(TokioIo::new(StallGuard::new(io, patience.answer_idle)), service),
        stage,
    )
    .await;
}

fn builder(patience: Patience) -> Builder<StreamExecutor> {
    let mut builder = Builder::new(StreamExecutor { patience: patience.answer_idle });
    builder
        .timer(TokioTimer::new())
        .keep_alive_interval(patience.ping_interval)
        .keep_alive_timeout(patience.ping_timeout)
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADER_BYTES_MAX)
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
