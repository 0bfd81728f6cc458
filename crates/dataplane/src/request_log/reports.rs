//! What an operator should know of the writing: told when it changes, not for every record.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Duration,
};

/// Reports that nobody has fetched; the oldest go first.
const REPORTS_MAX: usize = 1_024;

/// What happened to a model's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The model.
    pub model: Arc<str>,
    /// What it is.
    pub incident: Incident,
}

/// A change for the worse, or for the better.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incident {
    /// Records cannot be written, and why.
    Failed(String),
    /// They can again; so many were lost meanwhile.
    Recovered(u64),
}

/// Reports on their way.
#[derive(Debug, Default)]
pub(super) struct Reports {
    waiting: Mutex<VecDeque<Report>>,
    came: Condvar,
}

impl Reports {
    pub(super) fn tell(&self, report: Report) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= REPORTS_MAX {
            waiting.pop_front();
        }
        waiting.push_back(report);
        self.came.notify_one();
    }

    pub(super) fn next(&self, timeout: Duration) -> Option<Report> {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut waiting, _) = self
            .came
            .wait_timeout_while(waiting, timeout, |waiting| waiting.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        waiting.pop_front()
    }
}
