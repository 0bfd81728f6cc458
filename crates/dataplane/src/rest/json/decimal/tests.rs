//! The fast digits against those of the standard library, where the two could differ: ties, the neighbours of powers
//! of two and of ten, the ends of the range, and numbers without any pattern.

#![allow(clippy::unwrap_used)] // a test says what it expects

use super::*;
use crate::rest::rounding::to_float;
use proptest::prelude::*;

/// As [`exact`] finds them, which must be what [`scaled`] finds where it finds any.
fn float_digits(value: f32) -> Decimal {
    let bits = value.to_bits();
    let binary = Binary::of(u64::from(bits & 0x7F_FFFF), i32::try_from(bits >> 23 & 0xFF).unwrap(), 23, 127);
    let expected = exact::digits::<6, 9>(f64::from(value.abs()), |text| text.parse() == Ok(value.abs()));
    assert_eq!(scaled::digits::<6, 9>(binary).unwrap_or(expected), expected, "{value:e}");
    expected
}

/// As [`float_digits`]; tells whether the fast way had an answer.
fn is_double_fast<const SHORT: u32>(value: f64) -> bool {
    let bits = value.to_bits();
    let binary = Binary::of(bits & ((1 << 52) - 1), i32::try_from(bits >> 52 & 0x7FF).unwrap(), 52, 1023);
    let expected = exact::digits::<SHORT, 17>(value.abs(), |text| text.parse() == Ok(value.abs()));
    let found = scaled::digits::<SHORT, 17>(binary);
    assert_eq!(found.unwrap_or(expected), expected, "{value:e}");
    found.is_some()
}

fn check_double(value: f64) {
    is_double_fast::<6>(value);
    is_double_fast::<15>(value);
}

/// The value and the four nearest of its kind, without what is not finite.
fn with_neighbours(value: f64) -> impl Iterator<Item = f64> {
    let (up, down) = (value.next_up(), value.next_down());
    [down.next_down(), down, value, up, up.next_up()].into_iter().filter(|value| value.is_finite())
}

#[test]
fn powers_of_two_and_ten_and_their_neighbours_have_the_digits_of_the_slow_way() {
    for exponent in -1074..1024 {
        with_neighbours(2_f64.powi(exponent)).for_each(check_double);
    }
    for exponent in -324..309 {
        with_neighbours(format!("1e{exponent}").parse().unwrap()).for_each(check_double);
    }
    for biased in 0..255_u32 {
        for offset in [0, 1, 2, 0x40_0000, 0x7F_FFFE, 0x7F_FFFF] {
            float_digits(f32::from_bits(biased << 23 | offset));
        }
    }
}

#[test]
#[allow(clippy::cast_precision_loss)] // small integers
fn a_tie_in_the_last_digit_goes_to_the_even_one() {
    assert_eq!(float_digits(0.000_122_070_31).digits, 122_070_312, "2^-13 is 0.0001220703125");
    assert_eq!(float_digits(3.0 / 8192.0).digits, 366_210_938, "0.0003662109375");
    for numerator in 1..4096_u32 {
        for exponent in 8..40 {
            float_digits(numerator as f32 / 2_f32.powi(exponent));
            check_double(f64::from(numerator) / 2_f64.powi(exponent + 10));
        }
    }
}

#[test]
fn a_double_that_the_fast_way_cannot_tell_is_written_by_the_slow_one() {
    let values =
        (1..1000).map(|index| f64::from(index) * 1.1e-100).filter(|&value| !is_double_fast::<6>(value));
    let hard = values.collect::<Vec<_>>();
    assert!((1..50).contains(&hard.len()), "{}", hard.len());
    for value in hard {
        let mut text = Vec::new();
        write_double(&mut text, value);
        assert_eq!(String::from_utf8(text).unwrap().parse(), Ok(value));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn any_value_has_the_digits_of_the_slow_way(bits in any::<u64>(), digits in 0_u64..1 << 60, exponent in -340_i32..300) {
        let [float, other] = bytemuck::cast::<u64, [f32; 2]>(bits);
        let few = digits >> (digits % 60);
        let decimal: f64 = format!("{few}e{exponent}").parse().unwrap();
        for float in [float, other, to_float(decimal)].into_iter().filter(|float| float.is_finite()) {
            float_digits(float);
        }
        for double in [f64::from_bits(bits), decimal].into_iter().filter(|double| double.is_finite()) {
            check_double(double);
        }
    }
}
