//! The whole path on the synthetic model: what is answered, what is counted, and what an unload never breaks.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // a test may panic

use super::*;
use crate::{
    batching::BatchingOptions,
    execute::Limits,
    plane::{LoadReport, LoadRequest, Plane, Platform},
    route::{ModelUpdate, ReadyVersion, RouteUpdate},
    runtime::synthetic,
    servable::ServableId,
    testing::{FloatCodec, call, call_until, first_incarnations, read_answer, warmup_record, write_version},
    traffic::TrafficSettings,
    warmup::{self, WarmupOptions},
};
use std::{
    fs,
    num::NonZeroU32,
    path::PathBuf,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::Duration,
};
use tempfile::TempDir;

const LONG: Duration = Duration::from_secs(30);

/// A plane, and a folder for its versions.
pub(crate) struct House {
    pub(crate) plane: Arc<Plane>,
    folder: TempDir,
    generation: AtomicU64,
}

impl House {
    pub(crate) fn new(limits: Limits) -> Self {
        Self::of(Plane::new(limits).unwrap())
    }

    pub(crate) fn of(plane: Plane) -> Self {
        Self { plane: Arc::new(plane), folder: TempDir::new().unwrap(), generation: AtomicU64::new(0) }
    }

    pub(crate) fn load(&self, model: &str, version: i64, json: &str) -> Result<LoadReport, Error> {
        self.load_incarnation(ServableId::first(model, version), json)
    }

    /// Loads a version whose requests are batched as they come.
    pub(crate) fn load_batched(&self, model: &str, version: i64, json: &str) {
        let batching = BatchingOptions {
            adaptive: true,
            max_batch_size: 64,
            batch_timeout_micros: 0,
            max_enqueued_batches: 0,
            allowed_batch_sizes: Vec::new(),
            pad_variable_length_inputs: false,
            max_execution_batch_size: None,
        };
        let path = self.folder.path().join(model).join(version.to_string());
        write_version(&path, json).unwrap();
        let (name, platform, incarnation) = (model.to_owned(), Platform::Synthetic, 0);
        let (tags, warmup, batching) = (Vec::new(), None, Some(batching));
        let request = LoadRequest { name, version, incarnation, path, platform, tags, warmup, batching };
        self.plane.load(&request).unwrap();
    }

    /// Loads from a base path of the incarnation's own.
    fn load_incarnation(&self, id: ServableId<'_>, json: &str) -> Result<LoadReport, Error> {
        let ServableId { name: model, version, incarnation } = id;
        let base_path = match incarnation {
            0 => self.folder.path().join(model),
            _ => self.folder.path().join(format!("{model}.{incarnation}")),
        };
        let path = base_path.join(version.to_string());
        write_version(&path, json).unwrap();
        let (name, platform) = (model.to_owned(), Platform::Synthetic);
        let (tags, warmup) = (Vec::new(), Some(WarmupOptions { iterations: NonZeroU32::MIN }));
        let batching = None;
        self.plane.load(&LoadRequest { name, version, incarnation, path, platform, tags, warmup, batching })
    }

    /// Where version `version` of `model` keeps its warm-up records.
    fn records(&self, model: &str, version: i64) -> PathBuf {
        self.folder.path().join(model).join(version.to_string()).join(warmup::FILE)
    }

    pub(crate) fn unload(&self, model: &str, version: i64, drain_timeout: Duration) -> Result<u64, Error> {
        self.plane.unload(ServableId::first(model, version), drain_timeout)
    }

    pub(crate) fn publish(&self, model: &str, ready: &[i64]) {
        self.try_publish(model, ready).unwrap();
    }

    /// Routes `model` to these versions, the lowest of them by default and as `stable`, its traffic split so.
    pub(crate) fn publish_split(&self, model: &str, ready: &[i64], traffic: Option<&TrafficSettings>) {
        let default = ready.iter().copied().min();
        let changed = ModelUpdate {
            name: model.to_owned(),
            default_version: default,
            labels: default.map(|version| ("stable".to_owned(), version)).into_iter().collect(),
            ready: first_incarnations(ready),
            traffic: traffic.cloned(),
            ..Default::default()
        };
        let generation = self.generation.fetch_add(1, Ordering::SeqCst) + 1;
        let update = RouteUpdate { generation, changed: vec![changed], removed: Vec::new() };
        self.plane.publish(&update).unwrap();
    }

