//! A tensor's first elements as numbers or strings, and whether floats are numbers at all.

use crate::tensor::{DType, Data, Tensor};
use bytes::Bytes;
use half::{bf16, f16};

/// Floats of one answer, all outputs together, that are looked at for what is no number. A model that breaks does so
/// in most of its elements; the first few thousand tell, and cost a microsecond.
const SCANNED_MAX: usize = 4_096;

/// Elements of one tensor.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Of any float type.
    Floats(Box<[f64]>),
    /// Of any integer type, and booleans.
    Integers(Box<[i64]>),
    /// Byte strings.
    Strings(Box<[Bytes]>),
}

impl Values {
    /// The first `elements_max` elements; none of a type that has no order (complex), or of an integer that is too
    /// large.
    pub(super) fn read(tensor: &Tensor, elements_max: usize) -> Option<Self> {
        let packed = match tensor.data() {
            Data::Strings(strings) => {
                return Some(Self::Strings(strings.iter().take(elements_max).cloned().collect()));
            }
            Data::Packed(packed) => packed,
        };
        let size = tensor.dtype().size()?;
        let elements = packed.chunks_exact(size).take(elements_max);
        if is_float(tensor.dtype()) {
            return elements
                .map(|element| float(tensor.dtype(), element))
                .collect::<Option<_>>()
                .map(Self::Floats);
        }
        elements.map(|element| integer(tensor.dtype(), element)).collect::<Option<_>>().map(Self::Integers)
    }

    /// How many elements there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Floats(floats) => floats.len(),
            Self::Integers(integers) => integers.len(),
            Self::Strings(strings) => strings.len(),
        }
    }

    /// The same, holding nothing of the tensor that they were read from.
    pub(super) fn detached(self) -> Self {
        match self {
            Self::Strings(strings) => {
                Self::Strings(strings.iter().map(|string| Bytes::copy_from_slice(string)).collect())
            }
            numbers => numbers,
        }
    }

    /// About how much memory they take.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Floats(floats) => size_of_val(&**floats),
            Self::Integers(integers) => size_of_val(&**integers),
            Self::Strings(strings) => strings.iter().map(|string| size_of::<Bytes>() + string.len()).sum(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn is_float(dtype: DType) -> bool {
    matches!(dtype, DType::Float | DType::Double | DType::Half | DType::BFloat16)
}

fn float(dtype: DType, element: &[u8]) -> Option<f64> {
    Some(match dtype {
        DType::Float => f32::from_le_bytes(element.try_into().ok()?).into(),
        DType::Double => f64::from_le_bytes(element.try_into().ok()?),
        DType::Half => f16::from_le_bytes(element.try_into().ok()?).into(),
        DType::BFloat16 => bf16::from_le_bytes(element.try_into().ok()?).into(),
        _ => return None,
    })
}

fn integer(dtype: DType, element: &[u8]) -> Option<i64> {
    Some(match dtype {
        DType::Bool | DType::UInt8 | DType::QUInt8 => u8::from_le_bytes(element.try_into().ok()?).into(),
        DType::Int8 | DType::QInt8 => i8::from_le_bytes(element.try_into().ok()?).into(),
        DType::UInt16 | DType::QUInt16 => u16::from_le_bytes(element.try_into().ok()?).into(),
        DType::Int16 | DType::QInt16 => i16::from_le_bytes(element.try_into().ok()?).into(),
        DType::UInt32 => u32::from_le_bytes(element.try_into().ok()?).into(),
        DType::Int32 | DType::QInt32 => i32::from_le_bytes(element.try_into().ok()?).into(),
        DType::Int64 => i64::from_le_bytes(element.try_into().ok()?),
        DType::UInt64 => u64::from_le_bytes(element.try_into().ok()?).try_into().ok()?,
        _ => return None,
    })
}

/// Whether one of these outputs holds a float that is infinite or no number, among the first [`SCANNED_MAX`] of all.
pub(super) fn has_invalid(outputs: &[Tensor]) -> bool {
    let mut left = SCANNED_MAX;
    outputs.iter().any(|output| {
        let Data::Packed(packed) = output.data() else { return false };
        // A complex number is two floats of half its size.
        let (width, exponent): (usize, &[u8]) = match output.dtype() {
            DType::Float | DType::Complex64 => (4, &[0, 0, 0x80, 0x7f]),
            DType::Double | DType::Complex128 => (8, &[0, 0, 0, 0, 0, 0, 0xf0, 0x7f]),
            DType::Half => (2, &[0, 0x7c]),
            DType::BFloat16 => (2, &[0x80, 0x7f]),
            _ => return false,
        };
        let count = left.min(packed.len() / width);
        left -= count;
        let floats = packed.get(..count * width).unwrap_or_default();
        match width {
            2 => any_all_ones(floats, exponent, u16::from_le_bytes),
            4 => any_all_ones(floats, exponent, u32::from_le_bytes),
            _ => any_all_ones(floats, exponent, u64::from_le_bytes),
        }
    })
}

/// Whether the exponent of one of these floats is all ones: then it is infinite, or no number. Every float is looked
/// at, without a branch, so that the compiler takes many at once.
fn any_all_ones<const WIDTH: usize, T>(
    floats: &[u8],
    exponent: &[u8],
    read: impl Fn([u8; WIDTH]) -> T,
) -> bool
where
    T: Copy + PartialEq + std::ops::BitAnd<Output = T>,
{
    let Ok(exponent) = exponent.try_into().map(&read) else { return false };
    let (floats, _) = floats.as_chunks::<WIDTH>();
    floats.iter().fold(false, |found, float| found | (read(*float) & exponent == exponent))
}

#[cfg(test)]
#[path = "values_tests.rs"]
mod tests;
