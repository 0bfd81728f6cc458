//! `TFRecord` files, read and written: one record after the other, each its length, the length's checksum, the data,
//! the data's checksum. What a record means is not known here.

use crate::error::{Code, Error};
use bytes::Bytes;
use std::io::{self, Read};

/// Protocol buffers cannot express a longer message, so a longer record could not be read anyway.
const RECORD_BYTES_MAX: u64 = i32::MAX as u64;

/// A length and its checksum.
const LENGTH_BYTES: u64 = 8;
const CHECKSUM_BYTES: u64 = 4;

/// What a record has besides its data.
pub const FRAME_BYTES: usize = 16;

/// What a checksum is masked with, so that the checksum of data that holds checksums is a good one, too.
const MASK_ROTATION: u32 = 15;
const MASK_DELTA: u32 = 0xa282_ead8;

/// Reads records. What the file has left bounds what is allocated for one, whatever its length claims to be.
#[derive(Debug)]
pub struct Records<R> {
    file: R,
    left: u64,
    /// Where the present record begins.
    begin: u64,
}

impl<R: Read> Records<R> {
    /// Those of a file of so many bytes.
    pub fn new(file: R, bytes: u64) -> Self {
        Self { file, left: bytes, begin: 0 }
    }

    /// The next record's data, or none at the file's end; `DATA_LOSS` when what follows is not a whole record. Where
    /// one is broken, nobody knows where the next would begin: there is nothing more to read.
    pub fn next_record(&mut self) -> Result<Option<Bytes>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        let length = self.checked(LENGTH_BYTES)?;
        let length = u64::from_le_bytes(length.as_slice().try_into().unwrap_or_default());
        let data = self.checked(length)?;
        self.begin += LENGTH_BYTES + length + 2 * CHECKSUM_BYTES;
        Ok(Some(data.into()))
    }

    /// So many bytes, whose checksum follows and is right.
    fn checked(&mut self, bytes: u64) -> Result<Vec<u8>, Error> {
        let data = self.read(bytes)?;
        let checksum = self.read(CHECKSUM_BYTES)?;
        if checksum == masked(crc32c::crc32c(&data)).to_le_bytes() {
            return Ok(data);
        }
        Err(self.lost("corrupted record"))
    }

    fn read(&mut self, bytes: u64) -> Result<Vec<u8>, Error> {
        if bytes > self.left {
            return Err(self.lost("truncated record"));
        }
        if bytes > RECORD_BYTES_MAX {
            return Err(self.lost("record that is too long"));
        }
        let mut data = Vec::new();
        usize::try_from(bytes)
            .ok()
            .and_then(|bytes| data.try_reserve_exact(bytes).ok())
            .ok_or_else(|| self.too_large(bytes))?;
        let read = self.file.by_ref().take(bytes).read_to_end(&mut data);
        let read = read.map_err(|error| self.unreadable(&error))?;
        if read as u64 != bytes {
            return Err(self.lost("truncated record")); // it became shorter meanwhile
        }
        self.left -= bytes;
        Ok(data)
    }

    fn lost(&self, what: &str) -> Error {
        let begin = self.begin;
        Error::data_loss(format!("{what} at {begin}"))
    }

    fn too_large(&self, bytes: u64) -> Error {
        let begin = self.begin;
        Error::resource_exhausted(format!(
            "there is no memory for the {bytes} bytes of the record at {begin}"
        ))
    }

    fn unreadable(&self, error: &io::Error) -> Error {
        Error::new(Code::Unknown, format!("cannot read the record at {}: {error}", self.begin))
    }
}

/// One record that holds this data.
#[must_use]
pub fn frame(data: &[u8]) -> Vec<u8> {
    let mut record = Vec::with_capacity(data.len().saturating_add(FRAME_BYTES));
    append(&[data], &mut record);
    record
}

/// Appends one record whose data are these parts, one after the other.
pub fn append(parts: &[&[u8]], file: &mut Vec<u8>) {
    let length = parts.iter().map(|part| part.len() as u64).sum::<u64>().to_le_bytes();
    file.extend_from_slice(&length);
    file.extend_from_slice(&masked(crc32c::crc32c(&length)).to_le_bytes());
    let mut checksum = 0;
    for part in parts {
        file.extend_from_slice(part);
        checksum = crc32c::crc32c_append(checksum, part);
    }
    file.extend_from_slice(&masked(checksum).to_le_bytes());
}

/// As `TFRecord` stores a checksum.
pub(crate) fn masked(checksum: u32) -> u32 {
    checksum.rotate_right(MASK_ROTATION).wrapping_add(MASK_DELTA)
}
