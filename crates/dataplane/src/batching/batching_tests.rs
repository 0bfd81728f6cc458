//! Batches on real threads and the synthetic model. Each test holds the first batch up until the others wait, so
//! what runs together is no matter of luck.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // a test may panic

use super::*;
use crate::{
    error::{Code, Error},
    execute::Limits,
    inference::{Answered, Api, Call, Codec, Door, Inputs, SignatureRun, Target, VersionChoice},
    plane::{LoadRequest, Plane, Platform},
    route::{ModelUpdate, RouteUpdate},
    runtime::synthetic,
    servable::ServableId,
    signature::Signatures,
    snapshot::ServableStatistics,
    tensor::{DType, Data, Tensor},
    testing::{first_incarnations, write_version},
    traffic::Caller,
};
use bytes::Bytes;
use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::task::JoinHandle;

const LONG: Duration = Duration::from_secs(30);
/// The element on which a run hangs until it is released.
const HANG: f32 = 99.0;
const HANGS: &str = r#"{"hang_on": 99.0, "fail_on": 13.0, "panic_on": 14.0}"#;

/// Rows of floats in; the bytes of `y` out.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    x: Vec<f32>,
    shape: Vec<i64>,
    signature: &'static str,
}

impl Rows {
    pub(super) fn new(x: &[f32]) -> Self {
        Self { x: x.to_vec(), shape: vec![i64::try_from(x.len()).unwrap()], signature: "serving_default" }
    }

    fn shaped(self, shape: &[i64]) -> Self {
        Self { shape: shape.to_vec(), ..self }
    }
}

impl Codec for Rows {
    type Run = SignatureRun;

    fn api(&self) -> Api {
        Api::Predict
    }

    fn door(&self) -> Door {
        Door::Grpc
    }

    fn choose(&self, signatures: &Signatures) -> Result<Option<usize>, Error> {
        Ok(signatures.find(self.signature).map(|(index, _)| index))
    }

    fn decode(&mut self, signatures: &Signatures) -> Result<SignatureRun, Error> {
        let (signature, _) = signatures.find(self.signature).unwrap();
        let tensor = if self.signature == "echo" {
            let strings = self.x.iter().map(|x| Bytes::from(x.to_string())).collect();
            Tensor::new(DType::String, self.shape.clone(), Data::Strings(strings))?
        } else {
            let bytes: Vec<u8> = self.x.iter().flat_map(|x| x.to_le_bytes()).collect();
            Tensor::new(DType::Float, self.shape.clone(), Data::Packed(bytes.into()))?
        };
        Ok(SignatureRun { signature, inputs: Inputs { tensors: vec![tensor], outputs: vec![0] } })
    }

    fn encode(self, _: Answered<'_>, _: &SignatureRun, outputs: Vec<Tensor>) -> Result<Bytes, Error> {
        Ok(match outputs[0].data() {
            Data::Packed(bytes) => bytes.clone(),
            Data::Strings(strings) => strings.concat().into(),
        })
    }
}

fn floats(body: &Bytes) -> Vec<f32> {
    body.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
}

pub(super) fn call(model: &str, codec: Rows) -> Call<Rows> {
    let target = Target { model: model.to_owned(), version: VersionChoice::Default };
    Call { target, codec, message: None, body_bytes: 64, deadline: None, caller: Caller::default() }
}

/// What half plus two makes of these.
fn halved(x: &[f32]) -> Vec<f32> {
    x.iter().map(|x| 0.5 * x + 2.0).collect()
}

/// A plane whose versions are batched, and a folder for them.
pub(super) struct Hall {
    pub(super) plane: Arc<Plane>,
    folder: TempDir,
    generation: AtomicU64,
}

pub(super) type Answer = JoinHandle<Result<Bytes, Error>>;

impl Hall {
    pub(super) fn new(threads: i64) -> Self {
        Self::with(limits(), BatchThreads { count: threads, ..BatchThreads::default() })
    }

    fn with(limits: Limits, threads: BatchThreads) -> Self {
        let plane = Arc::new(Plane::with_batch_threads(limits, threads).unwrap());
        Self { plane, folder: TempDir::new().unwrap(), generation: AtomicU64::new(0) }
    }

