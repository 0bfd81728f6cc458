//! What one request is for its trial, from its arrival to its end.

use super::{caller::RequestId, split::Held};
use crate::{
    error::Code,
    inference::SignatureRun,
    servable::Handle,
    shadow::{Shadow, Who},
    tensor::Tensor,
    trial::{Answerer, Ended, Observed},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    time::Duration,
};

/// Which side of a comparison a version is on; its number is its place where both sides have one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arm {
    /// The default version.
    Baseline,
    /// The version that is compared with it.
    Candidate,
    /// A version that is on no side: one of several that an operator gave weights.
    Other,
}

impl Arm {
    /// As answers say it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Candidate => "candidate",
            Self::Other => "other",
        }
    }
}

/// Why a version answered a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// By the hash of its key.
    Sticky,
    /// By chance: it brought no key.
    Random,
    /// Its caller asked for it.
    Override,
    /// The version that it belongs to could not answer, so the default one did.
    Fallback,
}

impl Reason {
    /// As answers say it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sticky => "sticky",
            Self::Random => "random",
            Self::Override => "override",
            Self::Fallback => "fallback",
        }
    }
}

/// How far a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Stage {
    /// Its version was chosen; its model has not begun to run.
    Chosen,
    /// Its model runs.
    Running,
    /// Its model's run failed.
    RunFailed,
    /// Its model has run.
    Ran,
}

/// Which version answers a request, why, and whose counts it adds to.
#[derive(Debug)]
pub struct Assignment {
    pub(super) epoch: Held,
    pub(super) assigned: Arm,
    pub(super) answers: Arm,
    pub(super) reason: Reason,
    pub(super) key: Option<u64>,
    /// When it came, a request of its key had ended in the epoch.
    pub(super) is_key_known: bool,
    /// None: nothing is kept under one.
    pub(super) request_id: Option<RequestId>,
    /// Its caller wants to know why.
    pub(super) is_explained: bool,
    pub(super) stage: AtomicU8,
    /// An output was not a number, or infinite.
    pub(super) is_invalid: AtomicBool,
    /// None: it was not drawn for one.
    pub(super) shadow: Option<Arc<Shadow>>,
}

impl Assignment {
    /// The arm of the version that answers.
    #[must_use]
    pub fn arm(&self) -> Arm {
        self.answers
    }

    /// Why that one.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// What the request is called; none: nothing is kept under a name.
    #[must_use]
    pub fn request_id(&self) -> Option<&RequestId> {
        self.request_id.as_ref()
    }

    /// Whether its caller wants to know why.
    pub(super) fn is_explained(&self) -> bool {
        self.is_explained
    }

    /// The hash of its key; none: it brought none.
    #[must_use]
    pub fn key(&self) -> Option<u64> {
        self.key
    }

    /// The shadow that it was drawn for; none for most.
    pub(crate) fn shadow(&self) -> Option<&Arc<Shadow>> {
        self.shadow.as_ref()
    }

    /// Whose request it is, for whom its answers are told from others.
    pub(crate) fn who(&self) -> Who {
        let request_id = self.request_id().map(RequestId::as_str).unwrap_or_default();
        Who { request_id: request_id.to_owned(), key: self.key }
    }

    /// Whether its model was asked.
    pub(crate) fn has_begun_run(&self) -> bool {
        self.stage() > Stage::Chosen
    }

    /// From here on what goes wrong is the model's doing.
    pub(crate) fn begin_run(&self) {
        self.stage.store(Stage::Running as u8, Ordering::Relaxed);
    }

    /// The model's run failed; something before it failed if it had not begun.
    pub(crate) fn fail_run(&self) {
        if self.has_begun_run() {
            self.stage.store(Stage::RunFailed as u8, Ordering::Relaxed);
        }
    }

    /// What the model's run came to, before an answer is made of it. `run` is none where several signatures, or a
    /// part of a graph, were run.
    pub(crate) fn observe(&self, handle: &Handle, run: Option<&SignatureRun>, outputs: &[Tensor]) {
        self.stage.store(Stage::Ran as u8, Ordering::Relaxed);
        let &Self { answers: arm, reason, key, .. } = self;
        let (request_id, version) = (self.request_id().map(RequestId::as_str), handle.slot().version());
        let observed = Observed { signatures: handle.model().signatures(), run, outputs };
        if self.epoch.observe(Answerer { arm, reason, key, request_id, version }, observed) {
            self.is_invalid.store(true, Ordering::Relaxed);
        }
    }

    /// Counts the request, once, when it has ended.
    pub(crate) fn record(&self, code: Code, took: Duration) {
        let &Self { assigned, reason, key, is_key_known, .. } = self;
        let (stage, is_invalid) = (self.stage(), self.is_invalid.load(Ordering::Relaxed));
        self.epoch.record(&Ended { assigned, reason, key, is_key_known, stage, is_invalid, code, took });
    }

    fn stage(&self) -> Stage {
        match self.stage.load(Ordering::Relaxed) {
            0 => Stage::Chosen,
            1 => Stage::Running,
            2 => Stage::RunFailed,
            _ => Stage::Ran,
        }
    }
}
