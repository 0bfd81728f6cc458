//! `:authority` as gRPC clients send it over a UNIX socket: the socket's path, percent-encoded or as it is. That is
//! no authority, and the HTTP/2 library refuses the call; nothing here reads it, so it is made one as it passes.
//!
//! A byte of it is replaced by another, so that lengths stay, and with them the table that both ends keep of
//! headers (RFC 7541). A value that was compressed by Huffman's code is left alone: clients do not compress it.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const PREFACE_BYTES: usize = 24;
const FRAME_HEAD_BYTES: usize = 9;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const PADDED: u8 = 0x08;
const PRIORITY: u8 = 0x20;
const PRIORITY_BYTES: usize = 5;

/// The name, which gRPC's C core writes out, and its index in the table that every connection begins with.
const AUTHORITY: &[u8] = b":authority";
const AUTHORITY_INDEX: u32 = 1;

/// What stands in the place of a byte that no authority has.
const IN_ITS_PLACE: u8 = b'-';

/// An HTTP/2 connection's bytes, from its first one, with authorities that can be taken.
#[derive(Debug)]
pub(super) struct MendedAuthority<IO> {
    io: IO,
    frames: Option<Frames>,
}

impl<IO> MendedAuthority<IO> {
    /// Everything passes as it is unless `is_mended`.
    pub(super) fn new(io: IO, is_mended: bool) -> Self {
        Self { io, frames: is_mended.then(Frames::default) }
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for MendedAuthority<IO> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let polled = Pin::new(&mut this.io).poll_read(context, buffer);
        if let Some(frames) = &mut this.frames {
            frames.mend(buffer.filled_mut().get_mut(before..).unwrap_or_default());
        }
        polled
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for MendedAuthority<IO> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

/// Where in the frames the next byte stands.
#[derive(Debug)]
struct Frames {
    /// Bytes that are nothing to look at: the preface, other frames, priorities, padding.
    skip: usize,
    head: [u8; FRAME_HEAD_BYTES],
    head_read: usize,
    /// A HEADERS frame says the length of its padding first.
    wants_padding: bool,
    /// Bytes of headers that are left in this frame.
    block: usize,
    padding: usize,
    fields: Fields,
}

impl Default for Frames {
    fn default() -> Self {
        Self {
            skip: PREFACE_BYTES,
            head: [0; FRAME_HEAD_BYTES],
            head_read: 0,
            wants_padding: false,
            block: 0,
            padding: 0,
            fields: Fields::Begin,
        }
    }
}

impl Frames {
    fn mend(&mut self, mut bytes: &mut [u8]) {
        while let Some((first, rest)) = std::mem::take(&mut bytes).split_first_mut() {
            if self.skip > 0 {
                let skipped = self.skip.min(rest.len() + 1);
                self.skip -= skipped;
                bytes = rest.get_mut(skipped - 1..).unwrap_or_default();
                continue;
            }
            self.next(first);
            bytes = rest;
        }
    }

    fn next(&mut self, byte: &mut u8) {
        if self.wants_padding {
            self.wants_padding = false;
            self.pad(usize::from(*byte));
        } else if self.block > 0 {
            self.block -= 1;
            self.fields.next(byte);
        } else {
            self.take_head(*byte);
        }
        if self.block == 0 && !self.wants_padding {
            self.skip += std::mem::take(&mut self.padding);
        }
    }

    fn take_head(&mut self, byte: u8) {
        if let Some(place) = self.head.get_mut(self.head_read) {
            *place = byte;
        }
        self.head_read += 1;
        if self.head_read == FRAME_HEAD_BYTES {
            self.head_read = 0;
            self.begin_frame();
        }
    }

    fn begin_frame(&mut self) {
        let [a, b, c, kind, flags, ..] = self.head;
        let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX);
        match kind {
            HEADERS => {
                self.fields = Fields::Begin;
                self.block = length;
                if flags & PADDED != 0 && length > 0 {
                    self.wants_padding = true;
                } else {
                    self.take_priority(flags);
                }
            }
            CONTINUATION => self.block = length,
            _ => self.skip = length,
        }
    }

    fn pad(&mut self, padding: usize) {
        let [.., flags, _, _, _, _] = self.head;
        self.padding = padding.min(self.block - 1);
        self.block = self.block - 1 - self.padding;
        self.take_priority(flags);
    }

    fn take_priority(&mut self, flags: u8) {
        if flags & PRIORITY != 0 {
            let priority = PRIORITY_BYTES.min(self.block);
            self.block -= priority;
            self.skip += priority;
        }
    }
}

/// Where in a list of headers the next byte stands; what is broken is for the library to refuse.
#[derive(Clone, Copy, Debug)]
enum Fields {
    Begin,
    /// A number that goes on, and what it is for.
    Number {
        so_far: u32,
        shift: u32,
        of: Of,
    },
    /// A string's first byte comes next.
    String(Text),
    /// So many bytes of it are left.
    Bytes(u32, Text),
}

/// What a number is for.
#[derive(Clone, Copy, Debug)]
enum Of {
    /// A field that stands in the table whole, or the table's size.
    Nothing,
    /// A field whose name stands in the table at this place.
    Name,
    Length(Text),
}

/// Which string of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Text {
    /// How many of its bytes are those of `:authority`; none when it is another name.
    Name(Option<usize>),
    Value,
    Authority,
    Compressed {
        is_name: bool,
    },
}

