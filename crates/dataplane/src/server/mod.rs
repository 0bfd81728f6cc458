//! The server: listeners, connections, their limits, and an end in good order. What a request means is the doors'.

use crate::{
    error::Error,
    grpc::{DoorLimits, GrpcDoor, Methods, ServingMethods},
    inference::Door,
    plane::Plane,
    rest::RestOptions,
    tensor_proto::TensorEncoding,
};
use http1::RestDoor;
use http2::Http2Limits;
use listen::{Entrance, Listener, accept};
use socket_file::SocketFileOptions;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tls::Tls;
use tokio::{runtime::Handle, sync::watch, time::timeout};
use traffic::{Traffic, TrafficSnapshot};

mod authority;
pub(crate) mod body;
mod connection;
mod http1;
pub mod http2;
pub mod lifetime;
mod listen;
mod preface;
pub mod socket_file;
mod stalled;
mod stream;
pub mod tls;
pub mod traffic;
mod transport;

/// After the deadline of a shutdown, connections are cut; their tasks end within moments.
const CUT_PATIENCE: Duration = Duration::from_secs(5);

/// How the server listens and what it allows.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// `host:port` for gRPC; port 0 picks a free one; none: do not listen.
    pub grpc_address: Option<String>,
    /// A UNIX socket for gRPC, beside the address or instead of it.
    pub grpc_socket: Option<SocketFileOptions>,
    /// The same for REST. `[::]:port` takes IPv4 too, and only IPv4 where the machine has no IPv6.
    pub rest_address: Option<String>,
    /// How gRPC's connections are encrypted, those of the UNIX socket too; none: not at all.
    pub grpc_tls: Option<Arc<Tls>>,
    /// The same for REST.
    pub rest_tls: Option<Arc<Tls>>,
    /// A REST request's time to run; none: no limit.
    pub rest_timeout: Option<Duration>,
    /// REST answers carry the headers that let browsers of other origins read them.
    pub cors: bool,
    /// Long REST answers are compressed for clients that say so.
    pub rest_compression: bool,
    /// How answers over gRPC carry tensors.
    pub tensor_encoding: TensorEncoding,
    /// Where REST has the metrics page, beginning with a slash; none: nowhere.
    pub metrics_path: Option<String>,
    /// Of one request's body.
    pub message_bytes_max: usize,
    /// Of all requests and answers held at once; past it, requests are refused at once.
    pub buffered_bytes_max: usize,
    /// Open connections, both doors together; further ones are closed at once.
    pub connections_max: usize,
    /// Of one gRPC request's message; it counts where it is less than `message_bytes_max`.
    pub grpc_message_bytes_max: usize,
    /// Of gRPC's connections.
    pub http2: Http2Limits,
    /// How long clients may take.
    pub patience: Patience,
}

/// How long clients may take. The defaults are for production; tests shorten them.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a TLS handshake, for the first bytes of what it carries, and for the head of an HTTP/1 request (so also between two of them).
    pub head: Duration,
    /// Between two pieces of a request's body.
    pub body_idle: Duration,
    /// For a client to take some of its answer.
    pub answer_idle: Duration,
    /// Between two pings that ask whether an HTTP/2 client is still there; none: it is not asked.
    pub ping_interval: Option<Duration>,
    /// For the answer to a ping.
    pub ping_timeout: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            head: Duration::from_mins(1),
            body_idle: Duration::from_secs(30),
            answer_idle: Duration::from_mins(1),
            ping_interval: Some(Duration::from_mins(1)),
            ping_timeout: Duration::from_secs(20),
        }
    }
}

impl Default for ServerOptions {
    /// TensorFlow Serving's limits where it has any; nothing listens.
    fn default() -> Self {
        Self {
            grpc_address: None,
            grpc_socket: None,
            rest_address: None,
            grpc_tls: None,
            rest_tls: None,
            rest_timeout: Some(Duration::from_secs(30)),
            cors: false,
            rest_compression: true,
            tensor_encoding: TensorEncoding::default(),
            metrics_path: None,
            message_bytes_max: i32::MAX as usize,
            buffered_bytes_max: 4 << 30,
            connections_max: 16_384,
            grpc_message_bytes_max: usize::MAX,
            http2: Http2Limits::default(),
            patience: Patience::default(),
        }
    }
}

/// What the whole server does now; every connection watches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Connections and requests are taken.
    Open,
    /// What is under way is finished, nothing new is taken.
    Draining,
    /// Everything ends.
    Closed,
}

/// The open doors. Dropping it cuts every connection; [`Server::shutdown`] lets them finish.
#[derive(Debug)]
pub struct Server {
    addresses: (Option<SocketAddr>, Option<SocketAddr>),
    traffic: Arc<Traffic>,
    stage: watch::Sender<Stage>,
}

