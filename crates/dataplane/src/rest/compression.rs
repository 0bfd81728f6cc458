//! Compressed answers: whether a client wants one (RFC 9110, 12.5.3), and making it.
//!
//! Only gzip: every client that knows another knows it too. Who sends no `Accept-Encoding` sees no difference to
//! TensorFlow Serving, which compresses nothing. What is compressed, and when it is not worth it, is decision 0030's.

use super::reply::Reply;
use crate::budget::{Budget, Charge};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{
    HeaderMap, HeaderValue,
    header::{ACCEPT_ENCODING, CONTENT_ENCODING, VARY},
};
use http_body::Body;
use http_body_util::BodyExt;
use std::{io::Write, sync::Arc};

/// Shorter answers go as they are: ten segments are TCP's first flight (RFC 6928), and what fits in there arrives
/// no sooner for being shorter.
const ANSWER_BYTES_MIN: usize = 14_600;

/// Longer answers are compressed off the I/O threads. JSON of numbers goes at about 100 MB/s: this is the third of a
/// millisecond that a body may take to be parsed there.
const INLINE_ANSWER_BYTES_MAX: usize = 32 << 10;

/// Compression goes on in steps of this size, and stops when it has gained nothing.
const STEP_BYTES: usize = 64 << 10;

/// What a client says of compressed answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// Nothing.
    Unsaid,
    /// It would not have one, or would rather not.
    Plain,
    /// It takes gzip.
    Gzip,
}

impl Wish {
    /// As the headers of a request say.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        if !headers.contains_key(ACCEPT_ENCODING) {
            return Self::Unsaid;
        }
        let weight = |names: &[&str]| weights(headers).find(|(name, _)| names.contains(&name.as_str()));
        let gzip = weight(&["gzip", "x-gzip"]).or_else(|| weight(&["*"])).map_or(0.0, |(_, weight)| weight);
        let plain = weight(&["identity"]).map_or(0.0, |(_, weight)| weight);
        if gzip > 0.0 && gzip >= plain { Self::Gzip } else { Self::Plain }
    }
}

/// Each coding that is named, in lower case, and its weight; 0 where the weight cannot be read.
fn weights(headers: &HeaderMap) -> impl Iterator<Item = (String, f32)> {
    let texts = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).map(|element| {
        let mut parts = element.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let named = parts.filter_map(|part| part.split_once('='));
        let mut weights = named.filter(|(key, _)| key.trim().eq_ignore_ascii_case("q"));
        let weight = weights.next().map_or(Some(1.0), |(_, weight)| weight.trim().parse().ok());
        (name, weight.filter(|weight| (0.0..=1.0).contains(weight)).unwrap_or_default())
    })
}

