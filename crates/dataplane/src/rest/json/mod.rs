//! JSON as TensorFlow Serving's REST door reads and writes it: `rapidjson`'s dialect, texts and layout.
//!
//! [`Document`] is what was read, [`Writer`] is what is written. Neither knows of tensors.

pub mod decimal;
mod document;
mod dump;
mod number;
mod parser;
mod string;
mod writer;

pub use document::{
    Document, Kind, Members, NODE_BYTES, Scalars, TAPE_BYTES_PER_BODY_BYTE_MAX, Value, Values,
};
pub use dump::dump;
pub use number::Number;
pub use parser::{Fault, ParseError};
pub use writer::{Writer, write_complex, write_integer};
