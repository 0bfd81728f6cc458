//! One message in its five-byte frame: read from a request's body, written as an answer's data.

use super::compression::Encoding;
use crate::{
    budget::Charge,
    error::Error,
    server::body::{BodyError, Gathered, next_data},
};
use bytes::{Buf, Bytes};
use http_body::Body;
use std::{fmt::Display, io::IoSlice, time::Duration};

/// One byte that says whether the message is compressed, four of its length.
const PREFIX_BYTES: usize = 5;

/// Protocol buffers cannot express a longer message.
const ANSWER_BYTES_MAX: usize = i32::MAX as usize;

/// What a message may cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct MessageLimits {
    /// Its size, expanded or not.
    pub(super) bytes_max: usize,
    /// How long its bytes may pause.
    pub(super) idle: Duration,
}

/// Reads the only message of a body, expanded; `charge` pays for it.
///
/// The codes are gRPC's own: `UNIMPLEMENTED` for none or more than one, `INTERNAL` for a broken frame.
pub(super) async fn read<B>(
    mut body: B,
    encoding: Encoding,
    limits: MessageLimits,
    charge: Charge,
) -> Result<(Bytes, Charge), Error>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Display,
{
    let mut gathered = Gathered::new(charge);
    let mut frame = None;
    while let Some(chunk) = next_data(&mut body, limits.idle).await? {
        gathered.push(chunk, frame.map_or(PREFIX_BYTES, Frame::end))?;
        if frame.is_none() {
            frame = Frame::parse(gathered.bytes(), limits.bytes_max)?;
        }
        if frame.is_some_and(|frame| gathered.bytes().len() > frame.end()) {
            return Err(Error::unimplemented("The method takes one message, but more were sent"));
        }
    }
    drop(body);
    let (bytes, charge) = gathered.finish();
    unwrap(bytes, charge, frame, encoding, limits.bytes_max).await
}

async fn unwrap(
    mut bytes: Bytes,
    mut charge: Charge,
    frame: Option<Frame>,
    encoding: Encoding,
    bytes_max: usize,
) -> Result<(Bytes, Charge), Error> {
    if bytes.is_empty() {
        return Err(Error::unimplemented("The method takes one message, but none was sent"));
    }
    let Some(frame) = frame.filter(|frame| frame.end() == bytes.len()) else {
        return Err(Error::internal(format!("Truncated message: the body ends after {} bytes", bytes.len())));
    };
    bytes.advance(PREFIX_BYTES);
    if frame.compressed {
        bytes = encoding.expand(bytes, bytes_max, &mut charge).await?;
    }
    Ok((bytes, charge))
}

/// The prefix of a message, parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Frame {
    compressed: bool,
    length: usize,
}

impl Frame {
    /// None while its bytes are not all here.
    fn parse(mut bytes: &[u8], bytes_max: usize) -> Result<Option<Self>, Error> {
        if bytes.len() < PREFIX_BYTES {
            return Ok(None);
        }
        let flag = bytes.get_u8();
        let length = usize::try_from(bytes.get_u32()).unwrap_or(usize::MAX);
        if flag > 1 {
            return Err(Error::internal(format!("Bad gRPC frame type 0x{flag:02x}")));
        }
        if length > bytes_max {
            return Err(BodyError::TooLarge { bytes: length, bytes_max }.into());
        }
        Ok(Some(Self { compressed: flag == 1, length }))
    }

    /// Where the message ends in the body.
    fn end(self) -> usize {
        self.length.saturating_add(PREFIX_BYTES)
    }
}

/// An answer's data: prefix and message in one frame, the message never copied.
#[derive(Debug)]
pub struct Framed {
    prefix: [u8; PREFIX_BYTES],
    prefix_read: usize,
    message: Bytes,
}

impl Framed {
    /// `RESOURCE_EXHAUSTED` when no client could read it.
    pub(super) fn message(message: Bytes) -> Result<Self, Error> {
        let length = u32::try_from(message.len()).ok().filter(|_| message.len() <= ANSWER_BYTES_MAX);
        let Some(length) = length else {
            return Err(Error::resource_exhausted(format!(
                "The answer has {} bytes; a message has at most {ANSWER_BYTES_MAX}",
                message.len()
            )));
        };
        let [a, b, c, d] = length.to_be_bytes();
        Ok(Self { prefix: [0, a, b, c, d], prefix_read: 0, message })
    }

    /// Data that is framed already.
    pub(super) fn raw(message: Bytes) -> Self {
        Self { prefix: [0; PREFIX_BYTES], prefix_read: PREFIX_BYTES, message }
    }

