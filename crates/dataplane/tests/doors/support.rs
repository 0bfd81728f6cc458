//! A server with methods that tests can steer, and clients that can do what proper ones cannot.

use bytes::{BufMut, Bytes, BytesMut};
use dataplane::{
    error::Error,
    execute::Limits,
    grpc::{Asked, Methods, ServingMethods, methods::ServingMethod},
    inference::Outcome,
    plane::{LoadRequest, Plane, Platform},
    route::{ModelUpdate, RouteUpdate},
    runtime::synthetic,
    server::{Server, ServerOptions},
    wire::tensorflow::serving::{ModelVersionStatus, model_version_status::State},
};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::{Frame, Incoming},
    client::conn::http2::{self, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    runtime::Handle,
    sync::{Semaphore, mpsc},
    time::timeout,
};
use tokio_stream::{StreamExt, wrappers::UnboundedReceiverStream};

/// What no test should ever wait for.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a handler did.
#[derive(Debug, PartialEq, Eq)]
pub enum Trace {
    Began,
    Ended,
}

/// The serving methods, and those of `/test.Door/`.
pub struct DoorMethods {
    pub serving: ServingMethods,
    pub traces: mpsc::UnboundedSender<Trace>,
    pub gate: Arc<Semaphore>,
}

#[derive(Clone, Copy)]
pub enum Method {
    /// Answers the message.
    Echo,
    /// Fails with the message as its text.
    Fail,
    /// Answers as many bytes as the message's first four say.
    Long,
    /// Answers the message once the gate lets it.
    Gated,
    /// A method of the server's own.
    Serving(ServingMethod),
}

struct Ends(mpsc::UnboundedSender<Trace>);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.send(Trace::Ended);
    }
}

impl Methods for DoorMethods {
    type Method = Method;

    fn find(&self, path: &str) -> Option<Method> {
        match path {
            "/test.Door/Echo" => Some(Method::Echo),
            "/test.Door/Fail" => Some(Method::Fail),
            "/test.Door/Long" => Some(Method::Long),
            "/test.Door/Gated" => Some(Method::Gated),
            _ => self.serving.find(path).map(Method::Serving),
        }
    }

    fn message_bytes_max(&self, method: Method) -> usize {
        match method {
            Method::Serving(method) => self.serving.message_bytes_max(method),
            _ => usize::MAX,
        }
    }

    async fn call(&self, method: Method, asked: Asked) -> Outcome {
        match method {
            Method::Serving(method) => self.serving.call(method, asked).await,
            _ => Outcome::of(self.answer(method, asked.message).await),
        }
    }
}

impl DoorMethods {
    async fn answer(&self, method: Method, message: Bytes) -> Result<Bytes, Error> {
        match method {
            Method::Echo | Method::Serving(_) => Ok(message),
            Method::Fail => Err(Error::data_loss(String::from_utf8(message.to_vec()).unwrap())),
            Method::Long => {
                let length = u32::from_be_bytes(message[..4].try_into().unwrap());
                Ok(vec![0; length as usize].into())
            }
            Method::Gated => {
                let _ = self.traces.send(Trace::Began);
                let _ends = Ends(self.traces.clone());
                self.gate.acquire().await.unwrap().forget();
                Ok(message)
            }
        }
    }
}

/// A running server and what its handlers do.
pub struct Fixture {
    pub server: Server,
    pub plane: Arc<Plane>,
    pub traces: mpsc::UnboundedReceiver<Trace>,
    pub gate: Arc<Semaphore>,
}

impl Fixture {
    /// With limits as in production, save for what `adjust` changes.
    pub fn start(adjust: impl FnOnce(&mut ServerOptions)) -> Self {
        let mut options = ServerOptions {
            grpc_address: Some("127.0.0.1:0".to_owned()),
            rest_address: Some("127.0.0.1:0".to_owned()),
            ..ServerOptions::default()
        };
        adjust(&mut options);
        let (sender, traces) = mpsc::unbounded_channel();
        let gate = Arc::new(Semaphore::new(0));
        let plane = Arc::new(Plane::new(limits()).unwrap());
        let serving = ServingMethods::new(Arc::clone(&plane));
        let methods = DoorMethods { serving, traces: sender, gate: Arc::clone(&gate) };
        let server = Server::start_with(methods, Arc::clone(&plane), &options, &Handle::current()).unwrap();
        Self { server, plane, traces, gate }
    }

    pub fn grpc(&self) -> SocketAddr {
        self.server.addresses().0.unwrap()
    }

    pub fn rest(&self) -> SocketAddr {
        self.server.addresses().1.unwrap()
    }

    pub async fn expect_trace(&mut self, expected: Trace) {
        assert_eq!(soon(self.traces.recv()).await, Some(expected));
    }

    /// Waits until the server holds nothing of any request.
    pub async fn wait_empty(&self) {
        until(|| {
            let traffic = self.server.traffic();
            traffic.requests == 0 && traffic.buffered_bytes == 0
        })
        .await;
    }
}

/// The production limits.
pub fn limits() -> Limits {
    Limits { io_threads: 0, in_flight_max: 16_384, queue_max: 1_024, runs_max: 0 }
}

/// Patience short enough to run out within a test, for one of its parts.
pub fn impatient() -> Duration {
    Duration::from_millis(50)
}

/// The future's result, which must not take long.
pub async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("this should have happened by now")
}

