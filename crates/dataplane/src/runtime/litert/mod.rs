//! LiteRT (TensorFlow Lite) through its C API: models in one file, `model.tflite`.
//!
//! `contents` says what is in a file (by `flatbuffer`, without LiteRT), `declared` makes signatures of it, `library`
//! finds the functions, `file` gives LiteRT the bytes, `interpreter` owns a graph that runs, `pool` lends it to one
//! run at a time, `fit` says which tensors it takes, `model` puts these together. Which versions to load, where
//! requests come from and in which thread to run are other people's matters.

#![allow(unsafe_code)] // C functions can be called in no other way; each block says why it is sound

mod contents;
mod declared;
mod element;
mod file;
mod fit;
mod flatbuffer;
mod interpreter;
mod library;
mod memory;
mod model;
mod pool;
mod strings;

use super::Model;
use crate::{error::Error, wire::tensorflow::serving::SignatureDefMap};
use library::Api;
use model::LiteRtModel;
use prost::Message;
use std::{path::Path, sync::Arc, thread};

/// The file that a version directory holds.
pub const FILE: &str = "model.tflite";

/// Interpreters of one model; more are certainly a mistake.
pub const INTERPRETERS_MAX: usize = 1024;

/// How models run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Interpreters for each model: so many of its runs go on at once; 0: one for each core.
    pub interpreters: usize,
}

impl Options {
    /// With the choice made; `INVALID_ARGUMENT` for what cannot be.
    pub fn resolved(self) -> Result<Self, Error> {
        let cores = thread::available_parallelism().map_or(1, usize::from).min(INTERPRETERS_MAX);
        let interpreters = if self.interpreters == 0 { cores } else { self.interpreters };
        if interpreters > INTERPRETERS_MAX {
            return Err(Error::invalid_argument(format!(
                "{interpreters} interpreters for each LiteRT model are too many; at most {INTERPRETERS_MAX} are taken"
            )));
        }
        Ok(Self { interpreters })
    }
}

/// LiteRT's library, opened.
#[derive(Debug)]
pub struct LiteRt {
    api: &'static Api,
    options: Options,
}

impl LiteRt {
    /// Opens the library of an `ai-edge-litert` wheel, which lies in the package's own folder. Do this once a
    /// process: it is never closed again.
    ///
    /// `NOT_FOUND` when it is not there, `FAILED_PRECONDITION` when it cannot be used.
    pub fn open(library_dir: &Path, options: Options) -> Result<Arc<Self>, Error> {
        let options = options.resolved()?;
        Ok(Arc::new(Self { api: library::open(library_dir)?, options }))
    }

    /// Loads the file `model.tflite` in the folder `path`.
    pub fn load(&self, path: &Path) -> Result<Box<dyn Model>, Error> {
        Ok(Box::new(LiteRtModel::load(self.api, &path.join(FILE), self.options.interpreters)?))
    }
}

/// What the file `model.tflite` in the folder `path` can be asked, as a serialized [`SignatureDefMap`]; read without
/// LiteRT.
pub fn signatures(path: &Path) -> Result<Vec<u8>, Error> {
    let path = path.join(FILE);
    let bytes = file::read(&path)?;
    let declared = contents::read(bytes.as_ref()).and_then(|entries| declared::declare(&entries));
    let declared = declared.map_err(|error| model::named(&path, &error))?;
    let signature_def = declared.signatures.definitions().clone();
    Ok(SignatureDefMap { signature_def }.encode_to_vec())
}
