//! One golden example: its question is asked as a client's would be, and the answer compared with the one it states.

use super::{
    Settings,
    files::Written,
    outputs::{self, Outputs},
};
use crate::{
    budget::{Budget, Charge},
    error::Error,
    examples::{Answer, Task},
    grpc::{ExamplesCodec, MultiInferenceCodec, PredictCodec},
    inference::{Answered, Codec, Run, SignatureRun},
    rest::{
        examples_request::RestExamples,
        golden as written,
        json::{Document, TAPE_BYTES_PER_BODY_BYTE_MAX, Value},
        predict_request::RestPredict,
    },
    runtime::{Model, Placement, RunOptions},
    shadow::{compare::Difference as Between, elements},
    tensor::Tensor,
    traffic::Tolerance,
    wire::tensorflow::serving::{MultiInferenceResponse, prediction_log::LogType},
};
use bytes::Bytes;
use prost::Message;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// In this thread, which yields to those of requests.
const OPTIONS: RunOptions = RunOptions { placement: Placement::Caller, timeout: None };

/// How often an example is run again once it has been answered; the fastest run counts, for what slows down the
/// others is not the model.
const TIMED_RUNS: usize = 3;

/// A line's document and tensors take at most so many times its bytes.
const BYTES_PER_LINE_BYTE_MAX: usize = 4 * TAPE_BYTES_PER_BODY_BYTE_MAX;

const NAME_KEY: &str = "name";
const EXAMPLES_KEY: &str = "examples";
const RESULTS_KEY: &str = "results";
const METHOD_KEY: &str = "method";

/// What came of one example.
#[derive(Debug)]
pub(super) struct Outcome {
    /// As its line calls it; empty: not at all.
    pub(super) name: String,
    /// How long the model took, once it had done it before; none when it failed.
    pub(super) took: Option<Duration>,
    /// How its answer differs; none: it does not.
    pub(super) difference: Option<Difference>,
}

/// How an answer differs from the right one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Difference {
    /// For people.
    pub(super) text: String,
    /// To tell the worst; infinite for what has no distance.
    pub(super) distance: f64,
}

impl Difference {
    fn total(text: impl Into<String>) -> Self {
        Self { text: text.into(), distance: f64::INFINITY }
    }
}

/// The model and how it is to be asked.
#[derive(Clone, Copy)]
pub(super) struct Examinee<'a> {
    pub(super) model: &'a dyn Model,
    pub(super) version: i64,
    pub(super) settings: Settings,
}

