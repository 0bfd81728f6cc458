//! A golden example as JSON: a request's body, with the keys of its answer beside those of the question.
//!
//! The question is read by the codec that reads requests, which passes over what it does not know; here the answer
//! is read: `predictions` or `outputs` by the outputs that it names, `results` by its layout.

use super::{
    json::{Document, Kind, Value},
    predict_request::{Form, read_columns},
    rounding,
    rows::{self, is_named},
};
use crate::{
    error::Error,
    signature::{Signature, TensorSpec},
    tensor::{DType, Data, Tensor},
};
use bytes::Bytes;
use std::collections::BTreeMap;

const PREDICTIONS_KEY: &str = "predictions";
const OUTPUTS_KEY: &str = "outputs";
const RESULTS_KEY: &str = "results";

/// Tensors by the names of outputs.
pub(crate) type Outputs = BTreeMap<String, Tensor>;

/// The outputs that a Predict answer states. Of several that are `asked` it may name some and leave out others.
pub(crate) fn read_outputs(document: &Document, asked: &[&TensorSpec]) -> Result<Outputs, Error> {
    let root = document.root();
    let (key, form, value) = match (root.member(PREDICTIONS_KEY), root.member(OUTPUTS_KEY)) {
        (Some(rows), None) if rows.is_array() => (PREDICTIONS_KEY, Form::Rows, rows),
        (None, Some(columns)) => (OUTPUTS_KEY, Form::Columns, columns),
        (Some(_), None) => return Err(Error::invalid_argument("its 'predictions' are no list")),
        _ => return Err(Error::invalid_argument("it needs either 'predictions' or 'outputs'")),
    };
    let sample = if form == Form::Rows { value.first() } else { Some(value) };
    let stated = stated(sample, asked)?;
    let as_inputs = Signature {
        name: String::new(),
        method_name: String::new(),
        inputs: stated.into_iter().cloned().collect(),
        outputs: Vec::new(),
        defaults: BTreeMap::new(),
    };
    let tensors = match form {
        Form::Rows => rows::read(value, &as_inputs),
        Form::Columns => read_columns(value, &as_inputs),
    };
    let tensors =
        tensors.map_err(|error| Error::invalid_argument(format!("its '{key}': {}", error.message)))?;
    Ok(as_inputs.inputs.into_iter().map(|spec| spec.alias).zip(tensors).collect())
}

/// The outputs that a row, or all columns, name; the only one where they name none. Sorted by name.
fn stated<'a>(sample: Option<Value<'_>>, asked: &[&'a TensorSpec]) -> Result<Vec<&'a TensorSpec>, Error> {
    let all: Vec<TensorSpec> = asked.iter().map(|&spec| spec.clone()).collect();
    let Some(named) = sample.filter(|sample| is_named(*sample, &all)) else {
        return match asked {
            [only] => Ok(vec![only]),
            _ => Err(Error::invalid_argument(format!(
                "its answer must name its outputs, because there are {}: {}",
                asked.len(),
                names(asked)
            ))),
        };
    };
    let mut stated = BTreeMap::new();
    for (key, _) in named.members() {
        let name = key.text().unwrap_or_default();
        let spec = asked.iter().find(|spec| spec.alias.as_bytes() == &*name).ok_or_else(|| {
            let name = String::from_utf8_lossy(&name);
            Error::invalid_argument(format!("its answer names {name}, which is none of: {}", names(asked)))
        })?;
        stated.insert(spec.alias.as_str(), *spec);
    }
    Ok(stated.into_values().collect())
}

fn names(specs: &[&TensorSpec]) -> String {
    specs.iter().map(|spec| spec.alias.as_str()).collect::<Vec<_>>().join(", ")
}

/// The `results` of a Classify answer: for each Example a list of pairs, a label and a score each.
pub(crate) fn read_classifications(document: &Document) -> Result<Vec<Vec<(Bytes, f32)>>, Error> {
    let wrong =
        || Error::invalid_argument("its 'results' are no lists of [label, score], one for each Example");
    let pair = |pair: Value<'_>| {
        let mut parts = pair.elements();
        match (parts.next()?.shared_text(), number(parts.next()?), parts.next()) {
            (Some(label), Some(score), None) => Some((label, score)),
            _ => None,
        }
    };
    let row = |row: Value<'_>| row.is_array().then(|| row.elements().map(pair).collect()).flatten();
    results(document)?.elements().map(row).collect::<Option<_>>().ok_or_else(wrong)
}

/// The `results` of a Regress answer: a number for each Example.
pub(crate) fn read_regressions(document: &Document) -> Result<Vec<f32>, Error> {
    let read: Option<_> = results(document)?.elements().map(number).collect();
    read.ok_or_else(|| Error::invalid_argument("its 'results' are no numbers, one for each Example"))
}

fn results(document: &Document) -> Result<Value<'_>, Error> {
    let results = document.root().member(RESULTS_KEY).filter(|results| results.kind() == Kind::Array);
    results.ok_or_else(|| Error::invalid_argument("it needs a list of 'results'"))
}

fn number(value: Value<'_>) -> Option<f32> {
    value.number().map(|number| rounding::to_float(number.to_double()))
}

/// A vector of floats, or a matrix.
pub(crate) fn floats(values: &[f32], shape: Vec<i64>) -> Result<Tensor, Error> {
    let packed: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    Tensor::new(DType::Float, shape, Data::Packed(packed.into()))
}
