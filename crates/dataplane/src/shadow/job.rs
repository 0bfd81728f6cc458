//! One request that is run on the candidate too: asked, compared, put down.

use super::{
    Shadow,
    compare::{Difference, Sides, is_invalid},
    elements::{cut, text},
    excerpt::excerpt,
    mapping::{Asked, Counterpart, Incomparable},
    outputs::Verdict,
    report::{Failure, Sample},
    room::Shed,
    tally::{Comparison, OutputName},
};
use crate::{
    budget::Charge,
    error::Error,
    runtime::{Model, Placement, RunOptions},
    tensor::Tensor,
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

/// Of a message that a failed run ends with, so much is kept.
const MESSAGE_CHARS_MAX: usize = 256;

/// In the thread that calls, which yields to all others: TensorFlow's pool would do it at the priority of requests.
const OPTIONS: RunOptions = RunOptions { placement: Placement::Caller, timeout: None };

/// A request that a job is made of.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) asked: Asked,
    pub(super) body_bytes: usize,
    /// What the baseline came to.
    pub(super) outcome: Result<Vec<Tensor>, Error>,
    pub(super) is_cut: bool,
    pub(super) who: Who,
}

/// A request that waits for its turn. It holds no version meanwhile, neither the baseline nor the candidate.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) shadow: Arc<Shadow>,
    pub(super) asked: Asked,
    /// What the baseline came to.
    pub(super) outcome: Result<Vec<Tensor>, Error>,
    pub(super) who: Who,
    /// It runs though there is no room.
    pub(super) is_due: bool,
    pub(super) _charge: Charge,
}

/// Whose request it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Who {
    pub(crate) request_id: String,
    /// The hash of its routing key; none: it brought none.
    pub(crate) key: Option<u64>,
}

/// What the candidate's run came to.
struct Ran {
    outcome: Result<Vec<Tensor>, Error>,
    took: Duration,
    panicked: bool,
}

impl Job {
    pub(super) fn shed(&self, why: Shed) {
        self.shadow.tally.count_shed(why);
    }

    /// Runs the candidate and puts down what differs; whether the run panicked.
    pub(super) fn run(self) -> bool {
        let tally = &self.shadow.tally;
        let counterpart = match self.shadow.mapping.counterpart(&self.asked) {
            Ok(counterpart) => counterpart,
            Err(why) => {
                tally.count_incomparable(why);
                return false;
            }
        };
        let Some(ran) = self.run_candidate(&counterpart) else { return false };
        let panicked = ran.panicked;
        tally.record(self.compare(&counterpart, &ran));
        panicked
    }

    /// Holds the candidate while it runs, and no longer. None when it could not.
    fn run_candidate(&self, counterpart: &Counterpart) -> Option<Ran> {
        let Some(handle) = self.shadow.candidate.acquire() else {
            self.shadow.tally.count_incomparable(Incomparable::Unloaded);
            return None;
        };
        let Some(_turn) = handle.slot().lane().inline_turn() else {
            self.shed(Shed::CandidateBusy);
            return None;
        };
        Some(perform(handle.model(), &counterpart.asked))
    }

    fn compare(&self, counterpart: &Counterpart, ran: &Ran) -> Comparison {
        let mut comparison = Comparison { took: ran.took, ..Comparison::default() };
        match (&self.outcome, &ran.outcome) {
            (Ok(mine), Ok(theirs)) => self.compare_outputs(counterpart, (mine, theirs), &mut comparison),
            (Ok(mine), Err(error)) => {
                comparison.invalid.baseline = mine.iter().any(is_invalid);
                comparison.failure = Some(self.failure(error));
            }
            (Err(_), Ok(theirs)) => comparison.invalid.candidate = theirs.iter().any(is_invalid),
            (Err(_), Err(_)) => {}
        }
        comparison.failed = Sides { baseline: self.outcome.is_err(), candidate: ran.outcome.is_err() };
        comparison
    }

    fn compare_outputs(
        &self,
        counterpart: &Counterpart,
        (mine, theirs): (&[Tensor], &[Tensor]),
        comparison: &mut Comparison,
    ) {
        let names = self.output_names();
        for (place, theirs) in counterpart.places.iter().zip(theirs) {
            let (Some(mine), Some(name)) = (mine.get(*place), names.get(*place)) else { continue };
            let difference = Difference::between(mine, theirs, self.shadow.tolerance);
            comparison.invalid = comparison.invalid.or(difference.invalid);
            let is_worth_it = !difference.agrees || difference.top_1_agrees == Some(false);
            let sample = is_worth_it.then(|| self.sample(&difference, mine, theirs));
            comparison.outputs.push((name.clone(), Verdict { difference, sample }));
        }
    }

    /// Of each tensor of the baseline's answer.
    fn output_names(&self) -> Vec<OutputName> {
        let head = |head: &crate::runtime::Head| {
            let mapped = self.shadow.mapping.get(head.signature);
            let name = |output: &usize| {
                let output = mapped.and_then(|mapped| mapped.outputs.get(*output));
                (
                    mapped.map(|mapped| mapped.name.clone()).unwrap_or_default(),
                    output.cloned().unwrap_or_default(),
                )
            };
            head.outputs.iter().map(name).collect::<Vec<_>>()
        };
        self.asked.heads.iter().flat_map(head).collect()
    }

    fn sample(&self, difference: &Difference, mine: &Tensor, theirs: &Tensor) -> Sample {
        let Who { request_id, key } = self.who.clone();
        let show = |tensor: &Tensor| match difference.worst {
            Some(element) => text(tensor, element).unwrap_or_default(),
            None => format!("{} {:?}", tensor.dtype().name(), tensor.shape()),
        };
        Sample {
            request_id,
            key,
            element: difference.worst,
            baseline: show(mine),
            candidate: show(theirs),
            severity: difference.severity,
            inputs: self.excerpt(),
        }
    }

    fn failure(&self, error: &Error) -> Failure {
        let Who { request_id, key } = self.who.clone();
        let message = cut(error.message.to_string(), MESSAGE_CHARS_MAX);
        Failure { request_id, key, code: error.code, message, inputs: self.excerpt() }
    }

    fn excerpt(&self) -> String {
        let first = self.asked.heads.first().and_then(|head| self.shadow.mapping.get(head.signature));
        let names = first.map_or(&[][..], |mapped| &mapped.inputs);
        excerpt(names.iter().map(AsRef::as_ref).zip(&self.asked.inputs))
    }
}

fn perform(model: &dyn Model, asked: &Asked) -> Ran {
    let begun = Instant::now();
    let outcome = catch_unwind(AssertUnwindSafe(|| asked.run(model, OPTIONS)));
    let panicked = outcome.is_err();
    let outcome = outcome.unwrap_or_else(|_| Err(Error::internal("the candidate's run panicked")));
    Ran { outcome, took: begun.elapsed(), panicked }
}