impl Examinee<'_> {
    /// Asks one example.
    pub(super) fn ask(self, example: Written) -> Outcome {
        let name = match &example {
            Written::Record(_) => String::new(),
            Written::Line(line) => name_of(line),
        };
        let judged = match example {
            Written::Record(kind) => self.ask_record(*kind),
            Written::Line(line) => self.ask_line(line),
        };
        match judged {
            Ok((took, difference)) => Outcome { name, took: Some(took), difference },
            Err(error) => {
                Outcome { name, took: None, difference: Some(Difference::total(error.to_string())) }
            }
        }
    }

    fn ask_record(self, kind: LogType) -> Result<Judged, Error> {
        let rules = self.settings.rules;
        match kind {
            LogType::PredictLog(log) => {
                let expected = outputs::of_predict(stated(log.response)?)?;
                let (codec, _) = PredictCodec::read(bytes(log.request), rules)?;
                self.judge(codec, |_, _| Ok(expected), predicted)
            }
            LogType::ClassifyLog(log) => {
                let expected = outputs::of_classification(stated(log.response)?.result.unwrap_or_default())?;
                let (codec, _) = ExamplesCodec::read(Task::Classify, bytes(log.request), rules)?;
                self.judge(codec, |_, _| Ok(expected), answered(Task::Classify))
            }
            LogType::RegressLog(log) => {
                let expected = outputs::of_regression(stated(log.response)?.result.unwrap_or_default())?;
                let (codec, _) = ExamplesCodec::read(Task::Regress, bytes(log.request), rules)?;
                self.judge(codec, |_, _| Ok(expected), answered(Task::Regress))
            }
            LogType::MultiInferenceLog(log) => {
                let expected = outputs::of_multi_inference(stated(log.response)?)?;
                let (codec, _) = MultiInferenceCodec::read(bytes(log.request), rules)?;
                self.judge(
                    codec,
                    |_, _| Ok(expected),
                    |codec, by, run, tensors| {
                        let message = codec.encode(by, run, tensors)?;
                        let response = MultiInferenceResponse::decode(message)
                            .map_err(|error| Error::internal(format!("its answer is no answer: {error}")))?;
                        outputs::of_multi_inference(response)
                    },
                )
            }
            LogType::SessionRunLog(_) | LogType::PredictStreamedLog(_) => {
                Err(Error::unimplemented("records of this kind cannot be golden examples"))
            }
        }
    }

    fn ask_line(self, line: Bytes) -> Result<Judged, Error> {
        let document = Document::parse(line.clone())
            .map_err(|error| Error::invalid_argument(format!("it is no JSON: {error}")))?;
        let (charge, rules) = (charge_of(&line)?, self.settings.rules);
        match task_of(&document)? {
            None => {
                let codec = RestPredict::parse(line, charge, rules)?;
                let expected = |by: Answered<'_>, run: &SignatureRun| {
                    let declared = &by.signature(run)?.outputs;
                    let asked = run.inputs.outputs.iter().filter_map(|&index| declared.get(index));
                    written::read_outputs(&document, &asked.collect::<Vec<_>>())
                };
                self.judge(codec, expected, predicted)
            }
            Some(Task::Classify) => {
                let expected = outputs::of_classes(written::read_classifications(&document)?)?;
                let codec = RestExamples::classify(line, charge, rules)?;
                self.judge(codec, |_, _| Ok(expected), answered(Task::Classify))
            }
            Some(Task::Regress) => {
                let expected = outputs::of_values(&written::read_regressions(&document)?)?;
                let codec = RestExamples::regress(line, charge, rules)?;
                self.judge(codec, |_, _| Ok(expected), answered(Task::Regress))
            }
        }
    }

    /// Asks by a codec. `expected` says what is right, as far as it is known; `actual` reads what the model said.
    fn judge<C: Codec>(
        self,
        mut codec: C,
        expected: impl FnOnce(Answered<'_>, &C::Run) -> Result<Outputs, Error>,
        actual: impl FnOnce(C, Answered<'_>, &C::Run, Vec<Tensor>) -> Result<Outputs, Error>,
    ) -> Result<Judged, Error> {
        let by = Answered { version: self.version, signatures: self.model.signatures() };
        let run = codec.decode(by.signatures)?;
        let expected = expected(by, &run)?;
        let tensors = run.run(self.model, OPTIONS)?;
        let took = self.time(&run)?;
        let actual = actual(codec, by, &run, tensors)?;
        Ok((took, worst_difference(&expected, &actual, self.settings.tolerance)))
    }

    fn time(self, run: &impl Run) -> Result<Duration, Error> {
        let mut fastest = Duration::MAX;
        for _ in 0..TIMED_RUNS {
            let begun = Instant::now();
            run.run(self.model, OPTIONS)?;
            fastest = fastest.min(begun.elapsed());
        }
        Ok(fastest)
    }
}

/// How long it took, and how it differs.
type Judged = (Duration, Option<Difference>);

fn predicted<C>(
    _codec: C,
    by: Answered<'_>,
    run: &SignatureRun,
    tensors: Vec<Tensor>,
) -> Result<Outputs, Error> {
    Ok(outputs::of_run(by.signature(run)?, &run.inputs.outputs, tensors))
}

fn answered<C>(
    task: Task,
) -> impl FnOnce(C, Answered<'_>, &SignatureRun, Vec<Tensor>) -> Result<Outputs, Error> {
    move |_codec, by, run, tensors| {
        let examples = run.inputs.tensors.first().and_then(|input| input.shape().first().copied());
        let signature = by.signature(run)?;
        let answer =
            Answer::read(task, signature, &run.inputs.outputs, &tensors, examples.unwrap_or_default())?;
        outputs::of_answer(&answer)
    }
}

/// Of the outputs that the right answer has, the one that is furthest off; others are not looked at.
fn worst_difference(expected: &Outputs, actual: &Outputs, tolerance: Tolerance) -> Option<Difference> {
    if expected.is_empty() {
        return Some(Difference::total("its right answer states no output"));
    }
    let differences = expected.iter().filter_map(|(name, right)| match actual.get(name) {
        None => Some(Difference::total(format!("output {name} is not answered"))),
        Some(tensor) => difference(name, right, tensor, tolerance),
    });
    differences.max_by(|one, other| one.distance.total_cmp(&other.distance))
}

fn difference(name: &str, right: &Tensor, tensor: &Tensor, tolerance: Tolerance) -> Option<Difference> {
    let found = Between::between(right, tensor, tolerance);
    if found.agrees {
        return None;
    }
    let at = found.worst.and_then(|index| {
        let (is, should_be) = (elements::text(tensor, index)?, elements::text(right, index)?);
        Some(format!("{is} instead of {should_be} at {:?}", place(index, right.shape())))
    });
    let text = at.unwrap_or_else(|| format!("{} instead of {}", kind(tensor), kind(right)));
    Some(Difference { text: format!("output {name}: {text}"), distance: found.severity })
}

/// Where an element is, row major.
fn place(mut index: usize, shape: &[i64]) -> Vec<usize> {
    let mut place = Vec::with_capacity(shape.len());
    for size in shape.iter().rev().map(|&size| usize::try_from(size).unwrap_or_default().max(1)) {
        place.push(index % size);
        index /= size;
    }
    place.reverse();
    place
}

fn kind(tensor: &Tensor) -> String {
    format!("{} {:?}", tensor.dtype().name(), tensor.shape())
}

fn bytes(request: Option<impl Message + Default>) -> Bytes {
    request.unwrap_or_default().encode_to_vec().into()
}

fn stated<M>(response: Option<M>) -> Result<M, Error> {
    response.ok_or_else(|| {
        Error::invalid_argument("it has no answer to compare with, as a warm-up record has none")
    })
}

fn name_of(line: &Bytes) -> String {
    let name = Document::parse(line.clone()).ok();
    let name = name.as_ref().and_then(|document| document.root().member(NAME_KEY)?.text());
    name.map(|name| String::from_utf8_lossy(&name).into_owned()).unwrap_or_default()
}

/// What a line with Examples is for: what it says, or else what its results look like. None: Predict.
fn task_of(document: &Document) -> Result<Option<Task>, Error> {
    let root = document.root();
    match root.member(METHOD_KEY).map(|method| method.text().unwrap_or_default()) {
        Some(method) => match &*method {
            b"predict" => Ok(None),
            b"classify" => Ok(Some(Task::Classify)),
            b"regress" => Ok(Some(Task::Regress)),
            _ => Err(Error::invalid_argument("its 'method' is none of predict, classify, regress")),
        },
        None if root.member(EXAMPLES_KEY).is_none() => Ok(None),
        None => {
            let first = root.member(RESULTS_KEY).and_then(Value::first);
            let is_number = first.is_some_and(|first| first.number().is_some());
            Ok(Some(if is_number { Task::Regress } else { Task::Classify }))
        }
    }
}

/// A budget for this line alone.
fn charge_of(line: &Bytes) -> Result<Charge, Error> {
    let most = line.len().saturating_mul(BYTES_PER_LINE_BYTE_MAX);
    Budget::new(most, Arc::default()).charge(line.len())
}
