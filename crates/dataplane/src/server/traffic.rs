//! What is open and under way at the doors, counted; the limits that stand on those counts.

use crate::{budget::Budget, inference::Door, stats::Gauges};
use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

/// Counters that all doors share; those that the statistics tell are the plane's gauges.
#[derive(Debug)]
pub struct Traffic {
    gauges: Arc<Gauges>,
    budget: Arc<Budget>,
    /// All doors together: the limit stands on this one number, so that no two doors pass it at once.
    connections: AtomicUsize,
    connections_max: usize,
    connections_refused: AtomicU64,
    requests: AtomicUsize,
}

/// [`Traffic`] at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrafficSnapshot {
    /// Open connections, all doors together.
    pub connections: usize,
    /// Connections closed at once because there were too many.
    pub connections_refused: u64,
    /// Requests whose head has arrived and whose answer has not been handed over to the connection.
    pub requests: usize,
    /// Bytes of requests and answers held.
    pub buffered_bytes: usize,
}

impl Traffic {
    /// Nothing open yet.
    #[must_use]
    pub fn new(gauges: &Arc<Gauges>, connections_max: usize, buffered_bytes_max: usize) -> Arc<Self> {
        Arc::new(Self {
            gauges: Arc::clone(gauges),
            budget: Budget::new(buffered_bytes_max, Arc::clone(gauges)),
            connections: AtomicUsize::new(0),
            connections_max,
            connections_refused: AtomicU64::new(0),
            requests: AtomicUsize::new(0),
        })
    }

    /// The bytes that requests and answers may hold.
    #[must_use]
    pub fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    /// Counts a new connection of a door; none when there are too many.
    pub(crate) fn open_connection(self: &Arc<Self>, door: Door) -> Option<OpenConnection> {
        let fits = |open: usize| (open < self.connections_max).then(|| open + 1);
        if self.connections.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_err() {
            self.connections_refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        self.gauges.connections(door).fetch_add(1, Ordering::Relaxed);
        Some(OpenConnection { traffic: Arc::clone(self), door })
    }

    /// Counts a request until what this returns is dropped.
    pub(crate) fn begin_request(self: &Arc<Self>) -> RequestUnderWay {
        self.requests.fetch_add(1, Ordering::Relaxed);
        RequestUnderWay(Arc::clone(self))
    }

    /// All counts now.
    #[must_use]
    pub fn snapshot(&self) -> TrafficSnapshot {
        TrafficSnapshot {
            connections: self.connections.load(Ordering::Relaxed),
            connections_refused: self.connections_refused.load(Ordering::Relaxed),
            requests: self.requests.load(Ordering::Relaxed),
            buffered_bytes: self.budget.bytes(),
        }
    }
}

/// One open connection.
#[derive(Debug)]
pub(crate) struct OpenConnection {
    traffic: Arc<Traffic>,
    door: Door,
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.traffic.gauges.connections(self.door).fetch_sub(1, Ordering::Relaxed);
        self.traffic.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One request that is being read, answered or written.
#[derive(Debug)]
pub(crate) struct RequestUnderWay(Arc<Traffic>);

impl Drop for RequestUnderWay {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}
