//! Every element type both ways, every rule of leniency, and messages that nobody would send in good faith.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // a test that panics has failed

use super::*;
use crate::error::Code;
use proptest::{collection::vec, prelude::*, sample::select};
use prost::Message;

fn message(dtype: DType, sizes: &[i64]) -> TensorProto {
    TensorProto { dtype: dtype.number(), tensor_shape: Some(write_shape(sizes)), ..TensorProto::default() }
}

/// The elements of a tensor that is not of strings.
fn packed(tensor: &Tensor) -> Bytes {
    let Data::Packed(bytes) = tensor.data() else { return Bytes::from_static(b"strings") };
    bytes.clone()
}

fn values<T: NoUninit + AnyBitPattern>(proto: TensorProto) -> Vec<T> {
    unpack(&packed(&decode(proto).unwrap()))
}

fn strings(proto: TensorProto) -> Vec<Bytes> {
    let Data::Strings(strings) = decode(proto).unwrap().data().clone() else { return Vec::new() };
    strings
}

fn code(proto: TensorProto) -> Option<Code> {
    decode(proto).err().map(|error| error.code)
}

fn tensors() -> impl Strategy<Value = Tensor> {
    (select(&DType::ALL[..]), vec(0_i64..5, 0..5)).prop_flat_map(|(dtype, shape)| {
        let count = element_count(&shape).unwrap();
        let data = match dtype.size() {
            None => vec(vec(any::<u8>(), 0..40), count)
                .prop_map(|strings| Data::Strings(strings.into_iter().map(Bytes::from).collect()))
                .boxed(),
            Some(size) => vec(any::<u8>(), count * size)
                .prop_map(move |bytes| {
                    let bit = |byte: u8| if dtype == DType::Bool { byte & 1 } else { byte };
                    Data::Packed(bytes.into_iter().map(bit).collect())
                })
                .boxed(),
        };
        data.prop_map(move |data| Tensor::new(dtype, shape.clone(), data).unwrap())
    })
}

/// The same tensor as a message that carries its elements in `tensor_content`.
fn with_content(tensor: &Tensor) -> TensorProto {
    let mut content = Vec::new();
    match tensor.data() {
        Data::Packed(bytes) => content.extend_from_slice(bytes),
        Data::Strings(strings) => {
            for string in strings {
                prost::encoding::encode_varint(string.len() as u64, &mut content);
            }
            content.extend(strings.iter().flatten());
        }
    }
    TensorProto { tensor_content: content.into(), ..message(tensor.dtype(), tensor.shape()) }
}

/// Messages that no client would write: any type, any shape, values in any fields.
fn any_message() -> impl Strategy<Value = TensorProto> {
    let size = prop_oneof![
        8 => 0_i64..4,
        1 => -2_i64..0,
        1 => select(vec![1 << 20, 1 << 30, 1_000_000_000_000, i64::MAX, i64::MIN]),
    ];
    let shape = (vec(size, 0..5), prop::bool::weighted(0.05))
        .prop_map(|(sizes, unknown_rank)| TensorShapeProto { unknown_rank, ..write_shape(&sizes) });
    let dtype = prop_oneof![8 => select(&DType::ALL[..]).prop_map(DType::number), 1 => -3_i32..130];
    let content = prop_oneof![Just(Vec::new()), vec(any::<u8>(), 0..70)];
    let numbers =
        (vec(any::<f32>(), 0..5), vec(any::<f64>(), 0..5), vec(any::<i32>(), 0..5), vec(any::<i64>(), 0..5));
    let others = (vec(any::<bool>(), 0..5), vec(any::<u32>(), 0..5), vec(any::<u64>(), 0..5));
    let texts = vec(vec(any::<u8>(), 0..40).prop_map(Bytes::from), 0..5);
    (dtype, prop::option::of(shape), content, numbers, others, texts).prop_map(
        |(dtype, tensor_shape, content, (floats, doubles, ints, longs), (bools, uints, ulongs), texts)| {
            TensorProto {
                dtype,
                tensor_shape,
                version_number: 0,
                tensor_content: content.into(),
                scomplex_val: floats.clone(),
                float_val: floats,
                dcomplex_val: doubles.clone(),
                double_val: doubles,
                half_val: ints.clone(),
                int_val: ints,
                string_val: texts,
                int64_val: longs,
                bool_val: bools,
                uint32_val: uints,
                uint64_val: ulongs,
            }
        },
    )
}

