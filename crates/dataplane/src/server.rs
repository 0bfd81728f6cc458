//! The doors: where they listen, and how they are opened and closed.

use crate::{error::Error, plane::Plane};
use std::{net::SocketAddr, sync::Arc, time::Duration};

/// How the doors listen and what they allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerOptions {
    /// `host:port` for gRPC; none: do not listen.
    pub grpc_address: Option<String>,
    /// `host:port` for REST; none: do not listen.
    pub rest_address: Option<String>,
    /// A REST request's time to run; none: as long as it takes.
    pub rest_timeout: Option<Duration>,
    /// Of one request's body.
    pub message_bytes_max: usize,
    /// Of all request bodies held at once.
    pub buffered_bytes_max: usize,
    /// Open connections, both doors together.
    pub connections_max: usize,
    /// REST answers carry the headers that let browsers of other origins read them.
    pub cors: bool,
}

/// The open doors.
#[derive(Debug)]
pub struct Server {}

impl Server {
    /// Opens the doors that have an address.
    pub fn start(
        _plane: Arc<Plane>,
        _options: ServerOptions,
        _runtime: &tokio::runtime::Handle,
    ) -> Result<Self, Error> {
        Ok(Self {})
    }

    /// Where they listen: gRPC, REST.
    #[must_use]
    pub fn addresses(&self) -> (Option<SocketAddr>, Option<SocketAddr>) {
        (None, None)
    }

    /// Closes the doors to new requests and waits for those in flight; how many were left.
    #[allow(clippy::unused_async)]
    pub async fn shutdown(&self, _drain: Duration) -> usize {
        0
    }
}
