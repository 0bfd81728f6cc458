//! Golden examples of every form and kind, on the synthetic model: y = x / 2 + 2, `up` scores y and `down` -y.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // a test may panic

use super::*;
use crate::{
    runtime::synthetic,
    tensor::{DType, Data, Tensor},
    tensor_proto,
    testing::write_version,
    tfrecord::frame,
    wire::tensorflow::{
        Example, Feature, Features, FloatList, feature,
        serving::{
            Class, ClassificationRequest, ClassificationResponse, ClassificationResult, Classifications,
            ClassifyLog, ExampleList, InferenceResult, InferenceTask, Input, ModelSpec, MultiInferenceLog,
            MultiInferenceRequest, MultiInferenceResponse, PredictLog, PredictRequest, PredictResponse,
            PredictionLog, RegressLog, Regression, RegressionRequest, RegressionResponse, RegressionResult,
            SessionRunLog, inference_result, input, prediction_log::LogType,
        },
    },
};
use prost::Message;
use std::{cell::Cell, fs};
use tempfile::TempDir;

const EXACT: Tolerance = Tolerance { absolute: 1e-6, relative: 0.0, top_1: false };
const SETTINGS: Settings = Settings { tolerance: EXACT, rules: NO_RULES, timeout: Duration::from_mins(10) };
const NO_RULES: Rules = Rules { check_method_names: false, session_run: false };

/// A version with signatures for Examples that fails on 13, and its golden examples.
struct Version(TempDir);

