//! Floating-point numbers as text: few digits where they say it all, otherwise as many as any value needs.
//!
//! `%g` with 6 significant digits is written when it reads back as the same value of the same type, else `%g` with
//! 9 (float) or 17 (double) digits, as TensorFlow Serving does it. The work is done in 128-bit integers: a value is
//! `mantissa * 2^exponent`, its first `n` digits are one multiplication or division by a power of five away, and
//! whether the short form reads back is a comparison with half the distance to the neighbouring value. Values so
//! large or small that this would need more than 128 bits take the standard library's slower way.

/// How many significant digits to try, and how many to fall back to.
#[derive(Clone, Copy, Debug)]
struct Precision {
    short: u32,
    long: u32,
    /// Whether `.0` is added where the text would look like an integer.
    is_marked: bool,
}

const FLOAT: Precision = Precision { short: 6, long: 9, is_marked: true };
const DOUBLE: Precision = Precision { short: 6, long: 17, is_marked: true };
const PROTO_FLOAT: Precision = Precision { short: 6, long: 9, is_marked: false };
const PROTO_DOUBLE: Precision = Precision { short: 15, long: 17, is_marked: false };

/// Writes `value` as an answer's number: with `.0` where it would look like an integer; `NaN`, `Infinity` and
/// `-Infinity` bare.
pub fn write_float(out: &mut Vec<u8>, value: f32) {
    if value.is_finite() {
        write_finite_float(out, value, FLOAT);
    } else {
        write_not_finite(out, f64::from(value));
    }
}

/// As [`write_float`].
pub fn write_double(out: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        write_finite_double(out, value, DOUBLE);
    } else {
        write_not_finite(out, value);
    }
}

/// As [`write_float`], for the half of these bits; six digits say any of them.
pub fn write_half(out: &mut Vec<u8>, bits: u16) {
    let value = half::f16::from_bits(bits);
    if value.is_finite() {
        let binary = Binary::of(u64::from(bits & 0x3FF), i32::from(bits >> 10 & 0x1F), 10, 15);
        write_short(out, binary, f64::from(value));
    } else {
        write_not_finite(out, f64::from(value));
    }
}

/// As [`write_half`], for the bfloat16 of these bits.
pub fn write_bfloat16(out: &mut Vec<u8>, bits: u16) {
    let value = half::bf16::from_bits(bits);
    if value.is_finite() {
        let binary = Binary::of(u64::from(bits & 0x7F), i32::from(bits >> 7 & 0xFF), 7, 127);
        write_short(out, binary, f64::from(value));
    } else {
        write_not_finite(out, f64::from(value));
    }
}

/// A finite value whose six digits always read back.
fn write_short(out: &mut Vec<u8>, binary: Binary, value: f64) {
    write_sign(out, value.is_sign_negative());
    if binary.write(out, FLOAT).is_none() {
        write_slowly(out, value.abs(), FLOAT, |_| true);
    }
}

/// Writes `value` as protocol buffers' JSON does: `1`, and `"NaN"` in quotes.
pub fn write_proto_float(out: &mut Vec<u8>, value: f32) {
    if value.is_finite() {
        write_finite_float(out, value, PROTO_FLOAT);
    } else {
        write_quoted_not_finite(out, f64::from(value));
    }
}

/// As [`write_proto_float`].
pub fn write_proto_double(out: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        write_finite_double(out, value, PROTO_DOUBLE);
    } else {
        write_quoted_not_finite(out, value);
    }
}

fn write_not_finite(out: &mut Vec<u8>, value: f64) {
    let word: &[u8] = match value {
        f64::INFINITY => b"Infinity",
        f64::NEG_INFINITY => b"-Infinity",
        _ => b"NaN",
    };
    out.extend_from_slice(word);
}

fn write_quoted_not_finite(out: &mut Vec<u8>, value: f64) {
    out.push(b'"');
    write_not_finite(out, value);
    out.push(b'"');
}

fn write_finite_float(out: &mut Vec<u8>, value: f32, precision: Precision) {
    const FRACTION_BITS: u32 = 23;
    let bits = value.to_bits();
    let binary = Binary::of(
        u64::from(bits & ((1 << FRACTION_BITS) - 1)),
        (bits >> FRACTION_BITS & 0xFF).cast_signed(),
        FRACTION_BITS,
        127,
    );
    write_sign(out, value.is_sign_negative());
    if binary.write(out, precision).is_none() {
        write_slowly(out, f64::from(value.abs()), precision, |text| text.parse() == Ok(value.abs()));
    }
}

fn write_finite_double(out: &mut Vec<u8>, value: f64, precision: Precision) {
    const FRACTION_BITS: u32 = 52;
    let bits = value.to_bits();
    let biased = i32::try_from(bits >> FRACTION_BITS & 0x7FF).unwrap_or_default();
    let binary = Binary::of(bits & ((1 << FRACTION_BITS) - 1), biased, FRACTION_BITS, 1023);
    write_sign(out, value.is_sign_negative());
    if binary.write(out, precision).is_none() {
        write_slowly(out, value.abs(), precision, |text| text.parse() == Ok(value.abs()));
    }
}

