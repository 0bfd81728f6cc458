//! A connection whose writes must make progress: a client that stops reading is not waited for without end.

use pin_project_lite::pin_project;
use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};

pin_project! {
    /// Fails with `TimedOut` when a write waits longer than `patience`.
    #[derive(Debug)]
    pub(super) struct StallGuard<IO> {
        #[pin]
        io: IO,
        patience: Duration,
        is_stalled: bool,
        timer: Option<Pin<Box<Sleep>>>,
    }
}

impl<IO> StallGuard<IO> {
    pub(super) fn new(io: IO, patience: Duration) -> Self {
        Self { io, patience, is_stalled: false, timer: None }
    }

    /// What a write came to, or that it has waited for too long.
    fn guard<T>(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let this = self.project();
        if written.is_ready() {
            *this.is_stalled = false;
            return written;
        }
        let timer = this.timer.get_or_insert_with(|| Box::pin(sleep(*this.patience)));
        if !*this.is_stalled {
            *this.is_stalled = true;
            timer.as_mut().reset(Instant::now() + *this.patience);
        }
        timer.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<IO: AsyncRead> AsyncRead for StallGuard<IO> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.project().io.poll_read(context, buffer)
    }
}

impl<IO: AsyncWrite> AsyncWrite for StallGuard<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = self.as_mut().project().io.poll_write(context, bytes);
        self.guard(context, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.as_mut().project().io.poll_flush(context);
        self.guard(context, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = self.as_mut().project().io.poll_shutdown(context);
        self.guard(context, closed)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = self.as_mut().project().io.poll_write_vectored(context, slices);
        self.guard(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may panic

    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    #[tokio::test]
    async fn a_write_that_nobody_reads_fails_and_one_that_somebody_reads_does_not() {
        let (client, server) = duplex(10);
        let mut server = StallGuard::new(server, Duration::from_millis(50));
        let error = server.write_all(&[7; 11]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drop(client);

        let (mut client, server) = duplex(10);
        let mut server = StallGuard::new(server, Duration::from_mins(1));
        let reading = tokio::spawn(async move {
            let mut read = Vec::new();
            client.read_to_end(&mut read).await.map(|_| read)
        });
        server.write_all(&[7; 1_000]).await.unwrap();
        drop(server);
        assert_eq!(reading.await.unwrap().unwrap(), [7; 1_000]);
    }
}
