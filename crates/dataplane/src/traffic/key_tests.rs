//! Which tensors hold a key, and which bytes that key is.
#![allow(clippy::unwrap_used)] // a test may panic
#![allow(clippy::unnecessary_wraps)] // as messages have it

use super::*;
use crate::wire::tensorflow::{
    BytesList, Example, Features, FloatList, Int64List, TensorShapeProto, tensor_shape_proto::Dim,
};

fn shape(sizes: &[i64]) -> Option<TensorShapeProto> {
    let dim = sizes.iter().map(|&size| Dim { size, name: String::new() }).collect();
    Some(TensorShapeProto { dim, unknown_rank: false })
}

fn key(proto: &TensorProto) -> Option<String> {
    let key = Key::of_tensor_message(proto.encode_to_vec().into())?;
    Some(String::from_utf8_lossy(key.as_bytes()).into_owned())
}

fn strings(sizes: &[i64], values: &[&'static [u8]]) -> TensorProto {
    let string_val = values.iter().copied().map(Bytes::from_static).collect();
    TensorProto {
        dtype: DType::String.number(),
        tensor_shape: shape(sizes),
        string_val,
        ..TensorProto::default()
    }
}

#[test]
fn the_only_string_of_any_shape_is_a_key() {
    for sizes in [&[][..], &[1], &[1, 1, 1]] {
        assert_eq!(key(&strings(sizes, &[b"user-1"])), Some("user-1".into()));
    }
    assert_eq!(key(&strings(&[2], &[b"user-1", b"user-1"])), None);
    assert_eq!(key(&strings(&[2], &[b"user-1"])), None, "repeated");
    assert_eq!(key(&strings(&[1], &[b""])), None);
    assert_eq!(key(&strings(&[0], &[])), None);
}

#[test]
fn the_only_integer_is_its_decimal_text_whatever_its_width_and_wherever_it_lies() {
    let typed = |dtype: DType, fill: fn(&mut TensorProto)| {
        let mut proto =
            TensorProto { dtype: dtype.number(), tensor_shape: shape(&[1]), ..TensorProto::default() };
        fill(&mut proto);
        key(&proto).unwrap()
    };
    assert_eq!(typed(DType::Int64, |it| it.int64_val = vec![i64::MIN]), "-9223372036854775808");
    assert_eq!(typed(DType::UInt64, |it| it.uint64_val = vec![u64::MAX]), "18446744073709551615");
    assert_eq!(typed(DType::Int32, |it| it.int_val = vec![-7]), "-7");
    assert_eq!(typed(DType::UInt32, |it| it.uint32_val = vec![u32::MAX]), "4294967295");
    assert_eq!(typed(DType::Int16, |it| it.int_val = vec![-7]), "-7");
    assert_eq!(typed(DType::UInt16, |it| it.int_val = vec![65_535]), "65535");
    assert_eq!(typed(DType::Int8, |it| it.int_val = vec![-7]), "-7");
    assert_eq!(typed(DType::UInt8, |it| it.int_val = vec![255]), "255");
    assert_eq!(typed(DType::Int64, |it| it.tensor_content = 7_i64.to_le_bytes().to_vec().into()), "7");
}

#[test]
fn other_elements_are_no_keys() {
    for dtype in [DType::Float, DType::Double, DType::Bool, DType::QInt8, DType::Half] {
        let proto = TensorProto { dtype: dtype.number(), tensor_shape: shape(&[1]), ..Default::default() };
        assert_eq!(key(&proto), None, "{dtype:?}");
    }
    assert_eq!(key(&TensorProto { dtype: 20, ..TensorProto::default() }), None);
    assert_eq!(Key::of_tensor_message(Bytes::from_static(b"\xff\xff")), None);
}

#[test]
fn a_key_has_at_most_as_many_bytes_as_are_hashed_for_each_request() {
    let string = |bytes: usize| {
        let mut proto = strings(&[1], &[]);
        proto.string_val = vec![vec![b'k'; bytes].into()];
        key(&proto).map(|key| key.len())
    };
    assert_eq!(string(KEY_BYTES_MAX), Some(KEY_BYTES_MAX));
    assert_eq!(string(KEY_BYTES_MAX + 1), None);
    assert_eq!(string(1 << 20), None);
}

/// A few bytes may ask for elements without end.
#[test]
fn a_shape_is_looked_at_before_it_is_filled() {
    let proto = TensorProto { int64_val: vec![7], ..strings(&[1 << 20, 1 << 20], &[]) };
    assert_eq!(key(&TensorProto { dtype: DType::Int64.number(), ..proto }), None);
}

fn example(features: &[(&str, Kind)]) -> Bytes {
    let feature = features
        .iter()
        .map(|(name, kind)| ((*name).to_owned(), Feature { kind: Some(kind.clone()) }))
        .collect();
    Example { features: Some(Features { feature }) }.encode_to_vec().into()
}

fn text(values: &[&'static [u8]]) -> Kind {
    Kind::BytesList(BytesList { value: values.iter().copied().map(Bytes::from_static).collect() })
}

#[test]
fn the_only_value_of_a_feature_is_a_key() {
    let floats = Kind::FloatList(FloatList { value: vec![1.0] });
    let integers = |value: &[i64]| Kind::Int64List(Int64List { value: value.to_vec() });
    let whole = example(&[
        ("age", integers(&[41, 42])),
        ("id", integers(&[-7])),
        ("user", text(&[b"user-1"])),
        ("users", text(&[b"a", b"b"])),
        ("x", floats),
    ]);
    let key = |feature: &str| Key::of_example(&whole, feature).map(|key| key.as_bytes().to_vec());
    assert_eq!(key("user"), Some(b"user-1".to_vec()));
    assert_eq!(key("id"), Some(b"-7".to_vec()));
    for none in ["age", "users", "x", "missing", ""] {
        assert_eq!(key(none), None, "{none}");
    }
}

#[test]
fn of_two_features_of_one_name_the_later_one_counts_and_damage_is_no_key() {
    let twice = [&example(&[("user", text(&[b"a"]))])[..], &example(&[("user", text(&[b"b"]))])].concat();
    assert_eq!(Key::of_example(&twice.into(), "user").unwrap().as_bytes(), b"b");
    let whole = example(&[("user", text(&[b"user-1"]))]);
    for length in 0..whole.len() {
        assert_eq!(Key::of_example(&whole.slice(..length), "user"), None, "{length}");
    }
    let long = [&example(&[("pad", text(&[&[b'p'; EXAMPLE_BYTES_MAX]]))])[..], &whole].concat();
    assert_eq!(Key::of_example(&long.into(), "user"), None);
}
