//! Any part of a graph, by the names of its tensors and operations.

use super::{
    library::{Api, TfOperation, TfOutput},
    prepared::Prepared,
    session::{Part, Session},
    tensor::Tensors,
};
use crate::{
    error::Error,
    runtime::{GraphRun, RunOptions},
    tensor::Tensor,
};
use std::collections::{BTreeMap, BTreeSet};

/// How many different sets of feeds, fetches and targets one version prepares executors for.
const GRAPH_RUNS_MAX: usize = 256;

/// What is fed, fetched and targeted, each sorted: the order in which a request names it makes no difference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Names {
    feeds: Vec<TfOutput>,
    fetches: Vec<TfOutput>,
    targets: Vec<*const TfOperation>,
}

// SAFETY: the operations are those of a graph that is not changed after loading; here they are only compared.
unsafe impl Send for Names {}

/// What one version was asked to run so far.
pub(super) struct GraphRuns(Prepared<Names>);

impl GraphRuns {
    pub(super) fn new() -> Self {
        Self(Prepared::at_most(GRAPH_RUNS_MAX))
    }

    /// One tensor for each fetch, in the order named.
    pub(super) fn run(
        &self,
        api: &'static Api,
        session: &Session,
        run: &GraphRun,
        options: RunOptions,
    ) -> Result<Vec<Tensor>, Error> {
        let feeds = find_feeds(session, run)?;
        let wanted =
            run.fetches.iter().map(|name| session.tensor(name)).collect::<Result<Vec<_>, Error>>()?;
        let targets = run.targets.iter().map(|name| session.operation(name));
        let names = Names {
            feeds: feeds.keys().copied().collect(),
            fetches: sorted(wanted.iter().copied()),
            targets: sorted(targets.collect::<Result<Vec<_>, Error>>()?),
        };
        if !self.0.admits(&names) {
            return Err(too_many());
        }
        let inputs = Tensors::send(api, feeds.into_values().collect::<Vec<_>>().into_iter())?;
        let Names { feeds, fetches, targets } = &names;
        let answers = session.run(options, Part { feeds, inputs: &inputs, fetches, targets })?;
        drop(inputs); // an answer that shares their memory is then ours alone
        let answers = answers.receive()?;
        let answer = |output: &TfOutput| answers.get(fetches.binary_search(output).ok()?).cloned();
        let picked: Option<Vec<Tensor>> = wanted.iter().map(answer).collect();
        picked.ok_or_else(|| Error::internal("TensorFlow left an answer out"))
    }
}

/// The tensors to feed, by where the graph takes them.
fn find_feeds<'a>(session: &Session, run: &'a GraphRun) -> Result<BTreeMap<TfOutput, &'a Tensor>, Error> {
    let mut feeds = BTreeMap::new();
    for (name, tensor) in &run.feeds {
        if feeds.insert(session.tensor(name)?, tensor).is_some() {
            return Err(Error::invalid_argument(format!("the tensor {name:?} is fed twice")));
        }
    }
    Ok(feeds)
}

fn sorted<T: Ord>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    items.into_iter().collect::<BTreeSet<T>>().into_iter().collect()
}

fn too_many() -> Error {
    Error::resource_exhausted(format!(
        "this version was asked for {GRAPH_RUNS_MAX} different sets of feeds, fetches and targets already, and each \
         keeps memory until it is unloaded; ask for one of those again, or use Predict"
    ))
}
