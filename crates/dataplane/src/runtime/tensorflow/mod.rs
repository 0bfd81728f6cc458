//! TensorFlow through its C API. The only unsafe code of this crate is in this folder.
