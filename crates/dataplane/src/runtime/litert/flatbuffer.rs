//! Reading a flatbuffer that nobody has checked: every position is looked up, none is trusted. Knows no schema.
//!
//! Format: <https://flatbuffers.dev/internals/>. Numbers are little endian; a table begins with how far back its
//! list of fields is; strings, vectors and tables are reached by how far on they are.

use crate::error::Error;

/// One table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table<'a> {
    bytes: &'a [u8],
    at: usize,
    fields: usize,
    fields_bytes: usize,
}

/// A vector of numbers, or of what is reached from here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Vector<'a> {
    bytes: &'a [u8],
    at: usize,
    count: usize,
}

/// The answer to all that does not fit.
fn damaged() -> Error {
    Error::data_loss("it is damaged: a part that it refers to is not in it")
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], Error> {
    let end = at.checked_add(N).ok_or_else(damaged)?;
    bytes.get(at..end).and_then(|found| found.try_into().ok()).ok_or_else(damaged)
}

fn unsigned(bytes: &[u8], at: usize) -> Result<usize, Error> {
    usize::try_from(u32::from_le_bytes(array(bytes, at)?)).map_err(|_| damaged())
}

/// Where something begins that is reached from `at`.
fn follow(bytes: &[u8], at: usize) -> Result<usize, Error> {
    at.checked_add(unsigned(bytes, at)?).ok_or_else(damaged)
}

impl<'a> Table<'a> {
    /// The table that all others are reached from.
    pub(super) fn root(bytes: &'a [u8]) -> Result<Self, Error> {
        Self::at(bytes, follow(bytes, 0)?)
    }

    fn at(bytes: &'a [u8], at: usize) -> Result<Self, Error> {
        let back = i64::from(i32::from_le_bytes(array(bytes, at)?));
        let fields = i64::try_from(at).ok().and_then(|at| at.checked_sub(back)).ok_or_else(damaged)?;
        let fields = usize::try_from(fields).map_err(|_| damaged())?;
        let fields_bytes = usize::from(u16::from_le_bytes(array(bytes, fields)?));
        Ok(Self { bytes, at, fields, fields_bytes })
    }

    /// Where a field is; none: it has its default.
    fn field(&self, number: usize) -> Result<Option<usize>, Error> {
        let slot = 4 + 2 * number;
        if slot + 2 > self.fields_bytes {
            return Ok(None);
        }
        let from_here = u16::from_le_bytes(array(self.bytes, self.fields + slot)?);
        Ok((from_here != 0).then(|| self.at + usize::from(from_here)))
    }

    /// A byte; 0 by default.
    pub(super) fn byte(&self, number: usize) -> Result<u8, Error> {
        let Some(at) = self.field(number)? else { return Ok(0) };
        array::<1>(self.bytes, at).map(|[byte]| byte)
    }

    /// A number of 32 bits; 0 by default.
    pub(super) fn unsigned(&self, number: usize) -> Result<usize, Error> {
        self.field(number)?.map_or(Ok(0), |at| unsigned(self.bytes, at))
    }

    /// A text; none by default.
    pub(super) fn text(&self, number: usize) -> Result<Option<&'a str>, Error> {
        let Some(at) = self.field(number)? else { return Ok(None) };
        let start = follow(self.bytes, at)?;
        let length = unsigned(self.bytes, start)?;
        let end = start.checked_add(4).and_then(|first| first.checked_add(length)).ok_or_else(damaged)?;
        let text = self.bytes.get(start + 4..end).ok_or_else(damaged)?;
        std::str::from_utf8(text).map(Some).map_err(|_| damaged())
    }

    /// A vector of numbers of 32 bits, or of tables; empty by default.
    pub(super) fn vector(&self, number: usize) -> Result<Vector<'a>, Error> {
        let Some(at) = self.field(number)? else { return Ok(Vector { bytes: self.bytes, at: 0, count: 0 }) };
        let start = follow(self.bytes, at)?;
        let count = unsigned(self.bytes, start)?;
        let end = count.checked_mul(4).and_then(|length| (start + 4).checked_add(length));
        if end.is_none_or(|end| end > self.bytes.len()) {
            return Err(damaged());
        }
        Ok(Vector { bytes: self.bytes, at: start + 4, count })
    }
}

impl<'a> Vector<'a> {
    /// How many there are; never more than the file could hold.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// As numbers.
    pub(super) fn numbers(&self) -> Result<Vec<i32>, Error> {
        let (count, bytes, at) = (self.count, self.bytes, self.at);
        (0..count).map(|index| array(bytes, at + 4 * index).map(i32::from_le_bytes)).collect()
    }

    /// As tables.
    pub(super) fn tables(self) -> impl Iterator<Item = Result<Table<'a>, Error>> {
        (0..self.count).map(move |index| Table::at(self.bytes, follow(self.bytes, self.at + 4 * index)?))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)] // a test that panics has failed

    use super::*;

    /// A root with a number in field 0 and a text in field 2, written by hand.
    const WRITTEN: [u8; 36] = [
        16, 0, 0, 0, // the root is 16 on
        10, 0, 12, 0, 4, 0, 0, 0, 8,
        0, // its fields: 10 bytes of list, 12 of table, where three fields are
        0, 0, // nothing
        12, 0, 0, 0, // the table: its list is 12 back
        7, 0, 0, 0, // field 0
        4, 0, 0, 0, // field 2: the text is 4 on
        3, 0, 0, 0, b'a', b'b', b'c', 0,
    ];

    #[test]
    fn fields_are_found_and_others_have_their_defaults() {
        let root = Table::root(&WRITTEN).unwrap();
        assert_eq!(root.unsigned(0), Ok(7));
        assert_eq!(root.unsigned(1), Ok(0));
        assert_eq!(root.text(2), Ok(Some("abc")));
        assert_eq!(root.text(9), Ok(None));
        assert_eq!(root.vector(1).unwrap().len(), 0);
    }

    #[test]
    fn no_change_of_one_byte_and_no_cut_makes_it_read_beyond_the_end() {
        for position in 0..WRITTEN.len() {
            for value in 0..=u8::MAX {
                let mut bytes = WRITTEN;
                bytes[position] = value;
                read_all(&bytes);
                read_all(&bytes[..position]);
            }
        }
    }

    /// Reads it in every way: what does not fit must be an error.
    fn read_all(bytes: &[u8]) {
        let Ok(root) = Table::root(bytes) else { return };
        for number in 0..4 {
            let _ = (root.byte(number), root.unsigned(number), root.text(number));
            if let Ok(vector) = root.vector(number) {
                let _ = (vector.numbers(), vector.tables().count());
            }
        }
    }
}
