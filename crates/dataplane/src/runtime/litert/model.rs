//! A loaded `model.tflite`: what it can be asked, and the interpreters that answer.

use super::{
    contents::{self, Entry},
    declared::{self, Declared, Place},
    file::{self, ModelFile},
    fit,
    interpreter::Interpreter,
    library::Api,
    pool::Pool,
};
use crate::{
    error::{Code, Error},
    runtime::{Model, RunOptions},
    signature::{Signature, Signatures},
    tensor::{Data, Tensor, element_count},
};
use std::{
    path::Path,
    time::{Duration, Instant},
};

/// Elements of a tensor of zeros with which an interpreter is tried; a larger one is not made up for that.
const TRIAL_ELEMENTS_MAX: usize = 16 << 20;

/// How long all trials of one load may take together.
const TRIALS_MAX: Duration = Duration::from_secs(10);

/// How many signatures are tried ahead; a model with more has the others prepared by their first requests.
const TRIED_SIGNATURES_MAX: usize = 32;

/// A loaded file.
pub(super) struct LiteRtModel {
    declared: Declared,
    entries: Vec<Entry>,
    /// For each signature why it cannot be run, if it cannot.
    outcomes: Vec<Result<(), Error>>,
    // In this order: what comes first is dropped first.
    pool: Pool<Interpreter>,
    _file: ModelFile,
}

impl LiteRtModel {
    /// Reads the file and makes its interpreters, all of them: what they need is taken when the model is loaded, and
    /// no request waits for one to be made.
    pub(super) fn load(api: &'static Api, path: &Path, interpreters: usize) -> Result<Self, Error> {
        let named = |error: Error| named(path, &error);
        let bytes = file::read(path)?;
        let entries = contents::read(bytes.as_ref()).map_err(named)?;
        let declared = declared::declare(&entries).map_err(named)?;
        let file = ModelFile::new(api, bytes).map_err(named)?;
        let made = (0..interpreters.max(1)).map(|_| Interpreter::new(api, &file, entries.len()));
        let made = made.collect::<Result<Vec<_>, Error>>().map_err(named)?;
        let outcomes = declared.signatures.list().iter().map(check_types).collect();
        let mut model = Self { declared, entries, outcomes, pool: Pool::new(Vec::new()), _file: file };
        let made = model.try_all(made);
        model.pool = Pool::new(made);
        Ok(model)
    }

    /// Runs every signature once on zeros in every interpreter: LiteRT puts weights into order when it first runs a
    /// graph, and only then shows that it cannot answer with an output whose size follows from values. Whatever else
    /// a graph says of zeros says nothing about it.
    fn try_all(&mut self, mut interpreters: Vec<Interpreter>) -> Vec<Interpreter> {
        let end = Instant::now() + TRIALS_MAX;
        for interpreter in &mut interpreters {
            for index in 0..self.declared.places.len().min(TRIED_SIGNATURES_MAX) {
                let left = end.saturating_duration_since(Instant::now());
                let tried = (!left.is_zero()).then(|| self.try_one(interpreter, index, left));
                if let Some(Err(error)) = tried
                    && error.code == Code::Unimplemented
                    && let Some(outcome) = self.outcomes.get_mut(index)
                {
                    *outcome = Err(error);
                }
            }
        }
        interpreters
    }

    fn try_one(&self, interpreter: &mut Interpreter, index: usize, left: Duration) -> Result<(), Error> {
        let Bound { place, entry, .. } = self.bound(index)?;
        let zeros = entry.inputs.iter().map(zeros).collect::<Result<Vec<_>, Error>>()?;
        let inputs: Vec<(&Tensor, Vec<i32>)> =
            zeros.iter().map(|(tensor, sizes)| (tensor, sizes.clone())).collect();
        interpreter.run((place.entry, entry), &inputs, &[], Some(left)).map(drop)
    }

    fn bound(&self, index: usize) -> Result<Bound<'_>, Error> {
        let none = || Error::internal("a model has no such signature");
        let signature = self.declared.signatures.list().get(index).ok_or_else(none)?;
        let place = self.declared.places.get(index).ok_or_else(none)?;
        let entry = self.entries.get(place.entry).ok_or_else(none)?;
        self.outcomes.get(index).cloned().ok_or_else(none)??;
        Ok(Bound { signature, place, entry })
    }
}

