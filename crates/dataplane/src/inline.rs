//! Which runs may use the I/O threads themselves, and who keeps the sockets alive while they do.
//!
//! A run in an I/O thread saves two thread switches, but while it lasts that thread moves no bytes. Two things
//! keep that harmless, even when a run that was predicted to be short never ends:
//!
//! 1. At most one run fewer than there are I/O threads is inline at once, so one thread never runs a model.
//! 2. That thread must also wake. Tokio lets one idle thread wait for sockets and the others for work; if the one
//!    that waited for sockets is the one that now runs a model, the others sleep on and nobody looks at the
//!    sockets. So a watchdog looks every few milliseconds while runs are inline; if none began since its last
//!    look, it wakes an idle I/O thread, which then waits for sockets. It sleeps while nothing is inline.

use crate::allowance::{Allowance, Taken};
use std::{
    io,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, Thread},
    time::Duration,
};
use tokio::runtime;

/// How long sockets may go unobserved because of a run that is longer than predicted.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// The inline runs of one plane.
#[derive(Debug)]
pub(crate) struct Inline {
    places: Allowance,
    begun: AtomicU64,
    asleep: AtomicBool,
    watchdog: OnceLock<Thread>,
    runtime: OnceLock<runtime::Handle>,
}

impl Inline {
    /// At most `places_max` runs inline at once; starts the watchdog.
    pub(crate) fn start(places_max: usize) -> io::Result<Arc<Self>> {
        let inline = Arc::new(Self {
            places: Allowance::new(places_max),
            begun: AtomicU64::new(0),
            asleep: AtomicBool::new(false),
            watchdog: OnceLock::new(),
            runtime: OnceLock::new(),
        });
        let watched = Arc::downgrade(&inline);
        let watchdog =
            thread::Builder::new().name("inline-watchdog".into()).spawn(move || watch(&watched))?;
        let _ = inline.watchdog.set(watchdog.thread().clone());
        Ok(inline)
    }

    /// A place for a run in this I/O thread, as long as the answer lives; none when there is none to spare.
    pub(crate) fn enter(&self) -> Option<Taken<&Allowance>> {
        let place = Allowance::take(&self.places)?;
        self.runtime.get_or_init(runtime::Handle::current);
        self.begun.fetch_add(1, Ordering::Relaxed);
        if self.asleep.load(Ordering::SeqCst) && self.asleep.swap(false, Ordering::SeqCst) {
            self.wake();
        }
        Some(place)
    }

    fn wake(&self) {
        if let Some(watchdog) = self.watchdog.get() {
            watchdog.unpark();
        }
    }

    /// Whether nothing is inline and the next run will wake the watchdog. A place is taken before `asleep` is read, and `asleep` is
    /// set before the places are read, so that one of the two sees the other.
    fn is_quiet(&self) -> bool {
        self.asleep.store(true, Ordering::SeqCst);
        let quiet = self.places.used() == 0;
        if !quiet {
            self.asleep.store(false, Ordering::SeqCst);
        }
        quiet
    }

    fn wake_an_io_thread(&self) {
        if let Some(runtime) = self.runtime.get() {
            drop(runtime.spawn(async {}));
        }
    }
}

impl Drop for Inline {
    fn drop(&mut self) {
        self.wake(); // so that the watchdog sees that it is over
    }
}

fn watch(inline: &Weak<Inline>) {
    let mut seen = 0;
    while let Some(here) = inline.upgrade() {
        let quiet = here.is_quiet();
        let begun = here.begun.load(Ordering::Relaxed);
        if !quiet && begun == seen {
            here.wake_an_io_thread();
        }
        seen = begun;
        drop(here);
        if quiet {
            thread::park();
        }
        // Always: a run that has just begun needs no look yet, and must not have to wake this thread each time.
        thread::park_timeout(LOOK_EVERY);
    }
}
