//! The strings of a tensor as TensorFlow Lite lays them out: how many, where each begins, where the last one
//! ends, and then all of them, one behind the other. Numbers have 32 bits; positions count from the beginning.

use crate::error::Error;
use bytes::{Bytes, BytesMut};

const NUMBER_BYTES: usize = 4;

/// Lays strings out; `INVALID_ARGUMENT` when they are too many for numbers of 32 bits.
pub(super) fn lay_out(strings: &[Bytes]) -> Result<Vec<u8>, Error> {
    let head = (strings.len() + 2) * NUMBER_BYTES;
    let length = head + strings.iter().map(Bytes::len).sum::<usize>();
    if i32::try_from(length).is_err() {
        return Err(Error::invalid_argument(format!(
            "strings of {length} bytes together are more than LiteRT can take"
        )));
    }
    let mut laid_out = Vec::with_capacity(length);
    let mut end = head;
    laid_out.extend(number(strings.len()));
    laid_out.extend(number(end));
    for string in strings {
        end += string.len();
        laid_out.extend(number(end));
    }
    for string in strings {
        laid_out.extend_from_slice(string);
    }
    Ok(laid_out)
}

/// What is written of a number that is known to fit.
fn number(value: usize) -> [u8; NUMBER_BYTES] {
    u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes()
}

/// The strings that were laid out at the beginning of `laid_out`, copied into one piece of memory of which each is
/// a part; none when that is no such thing.
pub(super) fn read(laid_out: &[u8]) -> Option<Vec<Bytes>> {
    let number = |index: usize| -> Option<usize> {
        let at = index.checked_mul(NUMBER_BYTES)?;
        let bytes = laid_out.get(at..at.checked_add(NUMBER_BYTES)?)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(bytes)).ok()
    };
    let count = number(0)?;
    if count == 0 {
        return Some(Vec::new());
    }
    let (first, last) = (number(1)?, number(count.checked_add(1)?)?);
    let mut all = BytesMut::from(laid_out.get(first..last)?).freeze();
    let mut end = first;
    (2..count + 2)
        .map(|index| {
            let length = number(index)?.checked_sub(end)?;
            end += length;
            (length <= all.len()).then(|| all.split_to(length))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test that panics has failed

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_layout_is_tensorflow_lites() {
        let laid_out = lay_out(&[Bytes::from("ccc"), Bytes::new(), Bytes::from("a")]).unwrap();
        assert_eq!(laid_out, b"\x03\0\0\0\x14\0\0\0\x17\0\0\0\x17\0\0\0\x18\0\0\0ccca");
    }

    proptest! {
        #[test]
        fn strings_come_back_as_they_went(strings: Vec<Vec<u8>>) {
            let strings: Vec<Bytes> = strings.into_iter().map(Bytes::from).collect();
            let mut laid_out = lay_out(&strings).unwrap();
            laid_out.extend([7; 9]); // memory is longer than what is in it
            prop_assert_eq!(read(&laid_out).unwrap(), strings);
        }

        #[test]
        fn whatever_is_read_stays_within_its_memory(bytes: Vec<u8>, count in 0_u32..9) {
            let counted = [&count.to_le_bytes(), bytes.as_slice()].concat();
            let _ = (read(&bytes), read(&counted));
        }
    }
}
