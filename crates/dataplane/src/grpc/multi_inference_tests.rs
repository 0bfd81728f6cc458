//! The order of the checks and their texts, and that all tasks are one run.
#![allow(clippy::unwrap_used)] // a test may panic

use super::*;
use crate::{
    error::Code,
    inference::Run,
    runtime::{Model, Placement, RunOptions},
    signature::{Signature, TensorSpec},
    tensor::{DType, Data},
    wire::tensorflow::{
        Example,
        serving::{ExampleList, Input, Regression, input::Kind, model_spec::VersionChoice},
    },
};
use std::{collections::BTreeMap, sync::Mutex};

const CLASSIFY: &str = "tensorflow/serving/classify";
const REGRESS: &str = "tensorflow/serving/regress";

fn spec(alias: &str) -> TensorSpec {
    TensorSpec { alias: alias.to_owned(), name: format!("{alias}:0"), dtype_number: 7, shape: None }
}

fn signature(name: &str, outputs: &[&str]) -> Signature {
    Signature {
        name: name.to_owned(),
        method_name: REGRESS.to_owned(),
        inputs: vec![spec("inputs")],
        outputs: outputs.iter().map(|alias| spec(alias)).collect(),
        defaults: BTreeMap::new(),
    }
}

/// `c` classifies by scores, `r` and the default one regress.
fn signatures() -> Signatures {
    let list = vec![
        signature("c", &["scores"]),
        signature("r", &["outputs"]),
        signature("serving_default", &["outputs"]),
    ];
    Signatures::new(list, BTreeMap::new())
}

fn task(model: &str, signature_name: &str, method_name: &str) -> InferenceTask {
    let version_choice = Some(VersionChoice::Version(9));
    let spec =
        ModelSpec { name: model.to_owned(), signature_name: signature_name.to_owned(), version_choice };
    InferenceTask { model_spec: Some(spec), method_name: method_name.to_owned() }
}

fn codec(tasks: Vec<InferenceTask>, examples: usize, rules: Rules) -> MultiInferenceCodec {
    let list = ExampleList { examples: vec![Example::default(); examples] };
    let request = MultiInferenceRequest { tasks, input: Some(Input { kind: Some(Kind::ExampleList(list)) }) };
    MultiInferenceCodec::read(request.encode_to_vec().into(), rules).unwrap().0
}

fn floats(shape: &[i64], values: &[f32]) -> Tensor {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    Tensor::new(DType::Float, shape.to_vec(), Data::Packed(bytes.into())).unwrap()
}

#[test]
fn tasks_are_judged_one_by_one_in_the_words_of_tensorflow_serving() {
    let regress = || task("m", "r", REGRESS);
    let nameless = InferenceTask { model_spec: None, method_name: REGRESS.to_owned() };
    let invalid = Code::InvalidArgument;
    let cases = [
        (vec![], invalid, "ModelSpec has no name specified."),
        (vec![nameless], invalid, "Found ModelSpec with an empty model name."),
        (vec![regress(), task("", "c", CLASSIFY)], invalid, "Found ModelSpec with an empty model name."),
        (
            vec![regress(), task("n", "r", "x")],
            invalid,
            "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
        ),
        (vec![regress(), task("m", "r", "x")], invalid, "Duplicate evaluation of signature: r"),
        (
            vec![task("m", "", REGRESS), task("m", "serving_default", REGRESS)],
            invalid,
            "Duplicate evaluation of signature: serving_default",
        ),
        (vec![task("m", "lost", "x")], invalid, "Requested signature not found in model graph: lost"),
        (
            vec![task("m", "r", "tensorflow/serving/predict"), task("n", "r", REGRESS)],
            Code::Unimplemented,
            "Unsupported signature method_name: tensorflow/serving/predict",
        ),
        (
            vec![regress(), task("m", "c", REGRESS)],
            invalid,
            "No regression outputs found in SignatureDef: scores",
        ),
        (vec![regress()], invalid, "Input is empty."),
    ];
    for (tasks, code, text) in cases {
        let error = codec(tasks, 0, Rules::default()).decode(&signatures()).unwrap_err();
        assert_eq!(error, Error::new(code, text));
    }
}

#[test]
fn method_names_are_checked_when_the_operator_wants_it() {
    let rules = Rules { check_method_names: true, session_run: false };
    let tasks = vec![task("m", "r", REGRESS), task("m", "c", CLASSIFY)];
    let error = codec(tasks, 1, rules).decode(&signatures()).unwrap_err();
    let text = format!("Expected classification signature method_name to be {CLASSIFY}. Was: {REGRESS}");
    assert_eq!(error, Error::invalid_argument(text));
}

#[test]
fn the_first_task_alone_says_which_version_answers() {
    let other = InferenceTask {
        model_spec: Some(ModelSpec { name: "n".to_owned(), ..ModelSpec::default() }),
        ..InferenceTask::default()
    };
    let request = MultiInferenceRequest { tasks: vec![task("m", "r", REGRESS), other], input: None };
    let message = request.encode_to_vec().into();
    let (codec, spec) = MultiInferenceCodec::read(message, Rules::default()).unwrap();
    assert_eq!(Some(&spec), request.tasks.first().unwrap().model_spec.as_ref());
    assert_eq!(codec.tasks, request.tasks);
}

