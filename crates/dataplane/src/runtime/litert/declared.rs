//! A file's entries as signatures that clients can ask for, and as `GetModelMetadata` tells them.

use super::contents::{Entry, Port};
use crate::{
    error::Error,
    signature::{DEFAULT_SIGNATURE, Signature, Signatures, TensorSpec},
    wire::tensorflow::{
        SignatureDef, TensorInfo, TensorShapeProto, tensor_info::Encoding, tensor_shape_proto::Dim,
    },
};
use std::collections::{BTreeMap, BTreeSet};

/// What every signature is made for: a file does not say.
const PREDICT_METHOD: &str = "tensorflow/serving/predict";

/// TensorFlow's number for a type that is none.
pub(super) const DT_INVALID: i32 = 0;

/// For each signature of `Declared::signatures.list()` which entry of the file it is, and for each of its declared
/// inputs and outputs which one of that entry's.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) entry: usize,
    pub(super) inputs: Vec<usize>,
    pub(super) outputs: Vec<usize>,
}

/// What can be asked, and where it is.
#[derive(Debug)]
pub(super) struct Declared {
    pub(super) signatures: Signatures,
    pub(super) places: Vec<Place>,
}

/// `INVALID_ARGUMENT` when two of them have one name.
pub(super) fn declare(entries: &[Entry]) -> Result<Declared, Error> {
    let mut declared = BTreeMap::new();
    for (index, entry) in entries.iter().enumerate() {
        let name = entry.key.clone().unwrap_or_else(|| DEFAULT_SIGNATURE.to_owned());
        let (inputs, outputs) = (named(&entry.inputs, &name)?, named(&entry.outputs, &name)?);
        let signature = Signature {
            name: name.clone(),
            method_name: PREDICT_METHOD.to_owned(),
            inputs: specs(&inputs, &entry.inputs),
            outputs: specs(&outputs, &entry.outputs),
            defaults: BTreeMap::new(),
        };
        let place = Place {
            entry: index,
            inputs: inputs.into_values().collect(),
            outputs: outputs.into_values().collect(),
        };
        if declared.insert(name.clone(), (signature, place)).is_some() {
            return Err(Error::invalid_argument(format!("two of its signatures have the name {name:?}")));
        }
    }
    let definitions =
        declared.iter().map(|(name, (signature, _))| (name.clone(), definition(signature))).collect();
    let (list, places) = declared.into_values().unzip();
    Ok(Declared { signatures: Signatures::new(list, definitions), places })
}

/// The place of each port by the name that clients use, sorted.
fn named(ports: &[Port], signature: &str) -> Result<BTreeMap<String, usize>, Error> {
    let mut names = BTreeMap::new();
    for (index, port) in ports.iter().enumerate() {
        let name = port.alias.clone().unwrap_or_else(|| generated(port, ports));
        if names.insert(name.clone(), index).is_some() {
            return Err(Error::invalid_argument(format!(
                "signature {signature:?} has the name {name:?} for two tensors"
            )));
        }
    }
    Ok(names)
}

/// The name of a tensor that no signature names: the graph's without what follows a colon, as in TensorFlow
/// Serving; all of it where that would be another tensor's name, too.
fn generated(port: &Port, ports: &[Port]) -> String {
    let short = |port: &Port| port.tensor.split(':').next().unwrap_or_default().to_owned();
    let shorts: BTreeSet<String> = ports.iter().map(short).collect();
    if shorts.len() == ports.len() { short(port) } else { port.tensor.clone() }
}

fn specs(names: &BTreeMap<String, usize>, ports: &[Port]) -> Vec<TensorSpec> {
    let found = names.iter().filter_map(|(name, &index)| Some((name, ports.get(index)?)));
    found
        .map(|(name, port)| TensorSpec {
            alias: name.clone(),
            name: port.tensor.clone(),
            dtype_number: port.element.map_or(DT_INVALID, |element| element.dtype.number()),
            shape: Some(port.shape.iter().copied().map(i64::from).collect()),
        })
        .collect()
}

fn definition(signature: &Signature) -> SignatureDef {
    SignatureDef {
        inputs: signature.inputs.iter().map(info).collect(),
        outputs: signature.outputs.iter().map(info).collect(),
        method_name: signature.method_name.clone(),
        ..Default::default()
    }
}

fn info(spec: &TensorSpec) -> (String, TensorInfo) {
    let sizes = spec.shape.iter().flatten();
    let dim = sizes.map(|&size| Dim { size, ..Default::default() }).collect();
    let info = TensorInfo {
        dtype: spec.dtype_number,
        tensor_shape: Some(TensorShapeProto { dim, ..Default::default() }),
        encoding: Some(Encoding::Name(spec.name.clone())),
    };
    (spec.alias.clone(), info)
}
