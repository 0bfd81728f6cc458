//! A tensor being filled from JSON values: its shape comes from the first path down, its elements from all leaves.

use super::{
    complex,
    json::{Document, Kind, Number, Scalars, Value, dump},
    rounding::{to_bfloat16, to_float, to_half},
};
use crate::{
    error::Error,
    signature::TensorSpec,
    tensor::{DType, Data, Tensor},
};
use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;

/// TensorFlow has no tensors of more dimensions.
const RANK_MAX: usize = 254;

/// The one key of an object that stands for bytes.
pub(super) const BASE64_KEY: &str = "b64";

/// At most so many bytes the tensors of these inputs take when they are read from `document`.
pub(super) fn tensor_bytes_max(document: &Document, inputs: &[TensorSpec]) -> usize {
    if inputs.iter().any(|spec| spec.dtype_number == DType::String.number()) {
        // What was escaped or base64 is copied; the rest shares the body's memory.
        document.nodes() * size_of::<Bytes>() + document.body_bytes()
    } else {
        document.nodes() * size_of::<u64>()
    }
}

/// The elements of one input, of the type that the signature declares.
#[derive(Debug)]
pub(super) struct Elements<'a> {
    spec: &'a TensorSpec,
    packed: Vec<u8>,
    strings: Vec<Bytes>,
}

impl<'a> Elements<'a> {
    pub(super) fn new(spec: &'a TensorSpec) -> Self {
        Self { spec, packed: Vec::new(), strings: Vec::new() }
    }

    /// Adds what `value` holds, which must have the shape of its first path down all over; gives that shape.
    pub(super) fn add(&mut self, value: Value<'_>, shape: &mut Vec<i64>) -> Result<(), Error> {
        shape_of(value, shape);
        if shape.len() > RANK_MAX {
            return Err(Error::invalid_argument(format!("tensor parsing error: {}", self.spec.alias)));
        }
        self.fill(value, 0, shape)
    }

    /// The tensor of all that was added.
    pub(super) fn into_tensor(self, shape: Vec<i64>) -> Result<Tensor, Error> {
        // A type that cannot travel is only reached here when there was no element to refuse.
        let dtype = DType::from_number(self.spec.dtype_number).ok_or_else(|| {
            Error::unimplemented(format!("Conversion of JSON Value: [] to type: {}", dtype_name(self.spec)))
        })?;
        let data = match dtype {
            DType::String => Data::Strings(self.strings),
            _ => Data::Packed(Bytes::from(self.packed)),
        };
        Tensor::new(dtype, shape, data)
    }

    /// At most `RANK_MAX` deep: a list below the last level is refused.
    fn fill(&mut self, value: Value<'_>, level: usize, shape: &[i64]) -> Result<(), Error> {
        let rank = shape.len();
        if !value.is_array() {
            return self.fill_leaf(value, level, rank);
        }
        let Some(&expected) = shape.get(level) else {
            return Err(Error::invalid_argument(format!(
                "Encountered list at unexpected level: {level} expected < {rank}"
            )));
        };
        if i64::try_from(value.len()) != Ok(expected) {
            let size = value.len();
            return Err(Error::invalid_argument(format!(
                "Encountered list at unexpected size: {size} at level: {level} expected size: {expected}"
            )));
        }
        match value.scalars() {
            Some(scalars) if level + 1 == rank => self.push(scalars),
            _ => value.elements().try_for_each(|element| self.fill(element, level + 1, shape)),
        }
    }

    fn fill_leaf(&mut self, value: Value<'_>, level: usize, rank: usize) -> Result<(), Error> {
        if level != rank {
            return Err(Error::invalid_argument(format!(
                "JSON Value: {} found at incorrect level: {} in the JSON DOM. Expected at level: {rank}",
                dump(value),
                level + 1
            )));
        }
        match (value.scalars(), self.dtype()) {
            (Some(scalars), _) => self.push(scalars),
            (None, Some(DType::String)) => decode_base64(value).map(|bytes| self.strings.push(bytes)),
            (None, Some(DType::Complex64)) => {
                let parts = complex::read(value)?.map(to_float);
                self.packed.extend(parts.iter().flat_map(|part| part.to_le_bytes()));
                Ok(())
            }
            (None, Some(DType::Complex128)) => {
                self.packed.extend(complex::read(value)?.iter().flat_map(|part| part.to_le_bytes()));
                Ok(())
            }
            (None, _) => Err(self.refusal(value)),
        }
    }

