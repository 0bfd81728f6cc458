//! The extension module `understudy.dataplane._native`: translation only.

use pyo3::prelude::*;

/// Every message that the server speaks, as a serialized `google.protobuf.FileDescriptorSet`.
#[pyfunction]
fn file_descriptor_set() -> &'static [u8] {
    dataplane::wire::DESCRIPTORS
}

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(file_descriptor_set, module)?)?;
    Ok(())
}