impl Version {
    fn new() -> Self {
        let version = Self(TempDir::new().unwrap());
        write_version(version.0.path(), r#"{"fail_on": 13, "examples": true, "version": 7}"#).unwrap();
        fs::create_dir(version.0.path().join("assets.extra")).unwrap();
        version
    }

    fn with_records(self, logs: impl IntoIterator<Item = LogType>) -> Self {
        let record = |kind| PredictionLog { log_type: Some(kind), log_metadata: None }.encode_to_vec();
        let records: Vec<u8> = logs.into_iter().flat_map(|kind| frame(&record(kind))).collect();
        self.with_file(RECORDS_FILE, &records)
    }

    fn with_lines(self, lines: &str) -> Self {
        self.with_file(LINES_FILE, lines.as_bytes())
    }

    fn with_file(self, name: &str, content: &[u8]) -> Self {
        fs::write(self.0.path().join(name), content).unwrap();
        self
    }

    fn validate(&self) -> Result<ValidationReport, Error> {
        self.validate_by(SETTINGS, || true)
    }

    fn validate_by(&self, settings: Settings, goes_on: impl Fn() -> bool) -> Result<ValidationReport, Error> {
        let model = synthetic::load(self.0.path()).unwrap();
        validate(model.as_ref(), 7, self.0.path(), settings, goes_on)
    }

    /// How many are reproduced, and what is wrong with the others.
    fn told(&self) -> (usize, Vec<String>) {
        let report = self.validate().unwrap();
        let told = report.worst.iter().map(|each| format!("{}: {}", each.example, each.reason)).collect();
        (report.examples - report.mismatched, told)
    }

    fn refusal(&self) -> (Code, String) {
        let error = self.validate().unwrap_err();
        (error.code, error.message.replace(&self.0.path().display().to_string(), "{version}"))
    }
}

fn floats(values: &[f32]) -> Tensor {
    let packed: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    Tensor::new(DType::Float, vec![i64::try_from(values.len()).unwrap()], Data::Packed(packed.into()))
        .unwrap()
}

fn predict(x: f32, y: f32) -> LogType {
    let inputs = [("x".to_owned(), tensor_proto::encode(&floats(&[x])))].into();
    let outputs = [("y".to_owned(), tensor_proto::encode(&floats(&[y])))].into();
    LogType::PredictLog(PredictLog {
        request: Some(PredictRequest { inputs, ..Default::default() }),
        response: Some(PredictResponse { outputs, model_spec: None }),
    })
}

fn examples(values: &[f32]) -> Input {
    let example = |value: &f32| {
        let kind = Some(feature::Kind::FloatList(FloatList { value: vec![*value] }));
        Example { features: Some(Features { feature: [("x".to_owned(), Feature { kind })].into() }) }
    };
    let examples = values.iter().map(example).collect();
    Input { kind: Some(input::Kind::ExampleList(ExampleList { examples })) }
}

fn spec(signature: &str) -> ModelSpec {
    ModelSpec { name: "m".to_owned(), signature_name: signature.to_owned(), version_choice: None }
}

fn classified(up: &[f32]) -> ClassificationResult {
    let class = |label: &str, score| Class { label: label.to_owned(), score };
    let row = |&up: &f32| Classifications { classes: vec![class("up", up), class("down", -up)] };
    ClassificationResult { classifications: up.iter().map(row).collect() }
}

fn regressed(values: &[f32]) -> RegressionResult {
    RegressionResult { regressions: values.iter().map(|&value| Regression { value }).collect() }
}

fn classify(x: &[f32], up: &[f32]) -> LogType {
    LogType::ClassifyLog(ClassifyLog {
        request: Some(ClassificationRequest { model_spec: Some(spec("classify")), input: Some(examples(x)) }),
        response: Some(ClassificationResponse { result: Some(classified(up)), model_spec: None }),
    })
}

fn regress(x: &[f32], values: &[f32]) -> LogType {
    LogType::RegressLog(RegressLog {
        request: Some(RegressionRequest { model_spec: Some(spec("regress")), input: Some(examples(x)) }),
        response: Some(RegressionResponse { result: Some(regressed(values)), model_spec: None }),
    })
}

fn both(x: f32, up: f32, value: f32) -> LogType {
    let task = |signature: &str| InferenceTask {
        model_spec: Some(spec(signature)),
        method_name: format!("tensorflow/serving/{signature}"),
    };
    let result =
        |signature, result| InferenceResult { model_spec: Some(spec(signature)), result: Some(result) };
    LogType::MultiInferenceLog(MultiInferenceLog {
        request: Some(MultiInferenceRequest {
            tasks: vec![task("classify"), task("regress")],
            input: Some(examples(&[x])),
        }),
        response: Some(MultiInferenceResponse {
            results: vec![
                result("classify", inference_result::Result::ClassificationResult(classified(&[up]))),
                result("regress", inference_result::Result::RegressionResult(regressed(&[value]))),
            ],
        }),
    })
}

#[test]
fn a_version_without_golden_examples_has_an_empty_report() {
    assert_eq!(Version::new().validate(), Ok(ValidationReport::default()));
}

#[test]
fn records_of_every_kind_are_reproduced_or_said_how_not() {
    let right =
        [predict(1.0, 2.5), classify(&[1.0, 2.0], &[2.5, 3.0]), regress(&[2.0], &[3.0]), both(4.0, 4.0, 4.0)];
    assert_eq!(Version::new().with_records(right).told(), (4, vec![]));
    let wrong = [
        predict(1.0, 2.75),
        classify(&[1.0, 2.0], &[2.5, 3.5]),
        regress(&[2.0], &[4.0]),
        both(4.0, 4.0, 6.0),
        classify(&[1.0], &[2.5, 3.0]),
    ];
    let (right, told) = Version::new().with_records(wrong).told();
    let records = "of understudy_golden.tfrecord: output";
    assert_eq!(right, 0);
    assert_eq!(
        told,
        [
            format!("record 5 {records} scores: float [1, 2] instead of float [2, 2]"),
            format!("record 4 {records} regress.outputs: 4 instead of 6 at [0]"),
            format!("record 3 {records} outputs: 3 instead of 4 at [0]"),
            format!("record 2 {records} scores: 3 instead of 3.5 at [1, 0]"),
            format!("record 1 {records} y: 2.5 instead of 2.75 at [0]"),
        ]
    );
}

#[test]
fn lines_of_every_kind_are_reproduced_whether_they_state_all_outputs_or_some() {
    let lines = r#"
        {"instances": [1, 2], "predictions": [{"y": 2.5, "version": 7}, {"y": 3.0, "version": 7}]}
        {"instances": [1, 2], "predictions": [{"y": 2.5}, {"y": 3.0}]}
        {"inputs": [1, 2], "outputs": {"version": [7, 7]}}
        {"inputs": {"x": 4}, "outputs": {"y": 4}}
        {"instances": [{"x": [1]}], "output_filter": ["y"], "predictions": [[2.5]]}
        {"signature_name": "echo", "instances": ["a", {"b64": "Yg=="}], "predictions": ["a", "b"]}
        {"signature_name": "classify", "examples": [{"x": 1.0}], "results": [[["up", 2.5], ["down", -2.5]]]}
        {"signature_name": "regress", "examples": [{"x": 1.0}, {"x": 2.0}], "results": [2.5, 3.0]}
        {"method": "regress", "signature_name": "regress", "examples": [{"x": 1.0}], "results": [2.5]}
    "#;
    assert_eq!(Version::new().with_lines(lines).told(), (9, vec![]));
}

#[test]
fn a_line_that_is_not_reproduced_is_named_with_its_own_name_and_the_element_that_is_off() {
    let lines = r#"{"name": "one", "instances": [[0, 1]], "predictions": [{"y": [2, 2.5]}]}
{"name": "two", "instances": [[0, 1]], "predictions": [{"y": [2, 3]}]}

{"name": "three", "inputs": 13, "outputs": {"y": 8.5}}
{"name": "four", "inputs": 1, "outputs": {"version": 8}}"#;
    let (right, told) = Version::new().with_lines(lines).told();
    assert_eq!(right, 1);
    let lines = "of understudy_golden.jsonl";
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[0].starts_with(&format!("line 4 {lines} (three): INVALID_ARGUMENT: ")), "{told:?}");
    assert_eq!(told[1], format!("line 2 {lines} (two): output y: 2.5 instead of 3 at [0, 1]"));
    assert_eq!(told[2], format!("line 5 {lines} (four): output version: 7 instead of 8 at []"));
}

