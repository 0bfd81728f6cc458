//! The short way through a message beside the long one: they must never disagree.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // a test may panic

use super::*;
use proptest::{collection::vec, prelude::*, sample::Index};

/// The long way: every element decoded.
fn read_slowly(message: &[u8]) -> Option<Tensor> {
    tensor_proto::decode(TensorProto::decode(message).ok()?).ok()
}

/// Tensors of the packed types, short and long, and now and then of another type.
fn tensors() -> impl Strategy<Value = Tensor> {
    let dtypes = prop::sample::select(vec![
        DType::Float,
        DType::Double,
        DType::Complex64,
        DType::Complex128,
        DType::Int32,
        DType::Half,
    ]);
    (dtypes, 0_usize..90, any::<u64>()).prop_map(|(dtype, count, seed)| {
        let bytes: Vec<u8> = (0..count * dtype.size().unwrap())
            .map(|index| seed.wrapping_mul(index as u64 + 7).to_le_bytes()[5])
            .collect();
        Tensor::new(dtype, vec![i64::try_from(count).unwrap()], Data::Packed(bytes.into())).unwrap()
    })
}

fn encodings() -> impl Strategy<Value = TensorEncoding> {
    prop_oneof![Just(TensorEncoding::Typed), Just(TensorEncoding::Content)]
}

fn written(encoding: TensorEncoding, tensor: &Tensor) -> Vec<u8> {
    let (message, mut out) = (Written::new(encoding, tensor), Vec::new());
    message.append(&mut out);
    assert_eq!(out.len(), message.len());
    out
}

#[test]
fn long_elements_are_the_messages_own_bytes() {
    let tensor = Tensor::new(DType::Float, vec![100], Data::Packed(vec![1; 400].into())).unwrap();
    let message = Bytes::from(written(TensorEncoding::Typed, &tensor));
    let Data::Packed(elements) = read(message.clone()).unwrap().data().clone() else { panic!() };
    assert!(message.as_ptr_range().contains(&elements.as_ptr()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn what_is_written_is_what_the_generated_message_says(tensor in tensors(), encoding in encodings()) {
        let message = written(encoding, &tensor);
        let expected = tensor_proto::encode_as(encoding, &tensor);
        prop_assert_eq!(TensorProto::decode(&message[..]).unwrap().encode_to_vec(), expected.encode_to_vec());
        prop_assert_eq!(read(message.into()).unwrap(), tensor);
    }

    #[test]
    fn both_ways_agree_on_messages_in_parts_and_in_any_order(
        tensor in tensors(), cut in any::<Index>(), swapped: bool, twice: bool, odd in vec(any::<u8>(), 0..12)
    ) {
        let head = tensor_proto::head(&tensor).encode_to_vec();
        let whole = written(TensorEncoding::Typed, &tensor);
        let elements = whole[head.len()..].to_vec();
        let cut = cut.index(head.len() + 1);
        let parts: [&[u8]; 4] = if swapped {
            [&elements, &head, &odd, if twice { &elements } else { &[] }]
        } else {
            [&head[..cut], &elements, &odd, &head[cut..]]
        };
        let message = parts.concat();
        prop_assert_eq!(read(message.clone().into()).ok(), read_slowly(&message));
    }

    #[test]
    fn both_ways_agree_on_damaged_messages(
        tensor in tensors(), encoding in encodings(), places in vec((any::<Index>(), any::<u8>()), 1..4), near: bool
    ) {
        let mut message = written(encoding, &tensor);
        for (place, byte) in places {
            let length = if near { message.len().min(16) } else { message.len() };
            message[place.index(length)] = byte;
        }
        prop_assert_eq!(read(message.clone().into()).ok(), read_slowly(&message));
    }

    #[test]
    fn any_bytes_are_read_alike(message in vec(any::<u8>(), 0..400)) {
        prop_assert_eq!(read(message.clone().into()).ok(), read_slowly(&message));
    }
}