proptest! {
    #[test]
    fn a_tensor_survives_the_wire_whatever_its_type_and_shape(tensor in tensors()) {
        let sent = encode(&tensor).encode_to_vec();
        let received = TensorProto::decode(Bytes::from(sent)).unwrap();
        prop_assert!(received.tensor_content.is_empty());
        prop_assert_eq!(decode(received).unwrap(), tensor);
    }

    #[test]
    fn packed_in_tensor_content_it_is_the_same_and_shares_its_bytes(tensor in tensors()) {
        let proto = encode_as(TensorEncoding::Content, &tensor);
        match tensor.data() {
            Data::Strings(strings) => prop_assert_eq!(&proto.string_val, strings),
            Data::Packed(bytes) => prop_assert_eq!(proto.tensor_content.as_ptr(), bytes.as_ptr()),
        }
        let received = TensorProto::decode(Bytes::from(proto.encode_to_vec())).unwrap();
        prop_assert_eq!(received.encoded_len(), proto.encoded_len());
        prop_assert_eq!(decode(received).unwrap(), tensor);
    }

    #[test]
    fn a_tensor_is_read_from_tensor_content_too(tensor in tensors()) {
        prop_assert_eq!(decode(with_content(&tensor)).unwrap(), tensor);
    }

    #[test]
    fn content_that_is_a_byte_too_long_or_too_short_is_refused(tensor in tensors(), byte in any::<u8>()) {
        let proto = with_content(&tensor);
        prop_assume!(!proto.tensor_content.is_empty());
        let longer = [&proto.tensor_content[..], &[byte]].concat();
        let longer = TensorProto { tensor_content: longer.into(), ..proto.clone() };
        prop_assert_eq!(code(longer), Some(Code::InvalidArgument));
        let shorter = proto.tensor_content.slice(1..);
        prop_assume!(!shorter.is_empty() && tensor.dtype() != DType::String);
        let shorter = TensorProto { tensor_content: shorter, ..proto };
        prop_assert_eq!(code(shorter), Some(Code::InvalidArgument));
    }

    #[test]
    fn any_message_is_read_or_refused_within_the_limit(proto in any_message()) {
        let carried = proto.encoded_len();
        if let Ok(tensor) = decode(proto) {
            let bytes = match tensor.data() {
                Data::Packed(bytes) => bytes.len(),
                Data::Strings(strings) => strings.iter().map(|string| size_of::<Bytes>() + string.len()).sum(),
            };
            // A value in memory is at most this many times as wide as on the wire.
            prop_assert!(bytes <= FILL_BYTES_MAX + size_of::<Bytes>() * carried);
        }
    }

    #[test]
    fn any_bytes_that_parse_as_a_message_are_read_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        if let Ok(proto) = TensorProto::decode(Bytes::from(bytes)) {
            let _ = decode(proto);
        }
    }
}

#[test]
fn every_type_is_in_the_list_that_these_tests_go_through() {
    let known = (0..200).filter_map(DType::from_number).count();
    assert_eq!(known, DType::ALL.len());
}

#[test]
fn a_missing_type_is_refused_and_so_is_one_that_cannot_travel() {
    let without = TensorProto { float_val: vec![1.0], ..TensorProto::default() };
    assert_eq!(code(without), Some(Code::InvalidArgument));
    let resource = TensorProto { dtype: 20, ..TensorProto::default() };
    assert_eq!(code(resource), Some(Code::InvalidArgument));
    let reference_to_float = TensorProto { dtype: 101, float_val: vec![1.0], ..TensorProto::default() };
    assert_eq!(code(reference_to_float), Some(Code::InvalidArgument));
}

