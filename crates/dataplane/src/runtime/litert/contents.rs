//! What is in a `.tflite` file: its signatures, read from the file's own bytes, without LiteRT.
//!
//! Also what LiteRT takes for granted of a file is looked at here: that every number by which one part of it refers
//! to another is one that the other part has. LiteRT checks that tables lie within the file, and then follows these
//! numbers.
//!
//! Schema: `tflite/converter/schema/schema.fbs`; a field's number is its place in its table there.

use super::{
    element::Element,
    flatbuffer::{Table, Vector},
};
use crate::error::Error;

/// Beyond this many parts, subgraphs, tensors and operators together, a file is none that a converter wrote.
const PARTS_MAX: usize = 1 << 22;

/// The four bytes behind the first four of every file of this kind.
const IDENTIFIER: &[u8] = b"TFL3";

/// LiteRT's own limit of a tensor's dimensions (`LITERT_TENSOR_MAX_RANK`).
pub(super) const RANK_MAX: usize = 8;

/// The only version of the schema that there is.
const SCHEMA_VERSION: usize = 3;

/// No tensor: an operator's optional input that is left out.
const NO_TENSOR: i32 = -1;

/// One input or output of a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Port {
    /// What the signature calls it; none where the file has no signature.
    pub(super) alias: Option<String>,
    /// What the graph calls the tensor.
    pub(super) tensor: String,
    /// None for a type that cannot travel.
    pub(super) element: Option<Element>,
    /// Sizes of its dimensions, -1 where any will do.
    pub(super) shape: Vec<i32>,
}

/// One way to call the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The signature's name; none where the file has no signature.
    pub(super) key: Option<String>,
    /// In the order in which LiteRT takes them.
    pub(super) inputs: Vec<Port>,
    /// In the order in which LiteRT gives them.
    pub(super) outputs: Vec<Port>,
}

/// Tensors and operators of one graph, as far as anybody asks for them.
struct Subgraph<'a> {
    tensors: Vec<Table<'a>>,
    inputs: Vec<i32>,
    outputs: Vec<i32>,
}

/// Counts what was visited, so that a file in which many parts are the same one does not take forever.
struct Visited(usize);

impl Visited {
    fn more(&mut self, count: usize) -> Result<(), Error> {
        self.0 = self.0.saturating_add(count);
        if self.0 > PARTS_MAX {
            return Err(Error::invalid_argument(format!("it has more than {PARTS_MAX} parts")));
        }
        Ok(())
    }
}

/// The entries in the file's order: its signatures, or one without a name.
///
/// `DATA_LOSS` for a file that is no such file, or a damaged one.
pub(super) fn read(bytes: &[u8]) -> Result<Vec<Entry>, Error> {
    if bytes.get(4..8) != Some(IDENTIFIER) {
        return Err(Error::data_loss("it is not in TensorFlow Lite's format, or it is cut off"));
    }
    let model = Table::root(bytes)?;
    if model.unsigned(0)? != SCHEMA_VERSION {
        return Err(Error::data_loss(format!("it is damaged: its format is not version {SCHEMA_VERSION}")));
    }
    let mut visited = Visited(0);
    let subgraphs = read_subgraphs(&model, &mut visited)?;
    let signatures = model.vector(7)?;
    visited.more(signatures.len())?;
    let entries = signatures.tables().map(|table| read_signature(&table?, &subgraphs, &mut visited));
    let entries = entries.collect::<Result<Vec<_>, Error>>()?;
    if entries.is_empty() {
        Ok(vec![whole(subgraphs.first().ok_or_else(|| absent("graph"))?)?])
    } else {
        Ok(entries)
    }
}

fn absent(what: &str) -> Error {
    Error::data_loss(format!("it is damaged: it refers to a {what} that is not in it"))
}

/// Fails unless `index` is that of one of `count`.
fn check(index: i32, count: usize, what: &str) -> Result<usize, Error> {
    usize::try_from(index).ok().filter(|index| *index < count).ok_or_else(|| absent(what))
}

fn tables<'a>(vector: Vector<'a>, visited: &mut Visited) -> Result<Vec<Table<'a>>, Error> {
    visited.more(vector.len())?;
    vector.tables().collect()
}

fn read_subgraphs<'a>(model: &Table<'a>, visited: &mut Visited) -> Result<Vec<Subgraph<'a>>, Error> {
    let (codes, buffers) = (model.vector(1)?.len(), model.vector(4)?.len());
    let mut subgraphs = Vec::new();
    for table in tables(model.vector(2)?, visited)? {
        let subgraph = Subgraph {
            tensors: tables(table.vector(0)?, visited)?,
            inputs: table.vector(1)?.numbers()?,
            outputs: table.vector(2)?.numbers()?,
        };
        visited.more(subgraph.inputs.len() + subgraph.outputs.len())?;
        let count = subgraph.tensors.len();
        for tensor in &subgraph.tensors {
            let buffer = tensor.unsigned(2)?;
            if buffer >= buffers.max(1) {
                return Err(absent("buffer"));
            }
        }
        for &index in subgraph.inputs.iter().chain(&subgraph.outputs) {
            check(index, count, "tensor")?;
        }
        for operator in tables(table.vector(3)?, visited)? {
            check_operator(&operator, codes, count, visited)?;
        }
        subgraphs.push(subgraph);
    }
    Ok(subgraphs)
}

