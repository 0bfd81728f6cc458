//! The thread that writes: takes what waits, writes it in one piece for each model, ends files that are old. What a
//! slow or full disk costs, it costs here.

use super::{
    Message, QUEUED_MAX, RequestLogOptions,
    files::LogFiles,
    record::Record,
    reports::{Incident, Report, Reports},
};
use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

/// Records that are written together. A quiet server's are in their file at once, a busy one's by the batch.
const BATCH_MAX: usize = 64;

/// After records could not be written, the next attempt is not made at once: each may cost a disk's time-out.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// The thread's state.
#[derive(Debug)]
pub(super) struct Writer {
    files: LogFiles,
    saved_model_tags: Vec<String>,
    batches: BTreeMap<Arc<str>, Batch>,
    troubles: BTreeMap<Arc<str>, Trouble>,
    reports: Arc<Reports>,
    stopping: Arc<AtomicBool>,
}

/// Records of one prefix, to be written together.
#[derive(Debug, Default)]
struct Batch {
    bytes: Vec<u8>,
    records: Vec<Record>,
}

/// A prefix whose records cannot be written.
#[derive(Debug)]
struct Trouble {
    lost: u64,
    retry_at: Instant,
}

impl Writer {
    pub(super) fn new(options: RequestLogOptions, reports: Arc<Reports>, stopping: Arc<AtomicBool>) -> Self {
        Self {
            saved_model_tags: options.saved_model_tags.clone(),
            files: LogFiles::find(options),
            batches: BTreeMap::new(),
            troubles: BTreeMap::new(),
            reports,
            stopping,
        }
    }

    /// Writes until told to stop, and then what waits still.
    pub(super) fn run(mut self, received: &Receiver<Message>) {
        while !self.stopping.load(Ordering::Acquire) {
            match received.recv_timeout(self.files.next_end(Instant::now())) {
                Ok(message) => {
                    self.take(message);
                    received.try_iter().take(BATCH_MAX).for_each(|message| self.take(message));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.write_all();
            self.files.end_old(Instant::now());
        }
        received.try_iter().take(QUEUED_MAX).for_each(|message| self.take(message));
        self.write_all();
        self.files.end_all();
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Record(record) => self.take_record(*record),
            Message::End(prefix) => {
                self.write(&prefix);
                self.files.end(&prefix);
                self.troubles.remove(&prefix);
            }
            Message::Wake => {}
        }
    }

    fn take_record(&mut self, record: Record) {
        let prefix = Arc::clone(record.log.prefix());
        let mut bytes = Vec::new();
        record.append(&self.saved_model_tags, &mut bytes);
        if self.files.is_more_than_all(bytes.len() as u64) {
            return record.log.drop_one(); // its client's doing, and no trouble of the disk's
        }
        let waiting = self.batches.get(&prefix).map_or(0, |batch| batch.bytes.len());
        if self.files.is_too_long(&prefix, (waiting + bytes.len()) as u64) {
            self.write(&prefix);
            self.files.end(&prefix);
        }
        let batch = self.batches.entry(prefix).or_default();
        batch.bytes.append(&mut bytes);
        batch.records.push(record);
    }

    fn write_all(&mut self) {
        for prefix in self.batches.keys().cloned().collect::<Vec<_>>() {
            self.write(&prefix);
        }
    }

    fn write(&mut self, prefix: &Arc<str>) {
        let Some(batch) = self.batches.remove(prefix) else { return };
        let now = Instant::now();
        if self.troubles.get(prefix).is_some_and(|trouble| now < trouble.retry_at) {
            return self.lose(prefix, &batch);
        }
        match self.files.write(prefix, &batch.bytes, now) {
            Ok(()) => self.note_written(prefix, &batch),
            Err(error) => self.note_failed(prefix, &batch, &error),
        }
    }

    fn note_written(&mut self, prefix: &Arc<str>, batch: &Batch) {
        for record in &batch.records {
            record.log.counts().written.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(trouble) = self.troubles.remove(prefix) {
            self.tell(batch, Incident::Recovered(trouble.lost));
        }
    }

    fn note_failed(&mut self, prefix: &Arc<str>, batch: &Batch, error: &io::Error) {
        let retry_at = Instant::now() + RETRY_INTERVAL;
        let trouble = self.troubles.get_mut(prefix).map(|trouble| trouble.retry_at = retry_at);
        if trouble.is_none() {
            self.troubles.insert(Arc::clone(prefix), Trouble { lost: 0, retry_at });
            self.tell(batch, Incident::Failed(error.to_string()));
        }
        self.lose(prefix, batch);
    }

    fn lose(&mut self, prefix: &Arc<str>, batch: &Batch) {
        for record in &batch.records {
            record.log.counts().failed.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(trouble) = self.troubles.get_mut(prefix) {
            trouble.lost += batch.records.len() as u64;
        }
    }

    fn tell(&self, batch: &Batch, incident: Incident) {
        if let Some(record) = batch.records.first() {
            self.reports.tell(Report { model: Arc::clone(record.log.model()), incident });
        }
    }
}