#[test]
fn a_missing_shape_is_a_scalar() {
    let proto = TensorProto { dtype: 1, float_val: vec![2.5], ..TensorProto::default() };
    let tensor = decode(proto).unwrap();
    assert_eq!((tensor.shape(), packed(&tensor)), (&[][..], Bytes::copy_from_slice(&2.5_f32.to_le_bytes())));
}

#[test]
fn an_unknown_rank_a_negative_dimension_and_too_many_dimensions_are_refused() {
    let unknown = TensorShapeProto { unknown_rank: true, dim: Vec::new() };
    let proto = TensorProto { tensor_shape: Some(unknown), ..message(DType::Float, &[]) };
    assert_eq!(code(proto), Some(Code::InvalidArgument));
    assert_eq!(code(message(DType::Float, &[-1])), Some(Code::InvalidArgument));
    assert_eq!(code(message(DType::Float, &[1; RANK_MAX + 1])), Some(Code::InvalidArgument));
    assert_eq!(decode(message(DType::Float, &[1; RANK_MAX])).unwrap().shape().len(), RANK_MAX);
}

#[test]
fn values_beyond_the_shape_are_ignored() {
    let proto = TensorProto { int64_val: vec![1, 2, 3], ..message(DType::Int64, &[2]) };
    assert_eq!(values::<i64>(proto), [1, 2]);
    let proto = TensorProto { string_val: vec!["a".into(), "b".into()], ..message(DType::String, &[1]) };
    assert_eq!(strings(proto), ["a"]);
}

#[test]
fn the_last_value_is_repeated_when_there_are_too_few() {
    let proto = TensorProto { float_val: vec![1.0, 2.0], ..message(DType::Float, &[2, 2]) };
    assert_eq!(values::<f32>(proto), [1.0, 2.0, 2.0, 2.0]);
    let proto = TensorProto { half_val: vec![0x3c00], ..message(DType::Half, &[3]) };
    assert_eq!(values::<u16>(proto), [0x3c00; 3]);
    let proto = TensorProto { string_val: vec!["a".into(), "b".into()], ..message(DType::String, &[3]) };
    assert_eq!(strings(proto), ["a", "b", "b"]);
}

#[test]
fn zeros_and_empty_strings_are_filled_in_when_there_are_none() {
    assert_eq!(values::<f64>(message(DType::Double, &[2])), [0.0, 0.0]);
    assert_eq!(values::<u8>(message(DType::Bool, &[])), [0]);
    assert_eq!(strings(message(DType::String, &[2])), ["", ""]);
}

#[test]
fn a_tensor_without_elements_is_accepted_whatever_its_fields_carry() {
    let proto = TensorProto { float_val: vec![1.0], ..message(DType::Float, &[0, 3]) };
    assert_eq!(values::<f32>(proto), [0.0_f32; 0]);
    let proto = TensorProto { tensor_content: "abc".into(), ..message(DType::Float, &[0]) };
    assert_eq!(values::<f32>(proto), [0.0_f32; 0]);
    assert_eq!(decode(message(DType::String, &[2, 0])).unwrap().shape(), [2, 0]);
}

#[test]
fn a_complex_number_is_a_pair_and_half_a_pair_is_ignored() {
    let proto = TensorProto { scomplex_val: vec![1.0, 2.0, 3.0], ..message(DType::Complex64, &[2]) };
    assert_eq!(values::<f32>(proto), [1.0, 2.0, 1.0, 2.0]);
    let proto = TensorProto { dcomplex_val: vec![1.0], ..message(DType::Complex128, &[1]) };
    assert_eq!(values::<f64>(proto), [0.0, 0.0]);
}