    fn try_publish(&self, model: &str, ready: &[i64]) -> Result<(), Error> {
        self.try_publish_incarnations(model, first_incarnations(ready))
    }

    fn try_publish_incarnations(&self, model: &str, ready: Vec<ReadyVersion>) -> Result<(), Error> {
        let changed = ModelUpdate {
            name: model.to_owned(),
            default_version: ready.iter().map(|ready| ready.version).max(),
            ready,
            ..Default::default()
        };
        let generation = self.generation.fetch_add(1, Ordering::SeqCst) + 1;
        self.plane.publish(&RouteUpdate { generation, changed: vec![changed], removed: Vec::new() })
    }

    /// Loads version 1 of `model` and routes it.
    pub(crate) fn serve(&self, model: &str, json: &str) {
        self.load(model, 1, json).unwrap();
        self.publish(model, &[1]);
    }

    /// Ends the hanging runs of a version.
    pub(crate) fn release(&self, model: &str, version: i64) {
        let path = self.folder.path().join(model).join(version.to_string());
        fs::write(path.join(synthetic::RELEASE_FILE), "").unwrap();
    }

    pub(crate) async fn ask(&self, model: &str, x: f32) -> Result<(i64, f32), Error> {
        let body = self.plane.infer(call(model, VersionChoice::Default, FloatCodec::new(x))).await.answer?;
        Ok(read_answer(&body).unwrap())
    }

    /// Answers by code, of all rows that this picks.
    fn counts(&self, pick: impl Fn(&crate::stats::MethodStatistics) -> bool) -> Vec<(Code, u64)> {
        let mut counts = [0; crate::error::CODE_COUNT];
        for row in self.plane.statistics().methods.iter().filter(|row| pick(row)) {
            for (sum, count) in counts.iter_mut().zip(row.by_code) {
                *sum += count;
            }
        }
        let named = counts.iter().enumerate().filter(|(_, count)| **count > 0);
        named.map(|(code, count)| (Code::from_number(i32::try_from(code).unwrap()), *count)).collect()
    }
}

pub(crate) fn limits() -> Limits {
    Limits { io_threads: 3, in_flight_max: 1_000, queue_max: 100, runs_max: 2 }
}

#[tokio::test]
async fn the_default_version_answers_and_says_that_it_did() {
    let house = House::new(limits());
    assert_eq!(house.load("half", 7, "{}").unwrap().signature_names, ["echo", "serving_default"]);
    house.publish("half", &[7]);
    assert_eq!(house.ask("half", 3.0).await, Ok((7, 3.5)));
    assert_eq!(
        house.counts(|row| row.version == Some(7) && row.signature == "serving_default"),
        [(Code::Ok, 1)]
    );
    assert_eq!(house.plane.statistics().in_flight, 0);
}

