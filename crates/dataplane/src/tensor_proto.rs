//! Tensors on the wire: `TensorProto` to [`Tensor`] and back, as TensorFlow reads and writes them.

use crate::{error::Error, tensor::Tensor, wire::tensorflow::TensorProto};

/// Reads a tensor; `INVALID_ARGUMENT` when it is not whole (the caller words the text that a client sees).
pub fn decode(_proto: TensorProto) -> Result<Tensor, Error> {
    Err(Error::unimplemented("decode"))
}

/// Writes a tensor in the typed field of its element type, as TensorFlow Serving does by default.
#[must_use]
pub fn encode(_tensor: &Tensor) -> TensorProto {
    TensorProto::default()
}
