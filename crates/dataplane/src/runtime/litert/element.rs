//! Element types: their numbers in a `.tflite` file, in LiteRT, and ours.

use crate::tensor::DType;
use std::ffi::c_int;

/// An element type that both sides know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element {
    /// Ours.
    pub(super) dtype: DType,
    /// LiteRT's `LiteRtElementType`.
    pub(super) number: c_int,
}

/// `TensorType` of the file's schema, `LiteRtElementType`, ours. What is not here (numbers of 4 bits, resources,
/// variants) cannot travel.
const TABLE: [(u8, c_int, DType); 16] = [
    (0, 1, DType::Float),
    (1, 10, DType::Half),
    (2, 2, DType::Int32),
    (3, 3, DType::UInt8),
    (4, 4, DType::Int64),
    (5, 5, DType::String),
    (6, 6, DType::Bool),
    (7, 7, DType::Int16),
    (8, 8, DType::Complex64),
    (9, 9, DType::Int8),
    (10, 11, DType::Double),
    (11, 12, DType::Complex128),
    (12, 13, DType::UInt64),
    (15, 16, DType::UInt32),
    (16, 17, DType::UInt16),
    (18, 19, DType::BFloat16),
];

impl Element {
    /// The type with this number in a file's schema; none for one that cannot travel.
    pub(super) fn from_file(number: u8) -> Option<Self> {
        TABLE.iter().find(|row| row.0 == number).map(|row| Self { dtype: row.2, number: row.1 })
    }

    /// Bytes of one; none for strings.
    pub(super) fn size(self) -> Option<usize> {
        self.dtype.size()
    }
}
