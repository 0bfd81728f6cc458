//! A slot's end, under load: no handle outlives its model, and no request's thread frees one.
#![allow(clippy::unwrap_used, clippy::panic)] // a test may panic

use super::*;
use crate::{
    error::Error, lane::Width, runtime::RunOptions, signature::Signatures, stats::Ledger, tensor::Tensor,
};
use std::{
    collections::BTreeMap,
    sync::{
        Barrier,
        atomic::{AtomicBool, AtomicUsize},
        mpsc,
    },
    thread::{self, ThreadId},
    time::Duration,
};

const LONG: Duration = Duration::from_secs(30);

/// Reports who freed it, and that nobody was using it.
struct Watched {
    signatures: Signatures,
    using: Arc<AtomicUsize>,
    freed_by: mpsc::Sender<(ThreadId, usize)>,
}

impl Model for Watched {
    fn signatures(&self) -> &Signatures {
        &self.signatures
    }

    fn run(&self, _: usize, _: &[Tensor], _: &[usize], _: RunOptions) -> Result<Vec<Tensor>, Error> {
        Ok(Vec::new())
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.freed_by.send((thread::current().id(), self.using.load(Ordering::SeqCst)));
    }
}

struct Stage {
    slot: Arc<Slot>,
    reaper: Reaper,
    using: Arc<AtomicUsize>,
    freed: mpsc::Receiver<(ThreadId, usize)>,
}

fn stage(reaper: &Reaper, version: i64) -> Stage {
    let (freed_by, freed) = mpsc::channel();
    let using = Arc::new(AtomicUsize::new(0));
    let signatures = Signatures::new(Vec::new(), BTreeMap::new());
    let model = Watched { signatures, using: Arc::clone(&using), freed_by };
    let name = Arc::from("m");
    let fittings = Fittings {
        rows: Ledger::default().open_version(&name, version, Vec::new()),
        name,
        version,
        incarnation: 0,
        lane: Lane::new(0, Width { runs_max: 1, queue_max: 1 }),
        batching: None,
        reaper: reaper.clone(),
    };
    Stage { slot: Slot::new(Box::new(model), fittings), reaper: reaper.clone(), using, freed }
}

fn later() -> Instant {
    Instant::now() + LONG
}

#[test]
fn a_slot_without_handles_is_freed_at_once_by_the_one_who_retires_it() {
    let stage = stage(&Reaper::start().unwrap(), 1);
    assert_eq!(stage.slot.retire(Instant::now()), 0);
    assert_eq!(stage.freed.try_recv().unwrap(), (thread::current().id(), 0));
    assert!(stage.slot.acquire().is_none());
}

#[test]
fn the_last_handle_wakes_the_one_who_waits_for_it_and_leaves_the_freeing_to_it() {
    let Stage { slot, freed, .. } = stage(&Reaper::start().unwrap(), 1);
    let (first, second) = (slot.acquire().unwrap(), slot.acquire().unwrap());
    let retiring = thread::spawn({
        let slot = Arc::clone(&slot);
        move || (slot.retire(later()), thread::current().id())
    });
    while slot.acquire().is_some() {
        thread::yield_now();
    }
    drop(first);
    assert!(freed.try_recv().is_err());
    drop(second);
    let (left, unloader) = retiring.join().unwrap();
    assert_eq!((left, freed.recv().unwrap()), (0, (unloader, 0)));
}

#[test]
fn a_handle_that_outlives_the_deadline_keeps_the_model_and_the_reaper_frees_it_afterwards() {
    let Stage { slot, reaper, freed, .. } = stage(&Reaper::start().unwrap(), 1);
    let handle = slot.acquire().unwrap();
    assert_eq!(slot.retire(Instant::now() + Duration::from_millis(1)), 1);
    assert_eq!(reaper.late(), 1);
    assert!(handle.model().signatures().list().is_empty());
    assert!(freed.try_recv().is_err());
    let me = thread::current().id();
    drop(slot);
    drop(handle);
    let (freed_by, using) = freed.recv_timeout(LONG).unwrap();
    assert!(freed_by != me && using == 0);
    assert_eq!(reaper.late(), 0);
}

