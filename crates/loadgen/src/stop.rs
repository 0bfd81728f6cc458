//! What ends a run before its requests are used up: time, a signal, or whoever started it going away.

use std::{fmt, io, thread, time::Duration};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::oneshot,
    time::sleep,
};

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoppedBy {
    Requests,
    Duration,
    Signal,
    Stdin,
}

impl fmt::Display for StoppedBy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Requests => "requests",
            Self::Duration => "duration",
            Self::Signal => "signal",
            Self::Stdin => "stdin",
        })
    }
}

/// Resolves when the first of the three comes.
pub(crate) async fn wait(duration: Duration, until_stdin_closes: bool) -> Result<StoppedBy, String> {
    let listen = |kind| signal(kind).map_err(|error| format!("cannot listen for signals: {error}"));
    let (mut terminated, mut interrupted) =
        (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    let stdin = watch_stdin(until_stdin_closes)?;
    Ok(tokio::select! {
        () = sleep(duration) => StoppedBy::Duration,
        _ = terminated.recv() => StoppedBy::Signal,
        _ = interrupted.recv() => StoppedBy::Signal,
        () = stdin => StoppedBy::Stdin,
    })
}

/// Resolves when standard input ends; never when it is not watched. A thread blocks on it: standard input cannot
/// be polled portably, and the thread dies with the process.
fn watch_stdin(watched: bool) -> Result<impl Future<Output = ()>, String> {
    let (closed, wait_closed) = oneshot::channel::<()>();
    let kept = if watched {
        let thread = thread::Builder::new().name("stdin".to_owned());
        let drain = move || {
            let _read = io::copy(&mut io::stdin().lock(), &mut io::sink());
            drop(closed);
        };
        thread.spawn(drain).map_err(|error| format!("cannot watch standard input: {error}"))?;
        None
    } else {
        Some(closed)
    };
    Ok(async move {
        let _kept = kept;
        let _closed = wait_closed.await;
    })
}
