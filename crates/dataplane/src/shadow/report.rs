//! What came of a trial's shadow traffic, at one moment, for decisions and for people.

use super::{mapping::Incomparable, room::Shed};
use crate::error::Code;
use std::time::Duration;

/// All that is told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ShadowReport {
    /// Requests drawn.
    pub mirrored: u64,
    /// Of those, dropped before the candidate was asked, by why; reasons that came up.
    pub shed: Vec<(Shed, u64)>,
    /// Of those, which the candidate could not be asked, by why; reasons that came up.
    pub incomparable: Vec<(Incomparable, u64)>,
    /// Of those, run on both. What is neither shed, nor incomparable, nor compared waits or runs still.
    pub compared: u64,
    /// Of those, with an output that differs beyond the tolerance, or has another type or shape.
    pub disagreed: u64,
    /// Bad on the candidate alone.
    pub only_candidate: Bad,
    /// Bad on the baseline alone.
    pub only_baseline: Bad,
    /// Runs of the candidate that have been under way for too long and have not ended.
    pub overdue: usize,
    /// Runs of the candidate that were overdue once, those that ended since included.
    pub overdue_ever: u64,
    /// How long runs of the candidate took: shares (0 to 1) and the time within which so many ended, to within 3 %.
    /// Those that failed are included. They ran by themselves and yielded to all other work, so this is no measure
    /// of what the candidate would take if it served.
    pub run_quantiles: Vec<(f64, Duration)>,
    /// By signature and output.
    pub outputs: Vec<OutputReport>,
    /// The last runs that failed on the candidate alone.
    pub failures: Vec<Failure>,
}

/// Requests with something bad, by what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bad {
    /// The run failed.
    pub errors: u64,
    /// An output is not finite.
    pub invalid_outputs: u64,
}

/// What came of one output.
#[derive(Clone, Debug, PartialEq)]
pub struct OutputReport {
    /// Its signature.
    pub signature: String,
    /// Its name.
    pub output: String,
    /// Requests for which both versions computed it.
    pub compared: u64,
    /// Of those, beyond the tolerance or unlike.
    pub disagreed: u64,
    /// Of those, of another kind of type, or another shape.
    pub unlike: u64,
    /// Requests in which it was an output of scores, ...
    pub top_1_compared: u64,
    /// ... and those in which some row's highest score was elsewhere.
    pub top_1_disagreed: u64,
    /// The largest difference, and the largest relative to the baseline's; 0 of what are no numbers.
    pub largest: (f64, f64),
    /// Requests by their largest difference: none, up to each of [`super::DIFFERENCE_BOUNDS`], more.
    pub absolute: Vec<u64>,
    /// The same, of the difference relative to the baseline's.
    pub relative: Vec<u64>,
    /// Of the requests that disagreed, the worst first.
    pub worst: Vec<Sample>,
}

/// One request whose answers differ.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// What it is called.
    pub request_id: String,
    /// The hash of its routing key; none: it brought none.
    pub key: Option<u64>,
    /// The element that differs most, as if the tensor were flat; none when the tensors are unlike.
    pub element: Option<usize>,
    /// It, in the baseline's answer; type and shape when the tensors are unlike.
    pub baseline: String,
    /// It, in the candidate's.
    pub candidate: String,
    /// By how much: floats in tolerances, integers as they are, strings by how many; infinite for what cannot be told.
    pub severity: f64,
    /// A little of its inputs.
    pub inputs: String,
}

/// One request that failed on the candidate alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// What it is called.
    pub request_id: String,
    /// The hash of its routing key; none: it brought none.
    pub key: Option<u64>,
    /// What the candidate answered.
    pub code: Code,
    /// And in which words, cut.
    pub message: String,
    /// A little of its inputs.
    pub inputs: String,
}
