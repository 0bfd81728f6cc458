//! JSON strings: where one ends, and what its escapes mean. Bytes from 0x80 up pass as they are.

use super::parser::{Fault, ParseError};
use memchr::memchr2;

/// A string's raw length and whether it has escapes; `start` is the byte after its opening quote.
pub(super) fn scan(body: &[u8], start: usize) -> Result<(usize, bool), ParseError> {
    let mut at = start;
    let mut escaped = false;
    loop {
        let rest = body.get(at..).unwrap_or_default();
        let found = memchr2(b'"', b'\\', rest);
        let plain = rest.get(..found.unwrap_or(rest.len())).unwrap_or_default();
        refuse_control(plain, at)?;
        at += plain.len();
        match body.get(at) {
            Some(b'"') => return Ok((at - start, escaped)),
            Some(_) => at = escape(body, at)?.1,
            None => return Err(ParseError::new(Fault::StringMissQuotationMark, at)),
        }
        escaped = true;
    }
}

fn refuse_control(plain: &[u8], at: usize) -> Result<(), ParseError> {
    // Every byte is looked at, so that the compiler may look at many at once: the smallest says it all.
    if plain.iter().fold(u8::MAX, |least, &byte| least.min(byte)) >= 0x20 {
        return Ok(());
    }
    let offset = plain.iter().position(|&byte| byte < 0x20).unwrap_or_default();
    // `rapidjson` takes a NUL for the end of the document.
    let ended = plain.get(offset) == Some(&0);
    let fault = if ended { Fault::StringMissQuotationMark } else { Fault::StringEscapeInvalid };
    Err(ParseError::new(fault, at + offset))
}

/// The code point that the escape at `at` (its backslash) stands for, and where it ends.
fn escape(body: &[u8], at: usize) -> Result<(u32, usize), ParseError> {
    let simple = match body.get(at + 1) {
        Some(b'u') => return unicode_escape(body, at),
        Some(&byte @ (b'"' | b'\\' | b'/')) => byte,
        Some(b'b') => 0x08,
        Some(b'f') => 0x0C,
        Some(b'n') => b'\n',
        Some(b'r') => b'\r',
        Some(b't') => b'\t',
        _ => return Err(ParseError::new(Fault::StringEscapeInvalid, at)),
    };
    Ok((u32::from(simple), at + 2))
}

fn unicode_escape(body: &[u8], at: usize) -> Result<(u32, usize), ParseError> {
    let high = hex(body, at + 2).ok_or(ParseError::new(Fault::StringUnicodeEscapeInvalidHex, at))?;
    if !(0xD800..0xDC00).contains(&high) {
        // A low surrogate alone is accepted, as `rapidjson` does.
        return Ok((high, at + 6));
    }
    if body.get(at + 6..at + 8) != Some(b"\\u") {
        return Err(ParseError::new(Fault::StringUnicodeSurrogateInvalid, at));
    }
    let low = hex(body, at + 8).ok_or(ParseError::new(Fault::StringUnicodeEscapeInvalidHex, at))?;
    if !(0xDC00..0xE000).contains(&low) {
        return Err(ParseError::new(Fault::StringUnicodeSurrogateInvalid, at));
    }
    Ok((0x1_0000 + ((high - 0xD800) << 10 | (low - 0xDC00)), at + 12))
}

fn hex(body: &[u8], at: usize) -> Option<u32> {
    let digits = body.get(at..at + 4)?;
    digits.iter().try_fold(0, |value, &digit| Some(value << 4 | char::from(digit).to_digit(16)?))
}

/// The bytes that a scanned string stands for.
pub(super) fn unescape(raw: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(raw.len());
    let mut at = 0;
    while let Some(rest) = raw.get(at..).filter(|rest| !rest.is_empty()) {
        let plain = memchr::memchr(b'\\', rest).unwrap_or(rest.len());
        text.extend_from_slice(rest.get(..plain).unwrap_or_default());
        at += plain;
        // The scan accepted every escape; one that it had not would end the text here.
        let Ok((point, end)) = escape(raw, at) else { break };
        push_point(&mut text, point);
        at = end;
    }
    text
}

/// UTF-8, generalised to surrogates: a lone one has no other form.
fn push_point(text: &mut Vec<u8>, point: u32) {
    if let Some(character) = char::from_u32(point) {
        let mut buffer = [0; 4];
        text.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
        return;
    }
    let six_bits = |shift: u32| 0x80 | u8::try_from(point >> shift & 0x3F).unwrap_or_default();
    text.extend_from_slice(&[
        0xE0 | u8::try_from(point >> 12 & 0xF).unwrap_or_default(),
        six_bits(6),
        six_bits(0),
    ]);
}
