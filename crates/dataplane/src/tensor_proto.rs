//! Tensors on the wire: `TensorProto` to [`Tensor`] and back, as TensorFlow reads and writes them.
//!
//! TensorFlow is lenient: a message may carry more elements than its shape has (the rest is ignored), fewer (the
//! last one is repeated) or none (zeros). We read all of that, with one limit that TensorFlow lacks: what a
//! message may grow to beyond what it carries. Nothing here knows a model, a signature or a request.

use crate::{
    error::Error,
    tensor::{DType, Data, Tensor, element_count},
    wire::tensorflow::{TensorProto, TensorShapeProto, tensor_shape_proto::Dim},
};
use bytemuck::{AnyBitPattern, NoUninit, Zeroable};
use bytes::Bytes;

/// How many bytes of repeated elements a message may ask for beyond those it carries.
///
/// A message of twenty bytes can declare a shape of 10^12 elements; expanding it would take the whole machine.
/// Real clients use the shorthand for constants (a mask of ones, an image of zeros); 64 MiB is a batch of a
/// hundred such images of 224 x 224 x 3 floats. A string counts as its bytes and its place in the tensor.
pub const FILL_BYTES_MAX: usize = 64 << 20;

/// How many dimensions a tensor may have: TensorFlow's own limit.
pub const RANK_MAX: usize = 254;

/// Reads a tensor; `INVALID_ARGUMENT` when it is not whole (the caller words the text that a client sees).
pub fn decode(proto: TensorProto) -> Result<Tensor, Error> {
    let dtype = DType::from_number(proto.dtype).ok_or_else(|| {
        Error::invalid_argument(format!("a tensor of data type {} cannot travel", proto.dtype))
    })?;
    let shape = read_shape(proto.tensor_shape.as_ref())?;
    let count = element_count(&shape)?;
    let data = if count == 0 {
        check_extent(dtype, &shape)?;
        if dtype == DType::String { Data::Strings(Vec::new()) } else { Data::Packed(Bytes::new()) }
    } else if proto.tensor_content.is_empty() {
        read_values(dtype, count, proto)?
    } else {
        read_content(dtype, count, proto.tensor_content)?
    };
    Tensor::new(dtype, shape, data)
}

/// Where a message that we write carries a tensor's elements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TensorEncoding {
    /// In the typed field of the element type, as TensorFlow Serving does by default.
    #[default]
    Typed,
    /// Packed in `tensor_content`: the tensor's own bytes, shared. Strings stay in their typed field: TensorFlow
    /// Serving packs them, too, but TensorFlow's own `make_ndarray` cannot read that.
    Content,
}

/// Writes a tensor in the typed field of its element type.
#[must_use]
pub fn encode(tensor: &Tensor) -> TensorProto {
    encode_as(TensorEncoding::Typed, tensor)
}

/// Writes a tensor.
#[must_use]
pub fn encode_as(encoding: TensorEncoding, tensor: &Tensor) -> TensorProto {
    let mut proto = head(tensor);
    match (tensor.data(), encoding) {
        (Data::Strings(strings), _) => proto.string_val.clone_from(strings),
        (Data::Packed(bytes), TensorEncoding::Content) => proto.tensor_content = bytes.clone(),
        (Data::Packed(bytes), TensorEncoding::Typed) => write_values(tensor.dtype(), bytes, &mut proto),
    }
    proto
}

/// A tensor's type and shape, without its elements.
pub(crate) fn head(tensor: &Tensor) -> TensorProto {
    TensorProto {
        dtype: tensor.dtype().number(),
        tensor_shape: Some(write_shape(tensor.shape())),
        ..TensorProto::default()
    }
}

/// A message's shape; a missing one is a scalar's.
fn read_shape(proto: Option<&TensorShapeProto>) -> Result<Vec<i64>, Error> {
    let Some(proto) = proto else { return Ok(Vec::new()) };
    if proto.unknown_rank {
        return Err(Error::invalid_argument("a tensor's rank must be known"));
    }
    if proto.dim.len() > RANK_MAX {
        return Err(Error::invalid_argument(format!(
            "a tensor has at most {RANK_MAX} dimensions, not {}",
            proto.dim.len()
        )));
    }
    Ok(proto.dim.iter().map(|dim| dim.size).collect())
}

fn write_shape(shape: &[i64]) -> TensorShapeProto {
    let dim = shape.iter().map(|&size| Dim { size, name: String::new() }).collect();
    TensorShapeProto { dim, unknown_rank: false }
}