    fn load(&self, model: &str, version: i64, json: &str, options: BatchingOptions) -> Result<(), Error> {
        let path = self.folder.path().join(model).join(version.to_string());
        write_version(&path, json).unwrap();
        let request = LoadRequest {
            name: model.to_owned(),
            version,
            incarnation: 0,
            path,
            platform: Platform::Synthetic,
            tags: Vec::new(),
            warmup: None,
            batching: Some(options),
        };
        self.plane.load(&request).map(drop)
    }

    fn publish(&self, model: &str, versions: &[i64]) {
        let changed = ModelUpdate {
            name: model.to_owned(),
            default_version: versions.iter().copied().max(),
            ready: first_incarnations(versions),
            ..Default::default()
        };
        let generation = self.generation.fetch_add(1, Ordering::SeqCst) + 1;
        let update = RouteUpdate { generation, changed: vec![changed], removed: Vec::new() };
        self.plane.publish(&update).unwrap();
    }

    pub(super) fn serve(&self, model: &str, json: &str, options: BatchingOptions) {
        self.load(model, 1, json, options).unwrap();
        self.publish(model, &[1]);
    }

    fn release(&self, model: &str) {
        fs::write(self.folder.path().join(model).join("1").join(synthetic::RELEASE_FILE), "").unwrap();
    }

    /// Sends a request; on return it waits for its batch or runs in it: this thread is the only one of the runtime
    /// that polls.
    async fn send(&self, call: Call<Rows>) -> Answer {
        let plane = Arc::clone(&self.plane);
        let answer = tokio::spawn(async move { plane.infer(call).await.answer });
        tokio::task::yield_now().await;
        answer
    }

    pub(super) async fn ask(&self, model: &str, x: &[f32]) -> Answer {
        self.send(call(model, Rows::new(x))).await
    }

    fn servable(&self, model: &str) -> ServableStatistics {
        let servables = self.plane.statistics().servables;
        servables.into_iter().find(|servable| &*servable.model == model).unwrap()
    }

    /// Batches of a model that ran or run, and the rows of their requests together.
    fn batches(&self, model: &str) -> (u64, u64) {
        let batches = self.servable(model).batches.unwrap();
        (batches.count(), batches.rows)
    }
}

pub(super) fn limits() -> Limits {
    Limits { io_threads: 3, in_flight_max: 1_000, queue_max: 100, runs_max: 2 }
}

fn adaptive() -> BatchingOptions {
    BatchingOptions {
        adaptive: true,
        max_batch_size: 64,
        batch_timeout_micros: 0,
        max_enqueued_batches: 0,
        allowed_batch_sizes: Vec::new(),
        pad_variable_length_inputs: false,
        max_execution_batch_size: None,
    }
}

pub(super) fn parameters() -> BatchingOptions {
    BatchingOptions { adaptive: false, max_batch_size: 8, max_enqueued_batches: 2, ..adaptive() }
}

pub(super) async fn answer(answer: Answer) -> Result<Vec<f32>, Error> {
    tokio::time::timeout(LONG, answer).await.unwrap().unwrap().map(|body| floats(&body))
}

async fn error(pending: Answer) -> String {
    answer(pending).await.unwrap_err().to_string()
}

#[tokio::test]
async fn what_waits_while_a_batch_runs_is_the_next_batch_and_each_gets_its_own_answer() {
    let hall = Hall::new(4);
    hall.serve("m", HANGS, adaptive());
    let first = hall.ask("m", &[HANG]).await;
    let mut others = Vec::new();
    for index in 0..5_u8 {
        others.push((f32::from(index), hall.ask("m", &[f32::from(index), 0.5]).await));
    }
    hall.release("m");
    assert_eq!(answer(first).await, Ok(halved(&[HANG])));
    for (x, other) in others {
        assert_eq!(answer(other).await, Ok(halved(&[x, 0.5])));
    }
    assert_eq!(hall.batches("m"), (2, 11));
    assert_eq!(hall.plane.statistics().run_threads, 0);
}