/// A signature that can be run.
struct Bound<'a> {
    signature: &'a Signature,
    place: &'a Place,
    entry: &'a Entry,
}

impl Bound<'_> {
    /// The tensors, in the order of the file, each with its sizes, of one for each declared input.
    fn arrange<'a>(&self, tensors: &'a [Tensor]) -> Result<Vec<(&'a Tensor, Vec<i32>)>, Error> {
        if tensors.len() != self.signature.inputs.len() {
            return Err(Error::internal("a signature needs one tensor for each declared input"));
        }
        let grows = fit::grows(&self.entry.inputs);
        let mut arranged = Vec::with_capacity(tensors.len());
        for (index, port) in self.entry.inputs.iter().enumerate() {
            let from = self.place.inputs.iter().position(|&input| input == index);
            let found = from.and_then(|from| Some((tensors.get(from)?, self.signature.inputs.get(from)?)));
            let (tensor, spec) = found.ok_or_else(|| Error::internal("an input has no name"))?;
            arranged.push((tensor, fit::fit(port, &spec.alias, tensor, grows)?));
        }
        Ok(arranged)
    }

    /// The file's outputs for these declared ones.
    fn wanted(&self, outputs: &[usize]) -> Result<Vec<usize>, Error> {
        let places = outputs.iter().map(|&output| self.place.outputs.get(output).copied());
        places.collect::<Option<_>>().ok_or_else(|| Error::internal("a signature has no such output"))
    }
}

impl Model for LiteRtModel {
    fn signatures(&self) -> &Signatures {
        &self.declared.signatures
    }

    fn runs_max(&self) -> Option<usize> {
        Some(self.pool.size())
    }

    fn run(
        &self,
        signature: usize,
        inputs: &[Tensor],
        outputs: &[usize],
        options: RunOptions,
    ) -> Result<Vec<Tensor>, Error> {
        let bound = self.bound(signature)?;
        let (inputs, wanted) = (bound.arrange(inputs)?, bound.wanted(outputs)?);
        let begun = Instant::now();
        self.pool.lend(options.timeout, |interpreter| {
            let left = options.timeout.map(|timeout| timeout.saturating_sub(begun.elapsed()));
            interpreter.run((bound.place.entry, bound.entry), &inputs, &wanted, left)
        })
    }
}

/// The error, and which file it is about.
pub(super) fn named(path: &Path, error: &Error) -> Error {
    Error::new(error.code, format!("{}: {}", path.display(), error.message))
}

/// A signature with a tensor of a type that cannot travel does not fail the load; it cannot be asked.
fn check_types(signature: &Signature) -> Result<(), Error> {
    let unknown = |spec: &&crate::signature::TensorSpec| spec.dtype_number == declared::DT_INVALID;
    match signature.inputs.iter().chain(&signature.outputs).find(unknown) {
        None => Ok(()),
        Some(spec) => Err(Error::unimplemented(format!(
            "Signature {:?} cannot be run: the type of its tensor {:?} cannot travel.",
            signature.name, spec.alias
        ))),
    }
}

/// The smallest tensor that an input takes, all zeros or empty strings, and its sizes.
fn zeros(port: &contents::Port) -> Result<(Tensor, Vec<i32>), Error> {
    let element = port.element.ok_or_else(|| Error::internal("a tensor of a type that cannot travel"))?;
    let sizes: Vec<i32> = port.shape.iter().map(|&size| size.max(1)).collect();
    let shape: Vec<i64> = sizes.iter().copied().map(i64::from).collect();
    let count = element_count(&shape)?;
    if count > TRIAL_ELEMENTS_MAX {
        return Err(Error::resource_exhausted("too large to be tried"));
    }
    let data = match element.size() {
        Some(size) => Data::Packed(vec![0; count * size].into()),
        None => Data::Strings(vec![bytes::Bytes::new(); count]),
    };
    Ok((Tensor::new(element.dtype, shape, data)?, sizes))
}
