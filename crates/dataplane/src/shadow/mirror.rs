//! What the request path sees of shadow traffic: whether a request is drawn, and where it goes then.

use super::{
    job::{Taken, Who},
    mapping::{Asked, Incomparable, Mapping},
    room::Shed,
    tally::Tally,
    worker::Worker,
};
use crate::{
    error::{Code, Error},
    inference::Run,
    servable::{Handle, Slot},
    tensor::Tensor,
    traffic::{BUCKETS, Tolerance},
};
use std::{fmt, sync::Arc};

/// The shadow of one model's default version: the candidate that runs a share of its requests, too.
pub struct Shadow {
    pub(super) candidate: Arc<Slot>,
    pub(super) mapping: Mapping,
    pub(super) tolerance: Tolerance,
    pub(super) tally: Arc<Tally>,
    share: u16,
    worker: Arc<Worker>,
}

impl fmt::Debug for Shadow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Shadow {{ candidate: {}, share: {} }}", self.candidate.id(), self.share)
    }
}

/// What to mirror, and where to count it.
#[derive(Debug)]
pub(crate) struct Mirroring {
    /// Of the requests that the default version answers, in hundredths of a per cent.
    pub(crate) share: u16,
    pub(crate) tolerance: Tolerance,
    pub(crate) tally: Arc<Tally>,
}

/// A request that was drawn, when it has run.
#[derive(Debug)]
pub(crate) struct Mirrored {
    /// What was run; none: what only the baseline can be asked.
    pub(crate) asked: Option<Asked>,
    /// Its body's length: inputs that lie in it keep all of it in memory.
    pub(crate) body_bytes: usize,
    /// What it came to.
    pub(crate) outcome: Result<Vec<Tensor>, Error>,
    /// Its outputs were cut from those of a batch, and keep all of them in memory.
    pub(crate) is_cut: bool,
    pub(crate) who: Who,
}

/// Whether a request was drawn for a shadow.
pub(crate) fn is_mirrored(handle: &Handle) -> bool {
    handle.assignment().is_some_and(|assignment| assignment.shadow().is_some())
}

/// Hands a request over to the shadow that it was drawn for, if it was. What failed before its model ran is no run.
pub(crate) fn mirror<R: Run>(
    handle: &Handle,
    run: R,
    body_bytes: usize,
    outcome: Result<Vec<Tensor>, &Error>,
) {
    let Some(assignment) = handle.assignment().filter(|assignment| assignment.has_begun_run()) else {
        return;
    };
    if let Some(shadow) = assignment.shadow() {
        let (asked, outcome) = (run.into_asked(), outcome.map_err(Clone::clone));
        let is_cut = handle.slot().batching().is_some();
        shadow.offer(Mirrored { asked, body_bytes, outcome, is_cut, who: assignment.who() });
    }
}

impl Shadow {
    /// None when one of the two is being unloaded: then routes will change soon.
    pub(super) fn new(
        baseline: &Arc<Slot>,
        candidate: &Arc<Slot>,
        mirroring: Mirroring,
        worker: Arc<Worker>,
    ) -> Option<Arc<Self>> {
        let Mirroring { share, tolerance, tally } = mirroring;
        let (mine, theirs) = (baseline.acquire()?, candidate.acquire()?);
        let mapping = Mapping::new(mine.model().signatures(), theirs.model().signatures());
        Some(Arc::new(Self { candidate: Arc::clone(candidate), mapping, tolerance, tally, share, worker }))
    }

    /// Whether this request is drawn. Costs a few nanoseconds, of requests of models with a shadow only.
    #[must_use]
    pub(crate) fn draws(&self) -> bool {
        self.share >= BUCKETS || fastrand::u16(..BUCKETS) < self.share
    }

    /// Hands over a request that was drawn, or drops and counts it: never waits.
    pub(crate) fn offer(self: &Arc<Self>, mirrored: Mirrored) {
        let Mirrored { asked, body_bytes, outcome, is_cut, who } = mirrored;
        if outcome.as_ref().is_err_and(|error| !is_of_the_model(error.code)) {
            return; // nothing was learnt of the baseline
        }
        self.tally.count_mirrored();
        let Some(asked) = asked else { return self.tally.count_incomparable(Incomparable::Graph) };
        let offered = if self.tally.is_overdue() {
            Err(Shed::CandidateHangs)
        } else {
            self.worker.offer(self, Taken { asked, body_bytes, outcome, is_cut, who })
        };
        if let Err(why) = offered {
            self.tally.count_shed(why);
        }
    }
}

/// Whether an error that a run came to can be the model's doing. The others are the server's, for lack of room or
/// time, and the caller's who had no patience.
fn is_of_the_model(code: Code) -> bool {
    !matches!(code, Code::Cancelled | Code::DeadlineExceeded | Code::ResourceExhausted | Code::Unavailable)
}
