//! The REST door, from a collected request to a response: who is asked for what, in which words it is answered.
//!
//! ```text
//! path       the URL grammar              body      gzip, bounded; compression   of answers
//! json/      documents, numbers, layout   elements  JSON values to tensor elements
//! request    what all bodies have in common
//! predict_request, predict_response       the Predict codec
//! routing_key what of it chooses who answers
//! rows       its row form                 complex, rounding  element types that JSON has no numbers for
//! examples_request, results               the codec of Classify and Regress
//! status, metadata, proto_json            messages printed as protocol buffers print them
//! logged     requests and answers as a request log keeps them   golden   answers that stand beside their question
//! reply      responses and errors              counted   requests, for the metrics
//! monitoring the metrics page
//! ```
//! Sockets and limits on what comes off the wire are the listener's.

pub mod body;
mod complex;
mod compression;
mod counted;
mod elements;
pub mod examples_request;
pub(crate) mod golden;
pub mod json;
mod logged;
pub mod metadata;
pub mod monitoring;
pub mod path;
pub mod predict_request;
pub mod predict_response;
pub mod proto_json;
pub mod reply;
mod request;
mod results;
mod rounding;
mod routing_key;
mod rows;
pub mod status;

pub use path::is_routed;
pub use reply::Reply;

use crate::{
    budget::{Budget, Charge},
    error::{Code, Error},
    inference::{Call, Codec, Outcome, Rules, Target},
    plane::Plane,
    traffic::Caller,
};
use bytes::Bytes;
use compression::{Wish, compress};
use counted::Counted;
use examples_request::RestExamples;
use http::{HeaderMap, Method, Request, StatusCode, header};
use path::Route;
use predict_request::RestPredict;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Larger bodies are parsed off the I/O threads. At 200 MB/s this takes about a third of a millisecond.
const INLINE_BODY_BYTES_MAX: usize = 64 << 10;

/// How this door behaves.
#[derive(Clone, Debug)]
pub struct RestOptions {
    /// How long a Predict request may take, from when it was whole to when its model has run.
    pub timeout: Option<Duration>,
    /// Whether scripts of any origin may read answers.
    pub cors: bool,
    /// Whether long answers are compressed for clients that say so.
    pub compression: bool,
    /// What bodies in flight may unfold to, together.
    pub memory: Arc<Budget>,
    /// Where the metrics page is; none: nowhere.
    pub metrics_path: Option<Arc<str>>,
}

/// Answers one request whose body has been collected. Dropping the future cancels what has not begun to run.
pub async fn handle(plane: &Arc<Plane>, request: Request<Bytes>, options: &RestOptions) -> Reply {
    if let Some(page) = monitoring::answer(plane, &request, options.metrics_path.as_deref()).await {
        return page;
    }
    match refuse(&request) {
        Some(Refusal::Outside(reply)) => reply,
        Some(Refusal::Inside(reply)) => {
            Counted::begin(plane, &request).code = preflight_code(&reply);
            with_options(reply, options.cors)
        }
        None => {
            let wish = if options.compression { Wish::of(request.headers()) } else { Wish::Unsaid };
            let mut counted = Counted::begin(plane, &request);
            let answer = answer(plane, request, options).await;
            let Said { code, reply } = answer.unwrap_or_else(Said::from);
            counted.code = code;
            with_options(compress(reply, wish, &options.memory).await, options.cors)
        }
    }
}

/// The response for an error of the listener's own: too large a body, too many requests.
#[must_use]
pub fn error_response(error: &Error, cors: bool) -> Reply {
    with_options(reply::error(error), cors)
}

fn with_options(reply: Reply, cors: bool) -> Reply {
    if cors { reply::with_cors(reply) } else { reply }
}

/// What is answered without looking at models.
enum Refusal {
    /// Not this door's business: no CORS headers, and the connection closes.
    Outside(Reply),
    /// A browser's question before its request.
    Inside(Reply),
}

fn refuse(request: &Request<Bytes>) -> Option<Refusal> {
    match *request.method() {
        Method::TRACE | Method::CONNECT => Some(Refusal::Outside(reply::page(StatusCode::NOT_IMPLEMENTED))),
        _ if !is_routed(path_of(request)) => Some(Refusal::Outside(reply::page(StatusCode::NOT_FOUND))),
        Method::OPTIONS => Some(Refusal::Inside(preflight(request.headers()))),
        _ => None,
    }
}