#[tokio::test]
async fn a_batch_is_filled_up_to_an_allowed_size_and_nobody_sees_it() {
    let hall = Hall::new(1);
    hall.serve("m", HANGS, BatchingOptions { allowed_batch_sizes: vec![4, 8], ..parameters() });
    let first = hall.ask("m", &[HANG]).await;
    let (second, third) = (hall.ask("m", &[1.0, 2.0, 3.0]).await, hall.ask("m", &[4.0, 5.0]).await);
    hall.release("m");
    assert_eq!(answer(first).await, Ok(halved(&[HANG])));
    assert_eq!(answer(second).await, Ok(halved(&[1.0, 2.0, 3.0])));
    assert_eq!(answer(third).await, Ok(halved(&[4.0, 5.0])));
    assert_eq!((hall.batches("m"), hall.servable("m").batches.unwrap().filled_rows), ((2, 6), 3 + 3));
    let all = hall.plane.statistics().batching;
    assert_eq!((all.runs, all.executed_rows.sum, all.queue_us.count()), (2, 12.0, 3));
    let filled: Vec<(usize, f64)> = all.filled_rows.iter().map(|(size, rows)| (*size, rows.sum)).collect();
    assert_eq!(filled, [(4, 3.0), (8, 3.0)]);
}

#[tokio::test]
async fn signatures_and_shapes_are_never_mixed() {
    let hall = Hall::new(1);
    hall.serve("m", HANGS, parameters());
    let first = hall.ask("m", &[HANG]).await;
    let flat = hall.ask("m", &[1.0]).await;
    let deep = hall.send(call("m", Rows::new(&[2.0]).shaped(&[1, 1]))).await;
    let echo = hall.send(call("m", Rows { signature: "echo", ..Rows::new(&[3.0]) })).await;
    hall.release("m");
    assert_eq!(answer(first).await, Ok(halved(&[HANG])));
    assert_eq!(answer(flat).await, Ok(halved(&[1.0])));
    assert_eq!(answer(deep).await, Ok(halved(&[2.0])));
    assert_eq!(echo.await.unwrap().unwrap(), "3");
    assert_eq!(hall.batches("m"), (4, 4));
}

#[tokio::test]
async fn unlike_shapes_run_together_when_they_are_filled_up() {
    let hall = Hall::new(1);
    hall.serve("m", HANGS, BatchingOptions { pad_variable_length_inputs: true, ..parameters() });
    let first = hall.ask("m", &[HANG]).await;
    let short = hall.send(call("m", Rows::new(&[1.0]).shaped(&[1, 1]))).await;
    let long = hall.send(call("m", Rows::new(&[2.0, 3.0]).shaped(&[1, 2]))).await;
    hall.release("m");
    answer(first).await.unwrap();
    assert_eq!(answer(short).await, Ok(halved(&[1.0, 0.0])));
    assert_eq!(answer(long).await, Ok(halved(&[2.0, 3.0])));
    assert_eq!(hall.batches("m"), (2, 3));
}

#[tokio::test]
async fn a_large_request_is_split_and_its_answer_put_together_in_order() {
    let hall = Hall::new(4);
    let options =
        BatchingOptions { max_execution_batch_size: Some(2), max_enqueued_batches: 9, ..parameters() };
    hall.serve("m", HANGS, options);
    let x = [1.0, 2.0, 3.0, 4.0, 5.0];
    assert_eq!(answer(hall.ask("m", &x).await).await, Ok(halved(&x)));
    assert_eq!(hall.batches("m"), (3, 5));
}

#[tokio::test]
async fn a_request_without_rows_is_answered() {
    let hall = Hall::new(1);
    hall.serve("m", HANGS, BatchingOptions { allowed_batch_sizes: vec![8], ..parameters() });
    assert_eq!(answer(hall.ask("m", &[]).await).await, Ok(Vec::new()));
}

#[tokio::test]
async fn a_request_whose_time_is_up_while_it_waits_leaves_and_never_runs() {
    let hall = Hall::new(1);
    hall.serve("m", HANGS, parameters());
    let first = hall.ask("m", &[HANG]).await;
    let call =
        Call { deadline: Some(Instant::now() + Duration::from_millis(20)), ..call("m", Rows::new(&[1.0])) };
    let second = hall.send(call).await;
    let text = "RESOURCE_EXHAUSTED: Run() timeout exceeded while waiting in batching queue";
    assert_eq!(error(second).await, text);
    hall.release("m");
    answer(first).await.unwrap();
    assert_eq!(hall.batches("m"), (1, 1));
}

