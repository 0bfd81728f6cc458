//! JSON's doubles as narrower floats, rounded once: to the nearest, a tie to the even one.
//!
//! Rounding to a float first and from there to 16 bits would round twice, and be off by one unit now and then. So
//! the first step rounds to odd: where anything is lost, the last bit is set, and no tie can come of it.

use half::{bf16, f16};

/// The nearest float; too large becomes infinite, as in TensorFlow Serving.
#[allow(clippy::cast_possible_truncation)] // that is what is asked for
pub(super) fn to_float(double: f64) -> f32 {
    double as f32
}

/// The nearest half.
pub(super) fn to_half(double: f64) -> f16 {
    f16::from_f32(to_odd_float(double))
}

/// The nearest bfloat16.
pub(super) fn to_bfloat16(double: f64) -> bf16 {
    bf16::from_f32(to_odd_float(double))
}

/// The double itself where a float can hold it, else the one of its two neighbours whose last bit is set.
fn to_odd_float(double: f64) -> f32 {
    let float = to_float(double);
    let is_exact = double.is_nan() || f64::from(float).to_bits() == double.to_bits();
    if is_exact || float.to_bits() & 1 == 1 {
        return float;
    }
    // The even neighbour was nearer: the other one lies on the double's other side.
    let is_beyond = f64::from(float).abs() > double.abs();
    f32::from_bits(if is_beyond { float.to_bits() - 1 } else { float.to_bits() + 1 })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test says what it expects

    use super::*;
    use proptest::prelude::*;

    /// The nearest of all halves or bfloat16s by comparing with every one of them; `value` says what its bits mean.
    fn nearest(double: f64, infinity: u16, value: impl Fn(u16) -> f64) -> u16 {
        // What the first number too large would be is where infinity begins.
        let step = value(infinity - 1) - value(infinity - 2);
        let magnitude = |bits: u16| if bits == infinity { value(infinity - 1) + step } else { value(bits) };
        let distance = |bits: u16| (magnitude(bits) - double.abs()).abs();
        let best = (0..=infinity).min_by(|left, right| {
            distance(*left).total_cmp(&distance(*right)).then((left & 1).cmp(&(right & 1)))
        });
        best.unwrap() | if double.is_sign_negative() { 0x8000 } else { 0 }
    }

    fn nearest_half(double: f64) -> u16 {
        nearest(double.clamp(-1e6, 1e6), 0x7C00, |bits| f16::from_bits(bits).to_f64())
    }

    fn nearest_bfloat16(double: f64) -> u16 {
        nearest(double.clamp(-1e39, 1e39), 0x7F80, |bits| bf16::from_bits(bits).to_f64())
    }

    #[test]
    fn a_hair_beyond_a_tie_is_not_a_tie() {
        let one = f16::ONE.to_bits();
        let tie = 1.0 + f64::from(f16::EPSILON) / 2.0;
        assert_eq!((to_half(tie).to_bits(), to_half(tie.next_up()).to_bits()), (one, one + 1));
        let one = bf16::ONE.to_bits();
        let tie = 1.0 + f64::from(bf16::EPSILON) / 2.0;
        assert_eq!((to_bfloat16(tie).to_bits(), to_bfloat16(tie.next_up()).to_bits()), (one, one + 1));
    }

    #[test]
    fn the_ends_of_the_range_are_those_of_the_type() {
        for (double, half) in [(65504.0, 0x7BFF), (65519.9, 0x7BFF), (65520.0, 0x7C00), (1e300, 0x7C00)] {
            assert_eq!(to_half(double).to_bits(), half, "{double}");
            assert_eq!(to_half(-double).to_bits(), half | 0x8000, "{double}");
        }
        assert_eq!(to_half(2_f64.powi(-25)).to_bits(), 0);
        assert_eq!(to_half(2_f64.powi(-25).next_up()).to_bits(), 1);
        assert_eq!(to_half(5e-324).to_bits(), 0);
        assert_eq!(to_half(-0.0).to_bits(), 0x8000);
        assert_eq!(to_bfloat16(f64::INFINITY).to_bits(), 0x7F80);
        assert!(to_half(f64::NAN).is_nan() && to_bfloat16(f64::NAN).is_nan());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_other_half_is_nearer(double in -70_000.0..70_000.0) {
            prop_assert_eq!(to_half(double).to_bits(), nearest_half(double));
        }

        #[test]
        fn no_other_half_is_nearer_to_what_is_near_a_tie(bits in 0_u16..0x7BFF, ulps in -2_i64..3) {
            let tie = f64::midpoint(f16::from_bits(bits).to_f64(), f16::from_bits(bits + 1).to_f64());
            let double = f64::from_bits(tie.to_bits().wrapping_add_signed(ulps));
            prop_assert_eq!(to_half(double).to_bits(), nearest_half(double));
        }

        #[test]
        fn no_other_bfloat16_is_nearer_to_what_is_near_a_tie(bits in 0_u16..0x7F7F, ulps in -2_i64..3) {
            let tie = f64::midpoint(bf16::from_bits(bits).to_f64(), bf16::from_bits(bits + 1).to_f64());
            let double = f64::from_bits(tie.to_bits().wrapping_add_signed(ulps));
            prop_assert_eq!(to_bfloat16(double).to_bits(), nearest_bfloat16(double));
        }
    }
}