fn write_sign(out: &mut Vec<u8>, is_negative: bool) {
    if is_negative {
        out.push(b'-');
    }
}

/// A finite value without its sign: `mantissa * 2^exponent`.
#[derive(Clone, Copy, Debug)]
struct Binary {
    mantissa: u64,
    exponent: i32,
    /// Whether the next smaller value is only half as far away as the next larger: true of powers of two.
    is_boundary: bool,
}

impl Binary {
    fn of(fraction: u64, biased_exponent: i32, fraction_bits: u32, bias: i32) -> Self {
        let hidden = 1_u64 << fraction_bits;
        let scale = bias + fraction_bits.cast_signed();
        if biased_exponent == 0 {
            Self { mantissa: fraction, exponent: 1 - scale, is_boundary: false }
        } else {
            Self {
                mantissa: fraction | hidden,
                exponent: biased_exponent - scale,
                is_boundary: fraction == 0 && biased_exponent > 1,
            }
        }
    }

    /// Writes it as `precision` says; nothing, and none, where 128 bits do not suffice.
    fn write(self, out: &mut Vec<u8>, precision: Precision) -> Option<()> {
        if self.mantissa == 0 {
            layout(out, b"0", 0, precision.short, precision);
            return Some(());
        }
        let (digits, exponent, count) =
            in_64_bits::digits(self, precision).or_else(|| in_128_bits::digits(self, precision))?;
        layout(out, itoa::Buffer::new().format(digits).as_bytes(), exponent, count, precision);
        Some(())
    }

    /// The decimal exponent from below: right, or one too small. 1233 / 4096 is a little less than log10(2).
    fn decimal_exponent(self) -> i32 {
        let bits = 63 - self.mantissa.leading_zeros().cast_signed();
        ((bits + self.exponent) * 1233) >> 12
    }
}

/// Looked up, because raising is a loop.
fn power_of_ten(power: u32) -> u64 {
    const POWERS: [u64; 20] = {
        let mut powers = [1; 20];
        let mut index = 1;
        while index < powers.len() {
            #[allow(clippy::indexing_slicing)] // evaluated when compiled
            {
                powers[index] = powers[index - 1] * 10;
            }
            index += 1;
        }
        powers
    };
    POWERS.get(power as usize).copied().unwrap_or(u64::MAX)
}

/// The same arithmetic in two widths: most floats need only the fast one.
macro_rules! arithmetic {
    ($module:ident, $integer:ty, $powers:expr) => {
        mod $module {
            use super::{Binary, Precision, power_of_ten};

            /// The powers of five that fit.
            const POWERS_OF_FIVE: [$integer; $powers] = {
                let mut powers = [1; $powers];
                let mut index = 1;
                while index < powers.len() {
                    #[allow(clippy::indexing_slicing)] // evaluated when compiled
                    {
                        powers[index] = powers[index - 1] * 5;
                    }
                    index += 1;
                }
                powers
            };

            /// A value scaled so that its integer part has the digits wanted: `mantissa * unit / divisor`.
            #[derive(Clone, Copy)]
            struct Scaled {
                digits: u64,
                decimal_exponent: i32,
                value: $integer,
                /// What one unit of the mantissa is worth, and what one of `digits` is.
                unit: $integer,
                divisor: $integer,
            }

            /// The significant digits to write, the exponent of the first, and how many were asked for.
            pub(super) fn digits(binary: Binary, precision: Precision) -> Option<(u64, i32, u32)> {
                let short = round(binary, precision.short)?;
                if reads_back(binary, short)? {
                    return Some((short.digits, short.decimal_exponent, precision.short));
                }
                let long = round(binary, precision.long)?;
                Some((long.digits, long.decimal_exponent, precision.long))
            }

            /// The first `count` significant digits, correctly rounded.
            fn round(binary: Binary, count: u32) -> Option<Scaled> {
                let guess = binary.decimal_exponent();
                let scaled = scale(binary, count, guess)?;
                if scaled.digits < power_of_ten(count) {
                    Some(scaled)
                } else {
                    scale(binary, count, guess + 1)
                }
            }

            fn scale(binary: Binary, count: u32, decimal_exponent: i32) -> Option<Scaled> {
                let power = count.cast_signed() - 1 - decimal_exponent;
                let five = *POWERS_OF_FIVE.get(power.unsigned_abs() as usize)?;
                let shift = binary.exponent + power;
                let (unit, divisor) = match (power >= 0, shift >= 0) {
                    (true, true) => (shift_left(five, shift)?, 1),
                    (true, false) => (five, shift_left(1, -shift)?),
                    (false, true) => (shift_left(1, shift)?, five),
                    (false, false) => (1, shift_left(five, -shift)?),
                };
                let value = unit.checked_mul(<$integer>::from(binary.mantissa))?;
                let quotient = if power >= 0 { value >> divisor.trailing_zeros() } else { value / divisor };
                let digits = round_up(quotient, value - quotient * divisor, divisor);
                Some(Scaled { digits: u64::try_from(digits).ok()?, decimal_exponent, value, unit, divisor })
            }

            /// The quotient, or one more where the rest is above half of the divisor; a tie goes to the even one.
            fn round_up(quotient: $integer, rest: $integer, divisor: $integer) -> $integer {
                let other = divisor - rest;
                let is_up = rest > other || (rest == other && quotient % 2 == 1);
                quotient + <$integer>::from(is_up)
            }

            /// Whether the decimal lies nearer to this value than to its neighbours; a tie goes to the even mantissa.
            fn reads_back(binary: Binary, decimal: Scaled) -> Option<bool> {
                let written = decimal.divisor.checked_mul(<$integer>::from(decimal.digits))?;
                let halves = if binary.is_boundary && written < decimal.value { 4 } else { 2 };
                let distance = decimal.value.abs_diff(written).checked_mul(halves)?;
                Some(
                    distance < decimal.unit
                        || (distance == decimal.unit && binary.mantissa.is_multiple_of(2)),
                )
            }

            fn shift_left(value: $integer, shift: i32) -> Option<$integer> {
                let shift = u32::try_from(shift).ok()?;
                (shift < value.leading_zeros()).then(|| value << shift)
            }
        }
    };
}

