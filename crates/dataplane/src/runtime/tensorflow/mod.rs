//! TensorFlow through its C API: models in `SavedModel` format.
//!
//! `library` finds the functions, `status` reads their failures, `tensor` carries values across, `session` owns a
//! graph that runs, `signatures` says what it can be asked, `fetches` and `joint` what to have it compute for that,
//! `graph_run` computes whatever it is asked, `prepared` bounds what that may be, `saved_model` puts these together. Which versions to
//! load, where requests come from and in which thread to run are other people's matters.

#![allow(unsafe_code)] // C functions can be called in no other way; each block says why it is sound

mod fetches;
mod graph_run;
mod joint;
mod library;
mod prepared;
mod saved_model;
mod session;
mod signatures;
mod status;
mod tensor;

use super::Model;
use crate::error::Error;
use library::Api;
use saved_model::SavedModel;
use std::{path::Path, sync::Arc};

/// How TensorFlow runs; the same for all models of the process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// A serialized `ConfigProto`; empty: all as TensorFlow chooses.
    pub session_config: Vec<u8>,
}

/// TensorFlow's libraries, opened, with their threads running.
#[derive(Debug)]
pub struct TensorFlow {
    api: &'static Api,
    version: String,
    config: Vec<u8>,
}

impl TensorFlow {
    /// Opens the libraries of a TensorFlow wheel, which lie in the package's own folder. Do this once a process:
    /// they cannot be closed again.
    ///
    /// `NOT_FOUND` when a library is not there, `FAILED_PRECONDITION` when it cannot be used.
    pub fn open(library_dir: &Path, options: Options) -> Result<Arc<Self>, Error> {
        let api = library::open(library_dir)?;
        let config = options.session_config;
        // TensorFlow makes its threads with the first session, and a thread inherits the niceness of the one that
        // makes it. Models are loaded by threads of low priority, which must not hand theirs to the threads that
        // answer requests; so the first session is made here.
        session::start_threads(api, &config)?;
        Ok(Arc::new(Self { api, version: library::version(api), config }))
    }

    /// TensorFlow's version, `2.21.0` for example.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Loads the `SavedModel` in the folder `path`: the graph that has exactly these `tags`.
    ///
    /// The calling thread does the work, so its priority is the load's. `NOT_FOUND` when there is no `SavedModel`;
    /// otherwise TensorFlow's own code and text.
    pub fn load(&self, path: &Path, tags: &[String]) -> Result<Box<dyn Model>, Error> {
        Ok(Box::new(SavedModel::load(self.api, &self.config, path, tags)?))
    }
}
