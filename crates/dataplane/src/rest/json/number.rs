//! JSON numbers: from text to an integer or to the nearest double.
//!
//! Integers that fit 64 bits stay integers. Everything else becomes the double nearest to what was written;
//! `rapidjson` may be one unit in the last place away from that, and takes some numbers that are too big for a
//! double (`100e307`) as infinite, where this refuses each of them.

use super::{
    document::Kind,
    parser::{Fault, ParseError},
};

/// A number as it was written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// An integer below zero.
    Negative(i64),
    /// An integer from zero up.
    Unsigned(u64),
    /// Any other.
    Double(f64),
}

impl Number {
    /// The number of a node, if it is one.
    #[must_use]
    pub fn of(kind: Kind, word: u64) -> Option<Self> {
        match kind {
            Kind::Negative => Some(Self::Negative(word.cast_signed())),
            Kind::Unsigned => Some(Self::Unsigned(word)),
            Kind::Double => Some(Self::Double(f64::from_bits(word))),
            _ => None,
        }
    }

    /// As a double, rounded to the nearest.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // rounding is what is asked for
    pub fn to_double(self) -> f64 {
        match self {
            Self::Negative(integer) => integer as f64,
            Self::Unsigned(integer) => integer as f64,
            Self::Double(double) => double,
        }
    }

    /// As an integer below 2^63, if it was written as one.
    #[must_use]
    pub fn to_signed(self) -> Option<i64> {
        match self {
            Self::Negative(integer) => Some(integer),
            Self::Unsigned(integer) => i64::try_from(integer).ok(),
            Self::Double(_) => None,
        }
    }

    /// As an integer from zero up, if it was written as one.
    #[must_use]
    pub fn to_unsigned(self) -> Option<u64> {
        match self {
            Self::Unsigned(integer) => Some(integer),
            Self::Negative(_) | Self::Double(_) => None,
        }
    }
}

/// So many digits always fit 64 bits.
const EXACT_DIGITS: usize = 19;
/// Integers up to this one are exact as doubles.
const EXACT_INTEGER: u64 = 1 << 53;
/// Powers of ten that are exact as doubles.
const EXACT_POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];
/// Beyond this every number is zero or too big, whatever its digits (a body has fewer than 2^32 of them).
const EXPONENT_MAX: i64 = 1 << 40;

/// A number's text, taken apart.
struct Parts {
    negative: bool,
    /// The digits without the point; wrapped where there are more than [`EXACT_DIGITS`].
    mantissa: u64,
    digits: usize,
    exponent: i64,
    /// Whether it has neither a point nor an exponent.
    is_integer: bool,
    end: usize,
}

/// The node of the number at `start`, and where it ends.
pub(super) fn parse(body: &[u8], start: usize) -> Result<(Kind, u64, usize), ParseError> {
    let negative = body.get(start) == Some(&b'-');
    let at = start + usize::from(negative);
    if let Some(b'N' | b'I') = body.get(at) {
        return not_finite(body, at, negative);
    }
    let parts = split(body, at, negative)?;
    if let Some((kind, word)) = parts.integer(body, at) {
        return Ok((kind, word, parts.end));
    }
    let double = match parts.exact_double() {
        Some(double) => double,
        None => nearest_double(body.get(start..parts.end).unwrap_or_default()),
    };
    if double.is_infinite() {
        return Err(ParseError::new(Fault::NumberTooBig, start));
    }
    Ok((Kind::Double, double.to_bits(), parts.end))
}

fn split(body: &[u8], start: usize, negative: bool) -> Result<Parts, ParseError> {
    let mut mantissa = 0;
    let is_zero = body.get(start) == Some(&b'0');
    let mut at = if is_zero { start + 1 } else { digits(body, start, &mut mantissa) };
    if at == start {
        return Err(ParseError::new(Fault::ValueInvalid, at));
    }
    let counted = if is_zero { 0 } else { at - start };
    let mut parts = Parts { negative, mantissa, digits: counted, exponent: 0, is_integer: true, end: at };
    if body.get(at) == Some(&b'.') {
        let fraction = at + 1;
        at = digits(body, fraction, &mut parts.mantissa);
        if at == fraction {
            return Err(ParseError::new(Fault::NumberMissFraction, at));
        }
        parts.digits += at - fraction;
        parts.exponent = -i64::try_from(at - fraction).unwrap_or(EXPONENT_MAX);
        parts.is_integer = false;
    }
    if let Some(b'e' | b'E') = body.get(at) {
        let (exponent, end) = exponent(body, at + 1)?;
        parts.exponent += exponent;
        parts.is_integer = false;
        at = end;
    }
    parts.end = at;
    Ok(parts)
}

