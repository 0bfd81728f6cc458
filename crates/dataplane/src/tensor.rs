//! A tensor that is known to be whole: its data is exactly as long as its type and shape say.
//!
//! The doors decode into this, runtimes run on it. How it is written on a wire lives in `grpc` and `rest`.

use crate::error::Error;
use bytes::Bytes;

/// Element types; the numbers are TensorFlow's `DataType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
#[allow(missing_docs)] // the names are the field's own
pub enum DType {
    Float = 1,
    Double = 2,
    Int32 = 3,
    UInt8 = 4,
    Int16 = 5,
    Int8 = 6,
    String = 7,
    Complex64 = 8,
    Int64 = 9,
    Bool = 10,
    QInt8 = 11,
    QUInt8 = 12,
    QInt32 = 13,
    BFloat16 = 14,
    QInt16 = 15,
    QUInt16 = 16,
    UInt16 = 17,
    Complex128 = 18,
    Half = 19,
    UInt32 = 22,
    UInt64 = 23,
}

/// Type, TensorFlow's name for it (`DataTypeString`), bytes per element (none: variable length).
const TABLE: [(DType, &str, Option<usize>); 21] = [
    (DType::Float, "float", Some(4)),
    (DType::Double, "double", Some(8)),
    (DType::Int32, "int32", Some(4)),
    (DType::UInt8, "uint8", Some(1)),
    (DType::Int16, "int16", Some(2)),
    (DType::Int8, "int8", Some(1)),
    (DType::String, "string", None),
    (DType::Complex64, "complex64", Some(8)),
    (DType::Int64, "int64", Some(8)),
    (DType::Bool, "bool", Some(1)),
    (DType::QInt8, "qint8", Some(1)),
    (DType::QUInt8, "quint8", Some(1)),
    (DType::QInt32, "qint32", Some(4)),
    (DType::BFloat16, "bfloat16", Some(2)),
    (DType::QInt16, "qint16", Some(2)),
    (DType::QUInt16, "quint16", Some(2)),
    (DType::UInt16, "uint16", Some(2)),
    (DType::Complex128, "complex128", Some(16)),
    (DType::Half, "half", Some(2)),
    (DType::UInt32, "uint32", Some(4)),
    (DType::UInt64, "uint64", Some(8)),
];

impl DType {
    /// Every type that can travel.
    #[allow(clippy::indexing_slicing)] // while compiling, not on a request
    pub const ALL: [Self; TABLE.len()] = {
        let mut all = [Self::Float; TABLE.len()];
        let mut index = 0;
        while index < TABLE.len() {
            all[index] = TABLE[index].0;
            index += 1;
        }
        all
    };

    /// The type with this number of TensorFlow's `DataType`; none for those that cannot travel (resource, variant).
    #[must_use]
    pub fn from_number(number: i32) -> Option<Self> {
        TABLE.iter().find(|row| row.0 as i32 == number).map(|row| row.0)
    }

    /// TensorFlow's number for it.
    #[must_use]
    pub fn number(self) -> i32 {
        self as i32
    }

    /// TensorFlow's name for it, `float` for example.
    #[must_use]
    pub fn name(self) -> &'static str {
        TABLE.iter().find(|row| row.0 == self).map_or("invalid", |row| row.1)
    }

    /// Bytes of one element; none for strings.
    #[must_use]
    pub fn size(self) -> Option<usize> {
        TABLE.iter().find(|row| row.0 == self).and_then(|row| row.2)
    }
}

/// A tensor's elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// Packed elements in the machine's (little endian) order.
    Packed(Bytes),
    /// One byte string an element.
    Strings(Vec<Bytes>),
}

/// A dense tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    dtype: DType,
    shape: Vec<i64>,
    data: Data,
}

impl Tensor {
    /// A tensor of `shape` (dimensions, none negative) whose `data` has exactly as many elements as that says.
    ///
    /// `INVALID_ARGUMENT` otherwise.
    pub fn new(dtype: DType, shape: Vec<i64>, data: Data) -> Result<Self, Error> {
        let count = element_count(&shape)?;
        let whole = match (&data, dtype.size()) {
            (Data::Packed(bytes), Some(size)) => count.checked_mul(size) == Some(bytes.len()),
            (Data::Strings(strings), None) => strings.len() == count,
            _ => false,
        };
        if !whole {
            return Err(Error::invalid_argument(format!(
                "a {} tensor of shape {shape:?} needs exactly {count} elements",
                dtype.name()
            )));
        }
        Ok(Self { dtype, shape, data })
    }

    /// Its element type.
    #[must_use]
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Its dimensions; empty for a scalar.
    #[must_use]
    pub fn shape(&self) -> &[i64] {
        &self.shape
    }

    /// Its elements, row major.
    #[must_use]
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// The same with elements of its own, which keep nothing else in memory.
    #[must_use]
    pub(crate) fn detached(self) -> Self {
        let copy = |bytes: &Bytes| Bytes::copy_from_slice(bytes);
        let data = match &self.data {
            Data::Packed(bytes) => Data::Packed(copy(bytes)),
            Data::Strings(strings) => Data::Strings(strings.iter().map(copy).collect()),
        };
        Self { data, ..self }
    }
}

/// How many elements a tensor of this shape has; `INVALID_ARGUMENT` for a negative dimension or a count that
/// does not fit the machine.
pub fn element_count(shape: &[i64]) -> Result<usize, Error> {
    let mut dimensions = Vec::with_capacity(shape.len());
    for &size in shape {
        dimensions.push(
            usize::try_from(size)
                .map_err(|_| Error::invalid_argument(format!("shape {shape:?} has a negative dimension")))?,
        );
    }
    if dimensions.contains(&0) {
        return Ok(0);
    }
    dimensions
        .iter()
        .try_fold(1_usize, |count, &size| count.checked_mul(size))
        .ok_or_else(|| Error::invalid_argument(format!("shape {shape:?} has too many elements")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensor_is_as_long_as_its_shape_says_or_is_refused() {
        let two_floats = Data::Packed(Bytes::from_static(&[0; 8]));
        assert!(Tensor::new(DType::Float, vec![2, 1], two_floats.clone()).is_ok());
        assert!(Tensor::new(DType::Float, vec![3], two_floats.clone()).is_err());
        assert!(Tensor::new(DType::String, vec![2], two_floats).is_err());
        assert!(Tensor::new(DType::Float, vec![-1], Data::Packed(Bytes::new())).is_err());
    }

    #[test]
    fn a_count_that_overflows_is_refused_but_a_zero_dimension_wins() {
        assert!(element_count(&[i64::MAX, 3]).is_err());
        assert_eq!(element_count(&[i64::MAX, i64::MAX, 0]).ok(), Some(0));
        assert_eq!(element_count(&[]).ok(), Some(1));
    }
}