/// Refuses an empty tensor whose other dimensions are out of all proportion.
///
/// `[0, 10^12]` carries nothing, yet summing it over its first dimension makes 10^12 zeros: the same limit as
/// for repeated elements holds for what its dimensions other than the empty ones span.
fn check_extent(dtype: DType, shape: &[i64]) -> Result<(), Error> {
    let spanned: Vec<i64> = shape.iter().copied().filter(|&size| size != 0).collect();
    check_fill(element_count(&spanned)?, dtype.size().unwrap_or(size_of::<Bytes>()))
}

/// Refuses to make `missing` elements of `element_bytes` when that is more than a message may grow by.
fn check_fill(missing: usize, element_bytes: usize) -> Result<(), Error> {
    match missing.checked_mul(element_bytes) {
        Some(bytes) if bytes <= FILL_BYTES_MAX => Ok(()),
        _ => Err(Error::invalid_argument(format!(
            "a tensor's shape asks for {missing} elements more than the message carries; at most \
             {FILL_BYTES_MAX} bytes are filled in"
        ))),
    }
}

/// `tensor_content`: exactly the elements, packed.
fn read_content(dtype: DType, count: usize, content: Bytes) -> Result<Data, Error> {
    let Some(size) = dtype.size() else {
        let strings = split_strings(count, &content);
        return strings.map(Data::Strings).ok_or_else(|| {
            Error::invalid_argument(format!("tensor_content is not a list of exactly {count} strings"))
        });
    };
    if count.checked_mul(size) != Some(content.len()) {
        return Err(Error::invalid_argument(format!(
            "tensor_content has {} bytes where {count} elements of {} need {size} bytes each",
            content.len(),
            dtype.name()
        )));
    }
    // To the code that runs models a bool other than 0 and 1 is undefined behaviour.
    if dtype == DType::Bool && content.iter().any(|&byte| byte > 1) {
        return Ok(Data::Packed(content.iter().map(|&byte| u8::from(byte != 0)).collect()));
    }
    Ok(Data::Packed(content))
}

/// Strings in `tensor_content`: the lengths of all of them as varints, then the bytes of all of them.
fn split_strings(count: usize, content: &Bytes) -> Option<Vec<Bytes>> {
    if count > content.len() {
        return None; // each length takes a byte at least
    }
    let mut rest = content.clone();
    let lengths = (0..count).map(|_| take_varint(&mut rest)).collect::<Option<Vec<usize>>>()?;
    let total = lengths.iter().try_fold(0_usize, |total, &length| total.checked_add(length))?;
    (total == rest.len()).then(|| lengths.into_iter().map(|length| rest.split_to(length)).collect())
}

/// The 32-bit varint at the front of `rest`; none when it is cut short or longer than five bytes.
fn take_varint(rest: &mut Bytes) -> Option<usize> {
    let mut value = 0_u32;
    for shift in [0, 7, 14, 21, 28] {
        let byte = *rest.first()?;
        *rest = rest.slice(1..);
        value |= u32::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return usize::try_from(value).ok();
        }
    }
    None
}

/// The typed field that belongs to `dtype`.
fn read_values(dtype: DType, count: usize, proto: TensorProto) -> Result<Data, Error> {
    match dtype {
        DType::Float => pack(proto.float_val, 1, count),
        DType::Double => pack(proto.double_val, 1, count),
        DType::Int32 | DType::QInt32 => pack(proto.int_val, 1, count),
        DType::Int64 => pack(proto.int64_val, 1, count),
        DType::UInt32 => pack(proto.uint32_val, 1, count),
        DType::UInt64 => pack(proto.uint64_val, 1, count),
        DType::Bool => pack(proto.bool_val, 1, count),
        DType::Int8 | DType::UInt8 | DType::QInt8 | DType::QUInt8 => {
            pack(narrow(&proto.int_val, count, |[byte, ..]| byte), 1, count)
        }
        DType::Int16 | DType::UInt16 | DType::QInt16 | DType::QUInt16 => {
            pack(narrow(&proto.int_val, count, |[low, high, ..]| [low, high]), 1, count)
        }
        DType::Half | DType::BFloat16 => {
            pack(narrow(&proto.half_val, count, |[low, high, ..]| [low, high]), 1, count)
        }
        DType::Complex64 => pack(proto.scomplex_val, 2, count),
        DType::Complex128 => pack(proto.dcomplex_val, 2, count),
        DType::String => fill_strings(proto.string_val, count).map(Data::Strings),
    }
}