impl Server {
    /// Opens the doors to `plane`: binds every address, or none of them, and serves on `runtime`.
    pub fn start(plane: Arc<Plane>, options: &ServerOptions, runtime: &Handle) -> Result<Self, Error> {
        let methods = ServingMethods::new(Arc::clone(&plane)).with_encoding(options.tensor_encoding);
        Self::start_with(methods, plane, options, runtime)
    }

    /// The same, with other unary methods behind the gRPC door.
    pub fn start_with<M: Methods>(
        methods: M,
        plane: Arc<Plane>,
        options: &ServerOptions,
        runtime: &Handle,
    ) -> Result<Self, Error> {
        let _runtime = runtime.enter();
        let bind = |address: &Option<String>, door| {
            address.as_deref().map(|address| Listener::bind(address, door)).transpose()
        };
        let grpc = bind(&options.grpc_address, "gRPC")?;
        let socket =
            options.grpc_socket.as_ref().map(|file| Listener::bind_file(file, "gRPC")).transpose()?;
        let rest = bind(&options.rest_address, "REST")?;
        let address = |listener: &Option<Listener>| listener.as_ref().and_then(Listener::address);
        let server = Self {
            addresses: (address(&grpc), address(&rest)),
            traffic: Traffic::new(plane.gauges(), options.connections_max, options.buffered_bytes_max),
            stage: watch::Sender::new(Stage::Open),
        };
        let grpc: Vec<Listener> = grpc.into_iter().chain(socket).collect();
        if !grpc.is_empty() {
            server.open_grpc(grpc, methods, Arc::clone(&plane), options, runtime)?;
        }
        if let Some(listener) = rest {
            server.open_rest(listener, plane, options, runtime);
        }
        Ok(server)
    }

    /// Where the doors listen, gRPC and REST; none where one was not asked for.
    #[must_use]
    pub fn addresses(&self) -> (Option<SocketAddr>, Option<SocketAddr>) {
        self.addresses
    }

    /// What is open and under way now.
    #[must_use]
    pub fn traffic(&self) -> TrafficSnapshot {
        self.traffic.snapshot()
    }

    /// Ends in good order: takes no more connections, tells clients to go elsewhere (GOAWAY over HTTP/2, a closed
    /// connection over HTTP/1), and waits for what is under way, at most `drain`. What is left then is cut off;
    /// the answer is how many requests that were.
    pub async fn shutdown(&self, drain: Duration) -> usize {
        self.stage.send_replace(Stage::Draining);
        if timeout(drain, self.stage.closed()).await.is_ok() {
            return 0;
        }
        let left = self.traffic.snapshot().requests;
        self.stage.send_replace(Stage::Closed);
        // Past this, tasks that do not yield are left to the runtime's own end.
        let _ = timeout(CUT_PATIENCE, self.stage.closed()).await;
        left
    }

    fn open_grpc<M: Methods>(
        &self,
        listeners: Vec<Listener>,
        methods: M,
        plane: Arc<Plane>,
        options: &ServerOptions,
        runtime: &Handle,
    ) -> Result<(), Error> {
        let limits = DoorLimits {
            message_bytes_max: options.message_bytes_max.min(options.grpc_message_bytes_max),
            body_idle: options.patience.body_idle,
        };
        let traffic = Arc::clone(&self.traffic);
        let door = Arc::new(GrpcDoor::new(methods, plane, limits, traffic, self.stage.subscribe())?);
        let limits = (options.patience, options.http2);
        for listener in listeners {
            let door = Arc::clone(&door);
            let serve = move |io, stage| http2::serve(io, Arc::clone(&door), limits, stage);
            runtime.spawn(accept(listener, self.entrance(Door::Grpc, options), serve));
        }
        Ok(())
    }

    fn open_rest(&self, listener: Listener, plane: Arc<Plane>, options: &ServerOptions, runtime: &Handle) {
        let door = Arc::new(RestDoor {
            plane,
            traffic: Arc::clone(&self.traffic),
            options: RestOptions {
                timeout: options.rest_timeout,
                cors: options.cors,
                compression: options.rest_compression,
                memory: Arc::clone(self.traffic.budget()),
                metrics_path: options.metrics_path.as_deref().map(Arc::from),
            },
            message_bytes_max: options.message_bytes_max,
            body_idle: options.patience.body_idle,
        });
        let patience = options.patience;
        let serve = move |io, stage| http1::serve(io, Arc::clone(&door), patience, stage);
        runtime.spawn(accept(listener, self.entrance(Door::Rest, options), serve));
    }

    fn entrance(&self, door: Door, options: &ServerOptions) -> Entrance {
        let tls = match door {
            Door::Grpc => &options.grpc_tls,
            Door::Rest => &options.rest_tls,
        };
        Entrance {
            door,
            traffic: Arc::clone(&self.traffic),
            tls: tls.clone(),
            patience: options.patience.head,
            stage: self.stage.subscribe(),
        }
    }
}
