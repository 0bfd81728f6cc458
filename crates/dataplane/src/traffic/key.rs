//! What may be a routing key: a header's bytes, a string, or an integer in decimal.

use crate::{
    error::Error,
    grpc::Fields,
    tensor::{DType, Data, Tensor, element_count},
    tensor_proto,
    wire::tensorflow::{Feature, TensorProto, feature::Kind},
};
use bytes::Bytes;
use prost::Message;

/// A longer key is none: it is hashed for each request.
pub const KEY_BYTES_MAX: usize = 1_024;

/// A tensor's message that is longer holds no key, or much else; it is not looked into.
const TENSOR_BYTES_MAX: usize = 4 << 10;

/// An Example that is longer is not looked into; nor is a request of more.
pub(crate) const EXAMPLE_BYTES_MAX: usize = 16 << 10;

/// A routing key: 1 to [`KEY_BYTES_MAX`] bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key(Bytes);

impl Key {
    /// These bytes, if they can be one.
    #[must_use]
    pub fn new(bytes: impl Into<Bytes>) -> Option<Self> {
        let bytes = bytes.into();
        is_key(&bytes).then_some(Self(bytes))
    }

    /// An integer's: its decimal text.
    #[must_use]
    pub fn of_integer(value: impl Into<i128>) -> Self {
        let value: i128 = value.into();
        Self(value.to_string().into())
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The only value of this feature of an Example, from its message. Of two features of one name the later one counts.
    pub(crate) fn of_example(example: &Bytes, feature: &str) -> Option<Self> {
        if example.len() > EXAMPLE_BYTES_MAX {
            return None;
        }
        let mut found = None;
        for (_, features) in Fields(example.clone()).flatten().filter(|(number, _)| *number == 1) {
            for (_, entry) in Fields(features).flatten().filter(|(number, _)| *number == 1) {
                let mut parts = Fields(entry).flatten();
                if parts.any(|(number, name)| number == 1 && name == feature.as_bytes()) {
                    found = parts.find(|(number, _)| *number == 2).map(|(_, value)| value);
                }
            }
        }
        Self::of_feature(Feature::decode(found?).ok()?)
    }

    fn of_feature(feature: Feature) -> Option<Self> {
        match feature.kind? {
            Kind::BytesList(mut list) if list.value.len() == 1 => Self::new(list.value.pop()?),
            Kind::Int64List(list) => match list.value.as_slice() {
                [one] => Some(Self::of_integer(*one)),
                _ => None,
            },
            _ => None,
        }
    }

    /// The only element of a tensor of strings or integers, from its message.
    pub(crate) fn of_tensor_message(message: Bytes) -> Option<Self> {
        if message.len() > TENSOR_BYTES_MAX {
            return None;
        }
        let proto = TensorProto::decode(message).ok()?;
        let shape = proto.tensor_shape.iter().flat_map(|shape| &shape.dim);
        let shape: Vec<i64> = shape.map(|dim| dim.size).collect();
        // Looked at first: a short message may ask for very many elements.
        let is_one = element_count(&shape).is_ok_and(|count| count == 1);
        is_one.then(|| tensor_proto::decode(proto)).and_then(Result::<Tensor, Error>::ok)?.routing_key()
    }
}

/// Whether these bytes can be a key.
pub(super) fn is_key(bytes: &[u8]) -> bool {
    (1..=KEY_BYTES_MAX).contains(&bytes.len())
}

impl Tensor {
    /// Its only element, if it is a string or an integer that can be a key.
    pub(crate) fn routing_key(&self) -> Option<Key> {
        match self.data() {
            Data::Strings(strings) => match strings.as_slice() {
                [one] => Key::new(one.clone()),
                _ => None,
            },
            Data::Packed(bytes) => integer(self.dtype(), bytes).map(Key::of_integer),
        }
    }
}

/// The integer that these bytes are, all of them.
fn integer(dtype: DType, bytes: &[u8]) -> Option<i128> {
    macro_rules! read {
        ($type:ty) => {
            bytes.try_into().ok().map(<$type>::from_le_bytes).map(i128::from)
        };
    }
    match dtype {
        DType::Int8 => read!(i8),
        DType::UInt8 => read!(u8),
        DType::Int16 => read!(i16),
        DType::UInt16 => read!(u16),
        DType::Int32 => read!(i32),
        DType::UInt32 => read!(u32),
        DType::Int64 => read!(i64),
        DType::UInt64 => read!(u64),
        _ => None,
    }
}

#[cfg(test)]
#[path = "key_tests.rs"]
mod tests;
