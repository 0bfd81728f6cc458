//! The extension module `understudy.dataplane._native`: translation only.

mod batching;
mod data_plane;
mod doors;
mod error;
mod options;
mod records;
mod reports;
mod routes;
mod shadows;
mod statistics;
mod traffic;
mod trials;

use pyo3::prelude::*;
use std::path::PathBuf;

/// Every message that the server speaks, as a serialized `google.protobuf.FileDescriptorSet`.
#[pyfunction]
fn file_descriptor_set() -> &'static [u8] {
    dataplane::wire::DESCRIPTORS
}

/// What the file `model.tflite` in this folder can be asked, as a serialized `tensorflow.serving.SignatureDefMap`;
/// read without LiteRT.
#[pyfunction]
#[allow(clippy::needless_pass_by_value)] // what Python gives is made anew
fn litert_signatures(py: Python<'_>, path: PathBuf) -> PyResult<Vec<u8>> {
    py.detach(|| dataplane::runtime::litert::signatures(&path)).map_err(error::raised)
}

/// By these sizes requests are counted whose answers differ in the shadow: none, up to each, and more.
#[pyfunction]
fn difference_bounds() -> Vec<f64> {
    shadows::difference_bounds()
}

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("NativeError", module.py().get_type::<error::NativeError>())?;
    module.add_class::<batching::BatchStatistics>()?;
    module.add_class::<data_plane::DataPlane>()?;
    module.add_class::<reports::AdminRequest>()?;
    module.add_class::<reports::BoundAddresses>()?;
    module.add_class::<reports::Capture>()?;
    module.add_class::<reports::LoadReport>()?;
    module.add_class::<reports::RequestLogReport>()?;
    module.add_class::<reports::UnloadReport>()?;
    module.add_class::<reports::ValidationReport>()?;
    module.add_class::<records::RecordReader>()?;
    module.add_class::<trials::ArmStatistics>()?;
    module.add_class::<trials::CountStatistics>()?;
    module.add_class::<trials::EpochStatistics>()?;
    module.add_class::<trials::OutputStatistics>()?;
    module.add_class::<trials::Prediction>()?;
    module.add_class::<trials::PredictionStatistics>()?;
    module.add_class::<trials::ProfileStatistics>()?;
    module.add_class::<trials::TrialStatistics>()?;
    module.add_class::<trials::TruthStatistics>()?;
    module.add_class::<shadows::DifferenceSample>()?;
    module.add_class::<shadows::OutputDifferences>()?;
    module.add_class::<shadows::ShadowFailure>()?;
    module.add_class::<shadows::ShadowStatistics>()?;
    module.add_class::<statistics::MethodStatistics>()?;
    module.add_class::<statistics::RequestLogStatistics>()?;
    module.add_class::<statistics::ServableStatistics>()?;
    module.add_class::<statistics::Statistics>()?;
    module.add_function(wrap_pyfunction!(difference_bounds, module)?)?;
    module.add_function(wrap_pyfunction!(file_descriptor_set, module)?)?;
    module.add_function(wrap_pyfunction!(litert_signatures, module)?)?;
    module.add_function(wrap_pyfunction!(records::frame_record, module)?)?;
    Ok(())
}
