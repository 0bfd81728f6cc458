//! Sockets that listen, and the loop that takes connections from them.

use super::{
    Stage,
    socket_file::{SocketFile, SocketFileOptions},
    tls::Tls,
    traffic::Traffic,
    transport::Transport,
};
use crate::{error::Error, inference::Door};
use socket2::{Domain, Protocol, Socket, Type};
use std::{
    future::Future,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs},
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time::sleep,
};

/// Connections that the kernel holds until they are taken.
const BACKLOG: i32 = 1_024;

/// The pause after the process or the machine ran out of what a connection needs; grows up to the second.
const BACKOFF_FIRST: Duration = Duration::from_millis(10);
const BACKOFF_MAX: Duration = Duration::from_secs(1);

/// A bound socket.
#[derive(Debug)]
pub(super) enum Listener {
    Tcp(TcpListener),
    Unix(SocketFile),
}

impl Listener {
    /// Binds `host:port` within a runtime; `door` is for the error's text.
    pub(super) fn bind(address: &str, door: &str) -> Result<Self, Error> {
        let refused = |error: io::Error| match error.kind() {
            io::ErrorKind::InvalidInput => {
                Error::invalid_argument(format!("Cannot listen on {address:?} for {door}: {error}"))
            }
            _ => Error::unavailable(format!("Cannot listen on {address:?} for {door}: {error}")),
        };
        let candidates: Vec<SocketAddr> = address.to_socket_addrs().map_err(refused)?.collect();
        let mut failed = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for candidate in candidates.into_iter().flat_map(with_fallback) {
            match bind(candidate) {
                Ok(socket) => return Ok(Self::Tcp(socket)),
                Err(error) => failed = error,
            }
        }
        Err(refused(failed))
    }

    /// Binds a UNIX socket within a runtime.
    pub(super) fn bind_file(options: &SocketFileOptions, door: &str) -> Result<Self, Error> {
        SocketFile::bind(options, BACKLOG, door).map(Self::Unix)
    }

    /// Where it listens, with the port that was picked; none for a UNIX socket.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(socket) => socket.local_addr().ok(),
            Self::Unix(_) => None,
        }
    }

    async fn accept(&self) -> io::Result<Transport> {
        match self {
            Self::Tcp(socket) => socket.accept().await.map(|(stream, _)| Transport::Tcp(prepared(stream))),
            Self::Unix(socket) => socket.accept().await.map(Transport::Unix),
        }
    }
}

/// What stands before a door: who counts its connections, and what they pass before they are served.
#[derive(Clone, Debug)]
pub(super) struct Entrance {
    pub(super) door: Door,
    pub(super) traffic: Arc<Traffic>,
    /// None: connections are served as they come.
    pub(super) tls: Option<Arc<Tls>>,
    /// For the handshake.
    pub(super) patience: Duration,
    pub(super) stage: watch::Receiver<Stage>,
}

impl Entrance {
    async fn pass(mut self, io: Transport) -> Option<Transport> {
        match self.tls {
            Some(tls) => tls.accept(io, self.patience, &mut self.stage).await,
            None => Some(io),
        }
    }
}

/// "Every IPv6 address" means every IPv4 address on a machine without IPv6.
fn with_fallback(address: SocketAddr) -> impl Iterator<Item = SocketAddr> {
    let every_ipv4 = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), address.port());
    let fallback = address.is_ipv6() && address.ip().is_unspecified();
    [address].into_iter().chain(fallback.then_some(every_ipv4))
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for connections of the process before; two servers must not share a port.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Takes connections until the server closes, each served in a task of its own.
pub(super) async fn accept<F, S>(listener: Listener, entrance: Entrance, serve: S)
where
    S: Fn(Transport, watch::Receiver<Stage>) -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let mut stage = entrance.stage.clone();
    let mut backoff = BACKOFF_FIRST;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stage.wait_for(|stage| *stage != Stage::Open) => return,
        };
        match accepted {
            Ok(io) => {
                backoff = BACKOFF_FIRST;
                // Over the limit the connection is closed by dropping it.
                if let Some(open) = entrance.traffic.open_connection(entrance.door) {
                    let (entrance, serve, stage) = (entrance.clone(), serve.clone(), stage.clone());
                    tokio::spawn(async move {
                        if let Some(io) = entrance.pass(io).await {
                            serve(io, stage).await;
                        }
                        drop(open);
                    });
                }
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(_) => {
                sleep(backoff).await;
                backoff = (backoff * 2).min(BACKOFF_MAX);
            }
        }
    }
}

/// Small answers must not wait for the acknowledgement of earlier ones.
fn prepared(stream: TcpStream) -> TcpStream {
    // A client that is gone already shows when it is read from.
    let _ = stream.set_nodelay(true);
    stream
}

/// The client went away between connecting and being taken; the next one may be fine.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may panic

    use super::*;
    use crate::error::Code;

    #[tokio::test]
    async fn an_address_that_is_none_is_an_invalid_argument_and_one_in_use_is_unavailable() {
        for malformed in ["", "localhost", "127.0.0.1:port", "127.0.0.1:65536"] {
            let error = Listener::bind(malformed, "gRPC").unwrap_err();
            assert_eq!(error.code, Code::InvalidArgument, "{error}");
        }
        let first = Listener::bind("127.0.0.1:0", "gRPC").unwrap();
        let error = Listener::bind(&first.address().unwrap().to_string(), "REST").unwrap_err();
        assert_eq!(error.code, Code::Unavailable);
        assert!(error.message.contains("for REST: Address already in use"), "{error}");
    }

    #[test]
    fn only_every_ipv6_address_falls_back_to_ipv4() {
        let fallbacks = |text: &str| {
            with_fallback(text.parse().unwrap()).map(|address| address.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(fallbacks("[::]:80"), ["[::]:80", "0.0.0.0:80"]);
        assert_eq!(fallbacks("[::1]:80"), ["[::1]:80"]);
        assert_eq!(fallbacks("0.0.0.0:80"), ["0.0.0.0:80"]);
    }
}
