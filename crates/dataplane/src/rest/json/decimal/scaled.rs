//! Digits by one multiplication: with a power of ten from a table, in 128 bits of fixed point.
//!
//! `mantissa * 2^exponent * 10^power` has the digits wanted before its point. The powers are kept to 64 bits, rounded
//! down, so that the product is exact or a little too small, by less than [`Scaled::slack`]. Each decision looks
//! whether it would fall the same way all over that gap; where it would not, the answer is none, and a slower way
//! decides. The gap is empty for the powers that fit 64 bits. Beyond, it is 2^-31 of a unit of a float's ninth digit,
//! and at most a fiftieth of one of a double's seventeenth: one in 160 of the doubles below 1e-11 or from 1e17 up
//! needs the slower way. So does a tie that is not exact here: one in 7,000 of the floats from 1e9 up.

use super::{Binary, Decimal};

/// A power of five: `factor / 2^shift`, or less than `2 / 2^shift` more.
#[derive(Clone, Copy)]
struct Power {
    /// Its first bit is set.
    factor: u64,
    shift: i32,
}

/// For the seventeenth digit of the largest double, and of the smallest when its exponent was guessed too small.
const POWER_MIN: i32 = -292;
const POWER_MAX: i32 = 341;
const POWER_COUNT: usize = (POWER_MAX - POWER_MIN + 1) as usize;

/// 5^27 is the last that fits 64 bits.
const EXACT_POWERS: std::ops::RangeInclusive<i32> = 0..=27;

/// By the power less [`POWER_MIN`]. Made from each other in 128 bits. A step loses less than 2^-123 of the value, so
/// all of them lose less than one unit of the 64 bits kept, which cutting off the rest loses at most once more.
static POWERS: [Power; POWER_COUNT] = {
    let mut powers = [Power { factor: 0, shift: 0 }; POWER_COUNT];
    let zero = POWER_MIN.unsigned_abs() as usize;
    let (mut value, mut shift, mut index) = (1_u128 << 127, 127, zero);
    while index < POWER_COUNT {
        keep(&mut powers, index, value, shift);
        let product = (value >> 3) * 5;
        (value, shift) = normalized(product, shift - 3);
        index += 1;
    }
    (value, shift, index) = (1_u128 << 127, 127, zero);
    while index > 0 {
        (value, shift) = normalized(value / 5, shift);
        index -= 1;
        keep(&mut powers, index, value, shift);
    }
    powers
};

const fn normalized(value: u128, shift: i32) -> (u128, i32) {
    let zeros = value.leading_zeros();
    (value << zeros, shift + zeros.cast_signed())
}

#[allow(clippy::indexing_slicing, clippy::cast_possible_truncation)] // evaluated when compiled; the high half
const fn keep(powers: &mut [Power; POWER_COUNT], index: usize, value: u128, shift: i32) {
    powers[index] = Power { factor: (value >> 64) as u64, shift: shift - 64 };
}

/// `SHORT` significant digits where they read back as the value, else `LONG`; none where that cannot be told here.
#[inline(always)]
#[allow(clippy::inline_always)] // its answer would go through memory, which a third of the time is lost to
pub(super) fn digits<const SHORT: u32, const LONG: u32>(binary: Binary) -> Option<Decimal> {
    if binary.mantissa == 0 {
        return Some(Decimal { digits: 0, exponent: 0, precision: SHORT });
    }
    let guess = decimal_exponent(binary);
    let mut scaled = Scaled::new::<LONG>(binary, guess)?;
    if scaled.whole >= const { 10_u64.pow(LONG) } {
        scaled = Scaled::new::<LONG>(binary, guess + 1)?;
    }
    let (digits, precision) = match scaled.short::<SHORT, LONG>(binary)? {
        Some(digits) => (digits, SHORT),
        None => (scaled.long()?, LONG),
    };
    let exponent = scaled.exponent;
    Some(if digits == const { 10_u64.pow(LONG) } {
        Decimal { digits: const { 10_u64.pow(LONG - 1) }, exponent: exponent + 1, precision }
    } else {
        Decimal { digits, exponent, precision }
    })
}

/// The exponent of the first digit: right or, for one value in fifty, one too small. The logarithm to the base of two
/// is guessed from below, as straight between powers of two. The product is a little off, by less than any power of
/// two here is from a power of ten.
fn decimal_exponent(binary: Binary) -> i32 {
    const FRACTION_BITS: u32 = 8;
    /// log10(2), times 2^32.
    const LOG_OF_TWO: i64 = 1_292_913_986;
    let zeros = binary.mantissa.leading_zeros();
    let fraction = (binary.mantissa << zeros << 1) >> (64 - FRACTION_BITS);
    let integer = i64::from(binary.exponent + 63 - zeros.cast_signed());
    let logarithm = (integer << FRACTION_BITS) + fraction.cast_signed();
    #[allow(clippy::cast_possible_truncation)] // a few hundreds
    {
        ((logarithm * LOG_OF_TWO) >> (32 + FRACTION_BITS)) as i32
    }
}

