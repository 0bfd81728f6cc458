//! Heads: how a signature answers for Examples, alone or with others in one run of the model.

use crate::{
    error::Error,
    inference::{Api, Inputs, Rules, Run, SignatureRun},
    runtime::{Head, Model, RunOptions},
    shadow::Asked,
    signature::{CLASSIFY_METHOD, DEFAULT_SIGNATURE, REGRESS_METHOD, Signature, Signatures, TensorSpec},
    tensor::Tensor,
};

/// The alias of the one input that takes Examples.
const INPUTS: &str = "inputs";

/// How Examples are to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// With classes, scores, or both.
    Classify,
    /// With one number for each.
    Regress,
}

impl Task {
    /// Of an inference task's method name.
    pub(crate) fn from_method_name(name: &str) -> Option<Self> {
        [Self::Classify, Self::Regress].into_iter().find(|task| task.method_name() == name)
    }

    /// What it is called by the signatures made for it.
    fn method_name(self) -> &'static str {
        match self {
            Self::Classify => CLASSIFY_METHOD,
            Self::Regress => REGRESS_METHOD,
        }
    }

    /// The method of a request that is this task alone.
    pub(crate) fn api(self) -> Api {
        match self {
            Self::Classify => Api::Classify,
            Self::Regress => Api::Regress,
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Self::Classify => "classification",
            Self::Regress => "regression",
        }
    }

    fn output_aliases(self) -> &'static [&'static str] {
        match self {
            Self::Classify => &["classes", "scores"],
            Self::Regress => &["outputs"],
        }
    }

    /// How the signature of this name answers; empty: the default one.
    pub(crate) fn head(self, signatures: &Signatures, name: &str, rules: Rules) -> Result<Head, Error> {
        let name = or_default(name);
        let (signature, declared) = signatures.find(name).ok_or_else(|| {
            Error::invalid_argument(format!("No signature was found with the name: {name}"))
        })?;
        Ok(Head { signature, outputs: self.outputs(declared, rules)? })
    }

    /// Which outputs of this signature answer, as indexes; `INVALID_ARGUMENT` when it cannot.
    pub(crate) fn outputs(self, signature: &Signature, rules: Rules) -> Result<Vec<usize>, Error> {
        self.check_method_name(signature, rules)?;
        self.check_counts(signature)?;
        if signature.inputs.iter().all(|input| input.alias != INPUTS) {
            return Err(self.lacks("inputs", &signature.inputs));
        }
        let answers = |spec: &TensorSpec| self.output_aliases().contains(&spec.alias.as_str());
        let declared = signature.outputs.iter().enumerate();
        let outputs: Vec<usize> =
            declared.filter(|(_, spec)| answers(spec)).map(|(index, _)| index).collect();
        if outputs.is_empty() { Err(self.lacks_outputs(&signature.outputs)) } else { Ok(outputs) }
    }

    fn check_method_name(self, signature: &Signature, rules: Rules) -> Result<(), Error> {
        if !rules.check_method_names || signature.method_name == self.method_name() {
            return Ok(());
        }
        Err(Error::invalid_argument(format!(
            "Expected {} signature method_name to be {}. Was: {}",
            self.noun(),
            self.method_name(),
            signature.method_name
        )))
    }

    fn check_counts(self, signature: &Signature) -> Result<(), Error> {
        if signature.inputs.len() != 1 {
            return Err(Error::invalid_argument("Expected one input Tensor."));
        }
        match (self, signature.outputs.len()) {
            (Self::Classify, 1 | 2) | (Self::Regress, 1) => Ok(()),
            (Self::Classify, found) => {
                Err(Error::invalid_argument(format!("Expected one or two output Tensors, found {found}")))
            }
            (Self::Regress, _) => Err(Error::invalid_argument("Expected one output Tensor.")),
        }
    }

    fn lacks_outputs(self, declared: &[TensorSpec]) -> Error {
        match self {
            Self::Classify => Error::invalid_argument(format!(
                "Expected classification signature outputs to contain at least one of \"classes\" or \
                 \"scores\". Signature was: {}",
                aliases(declared)
            )),
            Self::Regress => self.lacks("outputs", declared),
        }
    }

    fn lacks(self, side: &str, declared: &[TensorSpec]) -> Error {
        let noun = self.noun();
        Error::invalid_argument(format!("No {noun} {side} found in SignatureDef: {}", aliases(declared)))
    }
}

/// The signature that is meant by this name.
pub(crate) fn or_default(name: &str) -> &str {
    if name.is_empty() { DEFAULT_SIGNATURE } else { name }
}

fn aliases(specs: &[TensorSpec]) -> String {
    specs.iter().map(|spec| spec.alias.as_str()).collect::<Vec<_>>().join(",")
}

/// One head alone is a run of its signature.
impl From<(Head, Tensor)> for SignatureRun {
    fn from((head, examples): (Head, Tensor)) -> Self {
        let Head { signature, outputs } = head;
        Self { signature, inputs: Inputs { tensors: vec![examples], outputs } }
    }
}

/// Several heads on the same Examples, in one run of the model.
#[derive(Debug)]
pub(crate) struct HeadsRun {
    /// In the order asked.
    pub(crate) heads: Vec<Head>,
    /// The tensor that goes into each one's input.
    pub(crate) examples: Tensor,
}

impl Run for HeadsRun {
    fn run(&self, model: &dyn Model, options: RunOptions) -> Result<Vec<Tensor>, Error> {
        let answers = model.run_heads(&self.heads, &self.examples, options)?;
        if answers.len() == self.heads.iter().map(|head| head.outputs.len()).sum::<usize>() {
            Ok(answers)
        } else {
            Err(Error::unknown("MultiInference internal error"))
        }
    }

    fn into_asked(self) -> Option<Asked> {
        Some(Asked { heads: self.heads, inputs: vec![self.examples] })
    }
}
