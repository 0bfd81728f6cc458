//! Digits as `%g` lays them out: trailing zeros left out; plain where the exponent is from -4 to below the precision,
//! else with an exponent of at least two digits.
//!
//! The text is made at the end of the buffer, in room for the longest. Digits are put there eight or sixteen at a
//! time, more than are wanted, and what comes after them goes over what was too much.

use super::Decimal;

/// A sign, sixteen digits and a point, and sixteen digits put after it of which none may count.
const TEXT_BYTES_MAX: usize = 40;

/// Writes a number whose `digits` are `WIDTH` (9 or 17), or 0; `MARKED`: with `.0` where it would look like an integer.
#[inline(always)]
#[allow(clippy::inline_always)] // the digits would come through memory
pub(super) fn write<const WIDTH: u32, const MARKED: bool>(
    out: &mut Vec<u8>,
    is_negative: bool,
    decimal: Decimal,
) {
    let start = out.len() + usize::from(is_negative);
    out.extend_from_slice(&const { with_sign([b'0'; TEXT_BYTES_MAX]) });
    let Some(room) = out.get_mut(start..) else { return };
    let text = Text::new::<WIDTH>(decimal.digits);
    let length = match decimal.exponent {
        exponent if exponent < -4 || exponent >= decimal.precision.cast_signed() => {
            text.scientific(room, exponent)
        }
        exponent @ ..0 => text.fraction(room, exponent.unsigned_abs() as usize),
        exponent => text.plain::<MARKED>(room, exponent.unsigned_abs() as usize),
    };
    out.truncate(start + length);
}

const fn with_sign(mut room: [u8; TEXT_BYTES_MAX]) -> [u8; TEXT_BYTES_MAX] {
    room[0] = b'-';
    room
}

/// Digits as characters.
struct Text {
    first: u8,
    /// All after the first, the next one in the lowest byte; zeros follow.
    rest: u128,
    /// How many of the rest are left when trailing zeros are not counted.
    count: usize,
}

impl Text {
    #[inline]
    fn new<const WIDTH: u32>(digits: u64) -> Self {
        const EIGHT: u64 = 100_000_000;
        const ZEROS: u128 = u128::from_ne_bytes([b'0'; 16]);
        let (first, rest) = if WIDTH == 9 {
            (digits / EIGHT, u128::from(eight_digits(digits % EIGHT)))
        } else {
            let (upper, lower) = (digits / EIGHT, digits % EIGHT);
            let rest = u128::from(eight_digits(upper % EIGHT)) | u128::from(eight_digits(lower)) << 64;
            (upper / EIGHT, rest)
        };
        let count = (128 - rest.leading_zeros()).div_ceil(8) as usize;
        Self { first: ascii(first), rest: rest | ZEROS, count }
    }

    /// `12.5`; the first digit is that of `10^exponent`.
    #[inline]
    fn plain<const MARKED: bool>(&self, room: &mut [u8], exponent: usize) -> usize {
        put(room, 0, [self.first]);
        put(room, 1, self.rest.to_le_bytes());
        if self.count > exponent {
            put(room, exponent + 1, *b".");
            put(room, exponent + 2, (self.rest >> (8 * exponent)).to_le_bytes());
            self.count + 2
        } else if MARKED {
            put(room, exponent + 1, *b".0");
            exponent + 3
        } else {
            exponent + 1
        }
    }

    /// `0.00125`; the first digit is that of `10^-exponent`.
    #[inline]
    fn fraction(&self, room: &mut [u8], exponent: usize) -> usize {
        put(room, 0, *b"0.000");
        put(room, exponent + 1, [self.first]);
        put(room, exponent + 2, self.rest.to_le_bytes());
        exponent + 2 + self.count
    }

    /// `1.25e-07`.
    fn scientific(&self, room: &mut [u8], exponent: i32) -> usize {
        put(room, 0, [self.first, b'.']);
        put(room, 2, self.rest.to_le_bytes());
        let at = if self.count == 0 { 1 } else { 2 + self.count };
        put(room, at, [b'e', if exponent < 0 { b'-' } else { b'+' }]);
        let exponent = u64::from(exponent.unsigned_abs());
        let [hundreds, tens, ones] = [exponent / 100, exponent / 10 % 10, exponent % 10].map(ascii);
        if exponent < 100 {
            put(room, at + 2, [tens, ones]);
            at + 4
        } else {
            put(room, at + 2, [hundreds, tens, ones]);
            at + 5
        }
    }
}

/// There is always room: see [`TEXT_BYTES_MAX`].
#[inline]
fn put<const N: usize>(room: &mut [u8], at: usize, bytes: [u8; N]) {
    if let Some(place) = room.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
        *place = bytes;
    }
}

#[allow(clippy::cast_possible_truncation)] // one digit
fn ascii(digit: u64) -> u8 {
    b'0' + digit as u8
}

/// The eight digits of a number below 10^8, one a byte, the first in the lowest: split into fours, into twos, into
/// ones, all at once inside one word. Divisions are multiplications by a reciprocal that is close enough for the size.
#[inline]
fn eight_digits(number: u64) -> u64 {
    let fours = (number / 10_000) | ((number % 10_000) << 32);
    let hundreds = ((fours * 10_486) >> 20) & 0x0000_007F_0000_007F;
    let twos = hundreds | ((fours - hundreds * 100) << 16);
    let tens = ((twos * 103) >> 10) & 0x000F_000F_000F_000F;
    tens | ((twos - tens * 10) << 8)
}