#[tokio::test]
async fn every_failure_is_counted_once_where_it_belongs() {
    let house = House::new(limits());
    house.serve("m", r#"{"fail_on": 13.0, "panic_on": 14.0}"#);
    let broken = FloatCodec { broken: true, ..FloatCodec::new(1.0) };
    let lost = FloatCodec { signature: "lost".into(), ..FloatCodec::new(1.0) };
    let echo = FloatCodec { signature: "echo".into(), ..FloatCodec::new(1.0) };
    let cases = [
        ("m", VersionChoice::Default, FloatCodec::new(13.0), Code::InvalidArgument),
        ("m", VersionChoice::Default, FloatCodec::new(14.0), Code::Internal),
        ("m", VersionChoice::Default, broken, Code::InvalidArgument),
        ("m", VersionChoice::Default, lost, Code::FailedPrecondition),
        ("m", VersionChoice::Default, echo, Code::InvalidArgument),
        ("m", VersionChoice::Version(9), FloatCodec::new(1.0), Code::NotFound),
        ("made up", VersionChoice::Default, FloatCodec::new(1.0), Code::NotFound),
        ("made up too", VersionChoice::Default, FloatCodec::new(1.0), Code::NotFound),
    ];
    for (model, version, codec, code) in cases {
        assert_eq!(house.plane.infer(call(model, version, codec)).await.answer.unwrap_err().code, code);
    }
    let of_version = |row: &crate::stats::MethodStatistics| row.version == Some(1);
    let run = house.counts(|row| of_version(row) && row.signature == "serving_default");
    assert_eq!(run, [(Code::InvalidArgument, 2), (Code::Internal, 1)]);
    let no_signature = house.counts(|row| of_version(row) && row.signature.is_empty());
    assert_eq!(no_signature, [(Code::FailedPrecondition, 1)]);
    assert_eq!(house.counts(|row| row.version.is_none() && &*row.model == "m"), [(Code::NotFound, 1)]);
    assert_eq!(house.counts(|row| row.model.is_empty()), [(Code::NotFound, 2)]);
    assert_eq!(house.plane.statistics().panics, 1);
}

#[tokio::test]
async fn an_unknown_signature_is_named_even_when_it_is_the_default_one() {
    let house = House::new(limits());
    house.serve("m", "{}");
    let lost = FloatCodec { signature: "lost".into(), ..FloatCodec::new(1.0) };
    let error = house.plane.infer(call("m", VersionChoice::Default, lost)).await.answer.unwrap_err();
    assert_eq!(error.message, "Serving signature key \"lost\" not found.");
}

#[tokio::test]
async fn a_version_is_loaded_once_at_a_time_and_never_unloaded_while_routed() {
    let house = House::new(limits());
    house.serve("m", "{}");
    assert_eq!(house.load("m", 1, "{}").unwrap_err().message, "version 1 of m is loaded already");
    let error = house.unload("m", 1, LONG).unwrap_err();
    assert_eq!(error.message, "version 1 of m is still routed; publish routes without it first");
    house.publish("m", &[]);
    assert_eq!(house.unload("m", 1, LONG), Ok(0));
    assert_eq!(house.unload("m", 1, LONG).unwrap_err().code, Code::NotFound);
    assert_eq!(house.try_publish("m", &[1]).unwrap_err().code, Code::FailedPrecondition);
    house.load("m", 1, "{}").unwrap();
}

#[tokio::test]
async fn a_load_that_fails_leaves_no_trace_and_can_be_repeated() {
    let house = House::new(limits());
    assert_eq!(house.load("m", 1, r#"{"fail_load": "no such op"}"#).unwrap_err().message, "no such op");
    assert_eq!(house.load("m", 1, r#"{"unknown": 1}"#).unwrap_err().code, Code::InvalidArgument);
    assert!(house.plane.statistics().servables.is_empty());
    house.load("m", 1, "{}").unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_with_a_hung_request_is_unloaded_at_the_deadline_and_can_be_loaded_again_at_once() {
    let house = Arc::new(House::new(limits()));
    house.serve("m", r#"{"hang_on": 99.0}"#);
    let hung = tokio::spawn({
        let house = Arc::clone(&house);
        async move { house.ask("m", 99.0).await }
    });
    while house.plane.statistics().run_threads == 0 {
        tokio::task::yield_now().await;
    }
    house.publish("m", &[]);
    assert_eq!(house.unload("m", 1, Duration::from_millis(1)), Ok(1));
    assert_eq!(house.plane.statistics().unloaded_late, 1);
    house.load("m", 1, r#"{"b": 3.0}"#).unwrap();
    house.publish("m", &[1]);
    assert_eq!(house.ask("m", 2.0).await, Ok((1, 4.0)));
    house.release("m", 1);
    assert_eq!(hung.await.unwrap(), Ok((1, 51.5)));
    while house.plane.statistics().unloaded_late > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn metadata_tells_the_version_and_its_signatures() {
    let house = House::new(limits());
    house.serve("m", r#"{"version": 1}"#);
    let target = Target { model: "m".into(), version: VersionChoice::Default };
    let metadata = house.plane.metadata(&target).unwrap();
    assert_eq!(metadata.version, 1);
    let definition = &metadata.definitions.signature_def["serving_default"];
    assert_eq!(definition.outputs.keys().collect::<Vec<_>>(), ["version", "y"]);
    let lost = Target { version: VersionChoice::Version(2), ..target };
    assert_eq!(house.plane.metadata(&lost).unwrap_err().code, Code::NotFound);
}

#[tokio::test]
async fn a_publish_and_a_change_of_health_wake_those_who_watch() {
    let house = House::new(limits());
    let mut changes = house.plane.changes();
    house.serve("m", "{}");
    changes.changed().await.unwrap();
    assert_eq!(*changes.borrow_and_update(), 1);
    assert!(house.plane.has_ready("m") == Some(true) && !house.plane.healthy());
    house.plane.set_healthy(true);
    changes.changed().await.unwrap();
    assert!(house.plane.healthy());
}

#[tokio::test]
async fn two_incarnations_of_a_number_are_loaded_at_once_and_only_the_routed_one_answers_and_stays() {
    let house = House::new(limits());
    let (former, present) =
        (ServableId::first("m", 3), ServableId { incarnation: 1, ..ServableId::first("m", 3) });
    house.load("m", 3, r#"{"b": 1.0}"#).unwrap();
    house.load_incarnation(present, r#"{"b": 2.0}"#).unwrap();
    let again = house.load_incarnation(present, "{}").unwrap_err();
    assert_eq!(again.message, "version 3, incarnation 1, of m is loaded already");
    house.publish("m", &[3]);
    assert_eq!(house.ask("m", 0.0).await, Ok((3, 1.0)));
    house.try_publish_incarnations("m", vec![ReadyVersion { version: 3, incarnation: 1 }]).unwrap();
    assert_eq!(house.ask("m", 0.0).await, Ok((3, 2.0)));
    let refused = house.plane.unload(present, LONG).unwrap_err();
    assert_eq!(
        refused.message,
        "version 3, incarnation 1, of m is still routed; publish routes without it first"
    );
    let told: Vec<_> =
        house.plane.statistics().servables.iter().map(|row| (row.version, row.incarnation)).collect();
    assert_eq!(told, [(3, 0), (3, 1)]);
    assert_eq!(house.plane.unload(former, LONG), Ok(0));
    assert_eq!(house.plane.unload(former, LONG).unwrap_err().message, "version 3 of m is not loaded");
    assert_eq!(house.ask("m", 0.0).await, Ok((3, 2.0)));
}

/// A base path that moves, over and over, under steady requests.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn no_request_fails_while_incarnations_of_the_only_version_take_over_from_each_other() {
    const CHANGES: u64 = 100;
    let house = Arc::new(House::new(limits()));
    let over = Arc::new(AtomicBool::new(false));
    house.load("m", 1, r#"{"a": 0, "b": 0}"#).unwrap();
    house.publish("m", &[1]);
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let (house, over) = (Arc::clone(&house), Arc::clone(&over));
            tokio::spawn(async move {
                let mut latest = 0.0;
                while !over.load(Ordering::Relaxed) {
                    let (version, incarnation) = house.ask("m", 1.0).await.unwrap();
                    assert!(version == 1 && incarnation >= latest, "{incarnation} after {latest}");
                    latest = incarnation;
                }
                latest
            })
        })
        .collect();
    let control = Arc::clone(&house);
    let changing = thread::spawn(move || {
        let id = |incarnation| ServableId { name: "m", version: 1, incarnation };
        for incarnation in 1..=CHANGES {
            let json = format!(r#"{{"a": 0, "b": {incarnation}}}"#);
            control.load_incarnation(id(incarnation), &json).unwrap();
            let ready = vec![ReadyVersion { version: 1, incarnation }];
            control.try_publish_incarnations("m", ready).unwrap();
            assert_eq!(control.plane.unload(id(incarnation - 1), LONG), Ok(0));
        }
    });
    tokio::task::spawn_blocking(move || changing.join().unwrap()).await.unwrap();
    over.store(true, Ordering::Relaxed);
    for client in clients {
        assert!(client.await.unwrap() > 0.0);
    }
}

/// Versions come and go under steady requests; every answer is whole and from one version, and none fails.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn no_request_fails_and_no_answer_mixes_versions_while_versions_change() {
    const CHANGES: i64 = 100;
    let house = Arc::new(House::new(limits()));
    let over = Arc::new(AtomicBool::new(false));
    house.load("m", 1, r#"{"a": 0, "b": 1}"#).unwrap();
    house.publish("m", &[1]);
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let (house, over) = (Arc::clone(&house), Arc::clone(&over));
            tokio::spawn(async move {
                let mut answers = 0;
                while !over.load(Ordering::Relaxed) {
                    let (version, y) = house.ask("m", 1.0).await.unwrap();
                    #[allow(clippy::cast_precision_loss)] // below 2^24
                    let expected = version as f32;
                    assert!((y - expected).abs() < f32::EPSILON, "{version} answered {y}");
                    answers += 1;
                }
                answers
            })
        })
        .collect();
    let control = Arc::clone(&house);
    let changing = thread::spawn(move || {
        for version in 2..=CHANGES {
            control.load("m", version, &format!(r#"{{"a": 0, "b": {version}}}"#)).unwrap();
            control.publish("m", &[version - 1, version]);
            control.publish("m", &[version]);
            assert_eq!(control.unload("m", version - 1, LONG), Ok(0));
        }
    });
    tokio::task::spawn_blocking(move || changing.join().unwrap()).await.unwrap();
    over.store(true, Ordering::Relaxed);
    for client in clients {
        assert!(client.await.unwrap() > 0);
    }
}

#[tokio::test]
async fn a_request_whose_caller_goes_away_is_counted_as_cancelled() {
    let house = House::new(limits());
    house.serve("m", r#"{"hang_on": 99.0}"#);
    let request = house.ask("m", 99.0);
    assert!(tokio::time::timeout(Duration::from_millis(1), request).await.is_err());
    assert_eq!(house.counts(|row| row.version == Some(1)), [(Code::Cancelled, 1)]);
    house.release("m", 1);
}

#[tokio::test]
async fn an_expired_deadline_is_answered_without_a_run() {
    let house = House::new(limits());
    house.serve("m", "{}");
    let late = call_until("m", FloatCodec::new(1.0), Instant::now());
    assert_eq!(house.plane.infer(late).await.answer.unwrap_err().code, Code::DeadlineExceeded);
    let servable = house.plane.statistics().servables.remove(0);
    assert_eq!((servable.runs_inline, servable.runs_pooled), (0, 0));
}

#[tokio::test]
async fn a_version_is_warmed_up_before_it_answers_and_its_runs_are_nobodys_requests() {
    let house = House::new(limits());
    let records = house.records("m", 1);
    fs::create_dir_all(records.parent().unwrap()).unwrap();
    fs::write(&records, "no record").unwrap();
    let error = house.load("m", 1, "{}").unwrap_err();
    assert_eq!(error.code, Code::DataLoss);
    assert!(house.plane.statistics().servables.is_empty());
    fs::write(&records, warmup_record(2.0)).unwrap();
    assert_eq!(house.load("m", 1, "{}").unwrap().warmed.records, 1);
    house.publish("m", &[1]);
    let statistics = house.plane.statistics();
    assert!(statistics.methods.is_empty());
    assert_eq!((statistics.servables[0].runs_inline, statistics.servables[0].runs_pooled), (0, 0));
}

#[tokio::test]
async fn a_model_that_panics_while_it_is_warmed_up_fails_its_load_and_nothing_else() {
    let house = House::new(limits());
    let records = house.records("m", 1);
    fs::create_dir_all(records.parent().unwrap()).unwrap();
    fs::write(&records, warmup_record(7.0)).unwrap();
    let error = house.load("m", 1, r#"{"panic_on": 7.0}"#).unwrap_err();
    assert_eq!(error.code, Code::Internal);
    fs::remove_file(&records).unwrap();
    assert_eq!(house.load("m", 1, r#"{"panic_on": 7.0}"#).unwrap().warmed.records, 0);
}

/// Answers every run with nothing.
struct Silent(Signatures);

impl Model for Silent {
    fn signatures(&self) -> &Signatures {
        &self.0
    }

    fn run(&self, _: usize, _: &[Tensor], _: &[usize], _: RunOptions) -> Result<Vec<Tensor>, Error> {
        Ok(Vec::new())
    }
}

#[test]
fn a_wrong_number_of_outputs_is_the_runtimes_fault() {
    let model = Silent(Signatures::new(Vec::new(), std::collections::BTreeMap::new()));
    let run = SignatureRun { signature: 0, inputs: Inputs { tensors: Vec::new(), outputs: vec![0] } };
    let options = RunOptions { placement: crate::runtime::Placement::Caller, timeout: None };
    assert_eq!(run.run(&model, options), Err(Error::unknown("Predict internal error")));
}

/// A request's future is copied whole several times on its way to a connection's task. What few requests come to, a
/// wait for a thread or for a batch, is kept apart; each would carry the room for it.
#[tokio::test]
async fn a_request_carries_no_room_for_what_few_come_to() {
    let house = House::new(limits());
    house.serve("m", "{}");
    let asked = house.plane.infer(call("m", VersionChoice::Default, FloatCodec::new(2.0)));
    assert!(size_of_val(&asked) <= 2_048, "{} bytes", size_of_val(&asked));
    asked.await.answer.unwrap();
}
