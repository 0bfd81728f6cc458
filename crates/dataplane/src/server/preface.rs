//! The first bytes of an HTTP/2 connection, read before anything is set up for it: a connection that says nothing
//! costs a socket and a timer, and one that speaks something else is told so.

use super::{Stage, connection::wait_past};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf, copy, sink},
    sync::watch,
    time::timeout,
};

/// What every HTTP/2 client says first.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The answer to an HTTP/1 client at the gRPC port.
const NOT_HTTP2: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: 58\r\n\
    connection: close\r\n\r\nThis port speaks gRPC over HTTP/2; REST has another port.\n";

/// How long, and how much, is taken in from a client that was told so.
const REFUSAL_PATIENCE: Duration = Duration::from_secs(1);
const REFUSED_BYTES_MAX: u64 = 64 * 1024;

/// The connection with its preface still to be read, once it is here; none when the client did not send one within
/// `patience`, or the server closed meanwhile.
pub(super) async fn expect<IO>(
    io: IO,
    patience: Duration,
    stage: &mut watch::Receiver<Stage>,
) -> Option<Rewound<IO>>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let mut io = io;
    let is_http2 = tokio::select! {
        read = timeout(patience, read(&mut io)) => read.ok()?.ok()?,
        _ = wait_past(stage, Stage::Open) => return None,
    };
    if is_http2 {
        return Some(Rewound { preface: PREFACE, io });
    }
    // A client that does not take it is gone already.
    let _ = timeout(REFUSAL_PATIENCE.min(patience), refuse(&mut io, NOT_HTTP2)).await;
    None
}

/// Says what this port is, then takes in what was sent: closing with bytes unread would reset the connection, and
/// the client might never see the answer.
pub(super) async fn refuse(io: &mut (impl AsyncRead + AsyncWrite + Unpin), answer: &[u8]) -> io::Result<()> {
    io.write_all(answer).await?;
    io.shutdown().await?;
    copy(&mut io.take(REFUSED_BYTES_MAX), &mut sink()).await?;
    Ok(())
}

/// Whether the preface is what arrives; known at the first byte that differs.
async fn read(io: &mut (impl AsyncRead + Unpin)) -> io::Result<bool> {
    let mut buffer = [0; PREFACE.len()];
    let mut expected: &[u8] = PREFACE;
    while !expected.is_empty() {
        let Some(room) = buffer.get_mut(..expected.len()) else { return Ok(false) };
        let count = io.read(room).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match room.get(..count).and_then(|arrived| expected.strip_prefix(arrived)) {
            Some(rest) => expected = rest,
            None => return Ok(false),
        }
    }
    Ok(true)
}

/// A connection whose preface is read once more.
#[derive(Debug)]
pub(super) struct Rewound<IO> {
    preface: &'static [u8],
    io: IO,
}

impl<IO: AsyncRead + Unpin> AsyncRead for Rewound<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.preface.is_empty() {
            return Pin::new(&mut self.io).poll_read(context, buffer);
        }
        let (now, later) = self.preface.split_at(self.preface.len().min(buffer.remaining()));
        buffer.put_slice(now);
        self.preface = later;
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Rewound<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
