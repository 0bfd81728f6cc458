//! gRPC straight over the h2 crate: one task owns the connection, each worker its stream of the moment.
//!
//! hyper would put two channels and a pipe task between a worker and its stream; they cost as much again as the
//! stream itself, and the generator shares its processor with the server.

use std::{future::poll_fn, sync::Arc};

use bytes::{BufMut, Bytes, BytesMut};
use dataplane::error::Code;
use h2::{
    RecvStream,
    client::{self, SendRequest},
};
use http::{HeaderMap, Request};
use tokio::sync::Mutex;

use crate::{
    answers::{Answer, Failure, FailureKind, read_predict_response},
    client::{ANSWER_BYTES_MAX, dial, lost, no_such_question},
    options::Plan,
    question::Question,
};

/// Large enough that no answer waits for a window update.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 16 << 20;
/// Before every gRPC message: is it compressed (one byte), and its length (four).
const FRAME_HEADER_BYTES: usize = 5;
/// The one method whose answers name the version that answered.
const PREDICT: &str = "/tensorflow.serving.PredictionService/Predict";

/// One connection, made anew when it is lost; the number counts how often.
pub(crate) struct GrpcConnection {
    plan: Arc<Plan>,
    /// Head and body, one pair for each question of the plan.
    requests: Vec<(Request<()>, Bytes)>,
    current: Mutex<(u64, SendRequest<Bytes>)>,
}

impl GrpcConnection {
    /// Connects.
    pub(crate) async fn open(plan: &Arc<Plan>) -> Result<Arc<Self>, String> {
        let request = |question: &Question| {
            Ok((template(plan, question)?, framed(question.body.as_deref().unwrap_or_default())?))
        };
        let requests = plan.questions.iter().map(request).collect::<Result<_, String>>()?;
        let sender = handshake(plan).await.map_err(|failure| failure.text)?;
        Ok(Arc::new(Self { plan: Arc::clone(plan), requests, current: Mutex::new((0, sender)) }))
    }

    /// One worker's client on this connection.
    pub(crate) async fn client(self: &Arc<Self>) -> GrpcClient {
        let (generation, sender) = self.current.lock().await.clone();
        GrpcClient { connection: Arc::clone(self), generation, sender }
    }

    /// The connection after the one with this number; whoever asks first makes it.
    async fn newer_than(&self, lost_generation: u64) -> Result<(u64, SendRequest<Bytes>), Failure> {
        let mut current = self.current.lock().await;
        if lost_generation == current.0 {
            *current = (current.0 + 1, handshake(&self.plan).await?);
        }
        Ok(current.clone())
    }
}

/// One worker on a connection.
pub(crate) struct GrpcClient {
    connection: Arc<GrpcConnection>,
    generation: u64,
    sender: SendRequest<Bytes>,
}

impl GrpcClient {
    /// Asks the question of this number once.
    pub(crate) async fn call(&mut self, number: usize) -> Result<Answer, Failure> {
        self.ready().await?;
        let connection = &self.connection;
        let (Some(question), Some((request, body))) =
            (connection.plan.questions.get(number), connection.requests.get(number))
        else {
            return Err(no_such_question());
        };
        let (response, mut stream) = self.sender.send_request(request.clone(), false).map_err(lost)?;
        stream.send_data(body.clone(), true).map_err(lost)?;
        let (head, mut answer) = response.await.map_err(lost)?.into_parts();
        if !head.status.is_success() {
            return Err(Failure::new(FailureKind::Http(head.status.as_u16()), head.status));
        }
        let message = collect(&mut answer).await?;
        let trailers = answer.trailers().await.map_err(lost)?;
        check_status(trailers.as_ref().unwrap_or(&head.headers))?;
        let message = unframed(message)?;
        if question.path != PREDICT {
            return Ok(Answer::default());
        }
        read_predict_response(message, question.expectations.as_ref())
    }

    /// Waits for room for one more stream; on a new connection when the old one takes no more.
    async fn ready(&mut self) -> Result<(), Failure> {
        if poll_fn(|context| self.sender.poll_ready(context)).await.is_ok() {
            return Ok(());
        }
        (self.generation, self.sender) = self.connection.newer_than(self.generation).await?;
        poll_fn(|context| self.sender.poll_ready(context)).await.map_err(lost)
    }
}

