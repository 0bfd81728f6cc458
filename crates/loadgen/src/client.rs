//! One worker's way to the server, whichever the protocol.

use std::{sync::Arc, time::Duration};

use tokio::{net::TcpStream, time::timeout};

use crate::{
    answers::{Answer, Failure, FailureKind},
    grpc::{GrpcClient, GrpcConnection},
    options::{Plan, Protocol},
    rest::RestClient,
};

/// An answer may have so many bytes; a longer one counts as malformed.
pub(crate) const ANSWER_BYTES_MAX: usize = 64 << 20;
/// After a failed connection attempt a worker rests, so that a server that is gone is not hammered.
const RECONNECT_PAUSE: Duration = Duration::from_millis(20);

/// Asks the plan's questions, again and again.
pub(crate) enum Client {
    Grpc(GrpcClient),
    Rest(Box<RestClient>),
}

impl Client {
    /// One client for each of the plan's workers; all connections are open when this returns.
    pub(crate) async fn connect_all(plan: &Arc<Plan>) -> Result<Vec<Self>, String> {
        let mut clients = Vec::new();
        for _ in 0..plan.connections {
            match plan.protocol {
                Protocol::Grpc => {
                    let connection = GrpcConnection::open(plan).await?;
                    for _ in 0..plan.streams_per_connection {
                        clients.push(Self::Grpc(connection.client().await));
                    }
                }
                Protocol::Rest => {
                    for _ in 0..plan.streams_per_connection {
                        clients.push(Self::Rest(Box::new(RestClient::open(plan).await?)));
                    }
                }
            }
        }
        Ok(clients)
    }

    /// Asks the question of this number once and waits for its answer.
    pub(crate) async fn call(&mut self, question: usize, limit: Duration) -> Result<Answer, Failure> {
        let outcome = match self {
            Self::Grpc(client) => timeout(limit, client.call(question)).await,
            Self::Rest(client) => timeout(limit, client.call(question)).await,
        };
        outcome.unwrap_or_else(|_| Err(Failure::new(FailureKind::Timeout, format!("no answer in {limit:?}"))))
    }
}

/// Opens a connection; rests after a refusal.
pub(crate) async fn dial(plan: &Plan) -> Result<TcpStream, Failure> {
    let dialled = TcpStream::connect(plan.address).await.and_then(|socket| {
        socket.set_nodelay(true)?;
        Ok(socket)
    });
    match dialled {
        Ok(socket) => Ok(socket),
        Err(error) => {
            tokio::time::sleep(RECONNECT_PAUSE).await;
            Err(lost(format!("cannot connect to {}: {error}", plan.address)))
        }
    }
}

/// The connection could not be made, or is gone.
pub(crate) fn lost(reason: impl std::fmt::Display) -> Failure {
    Failure::new(FailureKind::Connection, reason)
}

/// The plan has no question of this number; whoever numbers them is in this program.
pub(crate) fn no_such_question() -> Failure {
    Failure::new(FailureKind::Malformed, "no such question")
}
