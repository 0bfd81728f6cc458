//! The REST door; so far the JSON that it reads and writes.

pub mod json;
