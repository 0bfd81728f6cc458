//! How TensorFlow reports failures: a code, whose numbers are ours too, and a text, which we pass on as it is.

use super::library::{Api, TfStatus};
use crate::error::{Code, Error};
use std::ffi::CStr;

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
        Err(Error::new(code, message.to_string_lossy().into_owned()))
    }
}

impl Drop for Status {
    fn drop(&mut self) {
        // SAFETY: ours, and nobody uses it after this.
        unsafe { (self.api.delete_status)(self.pointer) }
    }
}
