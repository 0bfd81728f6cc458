//! A request's body as its sender meant it: inflated where it came compressed, never beyond a bound.

use crate::budget::Charge;
use crate::error::Error;
use bytes::Bytes;
use flate2::bufread::MultiGzDecoder;
use http::{HeaderMap, header::CONTENT_ENCODING};
use std::io::Read;

/// A compressed body may unfold to so many bytes.
pub const INFLATED_BYTES_MAX: usize = 100 << 20;

/// Inflation goes on in steps of this size; memory is reserved before each.
const STEP_BYTES: usize = 64 << 10;

/// Whether `Content-Encoding` names gzip anywhere.
#[must_use]
pub fn is_compressed(headers: &HeaderMap) -> bool {
    headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .any(|value| value.as_bytes().windows(4).any(|window| window == b"gzip"))
}

/// The inflated body. One that is corrupt or larger than `limit_bytes` is taken as empty, as TensorFlow Serving
/// does, so that the client reads that its document is empty. `RESOURCE_EXHAUSTED` when other requests hold the
/// memory. What the stream's trailer claims is never believed.
pub fn inflate(compressed: &[u8], limit_bytes: usize, charge: &mut Charge) -> Result<Bytes, Error> {
    let mut decoder = MultiGzDecoder::new(compressed);
    let mut inflated = Vec::new();
    while inflated.len() <= limit_bytes {
        charge.grow(STEP_BYTES)?;
        let step = (&mut decoder).take(STEP_BYTES as u64).read_to_end(&mut inflated);
        match step {
            Ok(0) => return Ok(Bytes::from(inflated)),
            Ok(_) => {}
            Err(_) => return Ok(Bytes::new()),
        }
    }
    Ok(Bytes::new())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)] // a test says what it expects

    use super::*;
    use crate::{budget::Budget, error::Code};
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;
    use std::sync::Arc;

    fn deflate(body: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    fn inflate_alone(compressed: &[u8]) -> Bytes {
        inflate(compressed, 1 << 20, &mut Budget::new(1 << 30, Arc::default()).charge(0).unwrap()).unwrap()
    }

    #[test]
    fn what_was_compressed_comes_back_whole() {
        let body = b"{\"instances\": [1, 2, 3]}".repeat(10_000);
        assert_eq!(inflate_alone(&deflate(&body)), body);
    }

    #[test]
    fn corrupt_truncated_and_absent_streams_are_empty_bodies() {
        let whole = deflate(b"{}");
        assert_eq!(inflate_alone(&whole[..whole.len() - 1]), "");
        assert_eq!(inflate_alone(b"{\"instances\": [1]}"), "");
        assert_eq!(inflate_alone(b""), "");
        let mut lying = deflate(b"{\"instances\": [1]}");
        let trailer = lying.len() - 4;
        lying[trailer..].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(inflate_alone(&lying), "", "a trailer that lies about the size is a corrupt stream");
    }

    #[test]
    fn a_body_of_the_bound_is_inflated_and_one_byte_more_is_an_empty_body() {
        let body = vec![b' '; (1 << 20) + 1];
        assert_eq!(inflate_alone(&deflate(&body[1..])).len(), 1 << 20);
        assert_eq!(inflate_alone(&deflate(&body)), "");
    }

    #[test]
    fn inflation_stops_where_the_memory_of_all_requests_ends() {
        let budget = Budget::new(1 << 20, Arc::default());
        let bomb = deflate(&vec![b' '; 8 << 20]);
        let refusal = inflate(&bomb, INFLATED_BYTES_MAX, &mut budget.charge(0).unwrap()).unwrap_err();
        assert_eq!(refusal.code, Code::ResourceExhausted);
        assert_eq!(budget.bytes(), 0);
    }

    #[test]
    fn gzip_is_found_anywhere_in_the_header() {
        let headers = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_ENCODING, value.parse().unwrap());
            headers
        };
        assert!(is_compressed(&headers("gzip")));
        assert!(is_compressed(&headers("x-gzip, identity")));
        assert!(!is_compressed(&headers("deflate")));
        assert!(!is_compressed(&HeaderMap::new()));
    }
}