    /// The one place that says which JSON each element type is read from; a type joins by a line here.
    fn push(&mut self, scalars: Scalars<'_>) -> Result<(), Error> {
        let packed = &mut self.packed;
        let pushed = match DType::from_number(self.spec.dtype_number) {
            Some(DType::Float) => {
                push_each(packed, scalars, |number| Some(to_float(number.to_double()).to_le_bytes()))
            }
            Some(DType::Double) => {
                push_each(packed, scalars, |number| Some(number.to_double().to_le_bytes()))
            }
            Some(DType::Half) => {
                push_each(packed, scalars, |number| Some(to_half(number.to_double()).to_le_bytes()))
            }
            Some(DType::BFloat16) => {
                push_each(packed, scalars, |number| Some(to_bfloat16(number.to_double()).to_le_bytes()))
            }
            Some(DType::Int32) => push_each(packed, scalars, |number| Some(to_i32(number)?.to_le_bytes())),
            Some(DType::Int16) => push_each(packed, scalars, |number| low_bytes::<2>(to_i32(number)?)),
            Some(DType::Int8 | DType::UInt8) => {
                push_each(packed, scalars, |number| low_bytes::<1>(to_i32(number)?))
            }
            Some(DType::Int64) => {
                push_each(packed, scalars, |number| Some(number.to_signed()?.to_le_bytes()))
            }
            Some(DType::UInt16) => push_each(packed, scalars, |number| {
                Some(u16::try_from(number.to_unsigned()?).ok()?.to_le_bytes())
            }),
            Some(DType::UInt32) => push_each(packed, scalars, |number| {
                Some(u32::try_from(number.to_unsigned()?).ok()?.to_le_bytes())
            }),
            Some(DType::UInt64) => {
                push_each(packed, scalars, |number| Some(number.to_unsigned()?.to_le_bytes()))
            }
            Some(DType::Bool) => push_booleans(packed, scalars),
            Some(DType::String) => push_strings(&mut self.strings, scalars),
            _ => Err(0),
        };
        pushed.or_else(|offset| self.refuse(scalars, offset))
    }

    /// Says why the value at `offset` is not of the type; nothing when there is no value at all.
    fn refuse(&self, scalars: Scalars<'_>, offset: usize) -> Result<(), Error> {
        if scalars.kinds.is_empty() {
            return Ok(());
        }
        Err(self.refusal(scalars.at(offset)))
    }

    /// For a value that is not of the type, or of a type that JSON cannot say.
    fn refusal(&self, value: Value<'_>) -> Error {
        if !self.dtype().is_some_and(is_readable) {
            let (value, name) = (dump(value), dtype_name(self.spec));
            return Error::unimplemented(format!("Conversion of JSON Value: {value} to type: {name}"));
        }
        Error::invalid_argument(format!(
            "JSON Value: {} Type: {} is not of expected type: {}",
            dump(value),
            value.type_name(),
            dtype_name(self.spec)
        ))
    }

    fn dtype(&self) -> Option<DType> {
        DType::from_number(self.spec.dtype_number)
    }
}

/// The lengths of the lists along the first path down, into `shape`.
fn shape_of(value: Value<'_>, shape: &mut Vec<i64>) {
    shape.clear();
    let mut next = Some(value);
    while let Some(list) = next.filter(|value| value.is_array() && shape.len() <= RANK_MAX) {
        shape.push(i64::try_from(list.len()).unwrap_or(i64::MAX));
        next = list.first();
    }
}

/// Whether JSON can say an element of this type.
fn is_readable(dtype: DType) -> bool {
    use DType::{QInt8, QInt16, QInt32, QUInt8, QUInt16};
    !matches!(dtype, QInt8 | QUInt8 | QInt16 | QUInt16 | QInt32)
}

