//! The cases of warm-up files, on the synthetic model and on one that notes what it is asked.
#![allow(clippy::unwrap_used)] // a test may panic

use super::*;
use crate::{
    batching::BatchingSnapshot,
    metrics::{Models, Sources, Value, read},
    runtime::{Head, RunOptions, synthetic},
    signature::{DEFAULT_SIGNATURE, Signature, Signatures, TensorSpec},
    tensor::{DType, Data, Tensor},
    tensor_proto,
    testing::write_version,
    tfrecord::{frame, masked},
    wire::tensorflow::{
        Example,
        serving::{
            ClassificationRequest, ClassifyLog, ExampleList, InferenceTask, Input, ModelSpec,
            MultiInferenceLog, MultiInferenceRequest, PredictLog, PredictRequest, PredictStreamedLog,
            RegressLog, RegressionRequest, SessionRunLog, input::Kind, model_spec, prediction_log::LogType,
        },
    },
};
use proptest::prelude::*;
use std::{collections::BTreeMap, path::PathBuf, process::Command, sync::Mutex};
use tempfile::TempDir;

const ONCE: WarmupOptions = WarmupOptions { iterations: NonZeroU32::MIN };

/// The synthetic model fails on this.
const BAD: f32 = 13.0;

/// Where warm-ups are counted, and their model's runs as those of the unknown one.
#[derive(Default)]
struct Counts {
    warm_ups: WarmUps,
    models: Models,
}

impl Counts {
    /// The labels of the metric's series, and how much each counts.
    fn of(&self, name: &str) -> Vec<(Vec<String>, u64)> {
        let Self { models, warm_ups } = self;
        let batches = BatchingSnapshot::default();
        let metrics = read(Sources { models, warm_ups, batches, logged: Vec::new() });
        let metric = metrics.into_iter().find(|metric| metric.name.ends_with(name)).unwrap();
        let counted = |value: &Value| match value {
            Value::Count(count) => *count,
            Value::Histogram(histogram) => histogram.count(),
        };
        metric.series.into_iter().map(|series| (series.labels, counted(&series.value))).collect()
    }
}

/// A version's directory.
struct Version(TempDir);

