//! Digits by the standard library's exact formatting: slow, and right for every value.

use super::Decimal;

/// `SHORT` significant digits of a positive value where `reads_back` says so of them, else `LONG`.
#[cold]
pub(super) fn digits<const SHORT: u32, const LONG: u32>(
    value: f64,
    reads_back: impl Fn(&str) -> bool,
) -> Decimal {
    let short = format!("{value:.*e}", SHORT as usize - 1);
    if reads_back(&short) {
        let decimal = decimal(&short, SHORT);
        Decimal { digits: decimal.digits * const { 10_u64.pow(LONG - SHORT) }, ..decimal }
    } else {
        decimal(&format!("{value:.*e}", LONG as usize - 1), LONG)
    }
}

/// What `1.25e-7` says.
fn decimal(text: &str, precision: u32) -> Decimal {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let digits = mantissa
        .bytes()
        .filter(u8::is_ascii_digit)
        .fold(0, |digits: u64, digit| digits * 10 + u64::from(digit - b'0'));
    Decimal { digits, exponent: exponent.parse().unwrap_or_default(), precision }
}
