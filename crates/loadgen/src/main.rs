//! A bounded load generator for gRPC and REST.
fn main() {}
