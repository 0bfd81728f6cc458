//! By what rules a version's requests are put into batches; where they come from and what they may be.

use crate::error::Error;
use std::time::Duration;

/// Of one request in the adaptive mode: rows may cost nothing to send, each part costs memory here.
const PARTS_MAX: usize = 1_024;

/// The longest that a batch may be told to wait for others.
const TIMEOUT_MAX: Duration = Duration::from_hours(24);

/// How a version's requests are batched, as the operator says it: TensorFlow Serving's `BatchingParameters`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchingOptions {
    /// A batch is whatever waited while the one before it ran; the next three are then not asked for.
    pub adaptive: bool,
    /// Rows of one request, and of one batch unless requests are split.
    pub max_batch_size: i64,
    /// How long a batch waits for others to join it.
    pub batch_timeout_micros: i64,
    /// Batches of one queue that may wait.
    pub max_enqueued_batches: i64,
    /// Sizes that a batch may have when it runs; it is filled up to the next. Empty: any.
    pub allowed_batch_sizes: Vec<i64>,
    /// Fills tensors of unlike shapes up to the largest instead of running them apart.
    pub pad_variable_length_inputs: bool,
    /// Rows of one batch, when larger requests are split; none: they are not.
    pub max_execution_batch_size: Option<i64>,
}

/// What the scheduler goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Rows of one request.
    pub(crate) request_rows_max: usize,
    /// Rows of one batch; a single request may have more where `request_rows_max` says so.
    pub(crate) batch_rows_max: usize,
    /// A request that does not fit is split over several batches.
    pub(crate) splits: bool,
    /// How long a batch stays open for others.
    pub(crate) timeout: Duration,
    /// Batches of one queue that may wait.
    pub(crate) batches_max: usize,
    /// Batches of the version that may run at once, those that are overdue left out.
    pub(crate) timely_max: usize,
    /// The same, those that are overdue included.
    pub(crate) running_max: usize,
}

/// Rules that were checked, and how tensors are put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) rules: Rules,
    pub(crate) adaptive: bool,
    pub(crate) shape: Shaping,
}

/// How a batch is brought into a shape that the model takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shaping {
    /// As [`BatchingOptions::allowed_batch_sizes`].
    pub(crate) allowed_sizes: Vec<usize>,
    /// As [`BatchingOptions::pad_variable_length_inputs`].
    pub(crate) pads_inner: bool,
}

impl Shaping {
    /// The size at which a batch of so many rows runs: the first allowed one that is large enough.
    pub(crate) fn size_for(&self, rows: usize) -> usize {
        self.allowed_sizes.iter().copied().find(|&size| size >= rows).unwrap_or(rows)
    }
}

impl BatchingOptions {
    /// The rules that follow; `INVALID_ARGUMENT` when they contradict each other, in the words of TensorFlow Serving
    /// where it has some (`servables/tensorflow/bundle_factory_util.cc`, and TensorFlow's
    /// `core/kernels/batching_util/shared_batch_scheduler.h`). `running_max` is how many batches of the version may
    /// run at once, however long they take.
    pub(crate) fn plan(&self, running_max: usize) -> Result<Plan, Error> {
        self.check_last_allowed_size()?;
        let batch_max = positive("input_batch_size_limit", self.max_batch_size)?;
        let execution_max = match self.max_execution_batch_size {
            Some(size) => positive("max_execution_batch_size", size)?,
            None => batch_max,
        };
        if execution_max > batch_max {
            return Err(Error::invalid_argument(
                "When enable_large_batch_splitting is true, input_batch_size_limit must be greater than or \
                 equal to max_execution_batch_size.",
            ));
        }
        let rules = if self.adaptive {
            self.adaptive_rules(batch_max, execution_max, running_max)
        } else {
            Rules {
                request_rows_max: batch_max,
                batch_rows_max: execution_max,
                splits: self.max_execution_batch_size.is_some(),
                timeout: self.timeout()?,
                batches_max: self.batches_max()?,
                timely_max: running_max,
                running_max,
            }
        };
        let shape = Shaping { allowed_sizes: self.sizes()?, pads_inner: self.pad_variable_length_inputs };
        Ok(Plan { rules, adaptive: self.adaptive, shape })
    }

    /// One batch at a time, as soon as there is something to run; a larger request runs by itself, or in
    /// so many parts as a request may have, unless the sizes that may run are listed.
    fn adaptive_rules(&self, batch_max: usize, execution_max: usize, running_max: usize) -> Rules {
        let splits = self.max_execution_batch_size.is_some();
        let request_rows_max = match (self.allowed_batch_sizes.is_empty(), splits) {
            (false, _) => batch_max,
            (true, true) => execution_max.saturating_mul(PARTS_MAX),
            (true, false) => usize::MAX,
        };
        Rules {
            request_rows_max,
            batch_rows_max: execution_max,
            splits,
            timeout: Duration::ZERO,
            batches_max: usize::MAX,
            timely_max: 1,
            running_max,
        }
    }

    fn check_last_allowed_size(&self) -> Result<(), Error> {
        match self.allowed_batch_sizes.last() {
            Some(&last) if last != self.max_batch_size => Err(Error::invalid_argument(format!(
                "Last entry in allowed_batch_sizes must match max_batch_size; last entry was {last}; \
                 expected {}",
                self.max_batch_size
            ))),
            _ => Ok(()),
        }
    }