/// The low bytes of the first `count` values, the rest of each dropped without a word.
fn narrow<T>(values: &[i32], count: usize, low: impl Fn([u8; 4]) -> T) -> Vec<T> {
    values.iter().take(count).map(|value| low(value.to_le_bytes())).collect()
}

/// `count` elements of `lanes` values each, as packed bytes; the vector's memory is kept, not copied.
fn pack<T>(values: Vec<T>, lanes: usize, count: usize) -> Result<Data, Error>
where
    T: NoUninit + Zeroable + Send,
{
    let values = fill(values, lanes, count)?;
    Ok(Data::Packed(Bytes::from_owner(Values(values))))
}

/// Cuts or repeats `values` to `count` elements of `lanes` values each (two for a complex number).
fn fill<T: Copy + Zeroable>(mut values: Vec<T>, lanes: usize, count: usize) -> Result<Vec<T>, Error> {
    let carried = values.len() / lanes;
    let missing = count.saturating_sub(carried);
    check_fill(missing, size_of::<T>() * lanes)?;
    if carried == 0 {
        return Ok(vec![T::zeroed(); count * lanes]);
    }
    values.truncate(carried.min(count) * lanes);
    let last: Vec<T> = values.iter().skip(values.len() - lanes).copied().collect();
    values.extend(last.iter().cycle().take(missing * lanes));
    Ok(values)
}

/// Cuts or repeats `strings` to `count` of them. Repeated ones share their bytes here, but no longer in a
/// runtime, so each counts in full.
fn fill_strings(mut strings: Vec<Bytes>, count: usize) -> Result<Vec<Bytes>, Error> {
    let missing = count.saturating_sub(strings.len());
    let last = strings.last().cloned().unwrap_or_default();
    check_fill(missing, size_of::<Bytes>() + last.len())?;
    strings.resize(count, last);
    Ok(strings)
}

/// A decoded field, seen as the bytes that it occupies.
struct Values<T>(Vec<T>);

impl<T: NoUninit> AsRef<[u8]> for Values<T> {
    fn as_ref(&self) -> &[u8] {
        bytemuck::cast_slice(&self.0)
    }
}

/// Puts packed elements into the typed field that belongs to `dtype`.
fn write_values(dtype: DType, bytes: &Bytes, proto: &mut TensorProto) {
    match dtype {
        DType::Float => proto.float_val = unpack(bytes),
        DType::Double => proto.double_val = unpack(bytes),
        DType::Int32 | DType::QInt32 => proto.int_val = unpack(bytes),
        DType::Int64 => proto.int64_val = unpack(bytes),
        DType::UInt32 => proto.uint32_val = unpack(bytes),
        DType::UInt64 => proto.uint64_val = unpack(bytes),
        DType::Bool => proto.bool_val = bytes.iter().map(|&byte| byte != 0).collect(),
        DType::UInt8 | DType::QUInt8 => proto.int_val = bytes.iter().map(|&byte| i32::from(byte)).collect(),
        DType::Int8 | DType::QInt8 => {
            proto.int_val = widen::<1>(bytes, |byte| i8::from_le_bytes(byte).into());
        }
        DType::Int16 | DType::QInt16 => {
            proto.int_val = widen::<2>(bytes, |pair| i16::from_le_bytes(pair).into());
        }
        DType::UInt16 | DType::QUInt16 => {
            proto.int_val = widen::<2>(bytes, |pair| u16::from_le_bytes(pair).into());
        }
        DType::Half | DType::BFloat16 => {
            proto.half_val = widen::<2>(bytes, |pair| u16::from_le_bytes(pair).into());
        }
        DType::Complex64 => proto.scomplex_val = unpack(bytes),
        DType::Complex128 => proto.dcomplex_val = unpack(bytes),
        DType::String => {} // a tensor of strings has no packed elements
    }
}

/// Packed elements as values of the same width, wherever in memory they start.
fn unpack<T: NoUninit + AnyBitPattern>(bytes: &Bytes) -> Vec<T> {
    bytemuck::pod_collect_to_vec(bytes)
}

/// Packed elements of `N` bytes as wider values.
fn widen<const N: usize>(bytes: &Bytes, value: impl Fn([u8; N]) -> i32) -> Vec<i32> {
    bytes.as_chunks::<N>().0.iter().map(|&chunk| value(chunk)).collect()
}

#[cfg(test)]
mod tests;
