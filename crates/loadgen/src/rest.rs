//! REST over HTTP/1.1 with keep-alive: each worker has a connection of its own.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;

use crate::{
    answers::{Answer, Failure, FailureKind, read_rest_answer},
    client::{ANSWER_BYTES_MAX, dial, lost, no_such_question},
    options::Plan,
    question::Question,
};

/// How much of an error's body is kept as its text.
const ERROR_TEXT_BYTES_MAX: usize = 512;

/// One worker with its connection, made anew when it is lost.
pub(crate) struct RestClient {
    plan: Arc<Plan>,
    /// One for each question of the plan.
    requests: Vec<Request<Full<Bytes>>>,
    sender: SendRequest<Full<Bytes>>,
}

impl RestClient {
    /// Connects.
    pub(crate) async fn open(plan: &Arc<Plan>) -> Result<Self, String> {
        let sender = handshake(plan).await.map_err(|failure| failure.text)?;
        let requests =
            plan.questions.iter().map(|question| template(plan, question)).collect::<Result<_, _>>()?;
        Ok(Self { plan: Arc::clone(plan), requests, sender })
    }

    /// Asks the question of this number once.
    pub(crate) async fn call(&mut self, number: usize) -> Result<Answer, Failure> {
        let (Some(question), Some(request)) = (self.plan.questions.get(number), self.requests.get(number))
        else {
            return Err(no_such_question());
        };
        if self.sender.ready().await.is_err() {
            self.sender = handshake(&self.plan).await?;
        }
        let (head, body) = self.sender.send_request(request.clone()).await.map_err(lost)?.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(lost)?.to_bytes();
        if head.status != StatusCode::OK {
            let text =
                String::from_utf8_lossy(body.get(..ERROR_TEXT_BYTES_MAX).unwrap_or(&body)).into_owned();
            return Err(Failure::new(FailureKind::Http(head.status.as_u16()), text));
        }
        read_rest_answer(&body, question.expectations.as_ref())
    }
}

async fn handshake(plan: &Plan) -> Result<SendRequest<Full<Bytes>>, Failure> {
    let (sender, connection) = http1::handshake(TokioIo::new(dial(plan).await?)).await.map_err(lost)?;
    tokio::spawn(async move {
        // Its end is seen by the request that was under way, and counted there.
        let _end = connection.await;
    });
    Ok(sender)
}

fn template(plan: &Plan, question: &Question) -> Result<Request<Full<Bytes>>, String> {
    let method = if question.body.is_some() { Method::POST } else { Method::GET };
    let mut request = Request::builder()
        .method(method)
        .uri(&question.path)
        .header("host", plan.address.to_string())
        .header("content-type", "application/json")
        .header("user-agent", "understudy-loadgen")
        .body(Full::new(question.body.clone().unwrap_or_default()))
        .map_err(|error| format!("cannot build the request: {error}"))?;
    request.headers_mut().extend(question.headers.clone());
    Ok(request)
}
