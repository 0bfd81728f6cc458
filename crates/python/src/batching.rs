//! How requests are run together: `BatchingOptions` of src/understudy/dataplane/options.py, field by field; and what
//! is counted of batches.

use dataplane::batching;
use pyo3::prelude::*;

#[derive(FromPyObject)]
pub(crate) struct BatchingOptions {
    adaptive: bool,
    max_batch_size: i64,
    batch_timeout_micros: i64,
    max_enqueued_batches: i64,
    allowed_batch_sizes: Vec<i64>,
    pad_variable_length_inputs: bool,
    max_execution_batch_size: Option<i64>,
}

impl From<BatchingOptions> for batching::BatchingOptions {
    fn from(options: BatchingOptions) -> Self {
        let BatchingOptions {
            adaptive,
            max_batch_size,
            batch_timeout_micros,
            max_enqueued_batches,
            allowed_batch_sizes,
            pad_variable_length_inputs,
            max_execution_batch_size,
        } = options;
        Self {
            adaptive,
            max_batch_size,
            batch_timeout_micros,
            max_enqueued_batches,
            allowed_batch_sizes,
            pad_variable_length_inputs,
            max_execution_batch_size,
        }
    }
}

/// The batches of one version since it was loaded.
#[pyclass(frozen, get_all, module = "understudy.dataplane._native")]
#[derive(Clone)]
pub(crate) struct BatchStatistics {
    counts_by_rows: Vec<(u64, u64)>,
    rows: u64,
    filled_rows: u64,
    queue_counts_s: Vec<(f64, u64)>,
    queue_sum_s: f64,
}

impl From<batching::VersionBatches> for BatchStatistics {
    fn from(seen: batching::VersionBatches) -> Self {
        let batching::VersionBatches { queue_us, batches, rows, filled_rows } = seen;
        Self {
            counts_by_rows: batches,
            rows,
            filled_rows,
            queue_counts_s: queue_us.cumulative().map(|(bound_us, count)| (bound_us / 1e6, count)).collect(),
            queue_sum_s: queue_us.sum / 1e6,
        }
    }
}
