//! A tensor's elements one by one, as numbers that can be compared whatever their type, and as text for people.

use crate::tensor::{DType, Data, Tensor};
use half::{bf16, f16};

/// A text of one element is cut after so many characters.
const TEXT_CHARS_MAX: usize = 64;

/// Numbers of this size are written without an exponent.
const PLAIN: std::ops::Range<f64> = 1e-4..1e6;

/// Elements in the order in which they lie.
pub(crate) enum Elements<'a> {
    /// Of a floating type. A complex number is two of them, so `per_element` is 2.
    Floats { values: Box<dyn Iterator<Item = f64> + 'a>, per_element: usize },
    /// Of an integer type, quantised ones as they are stored; booleans are 0 and 1.
    Integers(Box<dyn Iterator<Item = i128> + 'a>),
    /// Byte strings.
    Strings(Box<dyn Iterator<Item = &'a [u8]> + 'a>),
}

impl<'a> Elements<'a> {
    /// All elements of a tensor.
    pub(crate) fn of(tensor: &'a Tensor) -> Self {
        match tensor.data() {
            Data::Strings(strings) => Self::Strings(Box::new(strings.iter().map(AsRef::as_ref))),
            Data::Packed(bytes) => Self::packed(tensor.dtype(), bytes),
        }
    }

    fn packed(dtype: DType, bytes: &'a [u8]) -> Self {
        match dtype {
            DType::Float => floats(bytes, f32::from_le_bytes),
            DType::Double => floats(bytes, f64::from_le_bytes),
            DType::Half => floats(bytes, f16::from_le_bytes),
            DType::BFloat16 => floats(bytes, bf16::from_le_bytes),
            DType::Complex64 => complex(floats(bytes, f32::from_le_bytes)),
            DType::Complex128 => complex(floats(bytes, f64::from_le_bytes)),
            DType::Int8 | DType::QInt8 => integers(bytes, i8::from_le_bytes),
            DType::UInt8 | DType::QUInt8 => integers(bytes, u8::from_le_bytes),
            DType::Int16 | DType::QInt16 => integers(bytes, i16::from_le_bytes),
            DType::UInt16 | DType::QUInt16 => integers(bytes, u16::from_le_bytes),
            DType::Int32 | DType::QInt32 => integers(bytes, i32::from_le_bytes),
            DType::UInt32 => integers(bytes, u32::from_le_bytes),
            DType::Int64 => integers(bytes, i64::from_le_bytes),
            DType::UInt64 => integers(bytes, u64::from_le_bytes),
            DType::Bool => integers(bytes, |byte: [u8; 1]| byte != [0]),
            DType::String => Self::Strings(Box::new(std::iter::empty())), // a tensor is whole: never packed
        }
    }
}

fn floats<const N: usize, T: Into<f64> + 'static>(bytes: &[u8], read: fn([u8; N]) -> T) -> Elements<'_> {
    let (chunks, _) = bytes.as_chunks::<N>();
    Elements::Floats { values: Box::new(chunks.iter().map(move |chunk| read(*chunk).into())), per_element: 1 }
}

fn complex(parts: Elements<'_>) -> Elements<'_> {
    match parts {
        Elements::Floats { values, .. } => Elements::Floats { values, per_element: 2 },
        other => other,
    }
}

fn integers<const N: usize, T: Into<i128> + 'static>(bytes: &[u8], read: fn([u8; N]) -> T) -> Elements<'_> {
    let (chunks, _) = bytes.as_chunks::<N>();
    Elements::Integers(Box::new(chunks.iter().map(move |chunk| read(*chunk).into())))
}

/// The element with this index, for people; none beyond the last. Strings that are not UTF-8 are shown as far as
/// they are.
pub(crate) fn text(tensor: &Tensor, index: usize) -> Option<String> {
    let text = match Elements::of(tensor) {
        Elements::Floats { mut values, per_element: 1 } => number(values.nth(index)?),
        Elements::Floats { mut values, per_element } => {
            let real = values.nth(index * per_element)?;
            let imaginary = number(values.next()?);
            let sign = if imaginary.starts_with('-') { "" } else { "+" };
            format!("{}{sign}{imaginary}j", number(real))
        }
        Elements::Integers(mut values) => values.nth(index)?.to_string(),
        Elements::Strings(mut values) => readable(values.nth(index)?),
    };
    Some(cut(text, TEXT_CHARS_MAX))
}

/// Short, and all of its digits.
fn number(value: f64) -> String {
    let is_plain = value == 0.0 || !value.is_finite() || PLAIN.contains(&value.abs());
    if is_plain { value.to_string() } else { format!("{value:e}") }
}

/// Looks at no more of a string than can be shown.
fn readable(string: &[u8]) -> String {
    let most = 4 * (TEXT_CHARS_MAX + 1); // bytes of one character
    String::from_utf8_lossy(string.get(..most).unwrap_or(string)).escape_debug().to_string()
}

/// At most so many characters, and a sign that there were more.
pub(crate) fn cut(mut text: String, chars_max: usize) -> String {
    if let Some((at, _)) = text.char_indices().nth(chars_max) {
        text.truncate(at);
        text.push('…');
    }
    text
}
