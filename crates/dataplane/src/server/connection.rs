//! One connection from its first request to its end, whichever protocol it speaks.

use super::{Stage, lifetime};
use std::{future::Future, pin::Pin, time::Duration};
use tokio::sync::watch;

/// A connection that can be asked to end.
pub(super) trait Drain: Future {
    /// Finish what is under way, take nothing new.
    fn drain(self: Pin<&mut Self>);
}

/// Drives a connection until it ends, or the server does, or its time is over: then it finishes what is under way,
/// for as long as `over` answers.
pub(super) async fn drive<C: Drain>(
    connection: C,
    mut stage: watch::Receiver<Stage>,
    over: impl Future<Output = Option<Duration>>,
) {
    let mut connection = std::pin::pin!(connection);
    let mut over = std::pin::pin!(over);
    let mut cut = std::pin::pin!(lifetime::wait(None));
    let mut seen = Stage::Open;
    let mut is_over = false;
    loop {
        tokio::select! {
            // How a connection ended (reset, timed out, malformed) is its client's affair.
            _ = connection.as_mut() => return,
            changed = wait_past(&mut stage, seen) => match changed {
                Stage::Draining => seen = Stage::Draining,
                Stage::Open | Stage::Closed => return,
            },
            grace = over.as_mut(), if !is_over => {
                is_over = true;
                cut.set(lifetime::wait(grace));
            }
            () = cut.as_mut() => return,
        }
        connection.as_mut().drain();
    }
}

/// The next stage after `seen`; closed when the server is gone.
pub(super) async fn wait_past(stage: &mut watch::Receiver<Stage>, seen: Stage) -> Stage {
    stage.wait_for(|now| *now != seen).await.map_or(Stage::Closed, |now| *now)
}