impl Version {
    fn without_records() -> Self {
        let version = Self(TempDir::new().unwrap());
        write_version(version.0.path(), &format!(r#"{{"fail_on": {BAD}}}"#)).unwrap();
        version
    }

    fn with(records: &[u8]) -> Self {
        let version = Self::without_records();
        fs::create_dir(version.file().parent().unwrap()).unwrap();
        fs::write(version.file(), records).unwrap();
        version
    }

    fn file(&self) -> PathBuf {
        self.0.path().join(FILE)
    }

    fn warm_up(&self) -> Result<usize, Error> {
        let model = synthetic::load(self.0.path()).unwrap();
        self.warm_up_counted(model.as_ref(), ONCE, &Counts::default()).map(|warmed| warmed.records)
    }

    fn warm_up_counted(
        &self,
        model: &dyn Model,
        options: WarmupOptions,
        counts: &Counts,
    ) -> Result<Warmed, Error> {
        let Counts { warm_ups, models } = counts;
        let setting = Setting { rules: Rules::default(), counts: models.unknown(), warm_ups };
        warm_up(model, self.0.path(), options, setting)
    }

    /// What a warm-up fails with; `{file}` stands for the file's path.
    fn refusal(&self) -> (Code, String) {
        let error = self.warm_up().unwrap_err();
        (error.code, error.message.replace(&self.file().display().to_string(), "{file}"))
    }
}

fn log(kind: LogType) -> PredictionLog {
    PredictionLog { log_type: Some(kind), log_metadata: None }
}

fn file(logs: impl IntoIterator<Item = PredictionLog>) -> Vec<u8> {
    logs.into_iter().flat_map(|log| frame(&log.encode_to_vec())).collect()
}

/// Asks for the signature, of a model and version that are not here.
fn spec(signature: &str) -> ModelSpec {
    let version = model_spec::VersionChoice::Version(9_999);
    let (name, signature_name) = ("recorded elsewhere".to_owned(), signature.to_owned());
    ModelSpec { name, signature_name, version_choice: Some(version) }
}

fn predict(signature: &str, alias: &str, tensor: &Tensor) -> PredictionLog {
    let inputs = BTreeMap::from([(alias.to_owned(), tensor_proto::encode(tensor))]);
    let request = PredictRequest { model_spec: Some(spec(signature)), inputs, output_filter: Vec::new() };
    log(LogType::PredictLog(PredictLog { request: Some(request), response: None }))
}

fn float(x: f32) -> Tensor {
    Tensor::new(DType::Float, vec![1], Data::Packed(Bytes::copy_from_slice(&x.to_le_bytes()))).unwrap()
}

fn good() -> PredictionLog {
    predict("", "x", &float(1.0))
}

fn examples(count: usize) -> Input {
    let list = ExampleList { examples: vec![Example::default(); count] };
    Input { kind: Some(Kind::ExampleList(list)) }
}

#[test]
fn a_version_without_records_or_with_an_empty_file_is_warm() {
    assert_eq!(Version::without_records().warm_up(), Ok(0));
    assert_eq!(Version::with(b"").warm_up(), Ok(0));
}

#[test]
fn what_stands_where_the_folder_should_be_is_no_record() {
    let version = Version::without_records();
    fs::write(version.file().parent().unwrap(), "a file").unwrap();
    assert_eq!(version.warm_up(), Ok(0));
}

#[test]
fn every_record_is_run_and_counted_whichever_model_it_was_recorded_from() {
    let strings = Tensor::new(DType::String, vec![1], Data::Strings(vec![Bytes::from_static(b"s")])).unwrap();
    let no_spec = PredictRequest {
        inputs: BTreeMap::from([("x".to_owned(), tensor_proto::encode(&float(1.0)))]),
        ..Default::default()
    };
    let no_spec = log(LogType::PredictLog(PredictLog { request: Some(no_spec), response: None }));
    let version = Version::with(&file([good(), predict("echo", "s", &strings), no_spec]));
    assert_eq!(version.warm_up(), Ok(3));
}

#[test]
fn a_log_of_no_kind_is_counted_and_ignored() {
    assert_eq!(Version::with(&file([PredictionLog::default(), good()])).warm_up(), Ok(2));
}

#[test]
fn a_thousand_records_are_run_and_one_more_is_too_many() {
    assert_eq!(Version::with(&file(vec![good(); 1000])).warm_up(), Ok(1000));
    let too_many = Version::with(&file(vec![good(); 1001])).refusal();
    let text = "Number of warmup records exceeds the maximum (1000) at {file}".to_owned();
    assert_eq!(too_many, (Code::InvalidArgument, text));
    // The one too many is run before it is counted.
    let last_is_bad = file(vec![good(); 1000].into_iter().chain([predict("", "x", &float(BAD))]));
    assert!(Version::with(&last_is_bad).refusal().1.ends_with("told to fail (record 1001 of {file})"));
}

#[test]
fn what_is_no_tfrecord_file_is_data_loss_and_says_so() {
    let two = file([good(), good()]);
    let (one, last) = (two.len() / 2, two.len() - 1);
    let mut bad_data = two.clone();
    *bad_data.get_mut(one + 14).unwrap() ^= 1;
    let mut bad_length = two.clone();
    *bad_length.get_mut(one).unwrap() ^= 1;
    let torn = |length: usize| two.get(..length).unwrap().to_vec();
    let cases = [
        (b"These are no records at all.".to_vec(), "corrupted record", 0, 1),
        (b"short".to_vec(), "truncated record", 0, 1),
        (bad_data, "corrupted record", one, 2),
        (bad_length, "corrupted record", one, 2),
        (torn(one + 3), "truncated record", one, 2),
        (torn(one + 12), "truncated record", one, 2),
        (torn(last), "truncated record", one, 2),
    ];
    for (bytes, what, begin, number) in cases {
        let text = format!(
            "{what} at {begin}. Please verify your warmup data is in TFRecord format. \
             (record {number} of {{file}})"
        );
        assert_eq!(Version::with(&bytes).refusal(), (Code::DataLoss, text));
    }
}

#[test]
fn a_record_that_claims_to_be_longer_than_its_file_is_refused_before_memory_is_taken_for_it() {
    for claim in [100, 1 << 40, u64::MAX - 4, u64::MAX] {
        let length = claim.to_le_bytes();
        let header = [&length[..], &masked(crc32c::crc32c(&length)).to_le_bytes()].concat();
        let (code, text) = Version::with(&[&header[..], b"data"].concat()).refusal();
        assert_eq!(code, Code::DataLoss);
        assert!(text.starts_with("truncated record at 0."), "{text}");
    }
}

#[test]
fn a_record_that_is_no_prediction_log_is_shown_as_far_as_anybody_will_read_it() {
    let (code, text) = Version::with(&[file([good()]), frame(b"\xff\n nonsense")].concat()).refusal();
    assert_eq!(code, Code::InvalidArgument);
    assert_eq!(text, r"Failed to parse warmup record: \xff\n nonsense from {file} (record 2)");
    let long = Version::with(&frame(&[b'a'; 5_000])).refusal().1;
    assert!(long.len() < 200, "{long}");
}

#[test]
fn kinds_that_cannot_be_replayed_are_told_by_their_number() {
    let kinds = [
        (LogType::SessionRunLog(SessionRunLog::default()), 5),
        (LogType::PredictStreamedLog(PredictStreamedLog::default()), 7),
    ];
    for (kind, number) in kinds {
        let text = format!("Unsupported log_type for warmup: {number} (record 1 of {{file}})");
        assert_eq!(Version::with(&file([log(kind)])).refusal(), (Code::Unimplemented, text));
    }
}

#[test]
fn a_record_that_fails_is_named_and_fails_as_the_request_would() {
    let cases = [
        (predict("", "x", &float(BAD)), Code::InvalidArgument, "the synthetic model was told to fail"),
        (
            predict("lost", "x", &float(1.0)),
            Code::FailedPrecondition,
            "Serving signature key \"lost\" not found.",
        ),
        (
            log(LogType::ClassifyLog(ClassifyLog::default())),
            Code::InvalidArgument,
            "No classification inputs found in SignatureDef: x",
        ),
        (
            log(LogType::MultiInferenceLog(MultiInferenceLog::default())),
            Code::InvalidArgument,
            "ModelSpec has no name specified.",
        ),
    ];
    for (log, code, text) in cases {
        let text = format!("{text} (record 2 of {{file}})");
        assert_eq!(Version::with(&file([good(), log, good()])).refusal(), (code, text));
    }
}

#[test]
fn what_is_there_but_no_file_is_refused_and_never_waited_for() {
    let version = Version::without_records();
    fs::create_dir_all(version.file()).unwrap();
    assert_eq!(version.refusal().0, Code::InvalidArgument);
    fs::remove_dir(version.file()).unwrap();
    assert!(Command::new("mkfifo").arg(version.file()).status().unwrap().success());
    let text = "{file} is not a file; put warm-up records there, or nothing".to_owned();
    assert_eq!(version.refusal(), (Code::InvalidArgument, text));
}

/// Notes which signatures it is asked to run, and for which outputs.
struct Noting {
    signatures: Signatures,
    asked: Mutex<Vec<(String, Vec<usize>)>>,
}

impl Noting {
    fn new() -> Self {
        let spec = |alias: &&str| TensorSpec {
            alias: (*alias).to_owned(),
            name: format!("{alias}:0"),
            dtype_number: DType::String.number(),
            shape: None,
        };
        let signature = |name: &str, outputs: &[&str]| Signature {
            name: name.to_owned(),
            method_name: String::new(),
            inputs: [&"inputs"].map(spec).into(),
            outputs: outputs.iter().map(spec).collect(),
            defaults: BTreeMap::new(),
        };
        let list = vec![signature(DEFAULT_SIGNATURE, &["classes", "scores"]), signature("r", &["outputs"])];
        Self { signatures: Signatures::new(list, BTreeMap::new()), asked: Mutex::default() }
    }

    /// Warms up with these records; signatures and outputs of the runs in their order.
    fn runs(
        self,
        iterations: u32,
        logs: impl IntoIterator<Item = PredictionLog>,
    ) -> Vec<(String, Vec<usize>)> {
        let version = Version::with(&file(logs));
        let options = WarmupOptions { iterations: iterations.try_into().unwrap() };
        version.warm_up_counted(&self, options, &Counts::default()).unwrap();
        self.asked.into_inner().unwrap()
    }
}

impl Model for Noting {
    fn signatures(&self) -> &Signatures {
        &self.signatures
    }

    fn run(
        &self,
        signature: usize,
        _: &[Tensor],
        outputs: &[usize],
        _: RunOptions,
    ) -> Result<Vec<Tensor>, Error> {
        let name = self.signatures.list().get(signature).unwrap().name.clone();
        self.asked.lock().unwrap().push((name, outputs.to_vec()));
        Ok(outputs.iter().map(|_| float(0.0)).collect())
    }

    fn run_heads(&self, heads: &[Head], _: &Tensor, _: RunOptions) -> Result<Vec<Tensor>, Error> {
        let name = |head: &Head| self.signatures.get(head.signature).unwrap().name.clone();
        let names: Vec<String> = heads.iter().map(name).collect();
        let outputs: Vec<usize> = heads.iter().flat_map(|head| head.outputs.clone()).collect();
        let answers = outputs.iter().map(|_| float(0.0)).collect();
        self.asked.lock().unwrap().push((names.join("+"), outputs));
        Ok(answers)
    }
}

fn classify() -> PredictionLog {
    let request = ClassificationRequest { model_spec: Some(spec("")), input: Some(examples(2)) };
    log(LogType::ClassifyLog(ClassifyLog { request: Some(request), response: None }))
}

fn regress() -> PredictionLog {
    let request = RegressionRequest { model_spec: Some(spec("r")), input: Some(examples(2)) };
    log(LogType::RegressLog(RegressLog { request: Some(request), response: None }))
}

fn multi_inference() -> PredictionLog {
    let task = |signature, method: &str| InferenceTask {
        model_spec: Some(spec(signature)),
        method_name: format!("tensorflow/serving/{method}"),
    };
    let tasks = vec![task("r", "regress"), task("", "classify")];
    let request = MultiInferenceRequest { tasks, input: Some(examples(1)) };
    log(LogType::MultiInferenceLog(MultiInferenceLog { request: Some(request), response: None }))
}

#[test]
fn requests_of_examples_run_their_signatures_with_all_outputs() {
    let run = |name: &str, outputs: &[usize]| (name.to_owned(), outputs.to_vec());
    let runs = Noting::new().runs(1, [classify(), regress(), multi_inference()]);
    let both = run("r+serving_default", &[0, 0, 1]);
    assert_eq!(runs, [run(DEFAULT_SIGNATURE, &[0, 1]), run("r", &[0]), both]);
}

#[test]
fn each_record_is_run_as_often_as_asked_for_before_the_next() {
    let runs = Noting::new().runs(3, [multi_inference(), PredictionLog::default(), classify()]);
    let names: Vec<_> = runs.iter().map(|(name, _)| name.as_str()).collect();
    let (both, d) = ("r+serving_default", DEFAULT_SIGNATURE);
    assert_eq!(names, [both, both, both, d, d, d]);
}

#[test]
fn a_warm_up_is_counted_by_directory_and_status_and_its_runs_by_method() {
    let counts = Counts::default();
    let three = WarmupOptions { iterations: 3.try_into().unwrap() };
    let version = Version::with(&file([classify(), regress(), multi_inference()]));
    version.warm_up_counted(&Noting::new(), three, &counts).unwrap();
    let directory = version.0.path().display().to_string();
    let labels = vec![directory, "OK".to_owned()];
    assert_eq!(counts.of("/model_warmup_records_read"), [(labels.clone(), 3)]);
    assert_eq!(counts.of("/model_warmup_latency"), [(labels, 1)]);
    let runs = counts.of("/runtime_latency");
    let labels = |api: &str| [String::new(), api.to_owned(), "TF1".to_owned()].to_vec();
    assert_eq!(runs, [(labels("Classify"), 3), (labels("Regress"), 3)]);
}

#[test]
fn a_file_that_breaks_off_is_counted_and_a_record_that_fails_is_not() {
    let counts = Counts::default();
    let model = synthetic::load(Version::without_records().0.path()).unwrap();
    let mut torn = file([good()]);
    torn.extend([0; 3]);
    let torn = Version::with(&torn);
    torn.warm_up_counted(model.as_ref(), ONCE, &counts).unwrap_err();
    let status = "DATA_LOSS: truncated record at ".to_owned();
    let (labels, records) = counts.of("/model_warmup_records_read").remove(0);
    assert!(labels.last().unwrap().starts_with(&status) && records == 1, "{labels:?}");
    let failing = Version::with(&file([predict("", "x", &float(BAD))]));
    failing.warm_up_counted(model.as_ref(), ONCE, &counts).unwrap_err();
    assert_eq!(counts.of("/model_warmup_latency").len(), 1);
}

fn outcome(bytes: &[u8]) -> Result<usize, Error> {
    let (model, models) = (Noting::new(), Models::default());
    let counts = models.unknown();
    let replay = Replay { model: &model, rules: Rules::default(), iterations: ONCE.iterations, counts };
    let end = run_all(replay, Records::new(bytes, bytes.len() as u64), Path::new("records"))?;
    end.outcome.map(|()| end.records)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_bytes_are_refused_or_are_no_records(bytes: Vec<u8>) {
        prop_assert_eq!(outcome(&bytes).is_ok(), bytes.is_empty());
    }

    #[test]
    fn any_bytes_in_a_good_frame_are_run_or_refused(records: Vec<Vec<u8>>) {
        let framed: Vec<u8> = records.iter().flat_map(|data| frame(data)).collect();
        if let Ok(count) = outcome(&framed) {
            prop_assert_eq!(count, records.len());
        }
    }

    /// With its checksums made good again: what is damaged is the message.
    #[test]
    fn a_damaged_log_is_run_or_refused(kind in 0..4_usize, damage: Vec<(prop::sample::Index, u8)>) {
        let logs = [predict("", "inputs", &float(1.0)), classify(), regress(), multi_inference()];
        let mut message = logs.get(kind).unwrap().encode_to_vec();
        for (index, byte) in damage {
            *index.get_mut(&mut message) = byte;
        }
        if let Ok(count) = outcome(&frame(&message)) {
            prop_assert_eq!(count, 1);
        }
    }

    /// One byte changed anywhere is found: by a checksum, or because the end is not where it should be.
    #[test]
    fn a_damaged_file_is_never_taken_for_a_good_one(index: prop::sample::Index, mask in 1..=u8::MAX) {
        let mut bytes = file([classify(), PredictionLog::default(), multi_inference()]);
        *index.get_mut(&mut bytes) ^= mask;
        prop_assert_eq!(outcome(&bytes).unwrap_err().code, Code::DataLoss);
    }
}
