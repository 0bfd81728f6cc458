//! The data plane's errors, as Python sees them.

use dataplane::error::Error;
use pyo3::{PyErr, create_exception, exceptions::PyException};

create_exception!(
    understudy.dataplane._native,
    NativeError,
    PyException,
    "What the data plane refused; `args` is (canonical code, message)."
);

/// The Python exception for an error.
pub(crate) fn raised(error: Error) -> PyErr {
    NativeError::new_err((error.code.number(), error.message.into_owned()))
}