#[tokio::test]
async fn a_request_whose_time_is_up_while_its_batch_runs_is_told_so() {
    let hall = Hall::new(1);
    hall.serve("m", HANGS, parameters());
    let deadline = Some(Instant::now() + Duration::from_millis(20));
    let first = hall.send(Call { deadline, ..call("m", Rows::new(&[HANG])) }).await;
    assert_eq!(answer(first).await.unwrap_err().code, Code::DeadlineExceeded);
    assert_eq!(hall.servable("m").in_flight, 1, "the run keeps its version");
    hall.release("m");
    assert_eq!(answer(hall.ask("m", &[1.0]).await).await, Ok(halved(&[1.0])));
}

#[tokio::test]
async fn a_caller_that_goes_away_takes_its_request_out_of_the_queue() {
    let hall = Hall::new(1);
    hall.serve("m", HANGS, parameters());
    let first = hall.ask("m", &[HANG]).await;
    let second = hall.ask("m", &[1.0]).await;
    second.abort();
    assert!(second.await.unwrap_err().is_cancelled());
    assert_eq!(hall.servable("m").in_flight, 1, "the first one is left");
    hall.release("m");
    answer(first).await.unwrap();
    assert_eq!(hall.batches("m"), (1, 1));
}

#[tokio::test]
async fn a_failure_and_a_panic_are_told_to_every_request_of_their_batch_and_to_no_other() {
    let hall = Hall::new(1);
    hall.serve("m", HANGS, BatchingOptions { max_batch_size: 2, max_enqueued_batches: 9, ..parameters() });
    let mut answers = Vec::new();
    for x in [HANG, 0.0, 1.0, 13.0, 2.0, 3.0, 14.0, 4.0] {
        answers.push(hall.ask("m", &[x]).await);
    }
    hall.release("m");
    let mut codes = Vec::new();
    for each in answers {
        codes.push(answer(each).await.map_or_else(|error| error.code, |_| Code::Ok));
    }
    let (ok, failed, panicked) = (Code::Ok, Code::InvalidArgument, Code::Internal);
    assert_eq!(codes, [ok, ok, ok, failed, failed, panicked, panicked, ok]);
    assert_eq!(hall.plane.statistics().panics, 1);
}

#[tokio::test]
async fn what_cannot_be_batched_and_what_does_not_fit_is_refused_in_the_words_of_tensorflow_serving() {
    let hall = Hall::new(1);
    hall.serve("m", HANGS, BatchingOptions { max_enqueued_batches: 1, ..parameters() });
    let scalar = hall.send(call("m", Rows::new(&[1.0]).shaped(&[]))).await;
    assert_eq!(
        error(scalar).await,
        "INVALID_ARGUMENT: Batching Run() input tensors must have at least one dimension"
    );
    let large = hall.ask("m", &[0.0; 9]).await;
    assert_eq!(error(large).await, "INVALID_ARGUMENT: Task size 9 is larger than maximum input batch size 8");
    let first = hall.ask("m", &[HANG]).await;
    let second = hall.ask("m", &[0.0; 8]).await;
    assert_eq!(
        error(hall.ask("m", &[0.0]).await).await,
        "UNAVAILABLE: The batch scheduling queue to which this task was submitted is full; currently 1 batches \
         enqueued and max_enqueued_batches is 1"
    );
    hall.release("m");
    answer(first).await.unwrap();
    answer(second).await.unwrap();
}

#[tokio::test]
async fn in_the_adaptive_mode_a_request_of_any_size_is_taken_and_as_many_as_may_wait() {
    let hall = Hall::with(Limits { queue_max: 2, ..limits() }, BatchThreads::default());
    hall.serve("m", HANGS, adaptive());
    let x: Vec<f32> = (0..200_u8).filter(|x| ![13, 14, 99].contains(x)).map(f32::from).collect();
    assert_eq!(answer(hall.ask("m", &x).await).await, Ok(halved(&x)));
    let (first, second) = (hall.ask("m", &[HANG]).await, hall.ask("m", &[1.0]).await);
    assert_eq!(
        error(hall.ask("m", &[2.0]).await).await,
        "RESOURCE_EXHAUSTED: 2 requests wait for batches of version 1 of m already; try again later"
    );
    hall.release("m");
    answer(first).await.unwrap();
    answer(second).await.unwrap();
}

