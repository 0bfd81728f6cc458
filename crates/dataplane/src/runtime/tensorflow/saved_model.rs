//! A `SavedModel`: is it one, load it, answer for it.

use super::{
    graph_run::GraphRuns,
    joint::{BoundHead, JOINT_RUNS_MAX, Joint},
    library::Api,
    prepared::Prepared,
    session::{Part, Session},
    signatures::{self, Bound},
    tensor::Tensors,
};
use crate::{
    error::Error,
    runtime::{GraphRun, Head, Model, Placement, RunOptions, run_in_turn},
    signature::{Signatures, TensorSpec},
    tensor::{DType, Data, Tensor},
    wire::tensorflow::MetaGraphDef,
};
use bytes::Bytes;
use prost::Message;
use std::{ffi::CString, path::Path};

/// Any of these makes a folder a `SavedModel`: the graph as one message, in pieces, or as text.
const GRAPH_FILES: [&str; 3] = ["saved_model.pb", "saved_model.cpb", "saved_model.pbtxt"];

/// Where the variables of a graph are listed.
const VARIABLES_FILE: &str = "variables/variables.index";

/// How many signatures are planned ahead; a model with more has the others planned by their first requests.
const PREPARED_SIGNATURES_MAX: usize = 32;

/// What an export had before `SavedModel`s.
const LEGACY_FILE: &str = "export.meta";

/// A loaded `SavedModel`.
pub(super) struct SavedModel {
    api: &'static Api,
    session: Session,
    signatures: Signatures,
    bound: Vec<Result<Bound, Error>>,
    joint_runs: Prepared<Joint>,
    graph_runs: GraphRuns,
}

impl SavedModel {
    pub(super) fn load(
        api: &'static Api,
        config: &[u8],
        path: &Path,
        tags: &[String],
    ) -> Result<Self, Error> {
        check_present(path)?;
        let c_path = c_string(path.as_os_str().as_encoded_bytes())?;
        let has_values = path.join(VARIABLES_FILE).exists(); // asked before: it may appear while the graph loads
        let tags = tags.iter().map(|tag| c_string(tag.as_bytes())).collect::<Result<Vec<_>, _>>()?;
        let (session, description) = Session::load(api, config, &c_path, &tags)?;
        let meta_graph = MetaGraphDef::decode(description.as_slice())
            .map_err(|cause| Error::data_loss(format!("the signatures cannot be read: {cause}")))?;
        if !has_values && meta_graph.saver_def.is_some() && session.has_variables() {
            return Err(without_values(path));
        }
        let signatures::Parsed { signatures, bound } = signatures::parse(meta_graph, &session);
        let joint_runs = Prepared::at_most(JOINT_RUNS_MAX);
        let graph_runs = GraphRuns::new();
        let model = Self { api, session, signatures, bound, joint_runs, graph_runs };
        model.prepare()?;
        Ok(model)
    }

    /// The signature with this index, if it can be run.
    fn bound(&self, signature: usize) -> Result<&Bound, Error> {
        let bound =
            self.bound.get(signature).ok_or_else(|| Error::internal("a model has no such signature"))?;
        bound.as_ref().map_err(Clone::clone)
    }

    /// Has TensorFlow plan the signatures' graphs now.
    ///
    /// It plans a graph when it is first asked to run it, which takes tens of milliseconds: the first requests of a
    /// new version would all wait for that. Here it is asked with inputs of a type that was not declared. It plans,
    /// looks at the inputs, and refuses: nothing of the model runs, so nothing that it does can happen.
    fn prepare(&self) -> Result<(), Error> {
        for (declared, bound) in self.signatures.list().iter().zip(&self.bound).take(PREPARED_SIGNATURES_MAX)
        {
            let Ok(bound) = bound else { continue };
            if bound.feeds.is_empty() {
                continue; // there is no input to refuse it for: it would run
            }
            let unfit = declared.inputs.iter().map(unfit).collect::<Result<Vec<_>, _>>()?;
            let inputs = Tensors::send(self.api, bound.feed(declared, &unfit)?)?;
            let options = RunOptions { placement: Placement::Caller, timeout: None };
            let _refusal = self.session.run(options, Part::of(&bound.feeds, &inputs, bound.fetches.all()));
        }
        Ok(())
    }
}

