//! Elements of every type are read as they are, and a float that is no number is found in every float type.

#![allow(clippy::unwrap_used)] // a test may panic

use super::*;

fn tensor(dtype: DType, elements: &[&[u8]]) -> Tensor {
    let shape = vec![i64::try_from(elements.len()).unwrap()];
    Tensor::new(dtype, shape, Data::Packed(elements.concat().into())).unwrap()
}

#[test]
fn floats_of_every_type_are_read() {
    let floats = [
        tensor(DType::Float, &[&1.5_f32.to_le_bytes()]),
        tensor(DType::Double, &[&1.5_f64.to_le_bytes()]),
        tensor(DType::Half, &[&f16::from_f32(1.5).to_le_bytes()]),
        tensor(DType::BFloat16, &[&bf16::from_f32(1.5).to_le_bytes()]),
    ];
    for each in floats {
        assert_eq!(Values::read(&each, 9), Some(Values::Floats([1.5].into())), "{:?}", each.dtype());
    }
}

#[test]
fn integers_of_every_type_are_read_and_one_too_large_is_not() {
    let types = [DType::Bool, DType::Int8, DType::UInt8, DType::Int16, DType::UInt16, DType::Int32];
    for dtype in types.into_iter().chain([DType::UInt32, DType::Int64, DType::UInt64, DType::QInt8]) {
        let one = [&[1][..], &[0; 7]].concat();
        let one = tensor(dtype, &[one.get(..dtype.size().unwrap()).unwrap()]);
        assert_eq!(Values::read(&one, 9), Some(Values::Integers([1].into())), "{dtype:?}");
    }
    assert_eq!(Values::read(&tensor(DType::UInt64, &[&[0xff; 8]]), 9), None);
    assert_eq!(Values::read(&tensor(DType::Complex64, &[&[0; 8]]), 9), None);
}

#[test]
fn no_more_is_read_than_is_asked_for() {
    let strings = Data::Strings(vec![Bytes::from_static(b"a"), Bytes::from_static(b"b")]);
    let strings = Tensor::new(DType::String, vec![2], strings).unwrap();
    assert_eq!(Values::read(&strings, 1), Some(Values::Strings([Bytes::from_static(b"a")].into())));
    let floats = tensor(DType::Float, &[&[0_u8; 4][..]; 10]);
    assert_eq!(Values::read(&floats, 3).map(|values| values.len()), Some(3));
}

#[test]
fn what_is_no_number_is_found_in_every_float_type() {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let outputs = [
            tensor(DType::Float, &[&1_f32.to_le_bytes(), &value.to_le_bytes()]),
            tensor(DType::Double, &[&f64::from(value).to_le_bytes()]),
            tensor(DType::Half, &[&f16::from_f32(value).to_le_bytes()]),
            tensor(DType::BFloat16, &[&bf16::from_f32(value).to_le_bytes()]),
            tensor(DType::Complex64, &[&[[0; 4], value.to_le_bytes()].concat()]),
        ];
        for output in outputs {
            assert!(has_invalid(std::slice::from_ref(&output)), "{value} as {:?}", output.dtype());
            let before = tensor(DType::Int64, &[&[0xff; 8]]);
            assert!(has_invalid(&[before, output]));
        }
    }
}

#[test]
fn numbers_are_none_of_these() {
    let fine = [f32::MAX, f32::MIN, f32::MIN_POSITIVE, 1e-45, 0.0, -0.0].map(f32::to_le_bytes);
    assert!(!has_invalid(&[tensor(DType::Float, &fine.each_ref().map(|it| &it[..]))]));
    assert!(!has_invalid(&[tensor(DType::Int32, &[&[0xff; 4]])]));
    assert!(!has_invalid(&[tensor(DType::Float, &[])]));
}

#[test]
fn as_many_floats_are_looked_at_as_is_said_over_all_outputs() {
    let nan = f32::NAN.to_le_bytes();
    let at = |index: usize| {
        let mut elements = vec![&[0_u8; 4][..]; index + 1];
        *elements.last_mut().unwrap() = &nan[..];
        tensor(DType::Float, &elements)
    };
    assert!(has_invalid(&[at(SCANNED_MAX - 1)]));
    assert!(!has_invalid(&[at(SCANNED_MAX)]));
    let half = tensor(DType::Float, &vec![&[0_u8; 4][..]; SCANNED_MAX / 2]);
    assert!(!has_invalid(&[half.clone(), half, at(0)]));
}
