//! The `grpc-timeout` header: how long the caller waits.

use crate::error::Error;
use http::{HeaderMap, HeaderName};
use std::time::{Duration, Instant};

const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// gRPC's limit on the number in the header.
const DIGITS_MAX: usize = 8;

/// When the caller stops waiting, counted from `now`; none: never (or later than the machine can count).
///
/// `INTERNAL`, gRPC's code for a broken protocol, when the header cannot be read.
pub(super) fn deadline(headers: &HeaderMap, now: Instant) -> Result<Option<Instant>, Error> {
    let Some(value) = headers.get(GRPC_TIMEOUT) else { return Ok(None) };
    let timeout = value
        .to_str()
        .ok()
        .and_then(parse)
        .ok_or_else(|| Error::internal(format!("Malformed grpc-timeout: {value:?}")))?;
    Ok(now.checked_add(timeout))
}

fn parse(text: &str) -> Option<Duration> {
    let unit = text.chars().next_back()?;
    let digits = text.strip_suffix(unit)?;
    if digits.is_empty() || digits.len() > DIGITS_MAX || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    match unit {
        'H' => Some(Duration::from_secs(number * 3600)),
        'M' => Some(Duration::from_secs(number * 60)),
        'S' => Some(Duration::from_secs(number)),
        'm' => Some(Duration::from_millis(number)),
        'u' => Some(Duration::from_micros(number)),
        'n' => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read() {
        let cases = [
            ("1H", Duration::from_hours(1)),
            ("2M", Duration::from_mins(2)),
            ("3S", Duration::from_secs(3)),
            ("4m", Duration::from_millis(4)),
            ("5u", Duration::from_micros(5)),
            ("6n", Duration::from_nanos(6)),
            ("0m", Duration::ZERO),
            ("99999999H", Duration::from_hours(99_999_999)),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "1", "S", "1s", "1h", "-1S", "+1S", "1.5S", " 1S", "1S ", "999999999S", "1µ", "１S"]
        {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
