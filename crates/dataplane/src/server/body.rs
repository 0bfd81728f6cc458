//! Reads a request's body as it arrives: every byte charged, none waited for without end.

use crate::budget::Charge;
use crate::error::Error;
use bytes::Bytes;
use http_body::Body;
use http_body_util::BodyExt;
use std::{fmt::Display, time::Duration};
use tokio::time::timeout;

/// Why a body could not be had.
#[derive(Debug)]
pub(crate) enum BodyError {
    /// Nothing arrived for as long as a client may pause.
    Idle(Duration),
    /// The connection or the stream broke.
    Broken(String),
    /// It is longer than a message may be. The length is what was promised, or what had arrived.
    TooLarge { bytes: usize, bytes_max: usize },
    /// There was no room for it.
    Refused(Error),
}

impl From<BodyError> for Error {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Idle(pause) => Self::deadline_exceeded(format!(
                "The request's body stopped arriving: nothing for {} ms",
                pause.as_millis()
            )),
            BodyError::Broken(reason) => Self::cancelled(format!("The request's body broke off: {reason}")),
            BodyError::TooLarge { bytes, bytes_max } => Self::resource_exhausted(format!(
                "Received message larger than max ({bytes} vs. {bytes_max})"
            )),
            BodyError::Refused(error) => error,
        }
    }
}

/// The next bytes of a body, none at its end. Trailers are ignored.
pub(crate) async fn next_data<B>(body: &mut B, idle: Duration) -> Result<Option<Bytes>, BodyError>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Display,
{
    while !body.is_end_stream() {
        let Ok(frame) = timeout(idle, body.frame()).await else { return Err(BodyError::Idle(idle)) };
        match frame {
            None => return Ok(None),
            Some(Err(error)) => return Err(BodyError::Broken(error.to_string())),
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) if !data.is_empty() => return Ok(Some(data)),
                _ => {}
            },
        }
    }
    Ok(None)
}

/// A body's bytes so far, in one piece. A body that arrives in one chunk is never copied.
#[derive(Debug)]
pub(crate) struct Gathered {
    charge: Charge,
    /// What was charged before the first byte.
    charge_before: usize,
    first: Bytes,
    copied: Vec<u8>,
}

impl Gathered {
    /// Nothing yet. What is held is charged to `charge`; what parsing makes of it is the doors' to charge.
    pub(crate) fn new(charge: Charge) -> Self {
        let charge_before = charge.bytes();
        Self { charge, charge_before, first: Bytes::new(), copied: Vec::new() }
    }

    /// What has arrived.
    pub(crate) fn bytes(&self) -> &[u8] {
        if self.copied.is_empty() { &self.first } else { &self.copied }
    }

    /// Adds what arrived. `bytes_expected` of the whole body bound how far ahead memory is taken: never more than
    /// twice what is here.
    pub(crate) fn push(&mut self, chunk: Bytes, bytes_expected: usize) -> Result<(), BodyError> {
        if self.bytes().is_empty() {
            self.charge_for(chunk.len())?;
            self.first = chunk;
            return Ok(());
        }
        self.make_room(chunk.len(), bytes_expected)?;
        if self.copied.is_empty() {
            self.copied.extend_from_slice(&self.first);
            self.first = Bytes::new();
        }
        self.copied.extend_from_slice(&chunk);
        Ok(())
    }

    /// The whole body and the charge that pays for it.
    pub(crate) fn finish(self) -> (Bytes, Charge) {
        let bytes = if self.copied.is_empty() { self.first } else { Bytes::from(self.copied) };
        (bytes, self.charge)
    }

    fn make_room(&mut self, more: usize, bytes_expected: usize) -> Result<(), BodyError> {
        let needed = self.bytes().len().saturating_add(more);
        if needed <= self.copied.capacity() {
            return Ok(());
        }
        let ahead = needed.max(bytes_expected.min(self.bytes().len().saturating_mul(2)));
        self.charge_for(ahead)?;
        self.copied.try_reserve_exact(ahead - self.copied.len()).map_err(|_| {
            BodyError::Refused(Error::resource_exhausted(format!("There is no memory for {ahead} bytes")))
        })
    }

    fn charge_for(&mut self, bytes: usize) -> Result<(), BodyError> {
        self.charge.set(bytes.saturating_add(self.charge_before)).map_err(BodyError::Refused)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may panic

    use super::*;
    use crate::budget::Budget;
    use std::sync::Arc;

    #[test]
    fn a_body_in_one_chunk_is_not_copied() {
        let chunk = Bytes::from(vec![7; 100]);
        let address = chunk.as_ptr();
        let mut gathered = Gathered::new(Budget::new(1_000, Arc::default()).charge(0).unwrap());
        gathered.push(chunk, 100).unwrap();
        assert_eq!(gathered.finish().0.as_ptr(), address);
    }

    #[test]
    fn memory_is_charged_for_what_arrived_and_not_for_what_was_promised() {
        let budget = Budget::new(1_000, Arc::default());
        let mut gathered = Gathered::new(budget.charge(10).unwrap());
        gathered.push(Bytes::from_static(&[1; 100]), usize::MAX).unwrap();
        assert_eq!(budget.bytes(), 110);
        gathered.push(Bytes::from_static(&[2; 1]), usize::MAX).unwrap();
        assert_eq!(budget.bytes(), 210, "at most twice what is here");
        gathered.push(Bytes::from_static(&[3; 99]), usize::MAX).unwrap();
        let (bytes, charge) = gathered.finish();
        assert_eq!((bytes.len(), charge.bytes()), (200, 210));
        assert_eq!((bytes.first(), bytes.last()), (Some(&1), Some(&3)));
    }

    #[test]
    fn a_body_that_does_not_fit_is_refused() {
        let mut gathered = Gathered::new(Budget::new(100, Arc::default()).charge(10).unwrap());
        gathered.push(Bytes::from_static(&[1; 90]), 90).unwrap();
        assert!(matches!(gathered.push(Bytes::from_static(&[1]), 91), Err(BodyError::Refused(_))));
    }
}