#[test]
fn a_slot_that_was_never_retired_is_not_freed_by_whoever_drops_it_last() {
    let Stage { slot, freed, .. } = stage(&Reaper::start().unwrap(), 1);
    drop(slot);
    assert_ne!(freed.recv_timeout(LONG).unwrap().0, thread::current().id());
}

#[test]
fn a_model_whose_destructor_panics_harms_nobody() {
    struct Bomb(Signatures);
    impl Model for Bomb {
        fn signatures(&self) -> &Signatures {
            &self.0
        }
        fn run(&self, _: usize, _: &[Tensor], _: &[usize], _: RunOptions) -> Result<Vec<Tensor>, Error> {
            Ok(Vec::new())
        }
    }
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("on purpose");
        }
    }
    let reaper = Reaper::start().unwrap();
    reaper.hand_over(Arc::new(Box::new(Bomb(Signatures::new(Vec::new(), BTreeMap::new())))));
    let Stage { slot, freed, .. } = stage(&reaper, 1);
    drop(slot);
    assert!(freed.recv_timeout(LONG).is_ok());
}

/// Request threads hold and use whatever slot is present while the control thread replaces it, over and over, each
/// old one with a deadline that some handles miss. Whoever frees a model must not be a request thread, and must
/// find nobody using it.
#[test]
fn under_load_every_model_is_freed_once_off_the_request_threads_while_nobody_uses_it() {
    const REQUEST_THREADS: usize = 4;
    const CHANGES: i64 = 3_000;
    let reaper = Reaper::start().unwrap();
    let first = stage(&reaper, 0);
    let present =
        Arc::new(arc_swap::ArcSwap::from_pointee((Arc::clone(&first.slot), Arc::clone(&first.using))));
    let (over, begin) = (Arc::new(AtomicBool::new(false)), Arc::new(Barrier::new(REQUEST_THREADS + 1)));
    let requests: Vec<_> = (0..REQUEST_THREADS)
        .map(|_| {
            let (present, over, begin) = (Arc::clone(&present), Arc::clone(&over), Arc::clone(&begin));
            thread::spawn(move || {
                begin.wait();
                let mut served = 0_u64;
                while !over.load(Ordering::Relaxed) {
                    served += u64::from(serve(&present));
                }
                (thread::current().id(), served)
            })
        })
        .collect();
    begin.wait();
    let mut freed = Vec::new();
    let mut old = first;
    for version in 1..=CHANGES {
        let new = stage(&reaper, version);
        present.store(Arc::new((Arc::clone(&new.slot), Arc::clone(&new.using))));
        let patience = if version % 3 == 0 { Duration::ZERO } else { LONG };
        old.slot.retire(Instant::now() + patience);
        freed.push(old.freed);
        old = Stage { slot: new.slot, reaper: new.reaper, using: new.using, freed: new.freed };
    }
    over.store(true, Ordering::Relaxed);
    let finished: Vec<_> = requests.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert!(finished.iter().all(|(_, served)| *served > 0), "{finished:?}");
    for freed in freed {
        let (by, using) = freed.recv_timeout(LONG).unwrap();
        assert_eq!(using, 0);
        assert!(finished.iter().all(|(thread, _)| *thread != by));
        assert!(freed.try_recv().is_err(), "freed twice");
    }
    assert_eq!(reaper.late(), 0);
}

fn serve(present: &arc_swap::ArcSwap<(Arc<Slot>, Arc<AtomicUsize>)>) -> bool {
    let table = present.load_full(); // kept past the handle, as a slow request keeps an old snapshot
    let Some(handle) = table.0.acquire() else { return false };
    table.1.fetch_add(1, Ordering::SeqCst);
    std::hint::black_box(handle.model().signatures());
    table.1.fetch_sub(1, Ordering::SeqCst);
    drop(handle);
    true
}