/// Elements of `N` bytes each; the offset of the first value that is none.
fn push_each<const N: usize>(
    packed: &mut Vec<u8>,
    scalars: Scalars<'_>,
    element: impl Fn(Number) -> Option<[u8; N]>,
) -> Result<(), usize> {
    packed.reserve(scalars.kinds.len() * N);
    for (offset, (&kind, &word)) in scalars.kinds.iter().zip(scalars.words).enumerate() {
        packed.extend_from_slice(&Number::of(kind, word).and_then(&element).ok_or(offset)?);
    }
    Ok(())
}

fn push_booleans(packed: &mut Vec<u8>, scalars: Scalars<'_>) -> Result<(), usize> {
    packed.reserve(scalars.kinds.len());
    for (offset, kind) in scalars.kinds.iter().enumerate() {
        match kind {
            Kind::False => packed.push(0),
            Kind::True => packed.push(1),
            _ => return Err(offset),
        }
    }
    Ok(())
}

fn push_strings(strings: &mut Vec<Bytes>, scalars: Scalars<'_>) -> Result<(), usize> {
    strings.reserve(scalars.kinds.len());
    for offset in 0..scalars.kinds.len() {
        strings.push(scalars.at(offset).shared_text().ok_or(offset)?);
    }
    Ok(())
}

fn to_i32(number: Number) -> Option<i32> {
    i32::try_from(number.to_signed()?).ok()
}

/// 8 and 16 bit integers keep their low bytes, as TensorFlow does when it reads them from 32 bits.
fn low_bytes<const N: usize>(value: i32) -> Option<[u8; N]> {
    value.to_le_bytes().first_chunk().copied()
}

/// Whether `value`, an object, is an element and names no inputs: bytes, or a complex number where nothing but one
/// complex input is declared.
pub(super) fn is_element(value: Value<'_>, inputs: &[TensorSpec]) -> bool {
    let is_complex = |spec: &TensorSpec| {
        matches!(DType::from_number(spec.dtype_number), Some(DType::Complex64 | DType::Complex128))
    };
    is_base64(value) || matches!(inputs, [spec] if is_complex(spec) && complex::is_complex(value))
}

/// Whether it is `{"b64": "..."}` and nothing else.
pub(super) fn is_base64(value: Value<'_>) -> bool {
    value.is_object() && value.len() == 1 && value.member(BASE64_KEY).is_some_and(Value::is_string)
}

pub(super) fn decode_base64(value: Value<'_>) -> Result<Bytes, Error> {
    let text =
        value.member(BASE64_KEY).filter(|_| is_base64(value)).and_then(Value::text).ok_or_else(|| {
            Error::invalid_argument(format!(
                "JSON Value: {} not formatted correctly for base64 data",
                dump(value)
            ))
        })?;
    let is_spaced = text.iter().any(u8::is_ascii_whitespace);
    let decoded = if is_spaced {
        let joined = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect::<Vec<_>>();
        engine(&joined).decode(&joined)
    } else {
        engine(&text).decode(&text)
    };
    decoded.map(Bytes::from).map_err(|_| Error::invalid_argument("Unable to base64 decode"))
}

/// The standard alphabet; padding must be right where there is any, and bits left over are ignored.
fn engine(text: &[u8]) -> GeneralPurpose {
    let padding = if text.ends_with(b"=") {
        DecodePaddingMode::RequireCanonical
    } else {
        DecodePaddingMode::RequireNone
    };
    let config =
        GeneralPurposeConfig::new().with_decode_padding_mode(padding).with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(&STANDARD, config)
}

/// TensorFlow's name of a declared type, also of those that cannot travel.
fn dtype_name(spec: &TensorSpec) -> std::borrow::Cow<'static, str> {
    match (DType::from_number(spec.dtype_number), spec.dtype_number) {
        (Some(dtype), _) => dtype.name().into(),
        (None, 20) => "resource".into(),
        (None, 21) => "variant".into(),
        (None, number) => format!("unknown dtype enum ({number})").into(),
    }
}