/// A value times the power of ten that brings its `LONG` first digits before the point. Fractions are in 2^-64.
struct Scaled {
    whole: u64,
    fraction: u64,
    /// What one unit of the mantissa is worth: the distance to the next value, or less than `slack` too small.
    unit: u128,
    /// The value is larger than it says here by less than this, and by something; 0 where it is exact.
    slack: u64,
    exponent: i32,
}

impl Scaled {
    /// None where the table ends. `exponent` must be the one of the first digit, or one less.
    #[inline(always)]
    #[allow(clippy::inline_always)] // as above
    fn new<const LONG: u32>(binary: Binary, exponent: i32) -> Option<Self> {
        let power = LONG.cast_signed() - 1 - exponent;
        let Power { factor, shift } = *POWERS.get(usize::try_from(power - POWER_MIN).ok()?)?;
        let shift = u32::try_from(binary.exponent + power + 64 - shift).ok()?;
        // The product is below 10^18 * 2^64, and the factor at least 2^63: what is multiplied is below 2^61.
        let mantissa = binary.mantissa.checked_shl(shift)?;
        let product = u128::from(mantissa) * u128::from(factor);
        #[allow(clippy::cast_possible_truncation)] // two halves
        let (whole, fraction) = ((product >> 64) as u64, product as u64);
        let slack = if EXACT_POWERS.contains(&power) { 0 } else { 2 * mantissa };
        Some(Self { whole, fraction, unit: u128::from(factor) << shift, slack, exponent })
    }

    /// The digits of the nearest decimal of `SHORT` digits, followed by zeros, if it reads back as the value. That is
    /// so when it lies nearer to it than half the distance to the next; a tie goes to the even mantissa.
    #[inline(always)]
    #[allow(clippy::inline_always)] // as above
    #[allow(clippy::option_option)] // whether it is known, and whether there are any
    fn short<const SHORT: u32, const LONG: u32>(&self, binary: Binary) -> Option<Option<u64>> {
        let step = const { 10_u64.pow(LONG - SHORT) };
        let rest = self.whole % step;
        // Most values of many digits are far from any short decimal, which whole units tell. What they leave out, and
        // the slack, is less than three of them.
        let half_unit = self.unit >> 65;
        if u128::from(rest.min(step - rest)) > half_unit + 3 {
            return Some(None);
        }
        let (lower, slack) = (self.whole - rest, u128::from(self.slack));
        let below = (u128::from(rest) << 64) | u128::from(self.fraction);
        let above = (u128::from(step) << 64) - below;
        let is_up = below + u128::from(self.wins_tie(self.whole / step)) > above;
        if slack > 0 && !is_up && below + 2 * slack > above {
            return None;
        }
        // What is compared is doubled; below a power of two, where the next value is half as far, once more.
        let doublings = 1 + u32::from(binary.is_boundary && !is_up);
        let (distance, slacks) = (below.min(above) << doublings, slack << doublings);
        let reads_back = if slack == 0 {
            distance < self.unit || (distance == self.unit && binary.mantissa.is_multiple_of(2))
        } else if distance >= self.unit + slacks + slack {
            false
        } else if distance + slacks <= self.unit {
            true
        } else {
            return None;
        };
        Some(reads_back.then(|| lower + step * u64::from(is_up)))
    }

    /// The digits before the point, rounded; a tie goes to the even one.
    #[inline(always)]
    #[allow(clippy::inline_always)] // as above
    fn long(&self) -> Option<u64> {
        const HALF: u64 = 1 << 63;
        // Whether the fraction is below one half by no more than the slack: a difference below zero wraps.
        if HALF.wrapping_sub(self.fraction).wrapping_sub(1) < self.slack {
            return None;
        }
        let (_, is_up) = self.fraction.overflowing_add(HALF - 1 + self.wins_tie(self.whole));
        Some(self.whole + u64::from(is_up))
    }

    /// 1 if what looks halfway between `lower` and the next is to be rounded up, else 0. A number, because rounding
    /// is half the time up, and what half the time is taken is costly as a branch.
    #[inline]
    fn wins_tie(&self, lower: u64) -> u64 {
        lower & 1 | u64::from(self.slack > 0)
    }
}
