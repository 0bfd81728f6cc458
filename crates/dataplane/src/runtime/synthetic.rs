//! A model made of Rust, for tests: no TensorFlow needed.