fn check_operator(
    operator: &Table<'_>,
    codes: usize,
    tensors: usize,
    visited: &mut Visited,
) -> Result<(), Error> {
    if operator.unsigned(0)? >= codes {
        return Err(absent("kind of operator"));
    }
    let (inputs, outputs) = (operator.vector(1)?, operator.vector(2)?);
    visited.more(inputs.len() + outputs.len())?;
    for index in inputs.numbers()?.into_iter().filter(|index| *index != NO_TENSOR) {
        check(index, tensors, "tensor")?;
    }
    for index in outputs.numbers()? {
        check(index, tensors, "tensor")?;
    }
    Ok(())
}

/// A file without signatures has one graph to call, whole.
fn whole(subgraph: &Subgraph<'_>) -> Result<Entry, Error> {
    let ports = |indexes: &[i32]| -> Result<Vec<Port>, Error> {
        indexes.iter().map(|&index| read_port(subgraph, index, None)).collect()
    };
    Ok(Entry { key: None, inputs: ports(&subgraph.inputs)?, outputs: ports(&subgraph.outputs)? })
}

fn read_signature(
    table: &Table<'_>,
    subgraphs: &[Subgraph<'_>],
    visited: &mut Visited,
) -> Result<Entry, Error> {
    let subgraph = subgraphs.get(table.unsigned(4)?).ok_or_else(|| absent("graph"))?;
    let key = name(table.text(2)?)?;
    let ports = |number: usize, indexes: &[i32], visited: &mut Visited| -> Result<Vec<Port>, Error> {
        let names = read_names(table.vector(number)?, subgraph, visited)?;
        if names.len() != indexes.len() {
            return Err(Error::invalid_argument(format!(
                "signature {key:?} names {} tensors where its graph has {}",
                names.len(),
                indexes.len()
            )));
        }
        // LiteRT takes and gives them in the graph's order, whatever the signature's is.
        let port = |&index: &i32| {
            let found = names.iter().find(|name| name.0 == index).ok_or_else(|| absent("name"))?;
            read_port(subgraph, index, Some(found.1.to_owned()))
        };
        indexes.iter().map(port).collect()
    };
    let inputs = ports(0, &subgraph.inputs, visited)?;
    let outputs = ports(1, &subgraph.outputs, visited)?;
    Ok(Entry { key: Some(key.to_owned()), inputs, outputs })
}

/// A name that is there and that C can have; LiteRT looks things up by it, and does not expect to fail.
fn name(text: Option<&str>) -> Result<&str, Error> {
    text.filter(|text| !text.contains('\0'))
        .ok_or_else(|| Error::data_loss("it is damaged: a signature, or one of its tensors, has no name"))
}

/// The names that a signature gives to tensors, and which these are.
fn read_names<'a>(
    maps: Vector<'a>,
    subgraph: &Subgraph<'_>,
    visited: &mut Visited,
) -> Result<Vec<(i32, &'a str)>, Error> {
    let mut names = Vec::new();
    for map in tables(maps, visited)? {
        let index = i32::try_from(map.unsigned(1)?).map_err(|_| absent("tensor"))?;
        check(index, subgraph.tensors.len(), "tensor")?;
        names.push((index, name(map.text(0)?)?));
    }
    Ok(names)
}

fn read_port(subgraph: &Subgraph<'_>, index: i32, alias: Option<String>) -> Result<Port, Error> {
    let tensor = subgraph.tensors.get(check(index, subgraph.tensors.len(), "tensor")?);
    let tensor = tensor.ok_or_else(|| absent("tensor"))?;
    let (shape, free) = (tensor.vector(0)?.numbers()?, tensor.vector(7)?.numbers()?);
    let shape = if free.is_empty() { shape } else { free };
    if shape.len() > RANK_MAX {
        return Err(Error::unimplemented(format!(
            "a tensor of {} dimensions is more than LiteRT can take, which is {RANK_MAX}",
            shape.len()
        )));
    }
    Ok(Port {
        alias,
        tensor: tensor.text(3)?.unwrap_or_default().to_owned(),
        element: Element::from_file(tensor.byte(1)?),
        shape: shape.into_iter().map(|size| size.max(-1)).collect(),
    })
}

#[cfg(test)]
#[path = "contents_tests.rs"]
mod tests;
