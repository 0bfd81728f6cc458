//! `grpc-encoding`: how a message is compressed, and its bounded expansion.
//!
//! Answers are not compressed: tensors of floats shrink little, and the time it takes is the request's latency.

use super::GRPC_ENCODING;
use crate::{budget::Charge, error::Error, server::body::BodyError};
use bytes::{Buf, Bytes};
use flate2::read::{GzDecoder, ZlibDecoder};
use http::HeaderMap;
use std::io::Read;

/// What [`Encoding`] knows, as the header `grpc-accept-encoding` tells it.
pub(super) const ACCEPTED: &str = "identity,deflate,gzip";

/// Expanded bytes after which other requests of this thread get their turn.
const SLICE_BYTES: usize = 256 * 1024;

/// How much is taken for a message's expansion at first.
const FIRST_BYTES: usize = 4 * 1024;

/// How a message may be compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
    Deflate,
}

impl Encoding {
    /// The encoding that a request names; `UNIMPLEMENTED` for one that is not known here.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Error> {
        let Some(value) = headers.get(GRPC_ENCODING) else { return Ok(Self::Identity) };
        match value.as_bytes() {
            b"identity" | b"" => Ok(Self::Identity),
            b"gzip" => Ok(Self::Gzip),
            b"deflate" => Ok(Self::Deflate),
            _ => Err(Error::unimplemented(format!(
                "Compression {value:?} is not supported; supported are {ACCEPTED}"
            ))),
        }
    }

    /// Expands one message to at most `bytes_max` bytes, which are charged as they appear.
    pub(super) async fn expand(
        self,
        compressed: Bytes,
        bytes_max: usize,
        charge: &mut Charge,
    ) -> Result<Bytes, Error> {
        match self {
            Self::Identity => {
                Err(Error::internal("The message is flagged as compressed, but no grpc-encoding says how"))
            }
            Self::Gzip => expand(GzDecoder::new(compressed.reader()), bytes_max, charge).await,
            Self::Deflate => expand(ZlibDecoder::new(compressed.reader()), bytes_max, charge).await,
        }
    }
}

async fn expand(mut decoder: impl Read, bytes_max: usize, charge: &mut Charge) -> Result<Bytes, Error> {
    let mut expanded = Vec::new();
    let charge_before = charge.bytes();
    loop {
        make_room(&mut expanded, bytes_max, charge, charge_before)?;
        let slice = (expanded.capacity() - expanded.len()).min(SLICE_BYTES);
        let read = decoder
            .by_ref()
            .take(slice as u64)
            .read_to_end(&mut expanded)
            .map_err(|error| Error::internal(format!("The message cannot be decompressed: {error}")))?;
        if expanded.len() > bytes_max {
            return Err(BodyError::TooLarge { bytes: expanded.len(), bytes_max }.into());
        }
        if read < slice {
            return Ok(expanded.into());
        }
        if slice == SLICE_BYTES {
            tokio::task::yield_now().await;
        }
    }
}

/// At least one free byte, at most one more than a message may have, so that one too long is noticed.
fn make_room(
    expanded: &mut Vec<u8>,
    bytes_max: usize,
    charge: &mut Charge,
    charge_before: usize,
) -> Result<(), Error> {
    if expanded.len() < expanded.capacity() {
        return Ok(());
    }
    let ahead = (expanded.len() * 2).max(FIRST_BYTES).min(bytes_max.saturating_add(1));
    charge.set(charge_before.saturating_add(ahead))?;
    expanded
        .try_reserve_exact(ahead - expanded.len())
        .map_err(|_| Error::resource_exhausted(format!("There is no memory for {ahead} bytes")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may panic

    use super::*;
    use crate::{budget::Budget, error::Code};
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;
    use std::sync::Arc;

    fn gzip(bytes: &[u8]) -> Bytes {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap().into()
    }

    async fn expand_within(compressed: Bytes, bytes_max: usize, budget: usize) -> Result<Bytes, Error> {
        let mut charge = Budget::new(budget, Arc::default()).charge(0).unwrap();
        Encoding::Gzip.expand(compressed, bytes_max, &mut charge).await
    }

    #[tokio::test]
    async fn what_was_compressed_comes_back_at_every_size_around_a_slice() {
        for size in [0, 1, FIRST_BYTES, FIRST_BYTES + 1, SLICE_BYTES - 1, SLICE_BYTES, 3 * SLICE_BYTES + 1] {
            let message: Vec<u8> = (0..=250).cycle().take(size).collect();
            assert_eq!(expand_within(gzip(&message), size, usize::MAX).await.unwrap(), message, "{size}");
        }
    }

    #[tokio::test]
    async fn a_message_that_expands_past_the_limit_is_refused_and_not_expanded_further() {
        let bomb = gzip(&vec![0; 10_000_000]);
        let error = expand_within(bomb.clone(), 1_000_000, usize::MAX).await.unwrap_err();
        assert_eq!(error.code, Code::ResourceExhausted);
        assert_eq!(error.message, "Received message larger than max (1000001 vs. 1000000)");
        let error = expand_within(bomb, usize::MAX, 1_000_000).await.unwrap_err();
        assert_eq!(error.code, Code::ResourceExhausted);
    }

    #[tokio::test]
    async fn what_is_not_gzip_or_is_cut_off_is_an_internal_error() {
        let whole = gzip(&[1; 1_000]);
        for broken in [Bytes::from_static(b"not gzip"), whole.slice(..whole.len() - 1), Bytes::new()] {
            assert_eq!(expand_within(broken, 10_000, usize::MAX).await.unwrap_err().code, Code::Internal);
        }
    }
}