#[test]
fn what_a_line_lacks_is_said() {
    let cases = [
        (r#"{"instances": [1]}"#, "it needs either 'predictions' or 'outputs'"),
        (r#"{"inputs": 1, "outputs": {}}"#, "its right answer states no output"),
        (r#"{"inputs": 1, "predictions": {"y": 1}}"#, "its 'predictions' are no list"),
        (r#"{"inputs": 1, "outputs": 2.5}"#, "must name its outputs, because there are 2: version, y"),
        (r#"{"inputs": 1, "outputs": {"z": 2.5}}"#, "its answer names z, which is none of: version, y"),
        (r#"{"inputs": 1, "outputs": {"y": "a"}}"#, "its 'outputs': "),
        (r#"{"inputs": {"z": 1}, "outputs": {"y": 2.5}}"#, "INVALID_ARGUMENT: "),
        (r#"{"inputs": 1, "outputs": {"y": [2.5]}}"#, "output y: float [] instead of float [1]"),
        (r#"{"method": "guess", "inputs": 1}"#, "its 'method' is none of predict, classify, regress"),
        (
            r#"{"signature_name": "regress", "examples": [{}], "results": ["a"]}"#,
            "its 'results' are no lists",
        ),
        (r#"{"method": "regress", "examples": [{}], "results": ["a"]}"#, "its 'results' are no numbers"),
        (r#"{"method": "classify", "examples": [{}]}"#, "it needs a list of 'results'"),
        ("[1]", "Is not object"),
        ("{", "it is no JSON: "),
    ];
    for (line, text) in cases {
        let (right, told) = Version::new().with_lines(line).told();
        assert_eq!((right, told.len()), (0, 1), "{line}");
        assert!(told[0].contains(text), "{line}: {told:?}");
    }
}

#[test]
fn records_without_an_answer_and_of_kinds_that_have_none_are_mismatches() {
    let LogType::PredictLog(log) = predict(1.0, 1.0) else { unreachable!() };
    let warm_up = LogType::PredictLog(PredictLog { response: None, ..log });
    let session = LogType::SessionRunLog(SessionRunLog::default());
    let (right, told) = Version::new().with_records([warm_up, session]).told();
    assert_eq!((right, told.len()), (0, 2));
    assert!(told[0].contains("it has no answer to compare with"), "{told:?}");
    assert!(told[1].contains("cannot be golden examples"), "{told:?}");
}

#[test]
fn both_files_count_and_only_the_worst_are_described() {
    let version = Version::new()
        .with_records((1_u8..=4).map(|off| predict(0.0, 2.0 + f32::from(off))))
        .with_lines(r#"{"inputs": 1, "outputs": {"y": 102.5}}"#);
    let report = version.validate().unwrap();
    assert_eq!((report.examples, report.mismatched, report.latencies.len()), (5, 5, 5));
    let told: Vec<_> = report.worst.iter().map(|each| each.example.as_str()).collect();
    assert_eq!(told.len(), WORST_MAX);
    assert_eq!(told[..2], ["line 1 of understudy_golden.jsonl", "record 4 of understudy_golden.tfrecord"]);
    assert!(!report.slowest.is_empty());
    let more = Version::new().with_records((1_u8..=9).map(|off| predict(0.0, 2.0 + f32::from(off))));
    let report = more.validate().unwrap();
    assert_eq!((report.mismatched, report.worst.len()), (9, WORST_MAX));
    assert_eq!(report.worst[0].example, "record 9 of understudy_golden.tfrecord");
}

#[test]
fn the_tolerance_is_the_settings() {
    let version = Version::new().with_records([predict(0.0, 2.1)]);
    let wide = Tolerance { absolute: 0.2, ..EXACT };
    let report = version.validate_by(Settings { tolerance: wide, ..SETTINGS }, || true).unwrap();
    assert_eq!((report.examples, report.mismatched), (1, 0));
    assert_eq!(version.validate().unwrap().mismatched, 1);
}

#[test]
fn files_that_are_none_are_refused_with_the_place() {
    let (code, text) = Version::new().with_file(RECORDS_FILE, b"no record").refusal();
    assert_eq!(code, Code::DataLoss);
    assert_eq!(text, "record 1 of understudy_golden.tfrecord: truncated record at 0");
    let (_, text) = Version::new().with_file(RECORDS_FILE, &frame(&[])).refusal();
    assert_eq!(text, "record 1 of understudy_golden.tfrecord is of no kind");
    let (code, text) = Version::new().with_file(RECORDS_FILE, &frame(b"\xff\xff")).refusal();
    assert_eq!(code, Code::InvalidArgument);
    assert!(text.starts_with("record 1 of understudy_golden.tfrecord is no PredictionLog: "), "{text}");
    let version = Version::new();
    fs::create_dir(version.0.path().join(LINES_FILE)).unwrap();
    assert_eq!(version.refusal().1, format!("{{version}}/{LINES_FILE} is not a file"));
}

#[test]
fn there_may_be_so_many_and_no_more() {
    let lines = "{\"inputs\": 0, \"outputs\": {\"y\": 2}}\n".repeat(EXAMPLES_MAX);
    assert_eq!(Version::new().with_lines(&lines).told(), (EXAMPLES_MAX, vec![]));
    let refusal = Version::new().with_lines(&lines).with_records([predict(0.0, 2.0)]).refusal();
    let text = "there are more than 1000 golden examples; ship those that matter most";
    assert_eq!(refusal, (Code::InvalidArgument, text.to_owned()));
}

#[test]
fn a_file_that_claims_to_be_huge_is_refused_before_it_is_read() {
    let version = Version::new();
    let file = fs::File::create(version.0.path().join(LINES_FILE)).unwrap();
    file.set_len(FILE_BYTES_MAX + 1).unwrap();
    assert!(version.refusal().1.ends_with("golden examples may have 268435456"));
    file.set_len(LINE_BYTES_MAX as u64 + 1).unwrap();
    assert!(version.refusal().1.starts_with("line 1 of understudy_golden.jsonl is longer than"));
}

#[test]
fn it_stops_when_the_version_is_unloaded_and_when_the_time_is_up() {
    let version = Version::new().with_records([predict(0.0, 2.0), predict(0.0, 2.0), predict(0.0, 2.0)]);
    let asked = Cell::new(0);
    let error = version.validate_by(SETTINGS, || {
        asked.set(asked.get() + 1);
        asked.get() < 3
    });
    assert_eq!(error.unwrap_err().code, Code::Aborted);
    assert_eq!(asked.get(), 3);
    let error = version.validate_by(Settings { timeout: Duration::ZERO, ..SETTINGS }, || true);
    assert_eq!(error.unwrap_err().code, Code::DeadlineExceeded);
}
