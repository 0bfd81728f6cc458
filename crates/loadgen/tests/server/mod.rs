//! A server that answers by script, in both protocols: what the generator is tried against.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::Arc,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use bytes::{BufMut, Bytes, BytesMut};
use dataplane::wire::tensorflow::{
    TensorProto,
    serving::{ModelSpec, PredictResponse, model_spec::VersionChoice},
};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::net::{TcpListener, TcpStream};

/// How one request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// By this version, with its own output: the version's number as a float.
    Version(i64),
    /// By the first version, with the output of the second.
    Mixed(i64, i64),
    /// With this status: gRPC's number, or HTTP's.
    Status(u16),
    /// By version 1, but only after this long.
    Late(Duration),
    /// Not: the connection is closed instead.
    Hangup,
}

/// Which reply the n-th request gets, counted from 0.
pub(crate) type Script = fn(u64) -> Reply;

/// Serves on a free port of the loopback interface as long as the runtime lives.
pub(crate) async fn start(grpc: bool, script: Script) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let counter = Arc::new(AtomicU64::new(0));
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let _always = socket.set_nodelay(true);
            tokio::spawn(connection(socket, grpc, script, Arc::clone(&counter)));
        }
    });
    Ok(address)
}

async fn connection(socket: TcpStream, grpc: bool, script: Script, counter: Arc<AtomicU64>) {
    let service = service_fn(move |request| {
        let reply = script(counter.fetch_add(1, Ordering::SeqCst));
        answer(request, grpc, reply)
    });
    let socket = TokioIo::new(socket);
    let _end = if grpc {
        http2::Builder::new(TokioExecutor::new()).serve_connection(socket, service).await
    } else {
        http1::Builder::new().serve_connection(socket, service).await
    };
}

type Answer = Response<BoxBody<Bytes, Infallible>>;

async fn answer(request: Request<Incoming>, grpc: bool, reply: Reply) -> Result<Answer, io::Error> {
    request.into_body().collect().await.map_err(io::Error::other)?;
    let (version, output) = match reply {
        Reply::Version(version) => (version, version),
        Reply::Mixed(version, output) => (version, output),
        Reply::Late(delay) => {
            tokio::time::sleep(delay).await;
            (1, 1)
        }
        Reply::Status(status) => return Ok(if grpc { grpc_status(status) } else { http_status(status) }),
        Reply::Hangup => return Err(io::Error::other("as scripted")),
    };
    Ok(if grpc { grpc_answer(version, output) } else { rest_answer(output) })
}

#[allow(clippy::cast_precision_loss)] // versions are small here
fn grpc_answer(version: i64, output: i64) -> Answer {
    let spec = ModelSpec { version_choice: Some(VersionChoice::Version(version)), ..ModelSpec::default() };
    let tensor = TensorProto { dtype: 1, float_val: vec![output as f32], ..TensorProto::default() };
    let message = PredictResponse { outputs: [("y".to_owned(), tensor)].into(), model_spec: Some(spec) };
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.encoded_len()).unwrap_or(0));
    frame.extend_from_slice(&message.encode_to_vec());
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
    let body = Full::new(frame.freeze()).with_trailers(async move { Some(Ok(trailers)) });
    grpc_head().body(body.boxed()).unwrap_or_default()
}

fn rest_answer(output: i64) -> Answer {
    Response::new(Full::from(format!("{{\"predictions\": [{output}.0]}}")).boxed())
}

fn grpc_status(status: u16) -> Answer {
    let head = grpc_head().header("grpc-status", status).header("grpc-message", "as scripted");
    head.body(BoxBody::default()).unwrap_or_default()
}

fn http_status(status: u16) -> Answer {
    Response::builder().status(status).body(Full::from("as scripted").boxed()).unwrap_or_default()
}

fn grpc_head() -> http::response::Builder {
    Response::builder().header("content-type", "application/grpc")
}
