//! How two answers to one request differ: what shadow traffic and golden examples have in common.
//!
//! `compare` says whether they agree and where they do not, `elements` what stands there.

pub(crate) mod compare;
pub(crate) mod elements;

pub use compare::Tolerance;