    fn sizes(&self) -> Result<Vec<usize>, Error> {
        self.allowed_batch_sizes
            .iter()
            .map(|&size| positive("an entry of allowed_batch_sizes", size))
            .collect()
    }

    /// Zero stands for one, as in TensorFlow Serving, unless requests are split.
    fn batches_max(&self) -> Result<usize, Error> {
        match (self.max_enqueued_batches, self.max_execution_batch_size) {
            (0, None) => Ok(1),
            (batches, _) => positive("max_enqueued_batches", batches),
        }
    }

    fn timeout(&self) -> Result<Duration, Error> {
        let micros = u64::try_from(self.batch_timeout_micros).map_err(|_| {
            Error::invalid_argument(format!(
                "batch_timeout_micros must be non-negative; was {}",
                self.batch_timeout_micros
            ))
        })?;
        Ok(Duration::from_micros(micros).min(TIMEOUT_MAX))
    }
}

fn positive(name: &str, value: i64) -> Result<usize, Error> {
    match usize::try_from(value) {
        Ok(size) if size > 0 => Ok(size),
        _ => Err(Error::invalid_argument(format!("{name} must be positive; was {value}"))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test may panic
mod tests {
    use super::*;

    fn options() -> BatchingOptions {
        BatchingOptions {
            adaptive: false,
            max_batch_size: 8,
            batch_timeout_micros: 50,
            max_enqueued_batches: 3,
            allowed_batch_sizes: vec![2, 4, 8],
            pad_variable_length_inputs: false,
            max_execution_batch_size: None,
        }
    }

    fn refusal(options: &BatchingOptions) -> String {
        options.plan(4).unwrap_err().to_string()
    }

    #[test]
    fn parameters_become_rules_as_they_stand() {
        let plan = options().plan(4).unwrap();
        let rules = Rules {
            request_rows_max: 8,
            batch_rows_max: 8,
            splits: false,
            timeout: Duration::from_micros(50),
            batches_max: 3,
            timely_max: 4,
            running_max: 4,
        };
        assert_eq!((plan.rules, plan.adaptive), (rules, false));
    }

    #[test]
    fn a_batch_runs_at_the_next_allowed_size_or_at_its_own() {
        let shape = options().plan(4).unwrap().shape;
        assert_eq!([1, 2, 3, 4, 5, 8].map(|rows| shape.size_for(rows)), [2, 2, 4, 4, 8, 8]);
        assert_eq!(Shaping::default().size_for(5), 5);
    }

    #[test]
    fn the_last_allowed_size_must_be_the_largest_batch() {
        let wrong = BatchingOptions { max_batch_size: 9, ..options() };
        let text = "INVALID_ARGUMENT: Last entry in allowed_batch_sizes must match max_batch_size; \
                    last entry was 8; expected 9";
        assert_eq!(refusal(&wrong), text);
    }

    #[test]
    fn numbers_that_cannot_be_are_refused() {
        let plain = BatchingOptions { allowed_batch_sizes: Vec::new(), ..options() };
        let cases = [
            (
                BatchingOptions { max_batch_size: 0, ..plain.clone() },
                "input_batch_size_limit must be positive; was 0",
            ),
            (
                BatchingOptions { max_enqueued_batches: -1, ..plain.clone() },
                "max_enqueued_batches must be positive; was -1",
            ),
            (
                BatchingOptions { batch_timeout_micros: -5, ..plain.clone() },
                "batch_timeout_micros must be non-negative; was -5",
            ),
            (
                BatchingOptions { max_execution_batch_size: Some(9), ..plain.clone() },
                "When enable_large_batch_splitting is true, input_batch_size_limit must be greater than or \
                 equal to max_execution_batch_size.",
            ),
            (
                BatchingOptions { allowed_batch_sizes: vec![0, 8], ..plain },
                "an entry of allowed_batch_sizes must be positive; was 0",
            ),
        ];
        for (options, text) in cases {
            assert_eq!(refusal(&options), format!("INVALID_ARGUMENT: {text}"));
        }
    }

    #[test]
    fn the_adaptive_mode_runs_one_batch_at_a_time_and_takes_any_size_unless_sizes_are_listed() {
        let adaptive = BatchingOptions { adaptive: true, ..options() };
        assert_eq!(adaptive.plan(4).unwrap().rules.request_rows_max, 8);
        let free = BatchingOptions { allowed_batch_sizes: Vec::new(), ..adaptive };
        let rules = free.plan(4).unwrap().rules;
        assert_eq!(
            (rules.timely_max, rules.timeout, rules.request_rows_max),
            (1, Duration::ZERO, usize::MAX)
        );
    }

    #[test]
    fn a_request_is_split_into_a_bounded_number_of_parts_in_the_adaptive_mode_too() {
        let splitting = BatchingOptions {
            adaptive: true,
            allowed_batch_sizes: Vec::new(),
            max_execution_batch_size: Some(4),
            ..options()
        };
        assert_eq!(splitting.plan(4).unwrap().rules.request_rows_max, 4 * PARTS_MAX);
    }
}