    fn prefix_left(&self) -> &[u8] {
        self.prefix.get(self.prefix_read..).unwrap_or_default()
    }
}

impl Buf for Framed {
    fn remaining(&self) -> usize {
        self.prefix_left().len() + self.message.len()
    }

    fn chunk(&self) -> &[u8] {
        let prefix = self.prefix_left();
        if prefix.is_empty() { &self.message } else { prefix }
    }

    fn advance(&mut self, count: usize) {
        let of_prefix = count.min(self.prefix_left().len());
        self.prefix_read += of_prefix;
        self.message.advance(count - of_prefix);
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let parts = [self.prefix_left(), &self.message];
        let parts = parts.into_iter().filter(|part| !part.is_empty());
        slices.iter_mut().zip(parts).map(|(slice, part)| *slice = IoSlice::new(part)).count()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may panic

    use super::*;
    use crate::{budget::Budget, error::Code};
    use http_body_util::StreamBody;
    use proptest::prelude::*;
    use std::sync::Arc;

    const LIMITS: MessageLimits = MessageLimits { bytes_max: 1_000, idle: Duration::from_mins(1) };

    /// Reads a body that arrives in these chunks.
    async fn read_chunks(chunks: &[&[u8]]) -> Result<Bytes, Error> {
        let frames: Vec<_> = chunks
            .iter()
            .map(|chunk| Ok::<_, Error>(http_body::Frame::data(Bytes::copy_from_slice(chunk))))
            .collect();
        let charge = Budget::new(100_000, Arc::default()).charge(0).unwrap();
        let body = StreamBody::new(tokio_stream::iter(frames));
        Ok(read(body, Encoding::Identity, LIMITS, charge).await?.0)
    }

    #[tokio::test]
    async fn a_message_is_read_whatever_its_chunks() {
        let whole = b"\0\0\0\0\x03abc";
        for cut in 0..=whole.len() {
            let (left, right) = whole.split_at(cut);
            assert_eq!(read_chunks(&[left, right]).await.unwrap(), "abc", "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = whole.chunks(1).collect();
        assert_eq!(read_chunks(&bytes).await.unwrap(), "abc");
        assert_eq!(read_chunks(&[b"\0\0\0\0\0"]).await.unwrap(), "");
    }

    #[tokio::test]
    async fn a_broken_body_has_grpcs_own_code() {
        let cases: [(&[&[u8]], Code); 9] = [
            (&[], Code::Unimplemented),
            (&[b""], Code::Unimplemented),
            (&[b"\0\0\0\0"], Code::Internal),
            (&[b"\0\0\0\0\x03ab"], Code::Internal),
            (&[b"\x02\0\0\0\x03abc"], Code::Internal),
            (&[b"\x01\0\0\0\x03abc"], Code::Internal),
            (&[b"\0\0\0\0\x03abc\0"], Code::Unimplemented),
            (&[b"\0\0\0\0\x03abc", b"\0\0\0\0\x03abc"], Code::Unimplemented),
            (&[b"\0\xff\xff\xff\xff"], Code::ResourceExhausted),
        ];
        for (chunks, code) in cases {
            assert_eq!(read_chunks(chunks).await.unwrap_err().code, code, "{chunks:?}");
        }
    }

    #[tokio::test]
    async fn a_message_too_long_is_refused_by_its_prefix_alone() {
        let error = read_chunks(&[b"\0\0\0\x03\xe9"]).await.unwrap_err();
        assert_eq!(error.message, "Received message larger than max (1001 vs. 1000)");
    }

    proptest! {
        #[test]
        fn an_answer_reads_the_same_however_it_is_advanced(message: Vec<u8>, steps: Vec<u8>) {
            let mut framed = Framed::message(message.clone().into()).unwrap();
            let mut written = Vec::new();
            for step in steps.into_iter().map(usize::from).chain([usize::MAX, usize::MAX]) {
                let mut slices = [IoSlice::new(&[]), IoSlice::new(&[])];
                let used = framed.chunks_vectored(&mut slices);
                prop_assert_eq!(slices.iter().take(used).map(|slice| slice.len()).sum::<usize>(), framed.remaining());
                let count = step.min(framed.chunk().len());
                written.extend_from_slice(framed.chunk().get(..count).unwrap());
                framed.advance(count);
            }
            prop_assert!(!framed.has_remaining());
            let length = u32::try_from(message.len()).unwrap().to_be_bytes();
            prop_assert_eq!(written, [&[0], &length[..], &message].concat());
        }
    }
}