async fn handshake(plan: &Plan) -> Result<SendRequest<Bytes>, Failure> {
    let socket = dial(plan).await?;
    let mut builder = client::Builder::new();
    builder.initial_window_size(STREAM_WINDOW_BYTES).initial_connection_window_size(CONNECTION_WINDOW_BYTES);
    builder.enable_push(false);
    let (sender, connection) = builder.handshake(socket).await.map_err(lost)?;
    tokio::spawn(async move {
        // Its end is seen by every stream that was open on it, and counted there.
        let _end = connection.await;
    });
    Ok(sender)
}

fn template(plan: &Plan, question: &Question) -> Result<Request<()>, String> {
    let mut request = Request::post(format!("http://{}{}", plan.address, question.path))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("user-agent", "understudy-loadgen")
        .body(())
        .map_err(|error| format!("cannot build the request: {error}"))?;
    request.headers_mut().extend(question.headers.clone());
    Ok(request)
}

fn framed(message: &[u8]) -> Result<Bytes, String> {
    let length = u32::try_from(message.len()).map_err(|error| error.to_string())?;
    let mut frame = BytesMut::with_capacity(FRAME_HEADER_BYTES + message.len());
    frame.put_u8(0);
    frame.put_u32(length);
    frame.extend_from_slice(message);
    Ok(frame.freeze())
}

/// The message in a whole gRPC body; this client never asks for a compressed one.
fn unframed(mut body: Bytes) -> Result<Bytes, Failure> {
    let announced = match body.get(..FRAME_HEADER_BYTES) {
        Some([0, length @ ..]) => length.iter().fold(0_usize, |sum, byte| (sum << 8) | usize::from(*byte)),
        _ => return Err(Failure::new(FailureKind::Malformed, "not one uncompressed gRPC message")),
    };
    let message = body.split_off(FRAME_HEADER_BYTES);
    if message.len() == announced {
        return Ok(message);
    }
    Err(Failure::new(FailureKind::Malformed, format!("{} bytes of {announced}", message.len())))
}

async fn collect(body: &mut RecvStream) -> Result<Bytes, Failure> {
    let mut whole = match body.data().await {
        None => return Ok(Bytes::new()),
        Some(first) => first.map_err(lost)?,
    };
    let mut taken = whole.len();
    body.flow_control().release_capacity(taken).map_err(lost)?;
    while let Some(chunk) = body.data().await {
        let chunk = chunk.map_err(lost)?;
        taken = chunk.len();
        body.flow_control().release_capacity(taken).map_err(lost)?;
        if whole.len() + taken > ANSWER_BYTES_MAX {
            return Err(Failure::new(FailureKind::Malformed, format!("more than {ANSWER_BYTES_MAX} bytes")));
        }
        let mut joined = BytesMut::from(whole);
        joined.extend_from_slice(&chunk);
        whole = joined.freeze();
    }
    Ok(whole)
}

/// The call's own status, which gRPC sends after the answer, or instead of it.
fn check_status(trailers: &HeaderMap) -> Result<(), Failure> {
    let text = |name| trailers.get(name).and_then(|value| value.to_str().ok());
    match text("grpc-status") {
        Some("0") => Ok(()),
        Some(number) => {
            let code = Code::from_number(number.parse().unwrap_or(-1));
            Err(Failure::new(FailureKind::Grpc(code), text("grpc-message").unwrap_or_default()))
        }
        None => Err(Failure::new(FailureKind::Malformed, "no grpc-status")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may fail by panicking

    use super::*;

    #[test]
    fn a_framed_message_unframes_to_itself() {
        assert_eq!(unframed(framed(b"message").unwrap()).unwrap(), "message");
        assert_eq!(unframed(framed(b"").unwrap()).unwrap(), "");
    }

    #[test]
    fn a_short_long_or_compressed_frame_is_malformed() {
        for body in [&b""[..], b"\0\0\0\0", b"\0\0\0\0\x02x", b"\0\0\0\0\x01xy", b"\x01\0\0\0\x01x"] {
            assert_eq!(
                unframed(Bytes::from_static(body)).unwrap_err().kind,
                FailureKind::Malformed,
                "{body:?}"
            );
        }
    }

    #[test]
    fn a_call_without_a_status_is_not_a_success() {
        let mut trailers = HeaderMap::new();
        assert_eq!(check_status(&trailers).unwrap_err().kind, FailureKind::Malformed);
        trailers.insert("grpc-status", "14".parse().unwrap());
        trailers.insert("grpc-message", "closing".parse().unwrap());
        let failure = check_status(&trailers).unwrap_err();
        assert_eq!((failure.kind, failure.text.as_str()), (FailureKind::Grpc(Code::Unavailable), "closing"));
        trailers.insert("grpc-status", "0".parse().unwrap());
        assert_eq!(check_status(&trailers), Ok(()));
    }
}
