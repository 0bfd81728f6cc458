//! What is counted, as one snapshot: of the plane as a whole, and of each loaded version.

use crate::{
    batching::{Batching, BatchingSnapshot, VersionBatches},
    request_log::LogStatistics,
    servable::{ServableId, Slot},
    stats::MethodStatistics,
};
use std::sync::Arc;

/// One snapshot of what is counted.
#[derive(Debug)]
pub struct Statistics {
    /// Answers and latencies.
    pub methods: Vec<MethodStatistics>,
    /// Loaded versions, those being unloaded included.
    pub servables: Vec<ServableStatistics>,
    /// Requests being answered.
    pub in_flight: usize,
    /// Run threads in use, runs whose caller has given up included.
    pub run_threads: usize,
    /// Versions that were unloaded but whose last request still runs: their memory is not free yet.
    pub unloaded_late: usize,
    /// Jobs that panicked; not 0 means a bug.
    pub panics: u64,
    /// Open connections of gRPC.
    pub grpc_connections: usize,
    /// Open connections of REST.
    pub rest_connections: usize,
    /// Bytes of request bodies held.
    pub buffered_bytes: usize,
    /// Requests refused because something was full.
    pub refused_overload: u64,
    /// What became of the records of models whose requests are or were logged.
    pub request_logs: Vec<LogStatistics>,
    /// All batches together.
    pub batching: BatchingSnapshot,
}

/// One loaded version at one moment.
#[derive(Clone, Debug)]
pub struct ServableStatistics {
    /// The model.
    pub model: Arc<str>,
    /// Its number.
    pub version: i64,
    /// Tells it from others that are loaded under the same number.
    pub incarnation: u64,
    /// Requests that hold it.
    pub in_flight: u64,
    /// Runs so far in I/O threads.
    pub runs_inline: u64,
    /// Runs so far on run threads.
    pub runs_pooled: u64,
    /// What is counted of its batches; none when it is not batched.
    pub batches: Option<VersionBatches>,
}

impl ServableStatistics {
    pub(crate) fn of(slot: &Slot) -> Self {
        let (runs_inline, runs_pooled) = slot.lane().runs();
        let ServableId { version, incarnation, .. } = slot.id();
        let (model, in_flight) = (Arc::clone(slot.name()), slot.in_flight());
        let batches = slot.batching().map(Batching::snapshot);
        Self { model, version, incarnation, in_flight, runs_inline, runs_pooled, batches }
    }
}
