//! Understudy's data plane: everything that a request passes, and nothing that decides about versions.

pub mod error;
pub mod plane;
pub mod predict;
pub mod runtime;
pub mod signature;
pub mod tensor;
pub mod tensor_proto;
pub mod wire;
