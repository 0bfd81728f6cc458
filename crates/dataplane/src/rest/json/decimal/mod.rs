//! Floating-point numbers as text: few digits where they say it all, otherwise as many as any value needs.
//!
//! `%g` with 6 significant digits is written when it reads back as the same value of the same type, else `%g` with
//! 9 (float) or 17 (double) digits, as TensorFlow Serving does it. `scaled` finds the digits in one multiplication
//! and knows when it cannot be sure of them; then `exact` finds them by the standard library's slower way. `layout`
//! makes the text.

mod exact;
mod layout;
mod scaled;
#[cfg(test)]
mod tests;

/// Writes `value` as an answer's number: with `.0` where it would look like an integer; `NaN`, `Infinity` and
/// `-Infinity` bare.
pub fn write_float(out: &mut Vec<u8>, value: f32) {
    if value.is_finite() {
        write_finite_float::<6, true>(out, value);
    } else {
        write_not_finite(out, f64::from(value));
    }
}

/// As [`write_float`].
pub fn write_double(out: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        write_finite_double::<6, true>(out, value);
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
    let decimal =
        scaled::digits::<6, 9>(binary).unwrap_or_else(|| exact::digits::<6, 9>(value.abs(), |_| true));
    layout::write::<9, true>(out, value.is_sign_negative(), decimal);
}

/// Writes `value` as protocol buffers' JSON does: `1`, and `"NaN"` in quotes.
pub fn write_proto_float(out: &mut Vec<u8>, value: f32) {
    if value.is_finite() {
        write_finite_float::<6, false>(out, value);
    } else {
        write_quoted_not_finite(out, f64::from(value));
    }
}

/// As [`write_proto_float`].
pub fn write_proto_double(out: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        write_finite_double::<15, false>(out, value);
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

/// `SHORT` digits where they read back, else nine; `MARKED`: with `.0` where it would look like an integer.
fn write_finite_float<const SHORT: u32, const MARKED: bool>(out: &mut Vec<u8>, value: f32) {
    const FRACTION_BITS: u32 = 23;
    let bits = value.to_bits();
    let biased = (bits >> FRACTION_BITS & 0xFF).cast_signed();
    let binary = Binary::of(u64::from(bits & ((1 << FRACTION_BITS) - 1)), biased, FRACTION_BITS, 127);
    let decimal = scaled::digits::<SHORT, 9>(binary).unwrap_or_else(|| {
        exact::digits::<SHORT, 9>(f64::from(value.abs()), |text| text.parse() == Ok(value.abs()))
    });
    layout::write::<9, MARKED>(out, value.is_sign_negative(), decimal);
}

/// As [`write_finite_float`], with seventeen digits instead of nine.
fn write_finite_double<const SHORT: u32, const MARKED: bool>(out: &mut Vec<u8>, value: f64) {
    const FRACTION_BITS: u32 = 52;
    let bits = value.to_bits();
    let biased = i32::try_from(bits >> FRACTION_BITS & 0x7FF).unwrap_or_default();
    let binary = Binary::of(bits & ((1 << FRACTION_BITS) - 1), biased, FRACTION_BITS, 1023);
    let decimal = scaled::digits::<SHORT, 17>(binary)
        .unwrap_or_else(|| exact::digits::<SHORT, 17>(value.abs(), |text| text.parse() == Ok(value.abs())));
    layout::write::<17, MARKED>(out, value.is_sign_negative(), decimal);
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
}

/// The significant digits to write of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Decimal {
    /// Always as many as the type's longest text has, and 0 for zero: what a shorter text leaves out is zeros here.
    digits: u64,
    /// Of the first digit.
    exponent: i32,
    /// How many were asked of `%g`, which decides where it begins to write an exponent.
    precision: u32,
}

/// Writes `value` in its shortest form the way `rapidjson`'s own writer does; only error texts need it.
pub(super) fn write_shortest(out: &mut Vec<u8>, value: f64) {
    if !value.is_finite() {
        write_not_finite(out, value);
        return;
    }
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    if value.is_sign_negative() {
        out.push(b'-');
    }
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).collect::<Vec<_>>();
    match exponent.parse::<i32>().unwrap_or_default() {
        exponent @ -6..0 => {
            out.extend_from_slice(b"0.");
            out.resize(out.len() + exponent.unsigned_abs() as usize - 1, b'0');
            out.extend_from_slice(&digits);
        }
        exponent @ 0..21 => write_plain(out, &digits, exponent.unsigned_abs() as usize + 1),
        _ => out.extend_from_slice(text.trim_start_matches('-').as_bytes()),
    }
}

/// Digits with a point after `integer_digits` of them, which may be more than there are.
fn write_plain(out: &mut Vec<u8>, digits: &[u8], integer_digits: usize) {
    let (integer, fraction) = digits.split_at_checked(integer_digits).unwrap_or((digits, b""));
    out.extend_from_slice(integer);
    out.resize(out.len() + integer_digits - integer.len(), b'0');
    out.push(b'.');
    out.extend_from_slice(if fraction.is_empty() { b"0" } else { fraction });
}
