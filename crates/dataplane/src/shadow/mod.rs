//! Shadow traffic: a share of a model's requests is run on a candidate, too, and the answers are compared. Nobody ever
//! sees the candidate's, and nobody waits for it. Decision 0042 says what it may cost, and what is given up for that.
//!
//! | file | what lives there |
//! | --- | --- |
//! | `mirror` | what the request path sees: whether a request is drawn, and where it goes then |
//! | `queue`, `room` | jobs that wait, bounded; when there is no room, and why |
//! | `worker` | the thread that runs them when nothing else has to run; who replaces it when a run hangs |
//! | `job` | one request: asked of the candidate, compared |
//! | `mapping` | the baseline's signatures, inputs and outputs, found in the candidate by name; pure |
//! | `compare`, `elements` | how two answers differ; pure |
//! | `tally`, `outputs`, `excerpt` | what is counted, and what is kept to be looked at |
//! | `report` | all of that at one moment |

pub(crate) mod compare;
pub(crate) mod elements;
mod excerpt;
mod job;
mod mapping;
mod mirror;
mod outputs;
mod queue;
mod report;
mod room;
mod tally;
mod worker;

pub(crate) use job::Who;

pub use mapping::{Asked, Incomparable};
pub use mirror::Shadow;
pub(crate) use mirror::{Mirroring, is_mirrored, mirror};
pub use outputs::DIFFERENCE_BOUNDS;
pub use report::{Bad, Failure, OutputReport, Sample, ShadowReport};
pub use room::Shed;
pub use tally::Tally;
pub use worker::ShadowOptions;

use crate::{allowance::Allowance, error::Error, execute::Executor, servable::Slot};
use std::sync::Arc;
use worker::Worker;

/// The shadows of all models of one plane. Its threads begin with the first shadow, and end with this.
#[derive(Debug)]
pub struct Shadows(Arc<Worker>);

/// Shadows that have room whatever else there is to do.
impl Default for Shadows {
    fn default() -> Self {
        let nothing_waits = Arc::new(Allowance::new(0));
        Self(Worker::new(ShadowOptions::default(), nothing_waits, Arc::default()))
    }
}

impl Shadows {
    /// No shadow yet. There is room for them while no request waits for this executor's run threads.
    #[must_use]
    pub fn new(options: ShadowOptions, executor: &Executor) -> Self {
        let (_, panics) = executor.shared();
        Self(Worker::new(options, executor.waiting(), panics))
    }

    /// Starts the threads, unless they run already.
    pub(crate) fn start(&self) -> Result<(), Error> {
        self.0.start().map_err(|error| Error::internal(format!("cannot start a thread: {error}")))
    }

    /// The shadow of `baseline` that `candidate` casts; none when they are one, or one is being unloaded.
    pub(crate) fn open(
        &self,
        baseline: &Arc<Slot>,
        candidate: &Arc<Slot>,
        mirroring: Mirroring,
    ) -> Option<Arc<Shadow>> {
        if Arc::ptr_eq(baseline, candidate) {
            return None;
        }
        Shadow::new(baseline, candidate, mirroring, Arc::clone(&self.0))
    }
}

impl Drop for Shadows {
    fn drop(&mut self) {
        self.0.stop();
    }
}

#[cfg(test)]
mod path_tests;
#[cfg(test)]
mod tests;