#[tokio::test]
async fn parameters_that_contradict_each_other_fail_the_load() {
    let hall = Hall::new(1);
    let error = hall.load("m", 1, "{}", BatchingOptions { allowed_batch_sizes: vec![4], ..parameters() });
    assert_eq!(
        error.unwrap_err().message,
        "Last entry in allowed_batch_sizes must match max_batch_size; last entry was 4; expected 8"
    );
    hall.load("m", 1, "{}", parameters()).unwrap();
    let threads = BatchThreads { count: -1, ..BatchThreads::default() };
    assert!(Plane::with_batch_threads(limits(), threads).is_err());
}

#[tokio::test]
async fn an_unload_waits_for_requests_that_wait_for_their_batch() {
    let hall = Hall::new(1);
    hall.serve("m", HANGS, parameters());
    let (first, second) = (hall.ask("m", &[HANG]).await, hall.ask("m", &[1.0]).await);
    hall.publish("m", &[]);
    let unloading = thread::spawn({
        let plane = Arc::clone(&hall.plane);
        move || plane.unload(ServableId::first("m", 1), LONG)
    });
    hall.release("m");
    assert_eq!(answer(first).await, Ok(halved(&[HANG])));
    assert_eq!(answer(second).await, Ok(halved(&[1.0])));
    assert_eq!(unloading.join().unwrap(), Ok(0));
}

#[tokio::test]
async fn a_version_that_replaces_another_has_batches_of_its_own() {
    let hall = Hall::new(1);
    hall.serve("m", HANGS, parameters());
    let (first, old) = (hall.ask("m", &[HANG]).await, hall.ask("m", &[1.0]).await);
    hall.load("m", 2, r#"{"a": 2.0, "b": 0.0}"#, parameters()).unwrap();
    hall.publish("m", &[1, 2]);
    let new = hall.ask("m", &[1.0]).await;
    hall.release("m");
    answer(first).await.unwrap();
    assert_eq!((answer(old).await, answer(new).await), (Ok(halved(&[1.0])), Ok(vec![2.0])));
}

#[tokio::test]
async fn a_model_whose_batches_hang_does_not_keep_the_threads_from_another() {
    let patience = Duration::from_millis(20);
    let hall = Hall::with(limits(), BatchThreads { count: 1, patience });
    hall.serve(
        "hangs",
        HANGS,
        BatchingOptions { max_batch_size: 1, max_enqueued_batches: 9, ..parameters() },
    );
    hall.serve("works", "{}", parameters());
    let mut hung = Vec::new();
    for _ in 0..4 {
        hung.push(hall.ask("hangs", &[HANG]).await);
    }
    for _ in 0..3 {
        assert_eq!(answer(hall.ask("works", &[1.0]).await).await, Ok(halved(&[1.0])));
    }
    assert_eq!(hall.batches("hangs"), (2, 2), "its share is two runs");
    hall.release("hangs");
    for each in hung {
        answer(each).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_callers_at_once_each_get_their_own_rows() {
    let hall = Hall::with(limits(), BatchThreads { count: 3, ..BatchThreads::default() });
    let sizes = BatchingOptions { batch_timeout_micros: 100, max_enqueued_batches: 1_000, ..parameters() };
    hall.serve("adaptive", "{}", adaptive());
    hall.serve("timed", "{}", BatchingOptions { allowed_batch_sizes: vec![2, 8], ..sizes.clone() });
    hall.serve("split", "{}", BatchingOptions { max_execution_batch_size: Some(3), ..sizes });
    let hall = Arc::new(hall);
    let callers = (0..24_u16).map(|caller| {
        let hall = Arc::clone(&hall);
        tokio::spawn(async move {
            let model = ["adaptive", "timed", "split"][usize::from(caller % 3)];
            for round in 0..40_u16 {
                let x: Vec<f32> = (0..=(caller + round) % 8)
                    .map(|row| f32::from(caller * 1_000 + round * 8 + row))
                    .collect();
                // A large body is decoded on a run thread.
                let body_bytes = if round % 5 == 0 { 1 << 20 } else { 64 };
                let call = Call { body_bytes, ..call(model, Rows::new(&x)) };
                assert_eq!(floats(&hall.plane.infer(call).await.answer.unwrap()), halved(&x));
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        tokio::time::timeout(LONG, caller).await.unwrap().unwrap();
    }
    let statistics = hall.plane.statistics();
    assert_eq!((statistics.in_flight, statistics.panics), (0, 0));
}
