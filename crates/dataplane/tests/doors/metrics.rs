//! The metrics page: where it is, what it counts, and what many scrapes at once do.

use crate::{
    rest::Connection,
    support::{Client, Fixture, Models, framed, soon, until, whole},
};
use bytes::Bytes;
use dataplane::{
    error::Error,
    metrics::PAGE_METHOD,
    plane::Plane,
    tensor::DType,
    wire::tensorflow::{
        TensorProto,
        serving::{ModelSpec, PredictRequest},
    },
};
use prost::Message;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::task::JoinHandle;

const PATH: &str = "/monitoring/prometheus/metrics";
const OWN: &str = "# TYPE understudy_phase gauge\nunderstudy_phase{phase=\"serving\"} 1.0\n";

/// Stands for the control plane: answers for Python's part until it is dropped.
struct Control(Arc<AtomicBool>);

impl Control {
    fn of(plane: &Arc<Plane>, answer: Result<Bytes, Error>) -> Self {
        let control = Self(Arc::default());
        let (plane, is_over) = (Arc::clone(plane), Arc::clone(&control.0));
        tokio::task::spawn_blocking(move || {
            while !is_over.load(Ordering::Relaxed) {
                if let Some(request) = plane.next_admin(PAGE_METHOD, Duration::from_millis(5)) {
                    plane.answer_admin(request.ticket, answer.clone());
                }
            }
        });
        control
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn fixture() -> Fixture {
    Fixture::start(|options| options.metrics_path = Some(PATH.to_owned()))
}

fn with_own(fixture: &Fixture) -> Control {
    Control::of(&fixture.plane, Ok(Bytes::from_static(OWN.as_bytes())))
}

/// What a request without a body is answered.
async fn ask(fixture: &Fixture, request: &str) -> (String, String) {
    let mut connection = Connection::open(fixture.rest()).await;
    connection.send(&format!("{request} HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n")).await;
    if request.starts_with("HEAD ") {
        return (connection.head().await, String::new());
    }
    connection.answer().await
}

/// What a page has with this beginning, without it.
async fn lines(fixture: &Fixture, beginning: &str) -> Vec<String> {
    let (head, page) = ask(fixture, &format!("GET {PATH}")).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    page.lines().filter_map(|line| line.strip_prefix(beginning)).map(str::to_owned).collect()
}

/// A Predict request for `x = [1]`.
fn predict(model: &str) -> Bytes {
    let tensor = TensorProto { dtype: DType::Float.number(), float_val: vec![1.0], ..TensorProto::default() };
    let request = PredictRequest {
        model_spec: Some(ModelSpec { name: model.to_owned(), ..ModelSpec::default() }),
        inputs: BTreeMap::from([("x".to_owned(), tensor)]),
        ..PredictRequest::default()
    };
    framed(&request.encode_to_vec())
}

const PREDICT: &str = "/tensorflow.serving.PredictionService/Predict";

#[tokio::test]
async fn the_page_is_at_its_path_by_any_method_and_nowhere_else() {
    let fixture = fixture();
    let _control = with_own(&fixture);
    for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"] {
        let (head, page) = ask(&fixture, &format!("{method} {PATH}")).await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{method} {head}");
        assert!(head.contains("content-type: text/plain\r\n"), "{head}");
        assert!(method == "HEAD" || page.ends_with(OWN), "{method} {page}");
    }
    let (head, text) = ask(&fixture, &format!("GET {PATH}?x")).await;
    assert!(head.starts_with("HTTP/1.1 400 ") && head.contains("content-type: text/plain\r\n"), "{head}");
    assert_eq!(text, format!("Unexpected path: {PATH}?x. Should be {PATH}"));
    for (request, status) in [
        (format!("GET {PATH}/"), 404),
        (format!("GET {}", PATH.to_uppercase()), 404),
        (format!("TRACE {PATH}"), 501),
    ] {
        let (head, _) = ask(&fixture, &request).await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{request} {head}");
    }
}

#[tokio::test]
async fn without_a_path_there_is_no_page() {
    let fixture = Fixture::start(|_| {});
    assert!(ask(&fixture, &format!("GET {PATH}")).await.0.starts_with("HTTP/1.1 404 "));
}

#[tokio::test]
async fn the_page_of_a_quiet_server_is_this() {
    let fixture = fixture();
    let _control = with_own(&fixture);
    let (_, page) = ask(&fixture, &format!("GET {PATH}")).await;
    let expected = "\
        # TYPE :tensorflow:serving:batching_session:input_batch_size histogram\n\
        # TYPE :tensorflow:serving:batching_session:padding_size histogram\n\
        # TYPE :tensorflow:serving:batching_session:processed_batch_size histogram\n\
        # TYPE :tensorflow:serving:batching_session:queuing_latency histogram\n\
        # TYPE :tensorflow:serving:batching_session:wrapped_run_count counter\n\
        # TYPE :tensorflow:serving:model_warmup_latency histogram\n\
        # TYPE :tensorflow:serving:model_warmup_records_read counter\n\
        # TYPE :tensorflow:serving:request_count counter\n\
        # TYPE :tensorflow:serving:request_example_count_total counter\n\
        # TYPE :tensorflow:serving:request_example_counts histogram\n\
        # TYPE :tensorflow:serving:request_latency histogram\n\
        # TYPE :tensorflow:serving:request_log_count counter\n\
        # TYPE :tensorflow:serving:runtime_latency histogram\n";
    assert_eq!(page, format!("{expected}{OWN}"));
}

#[tokio::test]
async fn the_page_comes_without_the_part_that_python_cannot_answer() {
    let fixture = fixture();
    let _control = Control::of(&fixture.plane, Err(Error::internal("no")));
    let (head, page) = ask(&fixture, &format!("GET {PATH}")).await;
    assert!(head.starts_with("HTTP/1.1 200 ") && page.ends_with("runtime_latency histogram\n"), "{page}");
}

#[tokio::test]
async fn requests_count_by_door_and_verb_as_in_tensorflow_serving() {
    let fixture = fixture();
    let _control = with_own(&fixture);
    let models = Models::new(&fixture.plane);
    models.load(1);
    models.publish(1, &[1]);
    let mut client = Client::connect(fixture.grpc()).await;
    for model in ["m", "m", "unknown"] {
        client.call(PREDICT, &[], whole(predict(model))).await;
    }
    for request in [
        "GET /v1/models/m",
        "GET /v1/models/m/metadata",
        "GET /v1/models/unknown",
        "POST /v1/models/m:predict",
        "POST /v1/models/m:PREDICT",
        "PUT /v1/models/m",
        "OPTIONS /v1/models/m",
        "GET /elsewhere",
    ] {
        ask(&fixture, request).await;
    }
    assert_eq!(
        lines(&fixture, ":tensorflow:serving:request_count").await,
        [
            "{model_name=\"\",status=\"FAILED_PRECONDITION\"} 1",
            "{model_name=\"\",status=\"INVALID_ARGUMENT\"} 1",
            "{model_name=\"\",status=\"NOT_FOUND\"} 2",
            "{model_name=\"m\",status=\"INVALID_ARGUMENT\"} 2",
            "{model_name=\"m\",status=\"OK\"} 4",
        ]
    );
    assert_eq!(
        lines(&fixture, ":tensorflow:serving:request_latency_count").await,
        [
            "{model_name=\"m\",API=\"\",entrypoint=\"REST\"} 2",
            "{model_name=\"m\",API=\"Predict\",entrypoint=\"GRPC\"} 2",
        ]
    );
    assert_eq!(
        lines(&fixture, ":tensorflow:serving:runtime_latency_count").await,
        ["{model_name=\"m\",API=\"Predict\",runtime=\"TF1\"} 2"]
    );
}

#[tokio::test]
async fn names_that_clients_make_up_make_no_series() {
    let fixture = fixture();
    let _control = with_own(&fixture);
    let mut client = Client::connect(fixture.grpc()).await;
    for index in 0..500 {
        client.call(PREDICT, &[], whole(predict(&format!("made-up-{index}")))).await;
    }
    let mut connection = Connection::open(fixture.rest()).await;
    for index in 0..500 {
        connection.send(&format!("GET /v1/models/made-up-{index} HTTP/1.1\r\nhost: h\r\n\r\n")).await;
        connection.answer().await;
    }
    let counts = lines(&fixture, ":tensorflow:serving:request_count").await;
    assert_eq!(counts, ["{model_name=\"\",status=\"NOT_FOUND\"} 1000"]);
}

/// A scrape under way: the status of its answer.
fn scrape(fixture: &Arc<Fixture>) -> JoinHandle<String> {
    let fixture = Arc::clone(fixture);
    tokio::spawn(async move { ask(&fixture, &format!("GET {PATH}")).await.0[9..12].to_owned() })
}

/// Waits until a page is being made, and answers that Python's part of it cannot be had.
async fn let_one_page_pass(fixture: &Fixture) {
    let plane = Arc::clone(&fixture.plane);
    let passing = tokio::task::spawn_blocking(move || {
        let request = plane.next_admin(PAGE_METHOD, Duration::from_secs(30)).unwrap();
        assert!(plane.answer_admin(request.ticket, Err(Error::unavailable("no"))));
    });
    soon(passing).await.unwrap();
}

#[tokio::test]
async fn scrapes_that_come_while_a_page_is_made_share_the_next_one_and_too_many_are_refused() {
    let fixture = Arc::new(fixture());
    let mut scrapes = vec![scrape(&fixture)];
    // The first page is begun before the second scrape comes: the runtime of a test has one thread.
    for under_way in 1..=65 {
        until(|| fixture.server.traffic().requests == under_way).await;
        scrapes.extend((under_way < 65).then(|| scrape(&fixture)));
    }
    assert_eq!(soon(scrape(&fixture)).await.unwrap(), "429");
    let_one_page_pass(&fixture).await;
    let_one_page_pass(&fixture).await;
    for scrape in scrapes {
        assert_eq!(soon(scrape).await.unwrap(), "200");
    }
    assert_eq!(fixture.plane.next_admin(PAGE_METHOD, Duration::ZERO), None, "a third page is being made");
}

#[tokio::test]
async fn scrapes_that_go_away_make_no_further_page() {
    let fixture = Arc::new(fixture());
    let scrapes = [scrape(&fixture), scrape(&fixture)];
    until(|| fixture.server.traffic().requests == 2).await;
    for scrape in scrapes {
        scrape.abort();
    }
    fixture.wait_empty().await;
    let_one_page_pass(&fixture).await;
    let next = scrape(&fixture);
    let_one_page_pass(&fixture).await; // of the next scrape: those that went away asked for none
    assert_eq!(soon(next).await.unwrap(), "200");
    assert_eq!(fixture.plane.next_admin(PAGE_METHOD, Duration::ZERO), None);
}
