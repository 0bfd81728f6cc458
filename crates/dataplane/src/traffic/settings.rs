//! What the control plane wants of one model's traffic, as src/understudy/routing/traffic.py hands it over, and
//! whether it can be.

use super::bucket::BUCKETS;
use crate::{error::Error, trial::THRESHOLDS_MAX};
use http::HeaderName;

/// More parts than this no split has: each is a version that is loaded.
const RANGES_MAX: usize = 64;
/// Of a salt, and of a trial's name.
const NAME_BYTES_MAX: usize = 256;

/// Buckets from `start` up to and without `stop`, which `version` answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BucketRange {
    /// Who answers.
    pub version: i64,
    /// The first bucket.
    pub start: u16,
    /// The first bucket that is no longer its.
    pub stop: u16,
}

/// How far apart two outputs' floats may be and still agree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// Of any float.
    pub absolute: f64,
    /// Of the baseline's.
    pub relative: f64,
    /// Of outputs of scores, it is enough that the highest score is at the same place.
    pub top_1: bool,
}

/// Requests that another version runs too, unseen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ShadowSettings {
    /// Which.
    pub version: i64,
    /// Of the requests that the default version answers, in hundredths of a per cent.
    pub share: u16,
    /// Of its outputs.
    pub tolerance: Tolerance,
}

/// Predictions that are kept until the truth comes.
#[derive(Clone, Debug, PartialEq)]
pub struct Remembering {
    /// Of which output; none: of the only one, or the one that a classification answers with.
    pub output: Option<String>,
    /// How long.
    pub window_s: f64,
}

/// How the traffic of one model is split, and what is counted of it.
#[derive(Clone, Debug, PartialEq)]
pub struct TrafficSettings {
    /// Whose counts these requests add to; the same across changes of the split.
    pub trial: String,
    /// Of the trial; grows when the ranges change.
    pub epoch: u64,
    /// The version that is compared with the default one; none: nothing is compared.
    pub candidate: Option<i64>,
    /// Of the hash.
    pub salt: String,
    /// gRPC metadata or HTTP header that holds the key; lower case.
    pub key_header: String,
    /// An input tensor that holds it where the header does not.
    pub key_input: Option<String>,
    /// Disjoint, in any order; buckets that none names belong to the default version.
    pub ranges: Vec<BucketRange>,
    /// Whether a caller may ask for a version in `x-understudy-version`.
    pub may_override: bool,
    /// None: no request is run twice.
    pub shadow: Option<ShadowSettings>,
    /// Names of latency thresholds, and the seconds beyond which an answer counts as slow.
    pub slow_after_s: Vec<(String, f64)>,
    /// None: no prediction is kept.
    pub remembering: Option<Remembering>,
}

impl TrafficSettings {
    /// `INVALID_ARGUMENT` for settings that cannot be, `FAILED_PRECONDITION` for those that contradict what was in
    /// force before under the same trial.
    pub(crate) fn check(&self, before: Option<&Self>) -> Result<(), Error> {
        self.check_names()?;
        self.check_ranges()?;
        self.check_numbers()?;
        match before.filter(|before| before.trial == self.trial) {
            Some(before) => self.check_epoch(before),
            None => Ok(()),
        }
    }

    /// Its ranges by their buckets.
    pub(super) fn ascending(&self) -> Vec<BucketRange> {
        let mut ranges = self.ranges.clone();
        ranges.sort_by_key(|range| range.start);
        ranges
    }

    fn check_names(&self) -> Result<(), Error> {
        for (what, text) in [("trial", &self.trial), ("salt", &self.salt)] {
            if text.is_empty() || text.len() > NAME_BYTES_MAX || text.contains('\0') {
                return Err(invalid(format!("a {what} has 1 to {NAME_BYTES_MAX} bytes, none of them zero")));
            }
        }
        match HeaderName::from_lowercase(self.key_header.as_bytes()) {
            Ok(_) => Ok(()),
            Err(_) => Err(invalid(format!("no header is named {:?}, in lower case", self.key_header))),
        }
    }

    fn check_ranges(&self) -> Result<(), Error> {
        if self.ranges.len() > RANGES_MAX {
            return Err(invalid(format!("{} ranges are more than {RANGES_MAX}", self.ranges.len())));
        }
        let mut free_from = 0;
        for BucketRange { version, start, stop } in self.ascending() {
            if start < free_from || start >= stop || stop > BUCKETS {
                return Err(invalid(format!(
                    "buckets {start} to {stop} of version {version}: ranges must be disjoint, not empty, and end at \
                     {BUCKETS} at most"
                )));
            }
            free_from = stop;
        }
        Ok(())
    }

    fn check_numbers(&self) -> Result<(), Error> {
        let is_duration = |seconds: f64| seconds.is_finite() && seconds >= 0.0;
        if self.slow_after_s.len() > THRESHOLDS_MAX || !self.slow_after_s.iter().all(|it| is_duration(it.1)) {
            return Err(invalid(format!("at most {THRESHOLDS_MAX} latency thresholds, none below zero")));
        }
        if self.remembering.as_ref().is_some_and(|kept| !is_duration(kept.window_s)) {
            return Err(invalid("predictions are remembered for no such time"));
        }
        let Some(ShadowSettings { share, tolerance, .. }) = self.shadow else { return Ok(()) };
        if share > BUCKETS || !is_duration(tolerance.absolute) || !is_duration(tolerance.relative) {
            return Err(invalid(format!(
                "a shadow's share is at most {BUCKETS}, its tolerance not below zero"
            )));
        }
        Ok(())
    }

    /// Counts of one epoch belong to one split.
    fn check_epoch(&self, before: &Self) -> Result<(), Error> {
        let split = |it: &Self| (it.candidate, it.salt.clone(), it.ranges.clone());
        let contradicts = self.epoch == before.epoch && split(self) != split(before);
        if self.epoch < before.epoch || contradicts {
            return Err(Error::failed_precondition(format!(
                "trial {} is at epoch {} already; another split needs a higher one than {}",
                self.trial, before.epoch, self.epoch
            )));
        }
        Ok(())
    }
}

fn invalid(reason: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::invalid_argument(reason)
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
