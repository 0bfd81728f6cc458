//! Frees models that could not be freed where they should have been, on a thread of its own.
//!
//! Freeing a model may take long, so it never happens on a request's thread. Normally the worker that unloads a
//! version frees it; this thread is for those whose last request outlived the drain deadline.

use crate::runtime::Model;
use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
};

/// A model as a slot holds it.
pub(crate) type Shared = Arc<Box<dyn Model>>;

/// The way to the reaper's thread, which ends when the last of these is gone.
#[derive(Clone, Debug)]
pub struct Reaper {
    models: mpsc::Sender<Shared>,
    late: Arc<AtomicUsize>,
}

impl Reaper {
    /// Starts the thread.
    pub fn start() -> io::Result<Self> {
        let (models, received) = mpsc::channel();
        thread::Builder::new().name("reaper".into()).spawn(move || received.into_iter().for_each(free))?;
        Ok(Self { models, late: Arc::default() })
    }

    /// Versions whose last request outlived the drain deadline and still runs: their memory is not free yet.
    #[must_use]
    pub fn late(&self) -> usize {
        self.late.load(Ordering::Relaxed)
    }

    /// One more model will be handed over later.
    pub(crate) fn expect(&self) {
        self.late.fetch_add(1, Ordering::Relaxed);
    }

    /// It was handed over, or was freed elsewhere after all.
    pub(crate) fn settle(&self) {
        self.late.fetch_sub(1, Ordering::Relaxed);
    }

    /// Hands a model over; returns at once.
    pub(crate) fn hand_over(&self, model: Shared) {
        // The thread lives as long as any sender does, so this can fail only after it died of something that is
        // not a panic; leaking the model is then better than freeing it here.
        if let Err(mpsc::SendError(model)) = self.models.send(model) {
            std::mem::forget(model);
        }
    }
}

/// Frees a model in this thread. A destructor that panics has freed what it could; the thread goes on.
pub(crate) fn free(model: Shared) {
    let _ = catch_unwind(AssertUnwindSafe(|| drop(model)));
}
