//! What runs a model. A runtime turns a path into a [`Model`]; the request path knows nothing else of it.

use crate::{error::Error, signature::Signatures, tensor::Tensor};
use std::time::Duration;

pub mod litert;
pub mod synthetic;
pub mod tensorflow;

/// In which thread a graph runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// In the thread that calls: cheapest for a small graph; a timeout is not enforced.
    Caller,
    /// In the runtime's own pool: parallel inside one graph; a timeout is enforced.
    Pool,
}

/// How to run one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunOptions {
    /// Where.
    pub placement: Placement,
    /// Give up with `DEADLINE_EXCEEDED` after this long; none: never.
    pub timeout: Option<Duration>,
}

/// One signature among several that are run at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its index in `Signatures::list`.
    pub signature: usize,
    /// Which declared outputs to compute, as indexes into the signature's outputs.
    pub outputs: Vec<usize>,
}

/// A part of a graph, by the graph's own names: `x:0` is the first output of the operation `x`, and so is `x`.
#[derive(Clone, Debug, PartialEq)]
pub struct GraphRun {
    /// Tensors that take the place of those of these names.
    pub feeds: Vec<(String, Tensor)>,
    /// Tensors to answer.
    pub fetches: Vec<String>,
    /// Operations to run, too.
    pub targets: Vec<String>,
}

/// A loaded model. Dropping it frees what it holds, which may take long: never do so on a request's thread.
pub trait Model: Send + Sync + 'static {
    /// What it can be asked.
    fn signatures(&self) -> &Signatures;

    /// How many runs it can do at once; none: as many as come. Whoever runs it must not begin more.
    fn runs_max(&self) -> Option<usize> {
        None
    }

    /// Runs the signature with this index of `signatures().list()`.
    ///
    /// `inputs` has one tensor for each declared input, in the declared (sorted) order. `outputs` are indexes
    /// into the declared outputs; the answer has one tensor for each, in that order. Element types and shapes are
    /// the runtime's to check.
    fn run(
        &self,
        signature: usize,
        inputs: &[Tensor],
        outputs: &[usize],
        options: RunOptions,
    ) -> Result<Vec<Tensor>, Error>;

    /// Runs several signatures, each of which declares one input, on the same tensor: in one run where the runtime
    /// has one graph for all of them, one after the other where it has not. One tensor for each output asked for, head
    /// by head; when one head fails, all do.
    fn run_heads(&self, heads: &[Head], input: &Tensor, options: RunOptions) -> Result<Vec<Tensor>, Error> {
        run_in_turn(self, heads, input, options)
    }

    /// Runs any part of the model's graph: one tensor for each fetch, in the order named. `UNIMPLEMENTED` where a model
    /// has no graph.
    fn run_graph(&self, _run: &GraphRun, _options: RunOptions) -> Result<Vec<Tensor>, Error> {
        Err(Error::unimplemented(
            "SessionRun needs a SavedModel's graph, which this model has not; use Predict",
        ))
    }
}

/// Runs heads one after the other, each with all of the time that `options` give.
pub(crate) fn run_in_turn<M: Model + ?Sized>(
    model: &M,
    heads: &[Head],
    input: &Tensor,
    options: RunOptions,
) -> Result<Vec<Tensor>, Error> {
    let inputs = std::slice::from_ref(input);
    let runs = heads.iter().map(|head| model.run(head.signature, inputs, &head.outputs, options));
    Ok(runs.collect::<Result<Vec<_>, _>>()?.concat())
}
