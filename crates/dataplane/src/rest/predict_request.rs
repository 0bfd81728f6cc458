//! A Predict request's JSON: which signature it names, and its tensors in row form (`instances`) or column form
//! (`inputs`). The order of the checks and their words are TensorFlow Serving's.

use super::{
    elements::{Elements, tensor_bytes_max},
    json::{Document, Value},
    logged::{self, Asked},
    predict_response,
    request::{JsonRequest, value_error},
    routing_key,
    rows::{self, is_named},
};
use crate::{
    budget::Charge,
    error::Error,
    inference::{Answered, Api, Codec, Door, Inputs, Rules, SignatureRun},
    output_filter::{self, NAMES_MAX},
    request_log::Messages,
    signature::{DEFAULT_SIGNATURE, Signature, Signatures, TensorSpec},
    tensor::Tensor,
    traffic::Key,
};
use bytes::Bytes;

const ROWS_KEY: &str = "instances";
const COLUMNS_KEY: &str = "inputs";
/// Beyond TensorFlow Serving, which ignores it; decision 0030.
const OUTPUTS_KEY: &str = "output_filter";

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
    rules: Rules,
    document: Document,
    signature_name: String,
    output_filter: Vec<String>,
    form: Form,
    tape_bytes: usize,
    /// For the document until it is decoded, for the tensors until the answer is written.
    charge: Charge,
}

impl RestPredict {
    /// Parses a body, as [`JsonRequest::parse`] does; its tensors are read when it is known what for.
    pub fn parse(body: Bytes, mut charge: Charge, rules: Rules) -> Result<Self, Error> {
        let JsonRequest { document, signature_name, tape_bytes } = JsonRequest::parse(body, &mut charge)?;
        let filter = document.root().member(OUTPUTS_KEY);
        let output_filter = filter.map(read_output_filter).transpose()?.unwrap_or_default();
        Ok(Self { rules, document, signature_name, output_filter, form: Form::Columns, tape_bytes, charge })
    }
}

fn read_output_filter(names: Value<'_>) -> Result<Vec<String>, Error> {
    if names.len() > NAMES_MAX {
        return Err(Error::invalid_argument(format!("'output_filter' lists at most {NAMES_MAX} names")));
    }
    let text = |name: Value<'_>| Some(String::from_utf8_lossy(&name.text()?).into_owned());
    let read = if names.is_array() { names.elements().map(text).collect() } else { None };
    read.ok_or_else(|| {
        value_error(names, "not formatted correctly. 'output_filter' key must be a list of output names.")
    })
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
        // The document is not needed any more while the model runs.
        let document = std::mem::take(&mut self.document);
        let found = find_tensors(document.root());
        if signature.inputs.is_empty() && !found.as_ref().is_ok_and(|found| are_objects(*found)) {
            let name = if self.signature_name.is_empty() { "DEFAULT" } else { &self.signature_name };
            return Err(Error::invalid_argument(format!("Failed to get input map for signature: {name}")));
        }
        let (form, value) = found?;
        self.form = form;
        self.charge.grow(tensor_bytes_max(&document, &signature.inputs))?;
        let tensors = match form {
            Form::Rows => rows::read(value, signature)?,
            Form::Columns => read_columns(value, signature)?,
        };
        self.charge.shrink(self.tape_bytes);
        let mut outputs = output_filter::choose(signature, &self.output_filter)?;
        outputs.sort_unstable(); // several outputs of a row stand by name
        Ok(Inputs { tensors, outputs })
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

    fn routing_key(&self, input: &str) -> Option<Key> {
        let root = self.document.root();
        let named = match (root.member(ROWS_KEY), root.member(COLUMNS_KEY)) {
            (Some(rows), None) if rows.len() == 1 => rows.first()?,
            (None, Some(columns)) => columns,
            _ => return None,
        };
        routing_key::of_value(named.member(input)?)
    }

    fn decode(&mut self, signatures: &Signatures) -> Result<SignatureRun, Error> {
        let (index, signature) = self.find(signatures)?;
        let inputs = self.inputs(signature)?;
        self.rules.check_predict(signature)?;
        Ok(SignatureRun { signature: index, inputs })
    }

    fn messages(
        &self,
        model: &str,
        answered: Answered<'_>,
        run: &SignatureRun,
        outputs: &[Tensor],
    ) -> Option<Messages> {
        logged::predict(Asked { model, signature_name: &self.signature_name }, answered, run, outputs)
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

/// Whether rows or columns are objects, which is how a request says that it has no inputs to name.
fn are_objects((form, value): (Form, Value<'_>)) -> bool {
    match form {
        Form::Rows => value.first().is_some_and(Value::is_object),
        Form::Columns => value.is_object(),
    }
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

pub(super) fn read_columns(value: Value<'_>, signature: &Signature) -> Result<Vec<Tensor>, Error> {
    let inputs = signature.inputs.as_slice();
    let are_named = is_named(value, inputs);
    if !are_named && inputs.len() > 1 {
        return Err(Error::invalid_argument(
            "inputs is a plain value/list, but expecting an object as multiple input tensors required as per \
             tensorinfo_map",
        ));
    }
    let read = |spec: &TensorSpec| {
        let column = if are_named { value.member(&spec.alias) } else { Some(value) };
        match (column, signature.defaults.get(&spec.alias)) {
            (Some(column), _) => {
                let (mut elements, mut shape) = (Elements::new(spec), Vec::new());
                elements.add(column, &mut shape)?;
                elements.into_tensor(shape)
            }
            (None, Some(default)) => Ok(default.clone()),
            (None, None) => Err(Error::invalid_argument(format!(
                "Missing named input: {} in 'inputs' object.",
                spec.alias
            ))),
        }
    };
    inputs.iter().map(read).collect()
}
