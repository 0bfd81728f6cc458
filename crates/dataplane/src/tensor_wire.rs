//! Tensors whose elements lie in a message as they lie in memory, read and written without a look at each element.
//!
//! That is `tensor_content`, and the typed fields of floats, doubles and complex numbers: repeated numbers of fixed
//! width are packed in a message. Whatever is not of this plain kind goes through the generated `TensorProto`, and
//! nothing here means anything else than that.

use crate::{
    tensor::{DType, Data, Tensor, element_count},
    tensor_proto::{self, TensorEncoding},
    wire::tensorflow::TensorProto,
};
use bytes::Bytes;
use prost::{
    DecodeError, Message,
    encoding::{encode_varint, encoded_len_varint},
};

/// The field numbers of packed elements, and whose they are.
const PACKED: [(u8, DType); 4] =
    [(5, DType::Float), (6, DType::Double), (9, DType::Complex64), (12, DType::Complex128)];
const CONTENT: u8 = 4;

/// From this size on looking for the elements costs less than decoding them.
const ELEMENTS_BYTES_MIN: usize = 256;

/// All of a plain message but its elements: type, shape, names of dimensions.
const REST_BYTES_MAX: usize = 4 << 10;

/// The wire type of what has a length.
pub const LENGTH_DELIMITED: u8 = 2;

/// Why a message is no tensor.
#[derive(Debug)]
pub enum Unreadable {
    /// It is no `TensorProto`.
    Message(DecodeError),
    /// It is one that is not whole.
    Tensor,
}

/// Reads a tensor; its elements are the message's own bytes where they can be.
pub fn read(message: Bytes) -> Result<Tensor, Unreadable> {
    if let Some(tensor) = read_plain(&message) {
        return Ok(tensor);
    }
    let proto = TensorProto::decode(message).map_err(Unreadable::Message)?;
    tensor_proto::decode(proto).map_err(|_| Unreadable::Tensor)
}

/// The tensor of a plain message: its elements once, in the field of their type, as many as its shape says, at its
/// end or followed by little.
fn read_plain(message: &Bytes) -> Option<Tensor> {
    let field = find_elements(message)?;
    let rest = [message.get(..field.start)?, message.get(field.end..)?].concat();
    let mut proto = TensorProto::decode(rest.as_slice()).ok()?;
    let (_, dtype) = *PACKED.iter().find(|(number, _)| *number == field.number)?;
    let elements = message.slice(field.elements..field.end);
    let shape: Vec<i64> =
        proto.tensor_shape.iter().flat_map(|shape| &shape.dim).map(|dim| dim.size).collect();
    let is_whole = element_count(&shape).ok()?.checked_mul(dtype.size()?) == Some(elements.len());
    let has_more = !proto.tensor_content.is_empty()
        || !proto.float_val.is_empty()
        || !proto.double_val.is_empty()
        || !proto.scomplex_val.is_empty()
        || !proto.dcomplex_val.is_empty();
    if !is_whole || has_more || proto.dtype != dtype.number() {
        return None;
    }
    // Packed in `tensor_content` they mean the same, and are judged by the same rules.
    proto.tensor_content = elements;
    tensor_proto::decode(proto).ok()
}

/// Where a field with elements stands.
struct Field {
    number: u8,
    start: usize,
    elements: usize,
    end: usize,
}

/// The first long field with packed elements, after at most [`REST_BYTES_MAX`] bytes of others.
fn find_elements(message: &[u8]) -> Option<Field> {
    let mut at = 0;
    while at < REST_BYTES_MAX {
        let start = at;
        let (key, after) = varint(message, at)?;
        match key & 7 {
            0 => at = varint(message, after)?.1,
            2 => {
                let (length, elements) = varint(message, after)?;
                let end = elements.checked_add(usize::try_from(length).ok()?)?;
                let number = u8::try_from(key >> 3).ok()?;
                let is_packed = PACKED.iter().any(|(packed, _)| *packed == number);
                if is_packed && end - elements >= ELEMENTS_BYTES_MIN {
                    let is_plain = end <= message.len() && start + message.len() - end <= REST_BYTES_MAX;
                    return is_plain.then_some(Field { number, start, elements, end });
                }
                at = end;
            }
            _ => return None,
        }
    }
    None
}

/// The number at `at` and where it ends.
fn varint(message: &[u8], at: usize) -> Option<(u64, usize)> {
    let mut rest = message.get(at..)?;
    let before = rest.len();
    let number = prost::encoding::decode_varint(&mut rest).ok()?;
    Some((number, at + before - rest.len()))
}

/// A tensor's message: what comes before its elements, and the elements themselves where they are copied whole.
#[derive(Debug)]
pub struct Written {
    head: TensorProto,
    elements: Option<(u8, Bytes)>,
}

impl Written {
    /// The message of `tensor`.
    #[must_use]
    pub fn new(encoding: TensorEncoding, tensor: &Tensor) -> Self {
        let packed = PACKED.iter().find(|(_, dtype)| *dtype == tensor.dtype()).map(|(number, _)| *number);
        let field = if encoding == TensorEncoding::Content { Some(CONTENT) } else { packed };
        match (tensor.data(), field) {
            (Data::Packed(bytes), Some(field)) if !bytes.is_empty() => {
                Self { head: tensor_proto::head(tensor), elements: Some((field, bytes.clone())) }
            }
            _ => Self { head: tensor_proto::encode_as(encoding, tensor), elements: None },
        }
    }

    /// How long it is.
    #[must_use]
    #[allow(clippy::len_without_is_empty)] // it never is
    pub fn len(&self) -> usize {
        let elements = self
            .elements
            .as_ref()
            .map_or(0, |(_, bytes)| 1 + encoded_len_varint(bytes.len() as u64) + bytes.len());
        self.head.encoded_len() + elements
    }

    /// Appends it.
    pub fn append(&self, out: &mut Vec<u8>) {
        // A vector takes whatever there is memory for, which is what can fail here.
        let _ = self.head.encode(out);
        if let Some((field, bytes)) = &self.elements {
            out.push(field << 3 | LENGTH_DELIMITED);
            encode_varint(bytes.len() as u64, out);
            out.extend_from_slice(bytes);
        }
    }
}

#[cfg(test)]
#[path = "tensor_wire_tests.rs"]
mod tests;
