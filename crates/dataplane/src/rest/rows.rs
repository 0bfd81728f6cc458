//! The row form of a Predict request, `instances`: a value or an object of values for each row, stacked to tensors.
//!
//! The first row decides which inputs are given, and every other row must give the same. One that no row gives takes
//! its default whole, if it has one: a default is no row's, and is not repeated.

use super::{
    elements::{Elements, is_element},
    json::{Value, dump},
};
use crate::{
    error::Error,
    output_filter::{aliases, list},
    signature::{Signature, TensorSpec},
    tensor::Tensor,
};

/// One tensor for each declared input.
pub(super) fn read(rows: Value<'_>, signature: &Signature) -> Result<Vec<Tensor>, Error> {
    let inputs = signature.inputs.as_slice();
    let are_named = rows.first().is_some_and(|row| is_named(row, inputs));
    if !are_named && inputs.len() > 1 {
        return Err(Error::invalid_argument(
            "instances is a plain list, but expecting list of objects as multiple input tensors required as per \
             tensorinfo_map",
        ));
    }
    let mut stack = Stack::new(signature);
    for (index, row) in rows.elements().enumerate() {
        match (are_named, is_named(row, inputs)) {
            (true, true) => stack.add_named(index, row)?,
            (false, false) => stack.add_plain(index, row)?,
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
    stack.into_tensors(rows.len())
}

/// An object that names inputs; one that is an element is a value.
pub(super) fn is_named(value: Value<'_>, inputs: &[TensorSpec]) -> bool {
    value.is_object() && !is_element(value, inputs)
}

/// The rows so far.
struct Stack<'a> {
    signature: &'a Signature,
    columns: Vec<Column<'a>>,
    /// Which inputs the first row named.
    given: Option<Vec<bool>>,
}

impl<'a> Stack<'a> {
    fn new(signature: &'a Signature) -> Self {
        Self { signature, columns: signature.inputs.iter().map(Column::new).collect(), given: None }
    }

    fn add_plain(&mut self, index: usize, row: Value<'_>) -> Result<(), Error> {
        self.columns.iter_mut().try_for_each(|column| column.add(row)).map_err(|error| {
            Error::invalid_argument(format!(
                "Failed to process element: {index} of 'instances' list. Error: {error}"
            ))
        })
    }

    fn add_named(&mut self, index: usize, row: Value<'_>) -> Result<(), Error> {
        let mut given = vec![false; self.columns.len()];
        for (key, value) in row.members() {
            let name = key.text().unwrap_or_default();
            self.add_member(&name, value, &mut given).map_err(|error| {
                Error::invalid_argument(format!(
                    "Failed to process element: {index} key: {} of 'instances' list. Error: {error}",
                    String::from_utf8_lossy(&name)
                ))
            })?;
        }
        match &self.given {
            None if self.lacks(&given) => Err(self.different_keys(index, row)),
            None => {
                self.given = Some(given);
                Ok(())
            }
            Some(first) if *first == given => Ok(()),
            Some(_) => Err(self.different_keys(index, row)),
        }
    }

    /// Of members of the same name the first counts.
    fn add_member(&mut self, name: &[u8], value: Value<'_>, given: &mut [bool]) -> Result<(), Error> {
        let inputs = &self.signature.inputs;
        let found = inputs.binary_search_by(|spec| spec.alias.as_bytes().cmp(name)).ok();
        match found.and_then(|at| Some((self.columns.get_mut(at)?, given.get_mut(at)?))) {
            Some((_, is_given)) if *is_given => Ok(()),
            Some((column, is_given)) => {
                *is_given = true;
                column.add(value)
            }
            None => Err(Error::invalid_argument(format!(
                "JSON object: does not have named input: {}",
                String::from_utf8_lossy(name)
            ))),
        }
    }

    /// Whether an input is neither given nor has a default.
    fn lacks(&self, given: &[bool]) -> bool {
        let Signature { inputs, defaults, .. } = self.signature;
        inputs.iter().zip(given).any(|(spec, &is_given)| !is_given && !defaults.contains_key(&spec.alias))
    }

    fn different_keys(&self, index: usize, row: Value<'_>) -> Error {
        let Signature { inputs, defaults, .. } = self.signature;
        let names = match &self.given {
            None => list(aliases(inputs)),
            Some(given) => {
                list(aliases(inputs).zip(given).filter(|(_, given)| **given).map(|(name, _)| name))
            }
        };
        let mut text = format!(
            "Failed to process element: {index} of 'instances' list. JSON object: {} keys must be equal to: {names}",
            dump(row)
        );
        if self.given.is_none() && !defaults.is_empty() {
            text += "; those with a default may be left out of every row: ";
            text += &list(defaults.keys().map(String::as_str));
        }
        Error::invalid_argument(text)
    }

    fn into_tensors(self, rows: usize) -> Result<Vec<Tensor>, Error> {
        let defaults = &self.signature.defaults;
        let default = |column: &Column<'_>, spec: &TensorSpec| {
            column.first_shape.is_none().then(|| defaults.get(&spec.alias).cloned()).flatten()
        };
        let columns = self.columns.into_iter().zip(&self.signature.inputs);
        columns
            .map(|(column, spec)| match default(&column, spec) {
                Some(default) => Ok(default),
                None => column.into_tensor(rows),
            })
            .collect()
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