arithmetic!(in_64_bits, u64, 28);
arithmetic!(in_128_bits, u128, 56);

/// `%g` of `count` digits: trailing zeros are left out; plain where the exponent is from -4 to below `count`, else
/// with an exponent of at least two digits.
fn layout(out: &mut Vec<u8>, digits: &[u8], exponent: i32, count: u32, precision: Precision) {
    let significant = digits.len() - digits.iter().rev().take_while(|&&digit| digit == b'0').count();
    let digits = digits.get(..significant.max(1)).unwrap_or_default();
    if exponent < -4 || exponent >= count.cast_signed() {
        write_scientific(out, digits, exponent);
    } else if exponent < 0 {
        write_fraction(out, digits, exponent);
    } else {
        write_plain(out, digits, exponent.unsigned_abs() as usize + 1, precision.is_marked);
    }
}

/// Digits with a point after `integer_digits` of them, which may be more than there are.
fn write_plain(out: &mut Vec<u8>, digits: &[u8], integer_digits: usize, is_marked: bool) {
    let (integer, fraction) = digits.split_at_checked(integer_digits).unwrap_or((digits, b""));
    out.extend_from_slice(integer);
    out.resize(out.len() + integer_digits - integer.len(), b'0');
    if !fraction.is_empty() {
        out.push(b'.');
        out.extend_from_slice(fraction);
    } else if is_marked {
        out.extend_from_slice(b".0");
    }
}

/// Digits after `0.` and as many zeros as the negative exponent says.
fn write_fraction(out: &mut Vec<u8>, digits: &[u8], exponent: i32) {
    out.extend_from_slice(b"0.");
    out.resize(out.len() + exponent.unsigned_abs() as usize - 1, b'0');
    out.extend_from_slice(digits);
}

fn write_scientific(out: &mut Vec<u8>, digits: &[u8], exponent: i32) {
    write_plain(out, digits, 1, false);
    out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
    if exponent.unsigned_abs() < 10 {
        out.push(b'0');
    }
    out.extend_from_slice(itoa::Buffer::new().format(exponent.unsigned_abs()).as_bytes());
}

/// The same text by the standard library's exact formatting.
fn write_slowly(out: &mut Vec<u8>, value: f64, precision: Precision, reads_back: impl Fn(&str) -> bool) {
    let short = format!("{value:.*e}", precision.short as usize - 1);
    let (text, chosen) = if reads_back(&short) {
        (short, precision.short)
    } else {
        (format!("{value:.*e}", precision.long as usize - 1), precision.long)
    };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).collect::<Vec<_>>();
    layout(out, &digits, exponent.parse().unwrap_or_default(), chosen, precision);
}

/// Writes `value` in its shortest form the way `rapidjson`'s own writer does; only error texts need it.
pub(super) fn write_shortest(out: &mut Vec<u8>, value: f64) {
    if !value.is_finite() {
        write_not_finite(out, value);
        return;
    }
    write_sign(out, value.is_sign_negative());
    let text = format!("{:e}", value.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).collect::<Vec<_>>();
    match exponent.parse::<i32>().unwrap_or_default() {
        exponent @ -6..0 => write_fraction(out, &digits, exponent),
        exponent @ 0..21 => write_plain(out, &digits, exponent.unsigned_abs() as usize + 1, true),
        exponent => {
            write_plain(out, &digits, 1, false);
            out.extend_from_slice(format!("e{exponent}").as_bytes());
        }
    }
}
