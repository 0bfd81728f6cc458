//! What comparisons found of one output: counts, how large the differences were, and the worst of them.

use super::{
    compare::Difference,
    report::{OutputReport, Sample},
    tally::OutputName,
};

/// The worst requests of each output that are kept to be looked at.
pub(super) const SAMPLES_MAX: usize = 16;

/// Requests are counted by their largest difference: none, up to each of these, and more.
pub const DIFFERENCE_BOUNDS: [f64; 13] =
    [1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 1e1, 1e2, 1e3];

const BUCKETS: usize = DIFFERENCE_BOUNDS.len() + 2;

/// How one request's output differs.
#[derive(Debug)]
pub(super) struct Verdict {
    pub(super) difference: Difference,
    /// Where it is worth looking at.
    pub(super) sample: Option<Sample>,
}

/// One output's counts.
#[derive(Debug, Default)]
pub(super) struct OutputTally {
    compared: u64,
    disagreed: u64,
    unlike: u64,
    top_1_compared: u64,
    top_1_disagreed: u64,
    largest: (f64, f64),
    absolute: [u64; BUCKETS],
    relative: [u64; BUCKETS],
    /// The worst first; of equal ones, the first that came.
    worst: Vec<Sample>,
}

impl OutputTally {
    pub(super) fn record(&mut self, verdict: Verdict) {
        let Verdict { difference, sample } = verdict;
        self.compared += 1;
        self.disagreed += u64::from(!difference.agrees);
        self.unlike += u64::from(difference.is_unlike);
        self.top_1_compared += u64::from(difference.top_1_agrees.is_some());
        self.top_1_disagreed += u64::from(difference.top_1_agrees == Some(false));
        if let Some(gap) = difference.largest {
            self.largest = (self.largest.0.max(gap.absolute), self.largest.1.max(gap.relative));
            count(&mut self.absolute, gap.absolute);
            count(&mut self.relative, gap.relative);
        }
        if let Some(sample) = sample {
            self.keep(sample);
        }
    }

    fn keep(&mut self, sample: Sample) {
        let place = self.worst.partition_point(|kept| kept.severity >= sample.severity);
        if place < SAMPLES_MAX {
            self.worst.truncate(SAMPLES_MAX - 1);
            self.worst.insert(place, sample);
        }
    }

    pub(super) fn report(&self, (signature, output): &OutputName) -> OutputReport {
        OutputReport {
            signature: signature.as_ref().to_owned(),
            output: output.as_ref().to_owned(),
            compared: self.compared,
            disagreed: self.disagreed,
            unlike: self.unlike,
            top_1_compared: self.top_1_compared,
            top_1_disagreed: self.top_1_disagreed,
            largest: self.largest,
            absolute: self.absolute.to_vec(),
            relative: self.relative.to_vec(),
            worst: self.worst.clone(),
        }
    }
}

fn count(buckets: &mut [u64; BUCKETS], size: f64) {
    let bucket = if size == 0.0 { 0 } else { 1 + DIFFERENCE_BOUNDS.partition_point(|bound| *bound < size) };
    if let Some(count) = buckets.get_mut(bucket) {
        *count += 1;
    }
}

#[cfg(test)]
#[path = "outputs_tests.rs"]
mod tests;
