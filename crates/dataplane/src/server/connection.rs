//! One connection from its first request to its end, whichever protocol it speaks.

use super::Stage;
use std::{future::Future, pin::Pin};
use tokio::sync::watch;

/// A connection that can be asked to end.
pub(super) trait Drain: Future {
    /// Finish what is under way, take nothing new.
    fn drain(self: Pin<&mut Self>);
}

/// Drives a connection until it ends, or the server does.
pub(super) async fn drive<C: Drain>(connection: C, mut stage: watch::Receiver<Stage>) {
    let mut connection = std::pin::pin!(connection);
    let mut seen = Stage::Open;
    loop {
        tokio::select! {
            // How a connection ended (reset, timed out, malformed) is its client's affair.
            _ = connection.as_mut() => return,
            changed = wait_past(&mut stage, seen) => match changed {
                Stage::Draining => connection.as_mut().drain(),
                Stage::Open | Stage::Closed => return,
            },
        }
        seen = Stage::Draining;
    }
}

/// The next stage after `seen`; closed when the server is gone.
pub(super) async fn wait_past(stage: &mut watch::Receiver<Stage>, seen: Stage) -> Stage {
    stage.wait_for(|now| *now != seen).await.map_or(Stage::Closed, |now| *now)
}
