//! `TFRecord` files, read and written: what `understudy requests` works with.

use crate::error::raised;
use bytes::Bytes;
use dataplane::{
    error::{Code, Error},
    tfrecord::{self, Records},
};
use pyo3::{prelude::*, types::PyBytes};
use std::{
    fs::File,
    io::{self, BufReader},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// The records of one file, one after the other.
#[pyclass(frozen, module = "understudy.dataplane._native")]
pub(crate) struct RecordReader(Mutex<Records<BufReader<File>>>);

#[pymethods]
impl RecordReader {
    #[new]
    fn new(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        py.detach(move || open(&path)).map(|records| Self(Mutex::new(records))).map_err(raised)
    }

    /// The next record's data; none at the file's end.
    fn next<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let read = py.detach(|| self.0.lock().unwrap_or_else(PoisonError::into_inner).next_record());
        Ok(read.map_err(raised)?.map(|record: Bytes| PyBytes::new(py, &record)))
    }
}

fn open(path: &Path) -> Result<Records<BufReader<File>>, Error> {
    let file = File::open(path).and_then(|file| file.metadata().map(|metadata| (file, metadata)));
    match file {
        Ok((file, metadata)) if metadata.is_file() => Ok(Records::new(BufReader::new(file), metadata.len())),
        Ok(_) => Err(Error::invalid_argument(format!("{} is not a file", path.display()))),
        Err(error) => Err(unreadable(path, &error)),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    let code = match error.kind() {
        io::ErrorKind::NotFound => Code::NotFound,
        io::ErrorKind::PermissionDenied => Code::PermissionDenied,
        _ => Code::Unknown,
    };
    Error::new(code, format!("cannot read {}: {error}", path.display()))
}

/// These data as one record of a file.
#[pyfunction]
pub(crate) fn frame_record<'py>(py: Python<'py>, data: &[u8]) -> Bound<'py, PyBytes> {
    PyBytes::new(py, &tfrecord::frame(data))
}
