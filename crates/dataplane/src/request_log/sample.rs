//! What the request path sees of a model's log: whether a request is drawn, and where its record goes.

use super::{LogSettings, LogStatistics, Message, record::Record};
use crate::{budget::Budget, inference::Api};
use bytes::Bytes;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::SyncSender,
    },
    time::SystemTime,
};

/// The log of one model.
#[derive(Debug)]
pub struct ModelLog {
    model: Arc<str>,
    settings: LogSettings,
    prefix: Arc<str>,
    counts: Arc<Counts>,
    way: Way,
}

/// The way to the writer.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) records: SyncSender<Message>,
    pub(super) waiting: Arc<Budget>,
}

/// What became of a model's records so far.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) written: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) failed: AtomicU64,
}

impl Counts {
    pub(super) fn read(&self, model: &Arc<str>) -> LogStatistics {
        LogStatistics {
            model: Arc::clone(model),
            written: self.written.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
        }
    }
}

/// A request with its answer, as messages of the gRPC service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Messages {
    /// The request's.
    pub request: Bytes,
    /// The answer's.
    pub response: Bytes,
}

/// What there is to tell of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// Which method it was.
    pub api: Api,
    /// The version that answered.
    pub version: i64,
    /// The signature that was run; the first where there were several, empty where there was none.
    pub signature: String,
    /// What was asked and answered.
    pub messages: Messages,
}

impl ModelLog {
    pub(super) fn new(model: Arc<str>, settings: LogSettings, counts: Arc<Counts>, way: Way) -> Arc<Self> {
        let prefix = Arc::from(settings.filename_prefix.as_str());
        Arc::new(Self { model, settings, prefix, counts, way })
    }

    /// Whether this request is drawn. Costs a few nanoseconds, of requests of logged models only.
    #[must_use]
    pub fn draws(&self) -> bool {
        let rate = self.settings.sampling_rate;
        rate >= 1.0 || fastrand::f64() < rate
    }

    /// Hands a record over, or drops and counts it: never waits.
    pub fn offer(self: &Arc<Self>, exchange: Exchange) {
        let Messages { request, response } = &exchange.messages;
        let bytes = request.len().saturating_add(response.len());
        let Ok(charge) = self.way.waiting.charge(bytes) else { return self.drop_one() };
        let record = Record { log: Arc::clone(self), exchange, at: SystemTime::now(), _charge: charge };
        if self.way.records.try_send(Message::Record(Box::new(record))).is_err() {
            self.drop_one();
        }
    }

    /// A request that was drawn will not be logged.
    pub fn drop_one(&self) {
        self.counts.dropped.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn counts(&self) -> &Counts {
        &self.counts
    }

    pub(super) fn model(&self) -> &Arc<str> {
        &self.model
    }

    pub(super) fn settings(&self) -> &LogSettings {
        &self.settings
    }

    pub(super) fn prefix(&self) -> &Arc<str> {
        &self.prefix
    }
}

impl Drop for ModelLog {
    fn drop(&mut self) {
        // Not taken: the queue is full, and the file is ended by its age.
        let _ = self.way.records.try_send(Message::End(Arc::clone(&self.prefix)));
    }
}
