//! A Predict request's JSON: which signature it names, and its tensors in row form (`instances`) or column form
//! (`inputs`). The order of the checks and their words are TensorFlow Serving's.

use super::{
    elements::{Elements, is_base64, tensor_bytes_max},
    json::{Document, Value, dump},
    predict_response,
};
use crate::{
    budget::Charge,
    error::Error,
    inference::{Answered, Api, Codec, Door, Inputs, SignatureRun},
    signature::{DEFAULT_SIGNATURE, Signature, Signatures, TensorSpec},
    tensor::Tensor,
};
use bytes::Bytes;

const SIGNATURE_KEY: &str = "signature_name";
const ROWS_KEY: &str = "instances";
const COLUMNS_KEY: &str = "inputs";

/// How the tensors are laid out in a request, and therefore in its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `instances` and `predictions`: the batch dimension is the outer list.
    Rows,
    /// `inputs` and `outputs`: each tensor whole.
    Columns,
}

/// A Predict request that came as JSON.
#[derive(Debug)]
pub struct RestPredict {
    document: Document,
    signature_name: String,
    form: Form,
    tape_bytes: usize,
    /// For the document until it is decoded, for the tensors until the answer is written.
    charge: Charge,
}

impl RestPredict {
    /// Parses a body. `INVALID_ARGUMENT` for what is no JSON object or names a signature that is no string;
    /// `RESOURCE_EXHAUSTED` when `charge` cannot grow by what the document takes.
    pub fn parse(body: Bytes, mut charge: Charge) -> Result<Self, Error> {
        if body.is_empty() {
            return Err(Error::invalid_argument("JSON Parse error: The document is empty"));
        }
        let tape_bytes = Document::tape_bytes(&body);
        charge.grow(tape_bytes)?;
        let document = Document::parse(body)
            .map_err(|error| Error::invalid_argument(format!("JSON Parse error: {error}")))?;
        let root = document.root();
        if !root.is_object() {
            return Err(value_error(root, "Is not object"));
        }
        let signature_name = match root.member(SIGNATURE_KEY) {
            None => String::new(),
            Some(name) => String::from_utf8_lossy(&name.text().ok_or_else(|| {
                value_error(root, "not formatted correctly. 'signature_name' key must be a string value.")
            })?)
            .into_owned(),
        };
        Ok(Self { document, signature_name, form: Form::Columns, tape_bytes, charge })
    }
}

impl RestPredict {
    fn find<'a>(&self, signatures: &'a Signatures) -> Result<(usize, &'a Signature), Error> {
        let name = match self.signature_name.as_str() {
            "" => DEFAULT_SIGNATURE,
            name => name,
        };
        signatures.find(name).ok_or_else(|| {
            Error::invalid_argument(format!("Serving signature name: \"{name}\" not found in signature def"))
        })
    }

    fn inputs(&mut self, signature: &Signature) -> Result<Inputs, Error> {
        if signature.inputs.is_empty() {
            let name = if self.signature_name.is_empty() { "DEFAULT" } else { &self.signature_name };
            return Err(Error::invalid_argument(format!("Failed to get input map for signature: {name}")));
        }
        // The document is not needed any more while the model runs.
        let document = std::mem::take(&mut self.document);
        let (form, value) = find_tensors(document.root())?;
        self.form = form;
        self.charge.grow(tensor_bytes_max(&document, &signature.inputs))?;
        let tensors = match form {
            Form::Rows => read_rows(value, &signature.inputs)?,
            Form::Columns => read_columns(value, &signature.inputs)?,
        };
        self.charge.shrink(self.tape_bytes);
        Ok(Inputs { tensors, outputs: (0..signature.outputs.len()).collect() })
    }
}

impl Codec for RestPredict {
    type Run = SignatureRun;

    fn api(&self) -> Api {
        Api::Predict
    }

    fn door(&self) -> Door {
        Door::Rest
    }

    fn choose(&self, signatures: &Signatures) -> Result<Option<usize>, Error> {
        self.find(signatures).map(|(index, _)| Some(index))
    }

    fn decode(&mut self, signatures: &Signatures) -> Result<SignatureRun, Error> {
        let (index, signature) = self.find(signatures)?;
        Ok(SignatureRun { signature: index, inputs: self.inputs(signature)? })
    }

    fn encode(
        self,
        answered: Answered<'_>,
        run: &SignatureRun,
        outputs: Vec<Tensor>,
    ) -> Result<Bytes, Error> {
        let declared = &answered.signature(run)?.outputs;
        let specs = run.inputs.outputs.iter().filter_map(|&index| declared.get(index));
        let named = specs.map(|spec| spec.alias.as_str()).zip(&outputs).collect::<Vec<_>>();
        predict_response::write(self.form, &named).map(Bytes::from)
    }
}

/// `JSON Value: <the value, cut> <text>`.
fn value_error(value: Value<'_>, text: &str) -> Error {
    Error::invalid_argument(format!("JSON Value: {} {text}", dump(value)))
}

fn find_tensors(root: Value<'_>) -> Result<(Form, Value<'_>), Error> {
    match (root.member(ROWS_KEY), root.member(COLUMNS_KEY)) {
        (Some(_), Some(_)) => Err(value_error(
            root,
            "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist ",
        )),
        (Some(rows), None) if !rows.is_array() => {
            Err(value_error(root, "Expecting 'instances' to be an list/array"))
        }
        (Some(rows), None) if rows.is_empty() => Err(value_error(root, "No values in 'instances' array")),
        (Some(rows), None) => Ok((Form::Rows, rows)),
        (None, Some(columns)) => Ok((Form::Columns, columns)),
        (None, None) => Err(Error::invalid_argument("Missing 'inputs' or 'instances' key")),
    }
}

