//! Understudy's data plane: everything that a request passes, and nothing that decides about versions.

pub mod admin;
pub mod allowance;
#[cfg(test)] // nothing batches yet
mod batching;
pub mod budget;
pub mod error;
mod examples;
pub mod execute;
pub mod grpc;
pub mod histogram;
pub mod inference;
mod inline;
pub mod lane;
pub mod metrics;
mod output_filter;
pub mod plane;
pub mod reaper;
mod registry;
pub mod request_log;
pub mod rest;
pub mod route;
pub mod runtime;
pub mod servable;
pub mod server;
pub mod signature;
pub mod stats;
pub mod tensor;
pub mod tensor_proto;
pub mod tensor_wire;
pub mod testing;
pub mod tfrecord;
pub mod warmup;
pub mod wire;
