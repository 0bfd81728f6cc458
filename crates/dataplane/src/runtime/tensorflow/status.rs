//! How TensorFlow reports failures: a code, whose numbers are ours too, and a text, which we pass on as it is.

use super::library::{Api, TfStatus};
use crate::error::{Code, Error};
use std::ffi::CStr;

/// How much of a text is passed on. TensorFlow may print a whole function into one, and a client reads it in a
/// header, whose size is limited too.
const MESSAGE_BYTES_MAX: usize = 4 << 10;

/// Where a C function leaves its outcome.
pub(super) struct Status {
    api: &'static Api,
    pointer: *mut TfStatus,
}

impl Status {
    pub(super) fn new(api: &'static Api) -> Self {
        // SAFETY: no conditions; what it returns is ours until `drop`.
        Self { api, pointer: unsafe { (api.new_status)() } }
    }

    /// For the function that is to fill it in.
    pub(super) fn pointer(&mut self) -> *mut TfStatus {
        self.pointer
    }

    /// The outcome that was left here.
    pub(super) fn check(&self) -> Result<(), Error> {
        // SAFETY: the status is alive.
        let code = Code::from_number(unsafe { (self.api.get_code)(self.pointer) });
        if code == Code::Ok {
            return Ok(());
        }
        // SAFETY: a terminated string that lives as long as the status; it is copied at once.
        let message = unsafe { CStr::from_ptr((self.api.message)(self.pointer)) };
        Err(Error::new(code, shortened(message.to_string_lossy().into_owned())))
    }
}

impl Drop for Status {
    fn drop(&mut self) {
        // SAFETY: ours, and nobody uses it after this.
        unsafe { (self.api.delete_status)(self.pointer) }
    }
}

fn shortened(mut message: String) -> String {
    if message.len() > MESSAGE_BYTES_MAX {
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
        message.push_str(" ... (shortened)");
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_shortened_between_two_characters_and_a_short_one_is_kept() {
        assert_eq!(shortened("x".repeat(MESSAGE_BYTES_MAX)).len(), MESSAGE_BYTES_MAX);
        let long = shortened("\u{20ac}".repeat(MESSAGE_BYTES_MAX));
        assert_eq!(long.trim_end_matches(" ... (shortened)").len(), MESSAGE_BYTES_MAX - 1);
    }
}
