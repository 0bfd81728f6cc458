//! The page as scrapes get it: TensorFlow Serving's metrics, then Understudy's own, which Python writes.
//!
//! One page is made at a time. Scrapes that come meanwhile share the next one, so that however many ask, no page is
//! made beside another, and none is older than the question. Python's part is made anew only when a multiple of the
//! time that it took has passed: who scrapes without a pause takes a share of one core from the control loop, and
//! no more. When Python does not answer in time, the page comes without its part.

use super::{exposition, families::Family};
use crate::{error::Error, plane::Plane};
use bytes::Bytes;
use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::{sync::oneshot, task::spawn_blocking};

/// What the control plane is asked for its part with.
pub const METHOD: &str = "GetMetricsPage";

/// Scrapes that wait at once; more are refused.
const WAITING_MAX: usize = 64;

/// How long Python's part may take. Prometheus waits for 10 s, unless it is told otherwise.
const OWN_PATIENCE: Duration = Duration::from_secs(8);

/// Python's part is used again for so many times the time it took to make: it takes a fifth of a core at most.
const OWN_REST: u32 = 4;

/// A longer part of Python's is left out: it would be some hundred thousand models.
const OWN_BYTES_MAX: usize = 256 << 20;

/// Who waits for a page, and Python's last part.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    is_under_way: bool,
    waiting: Vec<oneshot::Sender<Bytes>>,
    own: Option<Own>,
}

#[derive(Debug)]
struct Own {
    text: Bytes,
    made: Instant,
    took: Duration,
}

/// The page, begun after this was called.
pub(crate) async fn page(plane: &Arc<Plane>) -> Result<Bytes, Error> {
    let (sender, receiver) = oneshot::channel();
    if plane.pages().join(sender)? {
        let making = Making { plane: Arc::clone(plane), is_over: false };
        tokio::spawn(making.run());
    }
    receiver.await.map_err(|_| Error::unavailable("the server is stopping"))
}

impl Pages {
    /// Waits for the next page; whether nobody makes one now.
    fn join(&self, scrape: oneshot::Sender<Bytes>) -> Result<bool, Error> {
        let mut state = self.state();
        state.waiting.retain(|waiting| !waiting.is_closed());
        if state.waiting.len() >= WAITING_MAX {
            return Err(Error::resource_exhausted(format!(
                "{WAITING_MAX} scrapes wait for the page already; try again later"
            )));
        }
        state.waiting.push(scrape);
        Ok(!mem::replace(&mut state.is_under_way, true))
    }

    /// Python's last part, unless it is time for a new one.
    fn own(&self) -> Option<Bytes> {
        let state = self.state();
        let own = state.own.as_ref().filter(|own| own.made.elapsed() < own.took * OWN_REST)?;
        Some(own.text.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The one who makes pages while somebody waits for one.
struct Making {
    plane: Arc<Plane>,
    is_over: bool,
}

impl Making {
    async fn run(mut self) {
        while let Some(waiting) = self.next() {
            let own = self.own().await;
            let plane = Arc::clone(&self.plane);
            let Ok(page) = spawn_blocking(move || join(&plane.serving_metrics(), own.as_deref())).await
            else {
                return;
            };
            for scrape in waiting {
                let _ = scrape.send(page.clone()); // one that went away waits no more
            }
        }
    }

    /// Those who wait; none when nobody does, and then this is over.
    fn next(&mut self) -> Option<Vec<oneshot::Sender<Bytes>>> {
        let mut state = self.plane.pages().state();
        let waiting = mem::take(&mut state.waiting);
        state.is_under_way = !waiting.is_empty();
        self.is_over = waiting.is_empty();
        (!self.is_over).then_some(waiting)
    }

    /// Python's part; none when it cannot be had.
    async fn own(&self) -> Option<Bytes> {
        let pages = self.plane.pages();
        if let Some(text) = pages.own() {
            return Some(text);
        }
        let begun = Instant::now();
        let text = self.plane.submit_admin(METHOD, Bytes::new(), Some(begun + OWN_PATIENCE)).await.ok()?;
        if text.len() > OWN_BYTES_MAX {
            return None;
        }
        let made = Instant::now();
        pages.state().own = Some(Own { text: text.clone(), made, took: made - begun });
        Some(text)
    }
}

impl Drop for Making {
    /// Cut off, as when the doors close, it leaves nobody waiting, and the next scrape can begin anew.
    fn drop(&mut self) {
        if !self.is_over {
            let mut state = self.plane.pages().state();
            state.is_under_way = false;
            state.waiting.clear();
        }
    }
}

fn join(families: &[Family], own: Option<&[u8]>) -> Bytes {
    let mut page = exposition::write(families).into_bytes();
    page.extend_from_slice(own.unwrap_or_default());
    page.into()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // a test may panic
mod tests {
    use super::*;
    use crate::execute::Limits;

    fn plane_with_own(text: &'static str, took: Duration) -> Arc<Plane> {
        let limits = Limits { io_threads: 1, in_flight_max: 1, queue_max: 1, runs_max: 1 };
        let plane = Arc::new(Plane::new(limits).unwrap());
        let text = Bytes::from_static(text.as_bytes());
        plane.pages().state().own = Some(Own { text, made: Instant::now(), took });
        plane
    }

    #[tokio::test]
    async fn pythons_part_is_used_again_while_it_is_dear() {
        let plane = plane_with_own("dear\n", Duration::from_hours(1));
        assert!(page(&plane).await.unwrap().ends_with(b"dear\n"));
        assert_eq!(plane.next_admin(METHOD, Duration::ZERO), None);
    }

    #[tokio::test]
    async fn pythons_part_is_made_anew_when_it_is_cheap() {
        let plane = plane_with_own("old\n", Duration::ZERO);
        let control = Arc::clone(&plane);
        let answering = spawn_blocking(move || {
            let request = control.next_admin(METHOD, Duration::from_secs(30)).unwrap();
            control.answer_admin(request.ticket, Ok(Bytes::from_static(b"new\n")))
        });
        assert!(page(&plane).await.unwrap().ends_with(b"histogram\nnew\n"));
        assert!(answering.await.unwrap());
    }

    #[tokio::test]
    async fn a_page_that_was_cut_off_does_not_stop_the_next_one() {
        let plane = plane_with_own("own\n", Duration::from_hours(1));
        plane.pages().join(oneshot::channel().0).unwrap();
        drop(Making { plane: Arc::clone(&plane), is_over: false });
        assert!(page(&plane).await.is_ok());
    }
}
