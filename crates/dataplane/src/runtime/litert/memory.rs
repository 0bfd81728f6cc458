//! Memory that LiteRT reads from and writes to: aligned as it asks, zeroed, and never less than was asked for.

use crate::error::Error;
use std::{
    alloc::{Layout, alloc_zeroed, dealloc},
    ptr::NonNull,
    slice,
};

/// LiteRT refuses memory that begins elsewhere (`LITERT_HOST_MEMORY_BUFFER_ALIGNMENT`).
const ALIGNMENT: usize = 64;

/// XNNPACK's kernels may read this far beyond a tensor's end (`XNN_EXTRA_BYTES` is at most 128).
const SLACK: usize = 128;

/// `length` bytes. Memory of this kind costs nothing until it is written to: what is large comes from the operating
/// system as it is needed.
#[derive(Debug)]
pub(super) struct Memory {
    allocated: NonNull<u8>,
    layout: Layout,
    skipped: usize,
    length: usize,
}

// SAFETY: it owns what it points to and hands it out by Rust's rules for references.
unsafe impl Send for Memory {}
// SAFETY: as above.
unsafe impl Sync for Memory {}

impl Memory {
    /// `RESOURCE_EXHAUSTED` when there is none.
    pub(super) fn zeroed(length: usize) -> Result<Self, Error> {
        let none = || Error::resource_exhausted(format!("there is no memory for a tensor of {length} bytes"));
        // Alignment by hand: asked for an alignment, Rust writes the zeros itself, and then all of it is used.
        let size = length.checked_add(ALIGNMENT + SLACK).ok_or_else(none)?;
        let layout = Layout::from_size_align(size, 1).map_err(|_| none())?;
        // SAFETY: the size is not zero.
        let allocated = NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or_else(none)?;
        let skipped = allocated.addr().get().wrapping_neg() % ALIGNMENT;
        Ok(Self { allocated, layout, skipped, length })
    }

    /// For LiteRT to write to.
    pub(super) fn as_mut_ptr(&mut self) -> *mut u8 {
        // SAFETY: less than `ALIGNMENT` beyond the beginning, which is within what was allocated.
        unsafe { self.allocated.as_ptr().add(self.skipped) }
    }

    /// All of it, to be written.
    pub(super) fn as_mut_slice(&mut self) -> &mut [u8] {
        let (start, length) = (self.as_mut_ptr(), self.length);
        // SAFETY: that many bytes were allocated behind the start, zeroed, and are borrowed with `self`.
        unsafe { slice::from_raw_parts_mut(start, length) }
    }
}

impl AsRef<[u8]> for Memory {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: as in `as_mut_slice`.
        unsafe { slice::from_raw_parts(self.allocated.as_ptr().add(self.skipped), self.length) }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout, freed once.
        unsafe { dealloc(self.allocated.as_ptr(), self.layout) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test that panics has failed

    use super::*;

    #[test]
    fn it_is_aligned_zeroed_and_as_long_as_was_asked_for() {
        for length in [0, 1, 63, 64, 65, 1 << 20] {
            let mut memory = Memory::zeroed(length).unwrap();
            assert!(memory.as_mut_ptr().addr().is_multiple_of(ALIGNMENT));
            assert!(memory.as_ref().iter().all(|&byte| byte == 0));
            memory.as_mut_slice().fill(1);
            assert_eq!(memory.as_ref().len(), length);
        }
    }

    #[test]
    fn what_no_machine_has_is_refused() {
        for length in [usize::MAX, usize::MAX / 2, 1 << 60] {
            assert!(Memory::zeroed(length).is_err());
        }
    }
}