#[test]
fn small_integers_are_narrowed_without_a_word() {
    let proto = TensorProto { int_val: vec![300, -1], ..message(DType::UInt8, &[2]) };
    assert_eq!(values::<u8>(proto), [44, 255]);
    let proto = TensorProto { int_val: vec![70_000, -2], ..message(DType::Int16, &[2]) };
    assert_eq!(values::<i16>(proto), [4464, -2]);
}

#[test]
fn tensor_content_wins_over_the_typed_field() {
    let content = Bytes::copy_from_slice(&7_i32.to_le_bytes());
    let proto = TensorProto { tensor_content: content, int_val: vec![1], ..message(DType::Int32, &[]) };
    assert_eq!(values::<i32>(proto), [7]);
}

#[test]
fn packed_content_is_not_copied_and_neither_is_a_typed_field() {
    let content = Bytes::from(vec![1_u8; 64]);
    let start = content.as_ptr();
    let proto = TensorProto { tensor_content: content, ..message(DType::Int8, &[64]) };
    assert_eq!(packed(&decode(proto).unwrap()).as_ptr(), start);
    let floats = vec![1.0_f32; 64];
    let start = floats.as_ptr().cast::<u8>();
    let proto = TensorProto { float_val: floats, ..message(DType::Float, &[64]) };
    assert_eq!(packed(&decode(proto).unwrap()).as_ptr(), start);
}

#[test]
fn a_bool_in_tensor_content_is_zero_or_one() {
    let content = Bytes::from_static(&[0, 1, 2, 255]);
    let proto = TensorProto { tensor_content: content, ..message(DType::Bool, &[4]) };
    assert_eq!(values::<u8>(proto), [0, 1, 1, 1]);
}

#[test]
fn strings_in_tensor_content_are_lengths_then_bytes() {
    let content = Bytes::from_static(b"\x02\x00\x01abc");
    let proto = TensorProto { tensor_content: content, ..message(DType::String, &[3]) };
    assert_eq!(strings(proto), ["ab", "", "c"]);
    for broken in [&b"\x02"[..], b"\xff\xff\xff\xff\xff\x01", b"\x03ab", b"\x80"] {
        let proto =
            TensorProto { tensor_content: Bytes::from_static(broken), ..message(DType::String, &[1]) };
        assert_eq!(code(proto), Some(Code::InvalidArgument), "{broken:?}");
    }
}

#[test]
fn a_small_message_cannot_ask_for_a_large_tensor() {
    let trillion = 1_000_000_000_000;
    for dtype in DType::ALL {
        assert_eq!(code(message(dtype, &[trillion])), Some(Code::InvalidArgument), "{dtype:?}");
        assert_eq!(code(message(dtype, &[trillion, 0])), Some(Code::InvalidArgument), "{dtype:?}");
        assert_eq!(code(message(dtype, &[i64::MAX, i64::MAX, 0])), Some(Code::InvalidArgument), "{dtype:?}");
    }
    let content = TensorProto { tensor_content: "abcd".into(), ..message(DType::String, &[trillion]) };
    assert_eq!(code(content), Some(Code::InvalidArgument));
}

#[test]
fn the_limit_counts_what_is_filled_in_and_a_long_string_in_full() {
    let whole = i64::try_from(FILL_BYTES_MAX).unwrap();
    assert!(decode(message(DType::UInt8, &[whole])).is_ok());
    assert!(decode(message(DType::UInt8, &[whole + 1])).is_err());
    let one = TensorProto { int_val: vec![1], ..message(DType::UInt8, &[whole + 1]) };
    assert!(decode(one).is_ok());
    let long = Bytes::from(vec![0_u8; 1 << 20]);
    let thousand = TensorProto { string_val: vec![long], ..message(DType::String, &[1000]) };
    assert_eq!(code(thousand), Some(Code::InvalidArgument));
}