impl Text {
    /// The string after one more byte of it, which is mended where it must be.
    fn next(self, byte: &mut u8) -> Self {
        match self {
            Self::Authority if matches!(*byte, b'%' | b'/') => *byte = IN_ITS_PLACE,
            Self::Name(Some(read)) => {
                let is_its_name = AUTHORITY.get(read) == Some(byte);
                return Self::Name(is_its_name.then_some(read + 1));
            }
            _ => {}
        }
        self
    }
}

impl Fields {
    fn next(&mut self, byte: &mut u8) {
        *self = match *self {
            Self::Begin => Self::begin(*byte),
            Self::String(text) => Self::begin_string(*byte, text),
            Self::Number { so_far, shift, of } => {
                let part = u32::from(*byte & 0x7f).checked_shl(shift).unwrap_or(u32::MAX);
                let so_far = so_far.saturating_add(part);
                if *byte & 0x80 == 0 {
                    Self::after_number(so_far, of)
                } else {
                    Self::Number { so_far, shift: shift.saturating_add(7), of }
                }
            }
            Self::Bytes(left, text) => Self::after_bytes(left - 1, text.next(byte)),
        };
    }

    fn begin(byte: u8) -> Self {
        let (bits, of) = match byte {
            0x80.. => (7, Of::Nothing),
            0x40.. => (6, Of::Name),
            0x20.. => (5, Of::Nothing),
            _ => (4, Of::Name),
        };
        Self::number(byte, bits, of)
    }

    fn begin_string(byte: u8, text: Text) -> Self {
        let is_compressed = byte & 0x80 != 0;
        let is_name = matches!(text, Text::Name(_));
        let text = if is_compressed { Text::Compressed { is_name } } else { text };
        Self::number(byte, 7, Of::Length(text))
    }

    /// A number whose first bits stand in this byte.
    fn number(byte: u8, bits: u32, of: Of) -> Self {
        let most = (1_u32 << bits) - 1;
        let so_far = u32::from(byte) & most;
        if so_far == most { Self::Number { so_far, shift: 0, of } } else { Self::after_number(so_far, of) }
    }

    fn after_number(number: u32, of: Of) -> Self {
        match of {
            Of::Nothing => Self::Begin,
            Of::Name if number == 0 => Self::String(Text::Name(Some(0))),
            Of::Name if number == AUTHORITY_INDEX => Self::String(Text::Authority),
            Of::Name => Self::String(Text::Value),
            Of::Length(text) => Self::after_bytes(number, text),
        }
    }

