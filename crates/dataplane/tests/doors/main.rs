//! The doors over real sockets: what clients may send, and what a server does with those that misbehave.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub
)] // a test may panic, and nobody imports it

mod authority;
mod compression;
mod connections;
mod deadlines;
mod framing;
mod health;
mod inference;
mod lifetime;
mod memory;
mod metrics;
mod rest;
mod serving;
mod shutdown;
mod support;
mod tls;
mod unix_socket;
