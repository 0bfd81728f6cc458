//! What a model can be asked: its signatures, parsed once when it is loaded.

use crate::{tensor::Tensor, wire::tensorflow::SignatureDef};
use std::collections::BTreeMap;

/// The signature that a request means when it names none.
pub const DEFAULT_SIGNATURE: &str = "serving_default";

/// What the signatures made for each method say in `method_name`.
pub const PREDICT_METHOD: &str = "tensorflow/serving/predict";
/// The same.
pub const CLASSIFY_METHOD: &str = "tensorflow/serving/classify";
/// The same.
pub const REGRESS_METHOD: &str = "tensorflow/serving/regress";

/// One declared input or output.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorSpec {
    /// The name that clients use.
    pub alias: String,
    /// The name in the graph, `x:0` for example.
    pub name: String,
    /// TensorFlow's number of the declared element type (a signature may declare types that cannot travel).
    pub dtype_number: i32,
    /// Declared dimensions, -1 where unknown; none when the rank is unknown.
    pub shape: Option<Vec<i64>>,
}

/// One signature; inputs and outputs are sorted by alias.
#[derive(Clone, Debug, PartialEq)]
pub struct Signature {
    /// Its key in the `SavedModel`.
    pub name: String,
    /// `tensorflow/serving/predict` for example.
    pub method_name: String,
    /// Declared inputs, sorted by alias.
    pub inputs: Vec<TensorSpec>,
    /// Declared outputs, sorted by alias.
    pub outputs: Vec<TensorSpec>,
    /// Values for inputs that a request may leave out, by alias.
    pub defaults: BTreeMap<String, Tensor>,
}

/// All signatures of one model, sorted by name, beside the message they were parsed from (for metadata).
#[derive(Clone, Debug, PartialEq)]
pub struct Signatures {
    list: Vec<Signature>,
    definitions: BTreeMap<String, SignatureDef>,
}

impl Signatures {
    /// `list` in any order; `definitions` as the `SavedModel` states them.
    #[must_use]
    pub fn new(mut list: Vec<Signature>, definitions: BTreeMap<String, SignatureDef>) -> Self {
        list.sort_by(|left, right| left.name.cmp(&right.name));
        Self { list, definitions }
    }

    /// The signature of this name and its index, which `Model::run` takes; an empty name means the default one.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<(usize, &Signature)> {
        let name = if name.is_empty() { DEFAULT_SIGNATURE } else { name };
        let index = self.list.binary_search_by(|signature| signature.name.as_str().cmp(name)).ok()?;
        Some((index, self.list.get(index)?))
    }

    /// The one with this index.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&Signature> {
        self.list.get(index)
    }

    /// All of them, sorted by name.
    #[must_use]
    pub fn list(&self) -> &[Signature] {
        &self.list
    }

    /// As the `SavedModel` states them, defaults included.
    #[must_use]
    pub fn definitions(&self) -> &BTreeMap<String, SignatureDef> {
        &self.definitions
    }
}
