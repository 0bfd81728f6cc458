//! A `.tflite` file in memory, and LiteRT's view of it, from which interpreters are made.

use super::{
    library::{ANY_INT, Api, LrtAny, LrtEnvOption, LrtEnvironment, LrtModel, check},
    memory::Memory,
};
use crate::error::Error;
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
    ptr,
};

/// No flatbuffer is larger, for positions in it have 31 bits.
const BYTES_MAX: u64 = (1 << 31) - 1;

/// `kLiteRtEnvOptionTagAutoRegisterAccelerators`, and the one that we want: `kLiteRtHwAcceleratorCpu`. Others would
/// be looked for on the disk, and opened.
const ACCELERATORS: (i32, i64) = (24, 1);

/// `kLiteRtEnvOptionTagMinLoggerSeverity`, and `kLiteRtLogSeveritySilent`: what clients do wrong must not fill the
/// server's log. Errors come back as texts all the same.
const LOG_SEVERITY: (i32, i64) = (25, 4);

struct Environment {
    api: &'static Api,
    pointer: *mut LrtEnvironment,
}

impl Environment {
    fn new(api: &'static Api) -> Result<Self, Error> {
        let option = |(tag, int_value)| LrtEnvOption { tag, value: LrtAny { kind: ANY_INT, int_value } };
        let options = [option(ACCELERATORS), option(LOG_SEVERITY)];
        let mut pointer = ptr::null_mut();
        // SAFETY: two options, which are copied during the call; what it leaves is ours until `drop`.
        let status = unsafe { (api.create_environment)(2, options.as_ptr(), &raw mut pointer) };
        check(status, "begin").map(|()| Self { api, pointer })
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        // SAFETY: ours, and all that was made with it is gone.
        unsafe { (self.api.destroy_environment)(self.pointer) }
    }
}

/// One file. LiteRT keeps pointers into its bytes, so it must outlive what is made of it.
pub(super) struct ModelFile {
    api: &'static Api,
    pointer: *mut LrtModel,
    // In this order: what comes first is dropped first.
    environment: Environment,
    _bytes: Memory,
}

// SAFETY: nothing of it is changed once it is made, and it may be freed by any thread.
unsafe impl Send for ModelFile {}
// SAFETY: as above.
unsafe impl Sync for ModelFile {}

impl ModelFile {
    /// Has LiteRT look at the bytes; it checks that all of its tables are within them.
    pub(super) fn new(api: &'static Api, bytes: Memory) -> Result<Self, Error> {
        let environment = Environment::new(api)?;
        let mut pointer = ptr::null_mut();
        let contents = bytes.as_ref();
        // SAFETY: the environment is alive; the bytes live as long as the model, and do not move; what it leaves is
        // ours until `drop`.
        let status = unsafe {
            (api.create_model)(
                environment.pointer,
                contents.as_ptr().cast(),
                contents.len(),
                &raw mut pointer,
            )
        };
        check(status, "read the file")?;
        Ok(Self { api, pointer, environment, _bytes: bytes })
    }

    /// For the functions that take both.
    pub(super) fn pointers(&self) -> (*mut LrtEnvironment, *mut LrtModel) {
        (self.environment.pointer, self.pointer)
    }
}

impl Drop for ModelFile {
    fn drop(&mut self) {
        // SAFETY: ours, and all that was made of it is gone.
        unsafe { (self.api.destroy_model)(self.pointer) }
    }
}

/// The file's bytes. They are read, not mapped: a file that is overwritten or cut off while it serves would change
/// or end what maps it.
pub(super) fn read(path: &Path) -> Result<Memory, Error> {
    let failed = |cause: io::Error| match cause.kind() {
        io::ErrorKind::NotFound => Error::not_found(format!("{} is not there", path.display())),
        _ => Error::unavailable(format!("{} cannot be read: {cause}", path.display())),
    };
    let mut file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    if size > BYTES_MAX {
        return Err(Error::invalid_argument(format!(
            "{} has {size} bytes; this server takes at most {BYTES_MAX}",
            path.display()
        )));
    }
    let mut memory = Memory::zeroed(usize::try_from(size).unwrap_or(usize::MAX))?;
    file.read_exact(memory.as_mut_slice()).map_err(failed)?;
    Ok(memory)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a test that panics has failed

    use super::*;
    use crate::error::Code;
    use std::fs;

    #[test]
    fn a_file_is_read_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.tflite");
        fs::write(&path, b"abc").unwrap();
        assert_eq!(read(&path).unwrap().as_ref(), b"abc");
    }

    #[test]
    fn a_file_that_is_missing_or_too_large_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.tflite");
        assert_eq!(read(&path).unwrap_err().code, Code::NotFound);
        File::create(&path).unwrap().set_len(BYTES_MAX + 1).unwrap();
        assert_eq!(read(&path).unwrap_err().code, Code::InvalidArgument);
    }
}
