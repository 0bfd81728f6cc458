//! A Classify or Regress request's JSON: Examples whose features are typed by how their values are written.
//!
//! All of it is read before the model is looked up, as in TensorFlow Serving, whose order and words these are.

use super::{
    elements::{decode_base64, is_base64},
    json::{Document, Kind, Number, Value},
    logged::{self, Asked},
    request::{JsonRequest, value_error},
    results, rounding,
};
use crate::{
    budget::Charge,
    error::Error,
    examples::{Answer, Examples, Task},
    inference::{Answered, Api, Codec, Door, Rules, SignatureRun},
    request_log::Messages,
    signature::Signatures,
    tensor::Tensor,
    traffic::Key,
    wire::tensorflow::{BytesList, Example, Feature, Features, FloatList, Int64List, feature},
};
use bytes::Bytes;
use prost::Message;

const CONTEXT_KEY: &str = "context";
const EXAMPLES_KEY: &str = "examples";

/// At most so many bytes each node of a document takes while it becomes part of an Example, its text left out: a
/// feature without values takes the most, and that is two nodes.
const EXAMPLE_BYTES_PER_NODE_MAX: usize = 64;

/// A Classify or Regress request that came as JSON.
#[derive(Debug)]
pub struct RestExamples {
    task: Task,
    rules: Rules,
    signature_name: String,
    examples: Examples,
    /// How many Examples there are.
    count: i64,
    /// For the Examples, until the answer is written.
    _charge: Charge,
}

impl RestExamples {
    /// Reads a Classify request.
    pub fn classify(body: Bytes, charge: Charge, rules: Rules) -> Result<Self, Error> {
        Self::parse(Task::Classify, body, charge, rules)
    }

    /// Reads a Regress request.
    pub fn regress(body: Bytes, charge: Charge, rules: Rules) -> Result<Self, Error> {
        Self::parse(Task::Regress, body, charge, rules)
    }

    fn parse(task: Task, body: Bytes, mut charge: Charge, rules: Rules) -> Result<Self, Error> {
        let JsonRequest { document, signature_name, tape_bytes } = JsonRequest::parse(body, &mut charge)?;
        let most = document.nodes().saturating_mul(EXAMPLE_BYTES_PER_NODE_MAX) + document.body_bytes();
        charge.grow(most)?;
        let examples = read(&document)?;
        charge.shrink((tape_bytes + most).saturating_sub(examples.bytes()));
        let count = examples.count();
        Ok(Self { task, rules, signature_name, examples, count, _charge: charge })
    }
}

impl Codec for RestExamples {
    type Run = SignatureRun;

    fn api(&self) -> Api {
        self.task.api()
    }

    fn door(&self) -> Door {
        Door::Rest
    }

    fn choose(&self, signatures: &Signatures) -> Result<Option<usize>, Error> {
        let head = self.task.head(signatures, &self.signature_name, self.rules)?;
        Ok(Some(head.signature))
    }

    fn routing_key(&self, feature: &str) -> Option<Key> {
        self.examples.routing_key(feature)
    }

    fn decode(&mut self, signatures: &Signatures) -> Result<SignatureRun, Error> {
        let head = self.task.head(signatures, &self.signature_name, self.rules)?;
        Ok((head, std::mem::take(&mut self.examples).into_tensor()?).into())
    }

    fn messages(
        &self,
        model: &str,
        answered: Answered<'_>,
        run: &SignatureRun,
        outputs: &[Tensor],
    ) -> Option<Messages> {
        let signature = answered.signature(run).ok()?;
        let answer = Answer::read(self.task, signature, &run.inputs.outputs, outputs, self.count).ok()?;
        logged::examples(Asked { model, signature_name: &self.signature_name }, answered, run, &answer)
    }

    fn encode(
        self,
        answered: Answered<'_>,
        run: &SignatureRun,
        outputs: Vec<Tensor>,
    ) -> Result<Bytes, Error> {
        let signature = answered.signature(run)?;
        let answer = Answer::read(self.task, signature, &run.inputs.outputs, &outputs, self.count)?;
        Ok(results::write(&answer).into())
    }
}

fn read(document: &Document) -> Result<Examples, Error> {
    let root = document.root();
    let mut examples = Examples::default();
    if let Some(context) = root.member(CONTEXT_KEY) {
        examples.context = read_example(context)?;
    }
    let list = root.member(EXAMPLES_KEY).ok_or_else(|| {
        value_error(root, "When method is classify, key 'examples' is expected and was not found")
    })?;
    if !list.is_array() {
        return Err(value_error(root, "Expecting 'examples' value to be an list/array"));
    }
    if list.is_empty() {
        return Err(value_error(root, "'examples' value is an empty array"));
    }
    list.elements().try_for_each(|value| examples.push(read_example(value)?))?;
    Ok(examples)
}

