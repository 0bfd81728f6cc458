//! Walks the fields of a message without decoding what is inside: each length-delimited value is a slice of the
//! message's own bytes.

use bytes::{Buf, Bytes, BytesMut};

/// The wire types of protocol buffers; groups (3 and 4) left the language before this server was written.
const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const LENGTH_DELIMITED: u64 = 2;
const FIXED32: u64 = 5;

/// A 64-bit number takes at most this many bytes.
const VARINT_BYTES_MAX: u32 = 10;

/// What is wrong with a message.
pub(crate) type Fault = &'static str;

/// The fields of a message in the order they were written, each a number and its bytes; fields that are plain
/// numbers are passed over.
#[derive(Debug)]
pub(crate) struct Fields(pub(crate) Bytes);

impl Iterator for Fields {
    type Item = Result<(u64, Bytes), Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.0.has_remaining() {
            match self.field() {
                Ok(None) => {}
                Ok(Some(field)) => return Some(Ok(field)),
                Err(fault) => {
                    self.0.clear();
                    return Some(Err(fault));
                }
            }
        }
        None
    }
}

impl Fields {
    fn field(&mut self) -> Result<Option<(u64, Bytes)>, Fault> {
        let key = self.varint()?;
        let number = key >> 3;
        if number == 0 || number > u64::from(u32::MAX >> 3) {
            return Err("a field number is out of range");
        }
        match key & 7 {
            VARINT => self.varint().map(|_| None),
            FIXED64 => self.take(8).map(|_| None),
            FIXED32 => self.take(4).map(|_| None),
            LENGTH_DELIMITED => {
                let length = self.varint()?;
                Ok(Some((number, self.take(length)?)))
            }
            _ => Err("a field has an unknown wire type"),
        }
    }

    fn varint(&mut self) -> Result<u64, Fault> {
        let mut value = 0_u64;
        for index in 0..VARINT_BYTES_MAX {
            let byte = self.0.try_get_u8().map_err(|_| "a number is cut off")?;
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err("a number is too long")
    }

    fn take(&mut self, length: u64) -> Result<Bytes, Fault> {
        let length = usize::try_from(length).ok().filter(|&length| length <= self.0.len());
        Ok(self.0.split_to(length.ok_or("a field is cut off")?))
    }
}

/// A message that may come in parts: they are its bytes, one after the other. However many there are, each is copied
/// once; one that comes whole is not copied at all.
#[derive(Debug, Default)]
pub(super) struct Parts {
    first: Bytes,
    others: BytesMut,
}

impl Parts {
    pub(super) fn push(&mut self, part: Bytes) {
        if self.first.is_empty() {
            self.first = part;
        } else {
            self.others.extend_from_slice(&part);
        }
    }

    pub(super) fn into_whole(self) -> Bytes {
        if self.others.is_empty() { self.first } else { [&self.first[..], &self.others].concat().into() }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may panic

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn length_delimited_fields_are_slices_and_numbers_are_passed_over() {
        let message = Bytes::from_static(
            b"\x08\x96\x01\x12\x03abc\x1d1234\x21\x31\x32\x33\x34\x35\x36\x37\x38\x12\x00",
        );
        let fields: Result<Vec<_>, _> = Fields(message).collect();
        assert_eq!(fields.unwrap(), [(2, Bytes::from_static(b"abc")), (2, Bytes::new())]);
    }

    #[test]
    fn a_broken_message_is_an_error_and_then_the_end() {
        for broken in [&b"\x12"[..], b"\x12\x05abc", b"\x08\x80", b"\x0b", b"\x00", &[0xff; 11]] {
            let mut fields = Fields(Bytes::copy_from_slice(broken));
            assert!(fields.next().unwrap().is_err(), "{broken:?}");
            assert!(fields.next().is_none());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_walked_to_an_end(bytes: Vec<u8>) {
            let length = bytes.len();
            prop_assert!(Fields(bytes.into()).count() <= length);
        }
    }
}
