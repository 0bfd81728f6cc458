//! How a run of the baseline is asked of the candidate: its signature, inputs and outputs found by name, once, when
//! routes are published. Pure.

use crate::{
    error::Error,
    runtime::{Head, Model, RunOptions},
    signature::{Signature, Signatures},
    tensor::Tensor,
};

/// Why the candidate cannot be asked what the baseline was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Incomparable {
    /// It has no signature of that name.
    NoSignature,
    /// Its signature wants an input that the baseline's has not, or has not the one that the baseline's has.
    Inputs,
    /// An input is of another type.
    InputTypes,
    /// None of the outputs asked for is one of its.
    Outputs,
    /// Not a signature was run, but a part of the baseline's own graph.
    Graph,
    /// It is being unloaded.
    Unloaded,
}

impl Incomparable {
    /// All there are.
    pub const ALL: [Self; 6] =
        [Self::NoSignature, Self::Inputs, Self::InputTypes, Self::Outputs, Self::Graph, Self::Unloaded];

    /// As statistics say it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NoSignature => "no_signature",
            Self::Inputs => "inputs",
            Self::InputTypes => "input_types",
            Self::Outputs => "outputs",
            Self::Graph => "graph",
            Self::Unloaded => "unloaded",
        }
    }
}

/// What one run of a version was asked for: signatures by their index, one nearly always.
#[derive(Debug)]
pub struct Asked {
    /// Which signatures, and which of their outputs.
    pub heads: Vec<Head>,
    /// One tensor for each declared input. Several heads share one input.
    pub inputs: Vec<Tensor>,
}

impl Asked {
    /// Runs it: the tensors asked for, head by head.
    pub(super) fn run(&self, model: &dyn Model, options: RunOptions) -> Result<Vec<Tensor>, Error> {
        let answers = match (self.heads.as_slice(), self.inputs.as_slice()) {
            ([head], inputs) => model.run(head.signature, inputs, &head.outputs, options)?,
            (heads, [input]) => model.run_heads(heads, input, options)?,
            _ => return Err(Error::internal("several signatures were asked with several inputs")),
        };
        let wanted: usize = self.heads.iter().map(|head| head.outputs.len()).sum();
        if answers.len() == wanted { Ok(answers) } else { Err(Error::unknown("Predict internal error")) }
    }
}

/// From all of the baseline's signatures to the candidate's.
#[derive(Debug)]
pub(super) struct Mapping(Box<[Mapped]>);

/// One of the baseline's signatures.
#[derive(Debug)]
pub(super) struct Mapped {
    pub(super) name: Box<str>,
    /// Its inputs, sorted.
    pub(super) inputs: Box<[Box<str>]>,
    /// Its outputs, sorted.
    pub(super) outputs: Box<[Box<str>]>,
    there: Result<There, Incomparable>,
}

/// Where a signature is in the candidate.
#[derive(Debug)]
struct There {
    signature: usize,
    /// Of each input that the candidate declares.
    sources: Box<[Source]>,
    /// The candidate's index of each output that the baseline declares, if it has it.
    outputs: Box<[Option<usize>]>,
}

/// Where an input comes from.
#[derive(Debug)]
enum Source {
    /// The baseline's input with this index.
    Asked(usize),
    /// The candidate's own value for what is left out.
    Default(Tensor),
}

/// A run of the candidate, and of which of the baseline's outputs each of its own is the counterpart.
#[derive(Debug)]
pub(super) struct Counterpart {
    pub(super) asked: Asked,
    /// For each tensor of its answer, the place of the baseline's tensor in the baseline's answer.
    pub(super) places: Vec<usize>,
}

impl Mapping {
    pub(super) fn new(baseline: &Signatures, candidate: &Signatures) -> Self {
        let map = |signature: &Signature| Mapped {
            name: signature.name.as_str().into(),
            inputs: signature.inputs.iter().map(|spec| spec.alias.as_str().into()).collect(),
            outputs: signature.outputs.iter().map(|spec| spec.alias.as_str().into()).collect(),
            there: There::find(signature, candidate),
        };
        Self(baseline.list().iter().map(map).collect())
    }

    /// The baseline's signature with this index.
    pub(super) fn get(&self, signature: usize) -> Option<&Mapped> {
        self.0.get(signature)
    }

    /// What to ask the candidate instead of this.
    pub(super) fn counterpart(&self, asked: &Asked) -> Result<Counterpart, Incomparable> {
        let (mut heads, mut places, mut place) = (Vec::with_capacity(asked.heads.len()), Vec::new(), 0);
        let mut inputs = Vec::new();
        for head in &asked.heads {
            let there = self.there(head.signature)?;
            let mut outputs = Vec::with_capacity(head.outputs.len());
            for output in &head.outputs {
                if let Some(Some(index)) = there.outputs.get(*output) {
                    outputs.push(*index);
                    places.push(place);
                }
                place += 1;
            }
            if outputs.is_empty() {
                return Err(Incomparable::Outputs);
            }
            inputs = there.inputs(&asked.inputs)?;
            heads.push(Head { signature: there.signature, outputs });
        }
        if heads.len() > 1 && inputs.len() > 1 {
            return Err(Incomparable::Inputs);
        }
        Ok(Counterpart { asked: Asked { heads, inputs }, places })
    }

    fn there(&self, signature: usize) -> Result<&There, Incomparable> {
        let mapped = self.0.get(signature).ok_or(Incomparable::NoSignature)?;
        mapped.there.as_ref().map_err(|reason| *reason)
    }
}

impl There {
    fn find(signature: &Signature, candidate: &Signatures) -> Result<Self, Incomparable> {
        let (index, theirs) = candidate.find(&signature.name).ok_or(Incomparable::NoSignature)?;
        let is_declared = |alias: &str| theirs.inputs.iter().any(|spec| spec.alias == alias);
        if !signature.inputs.iter().all(|spec| is_declared(&spec.alias)) {
            return Err(Incomparable::Inputs);
        }
        let source = |spec: &crate::signature::TensorSpec| match signature
            .inputs
            .iter()
            .position(|mine| mine.alias == spec.alias)
        {
            Some(place) => {
                let mine = signature.inputs.get(place).map(|mine| mine.dtype_number);
                let is_same = mine == Some(spec.dtype_number);
                is_same.then_some(Source::Asked(place)).ok_or(Incomparable::InputTypes)
            }
            None => {
                theirs.defaults.get(&spec.alias).cloned().map(Source::Default).ok_or(Incomparable::Inputs)
            }
        };
        let sources = theirs.inputs.iter().map(source).collect::<Result<_, _>>()?;
        let find = |alias: &str| theirs.outputs.iter().position(|spec| spec.alias == alias);
        let outputs = signature.outputs.iter().map(|spec| find(&spec.alias)).collect();
        Ok(Self { signature: index, sources, outputs })
    }

    /// The candidate's inputs; tensors share their elements with the baseline's.
    fn inputs(&self, asked: &[Tensor]) -> Result<Vec<Tensor>, Incomparable> {
        let input = |source: &Source| match source {
            Source::Asked(place) => asked.get(*place).cloned().ok_or(Incomparable::Inputs),
            Source::Default(tensor) => Ok(tensor.clone()),
        };
        self.sources.iter().map(input).collect()
    }
}

#[cfg(test)]
#[path = "mapping_tests.rs"]
mod tests;
