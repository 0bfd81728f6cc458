//! Requests that run together.
//!
//! `scheduler` and `queue` decide which ones and when, purely; `rules` is by what they decide.

mod queue;
mod rules;
mod scheduler;

pub use rules::BatchingOptions;