/// One input while its rows come in: the shape that its first row had, and a place for the next row's.
struct Column<'a> {
    elements: Elements<'a>,
    first_shape: Option<Vec<i64>>,
    shape: Vec<i64>,
}

impl<'a> Column<'a> {
    fn new(spec: &'a TensorSpec) -> Self {
        Self { elements: Elements::new(spec), first_shape: None, shape: Vec::new() }
    }

    fn add(&mut self, row: Value<'_>) -> Result<(), Error> {
        self.elements.add(row, &mut self.shape)?;
        match &self.first_shape {
            None => self.first_shape = Some(self.shape.clone()),
            Some(first) if *first == self.shape => {}
            Some(first) => return Err(different_shape(first, &self.shape)),
        }
        Ok(())
    }

    fn into_tensor(self, rows: usize) -> Result<Tensor, Error> {
        let mut shape = vec![i64::try_from(rows).unwrap_or(i64::MAX)];
        shape.extend(self.first_shape.unwrap_or_default());
        self.elements.into_tensor(shape)
    }
}

fn different_shape(first: &[i64], other: &[i64]) -> Error {
    // A shape that was filled has as many elements as its lists say.
    let size = |shape: &[i64]| shape.iter().fold(1_i64, |size, &length| size.saturating_mul(length));
    if size(first) != size(other) {
        return Error::invalid_argument(format!(
            "Expecting tensor size: {} but got: {}",
            size(first),
            size(other)
        ));
    }
    let text = |shape: &[i64]| shape.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
    Error::invalid_argument(format!("Expecting shape [{}] but got: [{}]", text(first), text(other)))
}

/// An object that names inputs; one that stands for bytes is a value.
fn is_named(value: Value<'_>) -> bool {
    value.is_object() && !is_base64(value)
}

fn read_rows(rows: Value<'_>, inputs: &[TensorSpec]) -> Result<Vec<Tensor>, Error> {
    let are_named = rows.first().is_some_and(is_named);
    if !are_named && inputs.len() > 1 {
        return Err(Error::invalid_argument(
            "instances is a plain list, but expecting list of objects as multiple input tensors required as per \
             tensorinfo_map",
        ));
    }
    let mut columns = inputs.iter().map(Column::new).collect::<Vec<_>>();
    for (index, row) in rows.elements().enumerate() {
        match (are_named, is_named(row)) {
            (true, true) => add_named_row(index, row, inputs, &mut columns)?,
            (false, false) => add_plain_row(index, row, &mut columns)?,
            (true, false) => {
                return Err(Error::invalid_argument(format!(
                    "Expecting object but got list at item {index} of input list"
                )));
            }
            (false, true) => {
                return Err(Error::invalid_argument(format!(
                    "Expecting value/list but got object at item {index} of input list"
                )));
            }
        }
    }
    columns.into_iter().map(|column| column.into_tensor(rows.len())).collect()
}

fn add_plain_row(index: usize, row: Value<'_>, columns: &mut [Column<'_>]) -> Result<(), Error> {
    columns.iter_mut().try_for_each(|column| column.add(row)).map_err(|error| {
        Error::invalid_argument(format!(
            "Failed to process element: {index} of 'instances' list. Error: {error}"
        ))
    })
}

fn add_named_row(
    index: usize,
    row: Value<'_>,
    inputs: &[TensorSpec],
    columns: &mut [Column<'_>],
) -> Result<(), Error> {
    let mut is_given = vec![false; columns.len()];
    for (key, value) in row.members() {
        let name = key.text().unwrap_or_default();
        let found = inputs.binary_search_by(|spec| spec.alias.as_bytes().cmp(&name)).ok();
        let slot = found.and_then(|at| Some((columns.get_mut(at)?, is_given.get_mut(at)?)));
        let added = match slot {
            // Of members of the same name the first counts.
            Some((_, is_given)) if *is_given => Ok(()),
            Some((column, is_given)) => {
                *is_given = true;
                column.add(value)
            }
            None => Err(Error::invalid_argument(format!(
                "JSON object: does not have named input: {}",
                String::from_utf8_lossy(&name)
            ))),
        };
        added.map_err(|error| {
            Error::invalid_argument(format!(
                "Failed to process element: {index} key: {} of 'instances' list. Error: {error}",
                String::from_utf8_lossy(&name)
            ))
        })?;
    }
    if is_given.contains(&false) {
        let names = inputs.iter().map(|spec| spec.alias.as_str()).collect::<Vec<_>>().join(",");
        return Err(Error::invalid_argument(format!(
            "Failed to process element: {index} of 'instances' list. JSON object: {} keys must be equal to: {names}",
            dump(row)
        )));
    }
    Ok(())
}

fn read_columns(value: Value<'_>, inputs: &[TensorSpec]) -> Result<Vec<Tensor>, Error> {
    if !is_named(value) && inputs.len() > 1 {
        return Err(Error::invalid_argument(
            "inputs is a plain value/list, but expecting an object as multiple input tensors required as per \
             tensorinfo_map",
        ));
    }
    let mut tensors = Vec::with_capacity(inputs.len());
    for spec in inputs {
        let column = if is_named(value) {
            value.member(&spec.alias).ok_or_else(|| {
                Error::invalid_argument(format!("Missing named input: {} in 'inputs' object.", spec.alias))
            })?
        } else {
            value
        };
        let (mut elements, mut shape) = (Elements::new(spec), Vec::new());
        elements.add(column, &mut shape)?;
        tensors.push(elements.into_tensor(shape)?);
    }
    Ok(tensors)
}
