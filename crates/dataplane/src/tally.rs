//! What is counted of one request, once, whatever becomes of it.

use crate::{
    error::Code,
    inference::Door,
    metrics::{CountedApi, Entry},
    stats::{Gauges, Ledger, Method, Rows},
    traffic::{Assignment, Served},
};
use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

/// One request, as far as it is known; counted when it ends, or is dropped: one that is dropped before its end was
/// cancelled by its client.
#[derive(Debug)]
pub(crate) struct Tally<'a> {
    ledger: &'a Ledger,
    gauges: &'a Gauges,
    method: Method,
    begun: Instant,
    deadline: Option<Instant>,
    /// None while no version or model that is here is known.
    pub(crate) rows: Option<Arc<Rows>>,
    pub(crate) signature: Option<usize>,
    pub(crate) served: Option<Served>,
    has_ended: bool,
}

impl<'a> Tally<'a> {
    /// A request that has just come.
    pub(crate) fn begin(
        ledger: &'a Ledger,
        gauges: &'a Gauges,
        method: Method,
        deadline: Option<Instant>,
    ) -> Self {
        let (rows, signature, served, has_ended) = (None, None, None, false);
        Self { ledger, gauges, method, begun: Instant::now(), deadline, rows, signature, served, has_ended }
    }

    /// The request ends like this; who answered it.
    pub(crate) fn end(&mut self, code: Code) -> Option<Served> {
        self.has_ended = true;
        self.count(code);
        self.served.take()
    }

    fn count(&self, code: Code) {
        let rows = self.rows.as_ref().unwrap_or_else(|| self.ledger.unknown());
        let took = self.begun.elapsed();
        rows.record(self.signature, self.method, code, took);
        if self.method.door == Door::Grpc // REST counts its requests itself, those that come not so far, too
            && let Some(api) = CountedApi::of(self.method.api)
        {
            rows.counts().record_request(Entry::Grpc(api), code, took);
        }
        if let Some(assignment) = self.served.as_ref().and_then(|served| served.assignment.as_ref()) {
            self.add_to_evidence(assignment, code, took);
        }
        if code == Code::ResourceExhausted {
            self.gauges.refused_overload.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A door that drops a request because its time is up is not a caller who went away; nor is one whose time is up
    /// in a batch's queue refused for lack of room.
    fn add_to_evidence(&self, assignment: &Assignment, code: Code, took: Duration) {
        let is_late = || self.deadline.is_some_and(|deadline| deadline <= self.begun + took);
        let code = match code {
            Code::Cancelled | Code::ResourceExhausted if is_late() => Code::DeadlineExceeded,
            code => code,
        };
        assignment.record(code, took);
    }
}

impl Drop for Tally<'_> {
    fn drop(&mut self) {
        if !self.has_ended {
            self.count(Code::Cancelled);
        }
    }
}