/// One Example, serialized.
fn read_example(value: Value<'_>) -> Result<Bytes, Error> {
    if !value.is_object() {
        let found = value.type_name();
        return Err(Error::invalid_argument(format!("Example must be JSON object but got JSON {found}")));
    }
    let mut features = Features::default();
    for (key, content) in value.members() {
        let name = String::from_utf8_lossy(&key.text().unwrap_or_default()).into_owned();
        let feature = read_feature(&name, content)?;
        features.feature.insert(name, feature); // of two of one name the last counts
    }
    Ok(Example { features: (!value.is_empty()).then_some(features) }.encode_to_vec().into())
}

/// A list of values, or one value; an empty list is a feature of no kind.
fn read_feature(name: &str, content: Value<'_>) -> Result<Feature, Error> {
    let mut feature = Feature::default();
    if content.is_array() {
        content.elements().try_for_each(|value| add(&mut feature.kind, name, value))?;
    } else {
        add(&mut feature.kind, name, content)?;
    }
    Ok(feature)
}

/// Adds a value to a feature, whose kind is that of its first value.
fn add(kind: &mut Option<feature::Kind>, name: &str, value: Value<'_>) -> Result<(), Error> {
    match value.kind() {
        Kind::False | Kind::True => {
            let integers = integers(kind).map_err(|kind| other_kind(name, kind))?;
            integers.push(i64::from(value.kind() == Kind::True));
        }
        Kind::Negative | Kind::Unsigned => {
            let integers = integers(kind).map_err(|kind| other_kind(name, kind))?;
            let value = value.number().and_then(Number::to_signed);
            integers.push(value.ok_or_else(|| {
                Error::invalid_argument(format!(
                    "Feature: {name} has uint64_t element. Only int64_t is supported."
                ))
            })?);
        }
        Kind::Double => {
            let floats = floats(kind).map_err(|kind| other_kind(name, kind))?;
            floats.push(rounding::to_float(value.number().map_or(0.0, Number::to_double)));
        }
        Kind::String | Kind::EscapedString => {
            let strings = strings(kind).map_err(|kind| other_kind(name, kind))?;
            strings.push(value.shared_text().unwrap_or_default());
        }
        Kind::Object if is_base64(value) => {
            let strings = strings(kind).map_err(|kind| other_kind(name, kind))?;
            strings.push(decode_base64(value)?);
        }
        Kind::Null | Kind::Array | Kind::Object => {
            let found = value.type_name();
            return Err(Error::invalid_argument(format!(
                "Feature: {name} has element with unexpected JSON type: {found}"
            )));
        }
    }
    Ok(())
}

/// The integers of a feature that has integers, or nothing yet; otherwise the kind that it has.
fn integers(kind: &mut Option<feature::Kind>) -> Result<&mut Vec<i64>, &'static str> {
    match kind.get_or_insert_with(|| feature::Kind::Int64List(Int64List::default())) {
        feature::Kind::Int64List(list) => Ok(&mut list.value),
        other => Err(kind_name(other)),
    }
}

/// The same of numbers.
fn floats(kind: &mut Option<feature::Kind>) -> Result<&mut Vec<f32>, &'static str> {
    match kind.get_or_insert_with(|| feature::Kind::FloatList(FloatList::default())) {
        feature::Kind::FloatList(list) => Ok(&mut list.value),
        other => Err(kind_name(other)),
    }
}

/// The same of strings.
fn strings(kind: &mut Option<feature::Kind>) -> Result<&mut Vec<Bytes>, &'static str> {
    match kind.get_or_insert_with(|| feature::Kind::BytesList(BytesList::default())) {
        feature::Kind::BytesList(list) => Ok(&mut list.value),
        other => Err(kind_name(other)),
    }
}

fn kind_name(kind: &feature::Kind) -> &'static str {
    match kind {
        feature::Kind::BytesList(_) => "bytes",
        feature::Kind::FloatList(_) => "float",
        feature::Kind::Int64List(_) => "int64",
    }
}

fn other_kind(name: &str, kind: &str) -> Error {
    Error::invalid_argument(format!("Unexpected element type in feature: {name} expecting type: {kind}"))
}

#[cfg(test)]
#[path = "examples_request_tests.rs"]
mod tests;