fn preflight(headers: &HeaderMap) -> Reply {
    let origin = headers.get(header::ORIGIN).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let is_known = origin.is_some_and(|origin| origin.contains("http://") || origin.contains("https://"));
    reply::empty(if is_known { StatusCode::OK } else { StatusCode::BAD_REQUEST })
}

/// As which TensorFlow Serving counts it: a missing origin is a precondition of the protocol.
fn preflight_code(reply: &Reply) -> Code {
    if reply.status() == StatusCode::OK { Code::Ok } else { Code::FailedPrecondition }
}

fn path_of(request: &Request<Bytes>) -> &str {
    request.uri().path_and_query().map_or("", |path| path.as_str())
}

/// An answer of this door, and as what it is counted.
struct Said {
    code: Code,
    reply: Reply,
}

impl From<Error> for Said {
    fn from(error: Error) -> Self {
        Self { code: error.code, reply: reply::error(&error) }
    }
}

impl From<Reply> for Said {
    fn from(reply: Reply) -> Self {
        Self { code: Code::Ok, reply }
    }
}

/// What inference came to, and who answered.
impl From<Outcome> for Said {
    fn from(Outcome { answer, served }: Outcome) -> Self {
        let Some(served) = served else {
            return answer.map_or_else(Self::from, |body| reply::json(body).into());
        };
        let headers = served.headers(reply::JSON);
        match answer {
            Ok(body) => reply::json_saying(body, headers).into(),
            Err(error) => Self { code: error.code, reply: reply::error_saying(&error, headers) },
        }
    }
}

async fn answer(plane: &Arc<Plane>, request: Request<Bytes>, options: &RestOptions) -> Result<Said, Error> {
    match path::route(request.method(), path_of(&request))? {
        Route::Predict(target) => infer(plane, target, request, options, RestPredict::parse).await,
        Route::Classify(target) => infer(plane, target, request, options, RestExamples::classify).await,
        Route::Regress(target) => infer(plane, target, request, options, RestExamples::regress).await,
        Route::Status(target) => Ok(reply::json(status::write(&plane.status(&target)?)).into()),
        Route::Metadata(target) => {
            let metadata = plane.metadata(&target)?;
            Ok(reply::json(metadata::write(&target.model, metadata.version, &metadata.definitions)).into())
        }
    }
}

/// How a method reads its body.
type Parse<C> = fn(Bytes, Charge, Rules) -> Result<C, Error>;

async fn infer<C: Codec>(
    plane: &Arc<Plane>,
    target: Target,
    request: Request<Bytes>,
    options: &RestOptions,
    parse: Parse<C>,
) -> Result<Said, Error> {
    let deadline = options.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let is_compressed = body::is_compressed(request.headers());
    let (head, body) = request.into_parts();
    let is_long = is_compressed || body.len() > INLINE_BODY_BYTES_MAX;
    let (mut charge, rules) = (options.memory.charge(0)?, plane.rules());
    // How long the work takes follows from what the body unfolds to.
    let read = move || {
        let body = unfold(body, is_compressed, &mut charge)?;
        let body_bytes = body.len();
        parse(body, charge, rules).map(|codec| (codec, body_bytes))
    };
    let (codec, body_bytes) = if is_long {
        tokio::task::spawn_blocking(read)
            .await
            .map_err(|error| Error::internal(format!("the request's body was not parsed: {error}")))??
    } else {
        read()?
    };
    let caller = Caller::from(head.headers);
    Ok(plane.infer(Call { target, codec, message: None, body_bytes, deadline, caller }).await.into())
}

