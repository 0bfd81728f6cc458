//! Requests that run together: a version's requests are gathered into batches, and each batch is one run.
//!
//! | file | what lives there |
//! | --- | --- |
//! | `rules` | the operator's parameters, checked |
//! | `queue`, `scheduler` | which requests run together and which batch is next; pure |
//! | `tensors` | tensors put together and cut apart; pure |
//! | `request` | the path of a request: decode, wait for its batch, encode |
//! | `pending` | a request while it waits, and its answer from its parts |
//! | `batcher`, `job` | the scheduler at work; one batch on its run thread |
//! | `observed` | what is counted |
//!
//! No batch mixes versions, signatures, outputs asked for, element types or (unless they are filled up) shapes.

mod batcher;
mod job;
mod observed;
mod pending;
mod queue;
mod request;
mod rules;
mod scheduler;
mod tensors;

pub(crate) use batcher::Batcher;
pub use batcher::{BatchThreads, Batching};
pub use observed::{BatchingSnapshot, VersionBatches};
pub(crate) use request::{Arrived, Means, answer};
pub use rules::BatchingOptions;

#[cfg(test)]
#[path = "batching_tests.rs"]
mod tests;
#[cfg(test)]
mod threads_tests;