    fn after_bytes(left: u32, text: Text) -> Self {
        match text {
            _ if left > 0 => Self::Bytes(left, text),
            Text::Name(Some(read)) if read == AUTHORITY.len() => Self::String(Text::Authority),
            Text::Name(_) | Text::Compressed { is_name: true } => Self::String(Text::Value),
            Text::Value | Text::Authority | Text::Compressed { is_name: false } => Self::Begin,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test may panic

    use super::*;
    use proptest::prelude::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, 1], payload].concat()
    }

    /// What becomes of these frames, whatever pieces they arrive in.
    fn mended(frames: &[Vec<u8>]) -> Vec<u8> {
        let bytes = frames.concat();
        let whole = mended_in_pieces(&bytes, bytes.len().max(1));
        for size in [1, 2, 3, 7] {
            assert_eq!(mended_in_pieces(&bytes, size), whole, "in pieces of {size}");
        }
        whole
    }

    fn mended_in_pieces(bytes: &[u8], size: usize) -> Vec<u8> {
        let mut frames = Frames::default();
        let mut all = [&[b'%'; PREFACE_BYTES][..], bytes].concat();
        all.chunks_mut(size).for_each(|piece| frames.mend(piece));
        let (preface, rest) = all.split_at(PREFACE_BYTES);
        assert_eq!(preface, [b'%'; PREFACE_BYTES]);
        rest.to_vec()
    }

    /// `:authority` with this value; indexed (0x41), or not (0x01), or never (0x11).
    fn authority(kind: u8, value: &str) -> Vec<u8> {
        [&[kind, u8::try_from(value.len()).unwrap()], value.as_bytes()].concat()
    }

    #[test]
    fn an_authority_loses_what_no_authority_has_and_nothing_else_does() {
        let path = [&[0x04, 4][..], b"/a/%"].concat();
        let other = [&[0x40, 3][..], b"x%/", &[3], b"%/%"].concat();
        for kind in [0x41, 0x01, 0x11] {
            let sent =
                [vec![0x83, 0x3f, 0xe1, 0x1f], path.clone(), authority(kind, "%2Ftmp/s"), other.clone()];
            let expected =
                [vec![0x83, 0x3f, 0xe1, 0x1f], path.clone(), authority(kind, "-2Ftmp-s"), other.clone()];
            assert_eq!(mended(&[frame(1, 4, &sent.concat())]), frame(1, 4, &expected.concat()));
        }
    }

    #[test]
    fn its_name_may_be_written_out_and_names_like_it_are_not_its() {
        let field = |name: &str, value: &str| {
            let lengths = [name, value].map(|text| u8::try_from(text.len()).unwrap());
            [&[0x40, lengths[0]], name.as_bytes(), &[lengths[1]], value.as_bytes()].concat()
        };
        let others = [field(":authorit", "%"), field(":authority2", "%"), field("x:authority", "%")].concat();
        let sent = [field(":path", "/x"), field(":authority", "tmp%2Fs"), others.clone()].concat();
        let expected = [field(":path", "/x"), field(":authority", "tmp-2Fs"), others].concat();
        assert_eq!(mended(&[frame(1, 4, &sent)]), frame(1, 4, &expected));
    }

    #[test]
    fn padding_priority_and_continuations_are_seen_through() {
        let data = frame(0, 8, b"\x03%//%%%");
        let sent = authority(0x41, "%2Fx");
        let padded = [&[2][..], b"%%%%%", &sent, b"%/"].concat();
        let expected = [&[2][..], b"%%%%%", &authority(0x41, "-2Fx"), b"%/"].concat();
        let frames = [data.clone(), frame(1, 0x2c, &padded), data.clone()];
        assert_eq!(mended(&frames), [data.clone(), frame(1, 0x2c, &expected), data.clone()].concat());

        let (first, second) = sent.split_at(3);
        let frames = [frame(1, 0, first), frame(9, 0, &[]), frame(9, 4, second), data.clone()];
        let expected = [frame(1, 0, b"\x41\x04-"), frame(9, 0, &[]), frame(9, 4, b"2Fx"), data];
        assert_eq!(mended(&frames), expected.concat());
    }

    #[test]
    fn a_long_authority_and_a_compressed_one_are_told_apart() {
        let long = "/".repeat(200);
        let sent = [&[0x41, 0x7f, 73][..], long.as_bytes()].concat();
        let expected = [&[0x41, 0x7f, 73][..], "-".repeat(200).as_bytes()].concat();
        assert_eq!(mended(&[frame(1, 4, &sent)]), frame(1, 4, &expected));
        let compressed = [&[0x41, 0x82][..], b"%/"].concat();
        assert_eq!(mended(&[frame(1, 4, &compressed)]), frame(1, 4, &compressed));
    }

    proptest! {
        #[test]
        fn any_bytes_pass_and_only_those_two_change(bytes: Vec<u8>, sizes: Vec<u8>) {
            let mut frames = Frames { skip: 0, ..Frames::default() };
            let mut passed = bytes.clone();
            let mut rest = &mut passed[..];
            for size in sizes.into_iter().map(usize::from).chain([usize::MAX]) {
                let (piece, left) = rest.split_at_mut(size.min(rest.len()));
                frames.mend(piece);
                rest = left;
            }
            for (before, after) in bytes.iter().zip(&passed) {
                prop_assert!(before == after || (b"%/".contains(before) && *after == IN_ITS_PLACE));
            }
        }
    }
}