/// Notes how often it is run, and with what; answers head `c` with scores, others with numbers.
struct Noting {
    signatures: Signatures,
    runs: Mutex<Vec<Vec<Head>>>,
}

impl Model for Noting {
    fn signatures(&self) -> &Signatures {
        &self.signatures
    }

    fn run(&self, _: usize, _: &[Tensor], _: &[usize], _: RunOptions) -> Result<Vec<Tensor>, Error> {
        Err(Error::internal("a head was run by itself"))
    }

    fn run_heads(&self, heads: &[Head], input: &Tensor, _: RunOptions) -> Result<Vec<Tensor>, Error> {
        assert_eq!(input.shape(), [1]);
        self.runs.lock().unwrap().push(heads.to_vec());
        let answer = |head: &Head| match head.signature {
            0 => floats(&[1, 2], &[0.25, 0.75]),
            _ => floats(&[1], &[4.0]),
        };
        Ok(heads.iter().map(answer).collect())
    }
}

const OPTIONS: RunOptions = RunOptions { placement: Placement::Caller, timeout: None };

#[test]
fn all_tasks_are_one_run_and_answered_in_their_order() {
    let model = Noting { signatures: signatures(), runs: Mutex::default() };
    let mut codec = codec(
        vec![task("m", "", REGRESS), task("m", "c", CLASSIFY), task("m", "r", REGRESS)],
        1,
        Rules::default(),
    );
    assert_eq!(codec.choose(model.signatures()), Ok(Some(2)));
    let run = codec.decode(model.signatures()).unwrap();
    let outputs = run.run(&model, OPTIONS).unwrap();
    let answered = Answered { version: 7, signatures: model.signatures() };
    let response = MultiInferenceResponse::decode(codec.encode(answered, &run, outputs).unwrap()).unwrap();
    let runs = model.runs.into_inner().unwrap();
    let signatures: Vec<Vec<usize>> =
        runs.iter().map(|heads| heads.iter().map(|head| head.signature).collect()).collect();
    assert_eq!(signatures, [[2, 0, 1]]);
    let told = |result: &InferenceResult| {
        let spec = result.model_spec.clone().unwrap();
        let scores = match result.result.clone().unwrap() {
            inference_result::Result::ClassificationResult(found) => {
                found.classifications.iter().flat_map(|row| &row.classes).map(|class| class.score).collect()
            }
            inference_result::Result::RegressionResult(found) => {
                found.regressions.iter().map(|Regression { value }| *value).collect::<Vec<_>>()
            }
        };
        assert_eq!((spec.name.as_str(), spec.version_choice), ("m", Some(VersionChoice::Version(7))));
        (spec.signature_name, scores)
    };
    let results: Vec<(String, Vec<f32>)> = response.results.iter().map(told).collect();
    let row = |name: &str, scores: &[f32]| (name.to_owned(), scores.to_vec());
    assert_eq!(results, [row("serving_default", &[4.0]), row("c", &[0.25, 0.75]), row("r", &[4.0])]);
}

#[test]
fn one_answer_that_does_not_fit_fails_them_all() {
    let signatures = signatures();
    let mut codec = codec(vec![task("m", "r", REGRESS), task("m", "c", CLASSIFY)], 1, Rules::default());
    let run = codec.decode(&signatures).unwrap();
    let answered = Answered { version: 7, signatures: &signatures };
    let error = codec.encode(answered, &run, vec![floats(&[1], &[4.0]), floats(&[1], &[4.0])]).unwrap_err();
    assert_eq!(error.message, "Expected Tensor shape: [batch_size num_classes] but got [1]");
}

#[test]
fn a_wrong_number_of_outputs_is_the_runtimes_fault() {
    struct Silent(Signatures);
    impl Model for Silent {
        fn signatures(&self) -> &Signatures {
            &self.0
        }

        fn run(&self, _: usize, _: &[Tensor], _: &[usize], _: RunOptions) -> Result<Vec<Tensor>, Error> {
            Ok(Vec::new())
        }
    }
    let model = Silent(signatures());
    let run = codec(vec![task("m", "r", REGRESS)], 1, Rules::default()).decode(&model.0).unwrap();
    assert_eq!(run.run(&model, OPTIONS), Err(Error::unknown("MultiInference internal error")));
}

#[test]
fn more_tasks_than_any_model_has_signatures_are_refused() {
    let request = MultiInferenceRequest { tasks: vec![InferenceTask::default(); TASKS_MAX + 1], input: None };
    let error = MultiInferenceCodec::read(request.encode_to_vec().into(), Rules::default()).unwrap_err();
    assert_eq!(error, Error::invalid_argument("A request has at most 65536 tasks"));
}

#[test]
fn what_is_no_message_is_an_internal_error_that_names_it() {
    for broken in [&b"\xff"[..], b"\x0a\x01\xff"] {
        let error = MultiInferenceCodec::read(Bytes::from_static(broken), Rules::default()).unwrap_err();
        assert_eq!(error.code, Code::Internal);
        assert!(error.message.contains("tensorflow.serving.MultiInferenceRequest"), "{error}");
    }
}