/// The answer as the client wants it; as it is where that is short, does not get shorter, or cannot be held twice.
pub(super) async fn compress(mut reply: Reply, wish: Wish, memory: &Arc<Budget>) -> Reply {
    let bytes = usize::try_from(reply.body().size_hint().lower()).unwrap_or(usize::MAX);
    if wish == Wish::Unsaid || bytes < ANSWER_BYTES_MIN {
        return reply;
    }
    reply.headers_mut().append(VARY, HeaderValue::from_static("Accept-Encoding"));
    let charge = match memory.charge(bytes) {
        Ok(charge) if wish == Wish::Gzip => charge,
        _ => return reply,
    };
    let (mut head, body) = reply.into_parts();
    let Ok(body) = body.collect().await;
    let body = body.to_bytes();
    let compressed = if bytes > INLINE_ANSWER_BYTES_MAX {
        let body = body.clone();
        // A task that panicked, or that the runtime gave up, leaves the answer as it was.
        tokio::task::spawn_blocking(move || gzip(&body, charge)).await.ok().flatten()
    } else {
        gzip(&body, charge)
    };
    if compressed.is_some() {
        head.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Reply::from_parts(head, compressed.unwrap_or(body).into())
}

/// The same bytes, compressed within as many as they are; none when that does not do. The charge is for these bytes.
fn gzip(body: &[u8], _charge: Charge) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    for step in body.chunks(STEP_BYTES) {
        encoder.write_all(step).ok()?;
        if encoder.get_ref().len() >= body.len() {
            return None;
        }
    }
    encoder.finish().ok().filter(|compressed| compressed.len() < body.len()).map(Bytes::from)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)] // a test says what it expects

    use super::*;
    use crate::rest::reply;
    use flate2::read::GzDecoder;
    use proptest::prelude::*;
    use std::io::Read;

    fn wish(lines: &[&str]) -> Wish {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(ACCEPT_ENCODING, HeaderValue::from_str(line).unwrap());
        }
        Wish::of(&headers)
    }

    fn budget(bytes: usize) -> Arc<Budget> {
        Budget::new(bytes, Arc::default())
    }

    /// Headers and body of the answer that becomes of `body`.
    async fn answer(body: Vec<u8>, wish: Wish, memory: &Arc<Budget>) -> (HeaderMap, Bytes) {
        let (head, body) = compress(reply::json(body), wish, memory).await.into_parts();
        (head.headers, body.collect().await.unwrap().to_bytes())
    }

    fn inflated(body: &[u8]) -> Vec<u8> {
        let mut inflated = Vec::new();
        GzDecoder::new(body).read_to_end(&mut inflated).unwrap();
        inflated
    }

    /// The text of random floats: about as hard to compress as answers are.
    fn numbers(bytes: usize) -> Vec<u8> {
        let mut text = Vec::new();
        let mut state = 1_u64;
        while text.len() < bytes {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            text.extend_from_slice(format!("0.{}, ", state >> 40).as_bytes());
        }
        text.truncate(bytes);
        text
    }

    #[test]
    fn what_a_client_says_is_weighed() {
        let cases: [(&[&str], Wish); 20] = [
            (&[], Wish::Unsaid),
            (&[""], Wish::Plain),
            (&["gzip"], Wish::Gzip),
            (&["gzip, deflate, br, zstd"], Wish::Gzip),
            (&["deflate", "GZIP"], Wish::Gzip),
            (&["x-gzip"], Wish::Gzip),
            (&["deflate"], Wish::Plain),
            (&["gzip;q=0"], Wish::Plain),
            (&["gzip;q=0.000, *"], Wish::Plain),
            (&["gzip ; Q = 0.001"], Wish::Gzip),
            (&["*"], Wish::Gzip),
            (&["*;q=0"], Wish::Plain),
            (&["identity"], Wish::Plain),
            (&["identity;q=1, gzip;q=0.5"], Wish::Plain),
            (&["identity;q=0.5, gzip;q=0.5"], Wish::Gzip),
            (&["identity;q=0.2, *;q=0.5"], Wish::Gzip),
            (&["gzip;q=2"], Wish::Plain),
            (&["gzip;q=nan"], Wish::Plain),
            (&["gzip;q="], Wish::Plain),
            (&["gzipped"], Wish::Plain),
        ];
        for (lines, expected) in cases {
            assert_eq!(wish(lines), expected, "{lines:?}");
        }
    }

    #[tokio::test]
    async fn a_long_answer_is_the_same_when_it_is_inflated() {
        for bytes in
            [ANSWER_BYTES_MIN, INLINE_ANSWER_BYTES_MAX, INLINE_ANSWER_BYTES_MAX + 1, 3 * STEP_BYTES + 1]
        {
            let body = numbers(bytes);
            let memory = budget(1 << 30);
            let (headers, compressed) = answer(body.clone(), Wish::Gzip, &memory).await;
            assert_eq!(
                (&headers[CONTENT_ENCODING], &headers[VARY]),
                (&"gzip".parse().unwrap(), &"Accept-Encoding".parse().unwrap())
            );
            assert!(compressed.len() < body.len() * 3 / 4, "{bytes}: {}", compressed.len());
            assert_eq!(inflated(&compressed), body);
            assert_eq!(memory.bytes(), 0);
        }
    }

    #[tokio::test]
    async fn who_does_not_ask_gets_what_there_always_was() {
        let body = numbers(ANSWER_BYTES_MIN);
        let (headers, plain) = answer(body.clone(), Wish::Unsaid, &budget(1 << 30)).await;
        assert_eq!(
            (headers.len(), plain),
            (1, Bytes::from(body.clone())),
            "the content type and nothing else"
        );
        let (headers, plain) = answer(body.clone(), Wish::Plain, &budget(1 << 30)).await;
        assert_eq!((headers.contains_key(VARY), headers.contains_key(CONTENT_ENCODING)), (true, false));
        assert_eq!(plain, body);
        let (headers, _) = answer(numbers(ANSWER_BYTES_MIN - 1), Wish::Gzip, &budget(1 << 30)).await;
        assert_eq!(headers.len(), 1);
    }

    #[tokio::test]
    async fn an_answer_that_does_not_shrink_or_cannot_be_held_twice_goes_as_it_is() {
        let mut random = numbers(ANSWER_BYTES_MIN);
        GzEncoder::new(&mut random, Compression::best()).write_all(&numbers(1 << 20)).unwrap();
        let random = random.split_off(ANSWER_BYTES_MIN + 100);
        assert!(random.len() > ANSWER_BYTES_MIN);
        let small = numbers(ANSWER_BYTES_MIN);
        for (body, memory) in [(random, budget(1 << 30)), (small, budget(ANSWER_BYTES_MIN - 1))] {
            let (headers, plain) = answer(body.clone(), Wish::Gzip, &memory).await;
            assert!(!headers.contains_key(CONTENT_ENCODING));
            assert_eq!(plain, body);
            assert_eq!(memory.bytes(), 0);
        }
    }

    proptest! {
        #[test]
        fn no_header_is_too_odd_to_be_weighed(line in "[ -~]{0,60}") {
            prop_assert_ne!(wish(&[&line]), Wish::Unsaid);
        }
    }
}
