//! Golden examples: questions with the right answers, which a version brings with it. They are asked of it when it is
//! loaded and before it may have traffic, off every request's thread. Decision 0048; formats:
//! docs/reference/golden-examples.md.
//!
//! `files` reads the two forms, `trial` asks one example, `outputs` makes answers of all kinds comparable. What
//! follows from a report is not known here.

mod files;
mod outputs;
mod trial;

pub use files::{EXAMPLES_MAX, FILE_BYTES_MAX, LINE_BYTES_MAX, LINES_FILE, RECORDS_FILE};

use crate::{
    error::{Code, Error},
    inference::Rules,
    runtime::Model,
    traffic::Tolerance,
};
use std::{
    path::Path,
    time::{Duration, Instant},
};
use trial::{Difference, Examinee, Outcome};

/// How many of the examples that are not reproduced are described.
const WORST_MAX: usize = 5;

/// How much of what a model says of an error is shown.
const TEXT_CHARS_MAX: usize = 300;

/// How examples are judged.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How far apart answers may be.
    pub tolerance: Tolerance,
    /// What a client's request would have to keep to.
    pub rules: Rules,
    /// How long all of them together may take; looked at between two.
    pub timeout: Duration,
}

/// What came of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ValidationReport {
    /// How many there are.
    pub examples: usize,
    /// How many are not reproduced.
    pub mismatched: usize,
    /// The worst of those, worst first.
    pub worst: Vec<Mismatch>,
    /// How long each took that was answered, in their order; each had been run before.
    pub latencies: Vec<Duration>,
    /// Which took longest; empty when none was answered.
    pub slowest: String,
}

/// An example that is not reproduced.
#[derive(Clone, Debug, PartialEq)]
pub struct Mismatch {
    /// Which: `line 7 of understudy_golden.jsonl (an eight)`.
    pub example: String,
    /// How the answer differs, or why there is none.
    pub reason: String,
}

/// Asks `model` every golden example of the version in `directory`, in this thread. No file: an empty report.
///
/// `goes_on` is asked before each: whether there is still reason to. An error is the files' or ends all: see
/// `files::each`; `ABORTED` when it does not go on, `DEADLINE_EXCEEDED` when the time is up. That an example cannot be
/// answered is a mismatch.
pub fn validate(
    model: &dyn Model,
    version: i64,
    directory: &Path,
    settings: Settings,
    goes_on: impl Fn() -> bool,
) -> Result<ValidationReport, Error> {
    let begun = Instant::now();
    let examinee = Examinee { model, version, settings };
    let mut tally = Tally::default();
    files::each(directory, |place, example| {
        if !goes_on() {
            return Err(Error::new(Code::Aborted, "the version is being unloaded"));
        }
        if begun.elapsed() > settings.timeout {
            return Err(Error::deadline_exceeded(format!(
                "{} golden examples took more than {} s; ship fewer, or give them more time",
                tally.report.examples,
                settings.timeout.as_secs()
            )));
        }
        tally.note(&place.to_string(), examinee.ask(example));
        Ok(())
    })?;
    Ok(tally.finish())
}

/// A report as it grows; at most `WORST_MAX` mismatches are kept.
#[derive(Default)]
struct Tally {
    report: ValidationReport,
    worst: Vec<(f64, Mismatch)>,
    longest: Duration,
}

impl Tally {
    fn note(&mut self, place: &str, outcome: Outcome) {
        let Outcome { name, took, difference } = outcome;
        let example = if name.is_empty() { place.to_owned() } else { format!("{place} ({})", cut(&name)) };
        self.report.examples += 1;
        if let Some(took) = took {
            self.report.latencies.push(took);
            if took >= self.longest {
                self.longest = took;
                self.report.slowest.clone_from(&example);
            }
        }
        if let Some(Difference { text, distance }) = difference {
            self.report.mismatched += 1;
            let at = self.worst.partition_point(|(other, _)| *other >= distance);
            self.worst.insert(at, (distance, Mismatch { example, reason: cut(&text) }));
            self.worst.truncate(WORST_MAX);
        }
    }

    fn finish(self) -> ValidationReport {
        let worst = self.worst.into_iter().map(|(_, mismatch)| mismatch).collect();
        ValidationReport { worst, ..self.report }
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(TEXT_CHARS_MAX) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