/// Waits for what other tasks bring about.
pub async fn until(mut condition: impl FnMut() -> bool) {
    soon(async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// A request's body, of any kind.
pub type ClientBody = UnsyncBoxBody<Bytes, Infallible>;

/// A gRPC client that sends what it is told to.
#[derive(Clone)]
pub struct Client {
    sender: SendRequest<ClientBody>,
    authority: String,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub http_status: StatusCode,
    pub headers: HeaderMap,
    pub trailers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub async fn read(response: Response<Incoming>) -> Self {
        let (head, body) = response.into_parts();
        let collected = soon(body.collect()).await.unwrap();
        let trailers = collected.trailers().cloned().unwrap_or_default();
        Self { http_status: head.status, headers: head.headers, trailers, body: collected.to_bytes() }
    }

    fn field(&self, name: &str) -> Option<&str> {
        let value = self.trailers.get(name).or_else(|| self.headers.get(name));
        value.map(|value| value.to_str().unwrap())
    }

    /// The gRPC status, by its number.
    pub fn status(&self) -> i32 {
        self.field("grpc-status").expect("a gRPC status").parse().unwrap()
    }

    /// The status text as it was sent.
    pub fn text(&self) -> &str {
        self.field("grpc-message").unwrap_or_default()
    }

    /// The one message of a call that went well.
    pub fn message(&self) -> &[u8] {
        assert_eq!(self.status(), 0, "{}", self.text());
        let length = u32::from_be_bytes(self.body[1..5].try_into().unwrap());
        assert_eq!((self.body[0], length as usize), (0, self.body.len() - 5));
        &self.body[5..]
    }
}

/// A message in its frame.
pub fn framed(message: &[u8]) -> Bytes {
    framed_with_flag(0, message)
}

pub fn framed_with_flag(flag: u8, message: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u8(flag);
    frame.put_u32(message.len().try_into().unwrap());
    frame.put_slice(message);
    frame.freeze()
}

/// A body that is all here.
pub fn whole(bytes: impl Into<Bytes>) -> ClientBody {
    Full::new(bytes.into()).boxed_unsync()
}

/// A body that sends what is put into the channel, and ends when the sender is dropped.
pub fn piecemeal() -> (mpsc::UnboundedSender<Bytes>, ClientBody) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let stream = UnboundedReceiverStream::new(receiver).map(|bytes| Ok(Frame::data(bytes)));
    (sender, StreamBody::new(stream).boxed_unsync())
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        Self::connect_with(address, |_| {}).await
    }

    pub async fn connect_with(
        address: SocketAddr,
        adjust: impl FnOnce(&mut http2::Builder<TokioExecutor>),
    ) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(stream, adjust).await.unwrap()
    }

    /// A client at the other end of any bytes.
    pub async fn over<IO>(
        io: IO,
        adjust: impl FnOnce(&mut http2::Builder<TokioExecutor>),
    ) -> hyper::Result<Self>
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        adjust(&mut builder);
        let (sender, connection) = builder.handshake(TokioIo::new(io)).await?;
        tokio::spawn(connection);
        Ok(Self { sender, authority: "localhost".to_owned() })
    }

    /// Sends a request and waits for the head of its answer.
    pub async fn send(
        &mut self,
        method: &str,
        headers: &[(&str, &str)],
        body: ClientBody,
    ) -> hyper::Result<Response<Incoming>> {
        let mut request = Request::post(format!("http://{}{method}", self.authority))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send_request(request.body(body).unwrap()).await
    }

    pub async fn send_request(&mut self, request: Request<ClientBody>) -> hyper::Result<Response<Incoming>> {
        soon(self.sender.ready()).await?;
        soon(self.sender.send_request(request)).await
    }

    /// Sends a request and reads its answer.
    pub async fn call(&mut self, method: &str, headers: &[(&str, &str)], body: ClientBody) -> Answer {
        Answer::read(self.send(method, headers, body).await.unwrap()).await
    }

    /// Sends a message to `Echo` and reads the answer.
    pub async fn echo(&mut self, message: &[u8]) -> Answer {
        self.call("/test.Door/Echo", &[], whole(framed(message))).await
    }
}

/// Synthetic versions of the model `m`.
pub struct Models {
    plane: Arc<Plane>,
    directory: TempDir,
}

impl Models {
    pub fn new(plane: &Arc<Plane>) -> Self {
        Self { plane: Arc::clone(plane), directory: tempfile::tempdir().unwrap() }
    }

    /// Loads a version that halves and adds two.
    pub fn load(&self, version: i64) {
        self.load_as(version, "{}");
    }

    /// Ends the hanging runs of a version.
    pub fn release(&self, version: i64) {
        let path = self.directory.path().join(version.to_string()).join(synthetic::RELEASE_FILE);
        std::fs::write(path, "").unwrap();
    }

    /// Loads a version that this describes to the synthetic runtime.
    pub fn load_as(&self, version: i64, json: &str) {
        let path = self.directory.path().join(version.to_string());
        dataplane::testing::write_version(&path, json).unwrap();
        let platform = Platform::Synthetic;
        self.plane
            .load(&LoadRequest {
                name: "m".into(),
                version,
                incarnation: 0,
                path,
                platform,
                tags: vec![],
                warmup: None,
                batching: None,
            })
            .unwrap();
    }

    /// Routes `m` to these versions, the last of them by default and as `stable`.
    pub fn publish(&self, generation: u64, versions: &[i64]) {
        let status =
            |&version: &i64| ModelVersionStatus { version, state: State::Available.into(), status: None };
        let update = ModelUpdate {
            name: "m".into(),
            ready: dataplane::testing::first_incarnations(versions),
            default_version: versions.last().copied(),
            labels: versions.last().map(|&version| ("stable".into(), version)).into_iter().collect(),
            statuses: versions.iter().rev().map(status).collect(),
            log: None,
            traffic: None,
        };
        self.plane.publish(&RouteUpdate { generation, changed: vec![update], removed: vec![] }).unwrap();
    }
}
