//! A graph's signatures, each bound to the tensors of the graph once, when the model is loaded.

use super::{fetches::Fetches, library::TfOutput, session::Session};
use crate::{
    error::Error,
    signature::{Signature, Signatures, TensorSpec},
    tensor::Tensor,
    tensor_proto,
    wire::tensorflow::{MetaGraphDef, SignatureDef, TensorInfo, tensor_info::Encoding},
};
use std::collections::BTreeMap;

/// A signature that can run.
pub(super) struct Bound {
    /// What to feed, each tensor of the graph once.
    pub(super) feeds: Vec<TfOutput>,
    /// For each feed the declared input that supplies it.
    pub(super) sources: Vec<usize>,
    /// Declared inputs that are the same tensor of the graph as an earlier one.
    pub(super) twins: Vec<(usize, usize)>,
    pub(super) fetches: Fetches,
}

/// All signatures, and for each of `signatures.list()` how to run it, or why it cannot be run.
///
/// One that cannot be run does not fail the load: TensorFlow itself writes such a one (`__saved_model_init_op`,
/// whose output is an operation without outputs), and TensorFlow Serving shows it among the others.
pub(super) struct Parsed {
    pub(super) signatures: Signatures,
    pub(super) bound: Vec<Result<Bound, Error>>,
}

/// Reads the signatures of a graph. They are sorted by name already, for they come in a sorted map.
pub(super) fn parse(meta_graph: MetaGraphDef, session: &Session) -> Parsed {
    let (list, bound) = meta_graph
        .signature_def
        .iter()
        .map(|(name, definition)| {
            let (signature, defaults) = read(name, definition);
            let bound = defaults.and_then(|()| bind(definition, session));
            let bound = bound.map_err(|cause| {
                Error::new(cause.code, format!("Signature {name:?} cannot be run: {}.", cause.message))
            });
            (signature, bound)
        })
        .unzip();
    Parsed { signatures: Signatures::new(list, meta_graph.signature_def), bound }
}

/// The signature as it is declared, and whether all its defaults could be read.
fn read(name: &str, definition: &SignatureDef) -> (Signature, Result<(), Error>) {
    let mut defaults = BTreeMap::new();
    let mut outcome = Ok(());
    for (alias, proto) in &definition.defaults {
        match tensor_proto::decode(proto.clone()) {
            Ok(tensor) => drop(defaults.insert(alias.clone(), tensor)),
            Err(cause) => {
                outcome = Err(Error::new(
                    cause.code,
                    format!("the default of input {alias:?} cannot be read: {}", cause.message),
                ));
            }
        }
    }
    let signature = Signature {
        name: name.to_owned(),
        method_name: definition.method_name.clone(),
        inputs: specs(&definition.inputs),
        outputs: specs(&definition.outputs),
        defaults,
    };
    (signature, outcome)
}

fn specs(infos: &BTreeMap<String, TensorInfo>) -> Vec<TensorSpec> {
    infos.iter().map(|(alias, info)| spec(alias, info)).collect()
}

fn spec(alias: &str, info: &TensorInfo) -> TensorSpec {
    let shape = info.tensor_shape.as_ref().filter(|shape| !shape.unknown_rank);
    TensorSpec {
        alias: alias.to_owned(),
        name: match &info.encoding {
            Some(Encoding::Name(name)) => name.clone(),
            _ => String::new(),
        },
        dtype_number: info.dtype,
        shape: shape.map(|shape| shape.dim.iter().map(|dim| dim.size).collect()),
    }
}

fn bind(definition: &SignatureDef, session: &Session) -> Result<Bound, Error> {
    let (mut feeds, mut sources, mut twins) = (Vec::new(), Vec::new(), Vec::new());
    for (input, (alias, info)) in definition.inputs.iter().enumerate() {
        let tensor = resolve("input", alias, info, session)?;
        if let Some((_, &source)) = feeds.iter().zip(&sources).find(|(feed, _)| **feed == tensor) {
            twins.push((source, input));
        } else {
            feeds.push(tensor);
            sources.push(input);
        }
    }
    let outputs = definition.outputs.iter();
    let fetches = outputs.map(|(alias, info)| resolve("output", alias, info, session));
    Ok(Bound { feeds, sources, twins, fetches: Fetches::new(fetches.collect::<Result<_, _>>()?) })
}

fn resolve(what: &str, alias: &str, info: &TensorInfo, session: &Session) -> Result<TfOutput, Error> {
    let Some(Encoding::Name(name)) = &info.encoding else {
        return Err(Error::unimplemented(format!("its {what} {alias:?} is not one dense tensor")));
    };
    session.tensor(name).map_err(|cause| {
        Error::new(cause.code, format!("its {what} {alias:?} is missing, {}", cause.message))
    })
}

impl Bound {
    /// The tensors to feed, of one for each declared input.
    pub(super) fn feed<'a>(
        &'a self,
        signature: &Signature,
        inputs: &'a [Tensor],
    ) -> Result<impl ExactSizeIterator<Item = &'a Tensor>, Error> {
        if inputs.len() != signature.inputs.len() {
            return Err(Error::internal("a signature needs one tensor for each declared input"));
        }
        for &(first, second) in &self.twins {
            if inputs.get(first) != inputs.get(second) {
                let alias = |index: usize| signature.inputs.get(index).map_or("", |spec| &spec.alias);
                return Err(Error::invalid_argument(format!(
                    "Inputs {:?} and {:?} are the same tensor of the model and must have the same value.",
                    alias(first),
                    alias(second)
                )));
            }
        }
        #[allow(clippy::indexing_slicing)]
        // `sources` holds indexes of declared inputs, as many as were just counted
        Ok(self.sources.iter().map(|&source| &inputs[source]))
    }
}