/// A tensor that an input does not take.
fn unfit(spec: &TensorSpec) -> Result<Tensor, Error> {
    if spec.dtype_number == DType::Bool.number() {
        Tensor::new(DType::Float, Vec::new(), Data::Packed(Bytes::from_static(&[0; 4])))
    } else {
        Tensor::new(DType::Bool, Vec::new(), Data::Packed(Bytes::from_static(&[0])))
    }
}

impl Model for SavedModel {
    fn signatures(&self) -> &Signatures {
        &self.signatures
    }

    fn run(
        &self,
        signature: usize,
        inputs: &[Tensor],
        outputs: &[usize],
        options: RunOptions,
    ) -> Result<Vec<Tensor>, Error> {
        let bound = self.bound(signature)?;
        let declared =
            self.signatures.get(signature).ok_or_else(|| Error::internal("a model has no such signature"))?;
        let plan = bound.fetches.plan(outputs)?;
        let inputs = Tensors::send(self.api, bound.feed(declared, inputs)?)?;
        let answers = self.session.run(options, Part::of(&bound.feeds, &inputs, &plan.fetches))?;
        drop(inputs); // an answer that shares their memory is then ours alone
        Ok(plan.pick(answers.receive()?))
    }

    fn run_heads(&self, heads: &[Head], input: &Tensor, options: RunOptions) -> Result<Vec<Tensor>, Error> {
        let bound: Vec<BoundHead<'_>> = heads
            .iter()
            .map(|head| Ok((self.bound(head.signature)?, head.outputs.as_slice())))
            .collect::<Result<_, Error>>()?;
        let joint = Joint::of(&bound)?;
        if !self.joint_runs.admits(&joint) {
            return run_in_turn(self, heads, input, options);
        }
        let inputs = Tensors::send(self.api, joint.feeds.iter().map(|_| input))?;
        let answers = self.session.run(options, Part::of(&joint.feeds, &inputs, &joint.fetches))?;
        drop(inputs); // as in `run`
        joint.pick(&bound, &answers.receive()?)
    }

    fn run_graph(&self, run: &GraphRun, options: RunOptions) -> Result<Vec<Tensor>, Error> {
        self.graph_runs.run(self.api, &self.session, run, options)
    }
}

/// Says in TensorFlow Serving's words what is wrong with a folder that is no `SavedModel`.
fn check_present(path: &Path) -> Result<(), Error> {
    if GRAPH_FILES.iter().any(|name| path.join(name).exists()) {
        return Ok(());
    }
    if path.join(LEGACY_FILE).exists() {
        return Err(Error::unimplemented("Session Bundle is deprecated and removed."));
    }
    Err(Error::not_found(format!(
        "Specified file path does not appear to contain a SavedModel bundle (should have a file called \
         `saved_model.pb`)\nSpecified file path: {}",
        path.display()
    )))
}

/// TensorFlow loads a graph whose variables are not there, and fails each request instead. Such a folder is one that
/// is still being copied, or was copied in part.
fn without_values(path: &Path) -> Error {
    Error::not_found(format!(
        "The export is not complete: its graph has variables, but the file {VARIABLES_FILE} is missing\n\
         Specified file path: {}",
        path.display()
    ))
}

fn c_string(bytes: &[u8]) -> Result<CString, Error> {
    CString::new(bytes).map_err(|_| Error::invalid_argument("a path or a tag contains a zero byte"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test that panics has failed

    use super::*;
    use crate::error::Code;
    use std::fs;

    #[test]
    fn a_folder_is_a_saved_model_when_it_has_the_graph_in_any_form() {
        for name in GRAPH_FILES {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join(name), "").unwrap();
            fs::write(folder.path().join(LEGACY_FILE), "").unwrap();
            assert_eq!(check_present(folder.path()), Ok(()));
        }
    }

    #[test]
    fn a_legacy_export_is_refused_in_tensorflow_servings_words() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(LEGACY_FILE), "").unwrap();
        let error = check_present(folder.path()).unwrap_err();
        assert_eq!(error, Error::unimplemented("Session Bundle is deprecated and removed."));
    }

    #[test]
    fn a_missing_model_is_not_found_in_tensorflow_servings_words() {
        let error = check_present(Path::new("/no/model/7")).unwrap_err();
        assert_eq!(error.code, Code::NotFound);
        assert_eq!(
            error.message,
            "Specified file path does not appear to contain a SavedModel bundle (should have a file called \
             `saved_model.pb`)\nSpecified file path: /no/model/7"
        );
    }
}