/// Reads digits onto `mantissa` (which wraps) and says where they end.
fn digits(body: &[u8], mut at: usize, mantissa: &mut u64) -> usize {
    while let Some(eight) = eight_digits(body, at) {
        *mantissa = mantissa.wrapping_mul(100_000_000).wrapping_add(eight);
        at += 8;
    }
    while let Some(byte @ b'0'..=b'9') = body.get(at) {
        *mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
        at += 1;
    }
    at
}

/// The value of the eight bytes at `at`, if all are digits: neighbours are joined to pairs, pairs to fours, fours
/// to eight, all at once inside one word.
fn eight_digits(body: &[u8], at: usize) -> Option<u64> {
    const ZEROS: u64 = 0x3030_3030_3030_3030;
    let bytes: [u8; 8] = body.get(at..at + 8)?.try_into().ok()?;
    let word = u64::from_le_bytes(bytes);
    let values = word.wrapping_sub(ZEROS);
    // A byte above '9' carries into its high bit when 0x46 is added; one below '0' has it after the subtraction.
    if (word.wrapping_add(0x4646_4646_4646_4646) | values) & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    let pairs = values.wrapping_mul(10).wrapping_add(values >> 8) & 0x00FF_00FF_00FF_00FF;
    let fours = pairs.wrapping_mul(100).wrapping_add(pairs >> 16) & 0x0000_FFFF_0000_FFFF;
    Some(fours.wrapping_mul(10_000).wrapping_add(fours >> 32) & 0xFFFF_FFFF)
}

/// The exponent whose sign or first digit is at `at`, and where it ends.
fn exponent(body: &[u8], mut at: usize) -> Result<(i64, usize), ParseError> {
    let negative = body.get(at) == Some(&b'-');
    if let Some(b'-' | b'+') = body.get(at) {
        at += 1;
    }
    let start = at;
    let mut exponent = 0;
    while let Some(byte @ b'0'..=b'9') = body.get(at) {
        exponent = (exponent * 10 + i64::from(byte - b'0')).min(EXPONENT_MAX);
        at += 1;
    }
    if at == start {
        return Err(ParseError::new(Fault::NumberMissExponent, at));
    }
    Ok((if negative { -exponent } else { exponent }, at))
}

impl Parts {
    fn integer(&self, body: &[u8], start: usize) -> Option<(Kind, u64)> {
        if !self.is_integer {
            return None;
        }
        let integer = if self.digits <= EXACT_DIGITS {
            self.mantissa
        } else {
            std::str::from_utf8(body.get(start..self.end)?).ok()?.parse().ok()?
        };
        match (self.negative, integer) {
            (false, _) | (true, 0) => Some((Kind::Unsigned, integer)),
            (true, _) => {
                0_i64.checked_sub_unsigned(integer).map(|value| (Kind::Negative, value.cast_unsigned()))
            }
        }
    }

    /// The double, where one rounding gives it: both its digits and its power of ten are exact doubles.
    fn exact_double(&self) -> Option<f64> {
        if self.digits > EXACT_DIGITS || self.mantissa > EXACT_INTEGER {
            return None;
        }
        let power = *EXACT_POWERS.get(usize::try_from(self.exponent.unsigned_abs()).ok()?)?;
        #[allow(clippy::cast_precision_loss)] // exact up to 2^53
        let integer = self.mantissa as f64;
        let double = if self.exponent < 0 { integer / power } else { integer * power };
        Some(if self.negative { -double } else { double })
    }
}

/// The double nearest to a number's text; infinite when none is near.
fn nearest_double(text: &[u8]) -> f64 {
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).unwrap_or(f64::INFINITY)
}

/// `NaN`, `Inf` or `Infinity` at `at`.
fn not_finite(body: &[u8], at: usize, negative: bool) -> Result<(Kind, u64, usize), ParseError> {
    let rest = body.get(at..).unwrap_or_default();
    let same = |word: &[u8]| rest.iter().zip(word).take_while(|(left, right)| left == right).count();
    let (nan, inf, infinity) = (same(b"NaN"), same(b"Inf"), same(b"Infinity"));
    let unbounded = if negative { f64::NEG_INFINITY } else { f64::INFINITY };
    match (nan, inf, infinity) {
        (3, _, _) => Ok((Kind::Double, f64::NAN.to_bits(), at + 3)),
        (_, _, 8) => Ok((Kind::Double, unbounded.to_bits(), at + 8)),
        (_, 3, 3) => Ok((Kind::Double, unbounded.to_bits(), at + 3)),
        _ => Err(ParseError::new(Fault::ValueInvalid, at + nan.max(inf).max(infinity))),
    }
}