fn unfold(body: Bytes, is_compressed: bool, charge: &mut Charge) -> Result<Bytes, Error> {
    if is_compressed { body::inflate(&body, body::INFLATED_BYTES_MAX, charge) } else { Ok(body) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // a test says what it expects

    use super::*;
    use crate::{
        inference::tests::{House, limits},
        testing::traffic,
        traffic::{Remembering, TrafficSettings, answer_header_names},
    };
    use http_body_util::BodyExt;

    fn request(method: Method, path: &str, origin: Option<&str>) -> Request<Bytes> {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(origin) = origin {
            request = request.header(header::ORIGIN, origin);
        }
        request.body(Bytes::new()).unwrap()
    }

    #[tokio::test]
    async fn a_path_outside_the_prefix_gets_a_page_and_the_connection_closes() {
        for path in ["/", "/v1", "/v2/models/m", "/metrics?x=/v1/"] {
            let Some(Refusal::Outside(reply)) = refuse(&request(Method::GET, path, None)) else {
                panic!("{path}")
            };
            assert_eq!(reply.status(), 404, "{path}");
            assert_eq!(reply.headers()["connection"], "close");
            assert_eq!(reply.headers()["content-type"], "text/html");
            let page = reply.into_body().collect().await.unwrap().to_bytes();
            assert!(String::from_utf8_lossy(&page).contains("404 Not Found"));
        }
    }

    #[test]
    fn a_method_that_no_server_of_this_kind_knows_is_not_implemented() {
        let Some(Refusal::Outside(reply)) = refuse(&request(Method::TRACE, "/v1/models/m", None)) else {
            panic!()
        };
        assert_eq!(reply.status(), 501);
    }

    #[tokio::test]
    async fn a_preflight_is_answered_by_its_origin_alone() {
        let cases =
            [(Some("https://a.example"), 200), (Some("x http://b"), 200), (Some("null"), 400), (None, 400)];
        for (origin, status) in cases {
            let asked = request(Method::OPTIONS, "/V1/whatever", origin);
            let Some(Refusal::Inside(reply)) = refuse(&asked) else { panic!("{origin:?}") };
            assert_eq!(reply.status(), status, "{origin:?}");
            assert!(reply.headers().is_empty());
            assert!(reply.into_body().collect().await.unwrap().to_bytes().is_empty());
        }
        assert!(matches!(refuse(&request(Method::OPTIONS, "/v2/", None)), Some(Refusal::Outside(_))));
    }

    #[test]
    fn other_requests_go_to_the_grammar() {
        for method in [Method::GET, Method::POST, Method::PUT, Method::HEAD] {
            assert!(refuse(&request(method, "/v1/models/m", None)).is_none());
        }
    }

    #[test]
    fn cross_origin_headers_are_on_every_answer_that_asks_for_them() {
        let error = Error::resource_exhausted("busy");
        let reply = error_response(&error, true);
        assert_eq!(reply.status(), 429);
        assert_eq!(reply.headers()["access-control-allow-origin"], "*");
        assert_eq!(reply.headers()["access-control-allow-methods"], "POST, GET");
        assert_eq!(
            reply.headers()["access-control-allow-headers"],
            "Content-Type, X-Routing-Key, X-Understudy-Version, X-Request-Id"
        );
        assert!(!reply.headers().contains_key("access-control-expose-headers"));
        assert!(!error_response(&error, false).headers().contains_key("access-control-allow-origin"));
    }

    fn options(cors: bool) -> RestOptions {
        let memory = Budget::new(1 << 30, Arc::default());
        RestOptions { timeout: None, cors, compression: false, memory, metrics_path: None }
    }

    /// Status and the headers that say who answered.
    async fn ask(house: &House, request: Request<Bytes>, cors: bool) -> (u16, Vec<(String, String)>) {
        let reply = handle(&house.plane, request, &options(cors)).await;
        let said =
            |name: &http::HeaderName| Some((name.to_string(), reply.headers().get(name)?.to_str().ok()?));
        let mut names = answer_header_names().to_vec();
        names.push(header::ACCESS_CONTROL_EXPOSE_HEADERS);
        let said = names.iter().filter_map(said).map(|(name, value)| (name, value.to_owned()));
        (reply.status().as_u16(), said.collect())
    }

    #[tokio::test]
    async fn inference_says_which_version_answered_and_of_a_split_model_why() {
        let house = House::new(limits());
        house.serve("m", r#"{"fail_on": 13.0}"#);
        let post = |x: &str| {
            let body = Bytes::from(format!(r#"{{"instances": [{x}]}}"#));
            let request = Request::post("/v1/models/m:predict");
            let request = request.header("x-routing-key", "user-1").header("x-request-id", "r-1");
            request.body(body).unwrap()
        };
        let version = ("x-understudy-version".to_owned(), "1".to_owned());
        assert_eq!(ask(&house, post("1"), false).await, (200, vec![version.clone()]));
        assert_eq!(ask(&house, post("13"), false).await, (400, vec![version.clone()]), "of an error, too");
        let remembering = Some(Remembering { output: None, window_s: 60.0 });
        house.publish_split("m", &[1], Some(&TrafficSettings { remembering, ..traffic(2, 0) }));
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut said =
            vec![version, pair("x-understudy-arm", "baseline; reason=sticky"), pair("x-request-id", "r-1")];
        assert_eq!(ask(&house, post("1"), false).await, (200, said.clone()));
        assert_eq!(ask(&house, post("13"), false).await, (400, said.clone()));
        let exposed = "X-Understudy-Version, X-Understudy-Arm, X-Request-Id";
        said.push(pair("access-control-expose-headers", exposed));
        assert_eq!(ask(&house, post("1"), true).await, (200, said));
        let status = request(Method::GET, "/v1/models/m", None);
        assert_eq!(ask(&house, status, true).await.1, [], "nobody ran anything");
    }

    /// What a request's key is, and whether it was one.
    async fn reason(house: &House, path: &str, body: &str) -> (u16, String) {
        let request = Request::post(path).body(Bytes::from(body.to_owned())).unwrap();
        let reply = handle(&house.plane, request, &options(false)).await;
        let (_, reason) =
            reply.headers()["x-understudy-arm"].to_str().unwrap().split_once("; reason=").unwrap();
        (reply.status().as_u16(), reason.to_owned())
    }

    #[tokio::test]
    async fn a_key_is_found_in_an_input_of_either_form_and_in_a_feature() {
        let house = House::new(limits());
        house.serve("m", r#"{"examples": true}"#);
        let keyed = |input: &str| TrafficSettings { key_input: Some(input.to_owned()), ..traffic(2, 0) };
        house.publish_split("m", &[1], Some(&keyed("s")));
        let (predict, echo) = ("/v1/models/m:predict", r#""signature_name": "echo""#);
        for (form, expected) in [
            (r#""instances": [{"s": "user-1"}]"#, "sticky"),
            (r#""instances": [{"s": "user-1"}, {"s": "user-1"}]"#, "random"),
            (r#""instances": ["user-1"]"#, "random"),
            (r#""inputs": {"s": ["user-1"]}"#, "sticky"),
            (r#""inputs": {"s": "user-1"}"#, "sticky"),
        ] {
            let body = format!("{{{echo}, {form}}}");
            assert_eq!(reason(&house, predict, &body).await, (200, expected.to_owned()), "{body}");
        }
        let other = TrafficSettings { trial: "other".into(), ..keyed("user") };
        house.publish_split("m", &[1], Some(&other));
        for (verb, examples, expected) in [
            ("classify", r#"[{"user": "user-1", "x": 1.0}]"#, "sticky"),
            ("regress", r#"[{"user": 7, "x": 1.0}]"#, "sticky"),
            ("regress", r#"[{"x": 1.0}, {"user": 7, "x": 1.0}]"#, "random"),
            ("regress", r#"[{"x": 1.0}], "context": {"user": 7}"#, "sticky"),
        ] {
            let body = format!(r#"{{"signature_name": "{verb}", "examples": {examples}}}"#);
            let path = format!("/v1/models/m:{verb}");
            assert_eq!(reason(&house, &path, &body).await, (200, expected.to_owned()), "{body}");
        }
    }

    #[tokio::test]
    async fn how_long_a_request_will_take_is_told_from_what_its_body_unfolds_to() {
        let house = House::new(limits());
        house.serve("m", "{}");
        let options = options(false);
        let ask = async |body: &[u8], encoding: &str| {
            let request = Request::post("/v1/models/m:predict").header(header::CONTENT_ENCODING, encoding);
            let request = request.body(Bytes::copy_from_slice(body)).unwrap();
            assert_eq!(handle(&house.plane, request, &options).await.status(), 200);
            let servable = house.plane.statistics().servables.remove(0);
            (servable.runs_inline, servable.runs_pooled)
        };
        let long = compressed(format!("{{\"instances\": [{}1]}}", "1, ".repeat(50_000)).as_bytes());
        let mut short = br#"{"instances": [1]}"#.to_vec();
        short.resize(long.len(), b' ');
        let mut runs = (0, 0);
        while runs.0 == 0 {
            runs = ask(&short, "identity").await;
        }
        assert_eq!(ask(&long, "gzip").await, (runs.0, runs.1 + 1), "as short on the wire, but not short");
    }

    fn compressed(body: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut encoder, body).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_compressed_body_is_parsed_as_what_it_unfolds_to() {
        let memory = Budget::new(1 << 30, Arc::default());
        let body = Bytes::from(compressed(br#"{"signature_name": "f"}"#));
        let unfold = |body| unfold(body, true, &mut memory.charge(0).unwrap());
        assert_eq!(unfold(body.clone()).unwrap(), r#"{"signature_name": "f"}"#);
        let broken = unfold(body.slice(..10)).unwrap();
        let error = RestPredict::parse(broken, memory.charge(0).unwrap(), Rules::default()).unwrap_err();
        assert_eq!(error.message, "JSON Parse error: The document is empty");
    }
}
